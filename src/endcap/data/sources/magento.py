"""Magento's product export: configurable products name the simple ones they are made of. A file or a folder of them.

The sample data's files of simple goods (category, name, sku, price, attribute_set; a list has a value a line) are read
as well.
"""

from dataclasses import replace
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.schema import SEPARATOR
from endcap.data.sources.export import Row, has_columns, kept, named, read_rows, unread
from endcap.data.sources.markup import plain_text
from endcap.data.sources.money import money
from endcap.data.sources.products import Export, Record, Values, fold, option_column
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped

COLUMNS = {
    "item_id": ("sku",), "title": ("name",), "category": ("categories", "category"), "brand": ("manufacturer", "brand"),
    "price": ("price",), "stock": ("qty", "is_in_stock"), "description": ("description", "short_description"),
    "image": ("base_image",), "colour": ("color",), "size": ("size",), "material": ("material",),
    "gender": ("gender",), "created": ("created_at",),
}  # fmt: skip
PLACES = {"type": ("product_type",), "variations": ("configurable_variations",), "more": ("additional_attributes",),
          "photos": ("additional_images",), "view": ("store_view_code",)}  # fmt: skip
_NOT_ALONE = "1"
"""Visibility of a simple product that only stands for another one, of whose kind its attribute set is."""
Ratings = dict[str, list[float]]
_ROOT = "Default Category"
_SWITCHES = ("has_options", "required_options")


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Item ids are SKUs; a simple product that a configurable one lists is a variant of it."""
    files = [file for file in source.files if _is_products(file)]
    records: list[Record] = []
    problems, notes = [], []
    parents: dict[str, str] = {}
    columns: dict[str, str] = {}
    tables, before = [], 0
    for file in files:
        table = read_rows(backend, source, file, "magento", before=before)
        notes.append(f"read {len(table.rows):,} rows from {file.name}")
        before += len(table.rows) + len(table.problems)
        problems += table.problems
        found = named(COLUMNS, table.header, given, file)
        places = named(PLACES, table.header, {}, file)
        columns = found | columns
        tables.append((table, found, places))
        for _, row in table.rows:
            sku = row[found["item_id"]]
            for variant in _variations(row.get(places.get("variations", ""))):
                if sku:
                    parents.setdefault(variant, sku)
    ratings, rated = _ratings(backend, source, parents)
    notes += [*rated, *unread(source, [*files, *filter(_is_reviews, source.files)])]
    views = 0
    for table, found, places in tables:
        for number, row in table.rows:
            if row.get(places.get("view", "")):
                views += 1
                continue
            records.append(_record(number, row, found, kept(row, table.header, {*found.values(), *places.values()}),
                                   {name: row.get(place) for name, place in places.items()}, parents))  # fmt: skip
    notes += [f"{views:,} rows for single store views, which repeat products, are left out"] * bool(views)
    records = [_rated(record, ratings) for record in records]
    told = dict.fromkeys(("attributes", "colour", "size", "material"), "additional_attributes") | columns
    told |= {"categories": columns.get("category", ""), "price_max": columns.get("price", "")}
    told |= {"rating": "rating_value", "product_code": "attribute_set"}
    return fold(backend, source, Export("magento", records, told, problems, notes, parents))


def _record(number: int, row: Row, columns: Mapped, rest: Row, places: Row, parents: dict[str, str]) -> Record:
    found = {column: row[name] for column, name in columns.items()}
    lists = {name: _lines(found.get(name)) for name in ("colour", "size", "material", "gender")}
    attributes = []
    for name, text in _pairs(places.get("more")):
        value = plain_text(text)
        column = option_column(name)
        if column:
            lists[column] += value.split("|")
        elif name not in _SWITCHES:
            attributes += [f"{name}={each}" for each in value.split("|")]
    categories = _categories(found.get("category"), columns.get("category") == "category")
    photos = [found.get("image") or "", *(places.get("photos") or "").split(",")]
    own: Values = {
        **{name: SEPARATOR.join(_lines(value)) or None for name, value in rest.items()},
        **found, **lists, "gender": ", ".join(lists["gender"]) or None, "attributes": attributes,
        "categories": categories, "category": max(categories, key=lambda each: each.count(">"), default=None),
        "image": [photo.strip().lstrip("/") for photo in photos],
    }  # fmt: skip
    sku = found["item_id"]
    parent = parents.get(sku or "")
    if parent is None and rest.get("visibility") == _NOT_ALONE and "attribute_set" in rest:
        own = {**own, "product_code": rest.get("attribute_set")}
    return Record(number, parent or sku, (sku,), own, main=parent is None)


def _rated(record: Record, ratings: Ratings) -> Record:
    """With the mean of its ratings, where it is a product that has any."""
    given = ratings.get(record.product or "") if record.main else None
    if not given:
        return record
    mean = {"rating": f"{sum(given) / len(given):.4g}", "rating_count": str(len(given))}
    return replace(record, values={**record.values, **mean})


def _ratings(backend: Backend, source: Source, parents: Mapped) -> tuple[Ratings, list[str]]:
    """Product -> the ratings in the files of reviews, those of variants among them; and what was read, for people."""
    found: Ratings = {}
    notes = []
    for file in filter(_is_reviews, source.files):
        table = read_rows(backend, source, file, "magento")
        sku, rating = (named({name: (name,)}, table.header, {}, file)[name] for name in ("sku", "rating_value"))
        values = [(row[sku], money(row[rating] or "")) for _, row in table.rows]
        usable = [(name, value[0]) for name, value in values if name and value and value[0] > 0]
        for name, value in usable:
            found.setdefault(parents.get(name, name), []).append(value)
        left = f", {len(values) - len(usable):,} have none" if len(usable) < len(values) else ""
        notes.append(f"read {len(usable):,} ratings from {file.name}{left}")
    return found, notes


def _variations(text: str | None) -> list[str]:
    """`sku=A,size=M|sku=B,size=L` -> A, B."""
    found = [dict(_pairs(variation)).get("sku") for variation in (text or "").split("|")]
    return [sku for sku in found if sku]


def _pairs(text: str | None) -> list[tuple[str, str]]:
    """`size=M,color=Red` as pairs; a piece without `=` belongs to the value before it."""
    pairs: list[tuple[str, str]] = []
    for piece in (text or "").split(","):
        name, mark, value = piece.partition("=")
        if mark:
            pairs.append((name.strip(), value.strip()))
        elif pairs and piece:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]},{piece}")
    return pairs


def _categories(text: str | None, one_path: bool) -> list[str]:  # noqa: FBT001
    """Paths such as `Men > Tops`, without the root that all share; a path is a line per level in the sample's files."""
    if one_path:
        levels = _lines(text)
        return [" > ".join(levels[:2])] * bool(levels)
    paths = [[level.strip() for level in path.split("/")] for path in (text or "").split(",")]
    return [" > ".join(path) for path in ([*path[1:]] if path[0] == _ROOT else path for path in paths) if any(path)]


def _lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _is_reviews(file: Path) -> bool:
    return file.name.lower().endswith((".csv", ".csv.gz")) and has_columns(file, ("sku", "rating_value", "review"))


def _is_products(file: Path) -> bool:
    if not file.name.lower().endswith((".csv", ".csv.gz", ".txt")):
        return False
    export = has_columns(file, ("sku", "product_type", "name", "price"))
    return export or has_columns(file, ("sku", "category", "name", "price", "attribute_set"))


def _recognises(source: Source) -> bool:
    return any(_is_products(file) for file in source.files)


CATALOGUE: Format[Items] = Format(
    "magento", "CSV with sku, product_type, name, price …, or a folder of such files", _recognises, read_catalogue
)
