"""Shopify's product CSV, of both sets of headers: a row per variant or further photo, joined by the handle."""

from endcap.data.backend import Backend
from endcap.data.sources.export import Row, has_columns, kept, named, read_rows
from endcap.data.sources.products import Export, Record, Values, fold, option_column
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped

COLUMNS = {
    "item_id": ("Handle", "URL handle"), "title": ("Title",), "category": ("Product Category", "Type"),
    "brand": ("Vendor",), "price": ("Variant Price", "Price"),
    "stock": ("Variant Inventory Qty", "Inventory quantity"), "description": ("Body (HTML)", "Description"),
    "image": ("Image Src", "Product image URL"), "gender": ("Google Shopping / Gender",), "tags": ("Tags",),
    "colour": ("Color (product.metafields.shopify.color-pattern)",),
}  # fmt: skip
SKU = {"sku": ("Variant SKU", "SKU"), "photo": ("Variant Image", "Variant image URL"), "type": ("Type",),
       "tracker": ("Variant Inventory Tracker", "Inventory tracker")}  # fmt: skip


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Item ids are handles. A variant whose stock is not tracked can always be bought."""
    table = read_rows(backend, source, source.files[0], "shopify")
    columns = named(COLUMNS, table.header, given, source.path)
    places = named(SKU, table.header, {}, source.path)
    options = {f"Option{n}": named({"name": (f"Option{n} Name",), "value": (f"Option{n} Value",)}, table.header, {},
                                   source.path) for n in (1, 2, 3)}  # fmt: skip
    used = {*columns.values(), *places.values(), *(name for each in options.values() for name in each.values())}
    names: dict[tuple[str | None, str], str] = {}  # the options' names are in a product's first row alone

    def record(row: int, values: Row) -> Record:
        handle = values[columns["item_id"]]
        found = {column: values[name] for column, name in columns.items()}
        lists: dict[str, list[str]] = {
            "attributes": [],
            "colour": [found.get("colour") or ""],
            "size": [],
            "material": [],
        }
        for option, place in options.items():
            if len(place) < 2:
                continue
            name = names[handle, option] = values[place["name"]] or names.get((handle, option), "")
            value = values[place["value"]]
            if value and name.lower() != "title":
                column = option_column(name)
                lists[column or "attributes"].append(value if column else f"{name}={value}")
        category = found.get("category") or values.get(places.get("type", ""))
        photos = [found.get("image") or "", values.get(places.get("photo", "")) or ""]
        stock = found.get("stock")
        if "tracker" in places and found.get("price") and not values[places["tracker"]]:
            stock = "in stock"
        own: Values = {**kept(values, table.header, used), **found, **lists, "category": category, "image": photos,
                       "tags": (found.get("tags") or "").split(","), "stock": stock}  # fmt: skip
        return Record(row, handle, (values.get(places.get("sku", "")),), own)

    records = [record(row, values) for row, values in table.rows]
    told = columns | {
        "category": " or ".join(dict.fromkeys(each for each in (columns.get("category"), places.get("type")) if each)),
        "colour": "options called Color", "size": "options called Size", "material": "options called Material",
        "attributes": "the other options", "price_max": columns.get("price", ""),
    }  # fmt: skip
    return fold(backend, source, Export("shopify", records, told, table.problems))


def _recognises(source: Source) -> bool:
    old, new = ("Handle", "Title", "Variant Price"), ("URL handle", "Title", "Price")
    is_text = not (source.path.is_dir() or source.is_parquet or source.is_json)
    return is_text and (has_columns(source.files[0], old) or has_columns(source.files[0], new))


CATALOGUE: Format[Items] = Format(
    "shopify", "CSV with Handle, Title, Variant Price (or URL handle, Title, Price)", _recognises, read_catalogue
)
