"""WooCommerce's product CSV: products and their variations, which name their parent by `id:N` or SKU."""

import re

from endcap.data.backend import Backend
from endcap.data.sources.export import Row, Rows, kept, named, read_rows
from endcap.data.sources.money import Problem
from endcap.data.sources.products import Export, Record, Values, fold, option_column
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped

COLUMNS = {
    "item_id": ("ID",), "title": ("Name",), "category": ("Categories",), "brand": ("Brands", "Brand"),
    "price": ("Regular price",), "stock": ("Stock", "In stock?"), "description": ("Description",),
    "image": ("Images",), "tags": ("Tags",),
}  # fmt: skip
PLACES = {"sku": ("SKU",), "type": ("Type",), "parent": ("Parent",), "buyable": ("In stock?",),
          "short": ("Short description",)}  # fmt: skip


_LANGUAGES = {
    "ID": "id",
    "Type": "type|typ|tipo|tipologia",
    "SKU": "sku|artikelnummer|ugs|artikelnummer (sku)|cod",
    "Name": "name|nom|nombre|nome|naam",
    "Regular price": (
        "regular price|regulärer preis|tarif régulier|prix régulier|precio normal"
        "|prezzo di listino|reguliere prijs|preço normal"
    ),
    "Sale price": (
        "sale price|angebotspreis|tarif promo|precio rebajado|prezzo in offerta|actieprijs|preço promocional"
    ),
    "Categories": "categories|kategorien|catégories|categorías|categorie|categorieën|categorias",
    "Tags": "tags|schlagwörter|étiquettes|etiquetas|tag",
    "Images": "images|bilder|imágenes|immagini|afbeeldingen|imagens",
    "Parent": "parent|übergeordnetes produkt|superior|genitore|hoofd|ascendente",
    "Stock": "stock|lager|lagerbestand|inventario|magazzino|voorraad|estoque",
    "In stock?": (
        "in stock?|vorrätig?|auf lager?|en stock ?|en stock?|¿existencias?|¿en inventario?|op voorraad?|em estoque?"
    ),
    "Description": "description|beschreibung|descripción|descrizione|beschrijving|descrição",
    "Short description": (
        "short description|kurzbeschreibung|description courte|descripción corta"
        "|breve descrizione|korte beschrijving|descrição curta"
    ),
    "Published": "published|veröffentlicht|publié|publicado|pubblicato",
    "Brands": "brands|marken|marques|marcas|marchi|merken",
}
_WORDS = {word: english for english, words in _LANGUAGES.items() for word in words.split("|")}
_ATTRIBUTES = (
    (r"attribut (\d+) name|attribute (\d+) name", "name"),
    (r"nom de l'attribut (\d+)|nombre del atributo (\d+)|nome dell?'?attributo (\d+)|naam eigenschap (\d+)", "name"),
    (r"attribut (\d+) wert\(e\)|attribute (\d+) value\(s\)", "value(s)"),
    (r"valeur\(s\) de l'attribut (\d+)|valor\(es\) del atributo (\d+)|valor[ei] dell'attributo (\d+)", "value(s)"),
)
"""What shops in other languages call the columns; from exports of their versions, so that there may be others."""


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Item ids are the IDs of products; a variation whose parent is not in the file stays a product of its own."""
    table = _in_english(read_rows(backend, source, source.files[0], "woocommerce"))
    columns = named(COLUMNS, table.header, given, source.path)
    places = named(PLACES, table.header, {}, source.path)
    attributes = _attributes(table.header)
    used = {*columns.values(), *places.values(), *(name for pair in attributes for name in pair)}
    by_sku: dict[str, str] = {}
    for _, row in table.rows:
        if (sku := row.get(places["sku"])) and (item := row[columns["item_id"]]) and not row[places["parent"]]:
            by_sku.setdefault(sku, item)
    ids = {row[columns["item_id"]] for _, row in table.rows}
    problems: list[Problem] = list(table.problems)

    def record(row: int, values: Row) -> Record:
        item, parent = values[columns["item_id"]], values[places["parent"]]
        is_variation = "variation" in (values[places["type"]] or "").split(", ")
        product, code = item, None
        if is_variation and parent:
            product = parent[3:] if parent.startswith("id:") else by_sku.get(parent)
            if product not in ids:
                fault = "no such product in the file; kept as a product of its own"
                problems.append((row, places["parent"], parent, fault))
                product, code = item, parent.removeprefix("id:")  # its sisters have the same
        found = {column: values[name] for column, name in columns.items()}
        lists: dict[str, list[str]] = {"attributes": [], "colour": [], "size": [], "material": []}
        for name_column, value_column in attributes:
            name, given_values = values[name_column], values[value_column]
            if name and given_values:
                column = option_column(name)
                lists[column or "attributes"] += [v if column else f"{name}={v}" for v in _list(given_values)]
        categories = _list(found.get("category"))
        buyable = {"1": "in stock", "0": "out of stock"}.get(values.get(places.get("buyable", "")) or "")
        amount = found.get("stock") if columns.get("stock") != places.get("buyable") else None
        own: Values = {
            **kept(values, table.header, used), **found, **lists,
            "categories": categories, "category": max(categories, key=lambda each: each.count(">"), default=None),
            "image": _list(found.get("image")), "tags": _list(found.get("tags")), "stock": amount or buyable,
            "product_code": code,
            "description": found.get("description") or values.get(places.get("short", "")),
        }  # fmt: skip
        return Record(row, product, (item, values.get(places["sku"])), own, main=product == item)

    records = [record(row, values) for row, values in table.rows]
    told = columns | {
        "categories": columns.get("category", ""), "colour": "attributes called Color",
        "size": "attributes called Size", "material": "attributes called Material",
        "attributes": "the other attributes", "price_max": columns.get("price", ""),
        "product_code": places.get("parent", ""),
    }  # fmt: skip
    return fold(backend, source, Export("woocommerce", records, told, problems))


def _english(name: str) -> str:
    """A header in the words of an English shop; others stay as they are."""
    plain = name.strip().lower().replace("’", "'")
    if plain in _WORDS:
        return _WORDS[plain]
    for pattern, english in _ATTRIBUTES:
        if found := re.fullmatch(pattern, plain):
            return f"Attribute {next(filter(None, found.groups()))} {english}"
    return name


def _in_english(table: Rows) -> Rows:
    header = [_english(name) for name in table.header]
    if header == table.header or len(set(header)) < len(header):
        return table
    names = dict(zip(table.header, header, strict=True))
    rows = [(row, {names[name]: value for name, value in values.items()}) for row, values in table.rows]
    return Rows(header, rows, table.problems)


def _list(text: str | None) -> list[str]:
    """Values between commas; a comma inside a value is written as `\\,`."""
    return [value.replace("\\,", ",").strip() for value in re.split(r"(?<!\\),", text or "") if value.strip()]


def _attributes(header: list[str]) -> list[tuple[str, str]]:
    """The pairs of columns that hold an attribute's name and its values."""
    found = [re.fullmatch(r"(Attribute \d+) name", name) for name in header]
    pairs = [(match[0], f"{match[1]} value(s)") for match in found if match]
    return [pair for pair in pairs if pair[1] in header]


def _recognises(source: Source) -> bool:
    if source.path.is_dir() or source.is_parquet or source.is_json:
        return False
    return {"ID", "Type", "SKU", "Name", "Regular price", "Parent"} <= {_english(name) for name in source.header}


CATALOGUE: Format[Items] = Format(
    "woocommerce",
    "CSV with ID, Type, SKU, Name, Regular price, Parent, in several languages",
    _recognises,
    read_catalogue,
)
