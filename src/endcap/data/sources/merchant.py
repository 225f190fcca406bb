"""Google Merchant's product feed: tab-separated text, or RSS and Atom with the `g:` namespace.

XML is read with the standard library's expat. A feed has no use for a document type, so one that declares it is
refused: without it there are no entities to expand or to fetch.
"""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn
from xml.parsers import expat

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.export import has_columns, kept, named, read_rows
from endcap.data.sources.money import Problem
from endcap.data.sources.products import Export, Record, Values, fold
from endcap.data.sources.source import Source, is_gzip
from endcap.data.sources.tables import Format, Items, Mapped

COLUMNS = {
    "item_id": ("id",), "title": ("title",), "category": ("product_type", "google_product_category"),
    "brand": ("brand",), "price": ("price",), "stock": ("availability",), "description": ("description",),
    "image": ("image_link",), "colour": ("color",), "size": ("size",), "material": ("material",),
    "gender": ("gender",), "product_code": ("item_group_id",),
}  # fmt: skip
_MORE = "additional_image_link"
_NAMESPACE = "http://base.google.com/ns/1.0"
_LONGEST = 8 << 20  # characters of one field


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Item ids are groups' ids (`item_group_id`), and ids where there is no group."""
    problems: list[Problem] = []
    rows: list[tuple[int, dict[str, list[str]]]]
    if _is_xml(source):
        rows = list(enumerate(_entries(source.files[0]), start=1))
    else:
        table = read_rows(backend, source, source.files[0], "merchant")
        problems = table.problems
        rows = [(row, {_plain(name): [value] for name, value in values.items() if value}) for row, values in table.rows]
    header = list(dict.fromkeys(name for _, fields in rows for name in fields))
    columns = named(COLUMNS, header, given, source.path)
    missing = {"id", "title"} - set(header)
    if missing:
        raise InputError(f"{source.path} has no {' and no '.join(sorted(missing))}; expected a feed with id and title")
    records = []
    for row, fields in rows:
        first = {name: values[0] for name, values in fields.items()}
        lists = {
            column: _split(fields.get(columns.get(column, ""), []), column) for column in ("colour", "size", "material")
        }
        category = next((first[name] for name in COLUMNS["category"] if name in first), None)
        photos = [*fields.get("image_link", []), *_split(fields.get(_MORE, []), "image")]
        own: Values = {
            **kept(dict.fromkeys(header) | first, header, {*columns.values(), _MORE}),
            **{column: first.get(name) for column, name in columns.items()},
            **lists, "category": category, "image": photos,
        }  # fmt: skip
        item = first.get(columns["item_id"])
        records.append(Record(row, first.get("item_group_id") or item, (item,), own))
    told = columns | {"item_id": "item_group_id or id", "price_max": "price", "image": f"image_link and {_MORE}"}
    return fold(backend, source, Export("merchant", records, told, problems))


def _split(values: list[str], column: str) -> list[str]:
    """Several values in one field: photos between commas, materials and colours between `/`."""
    mark = "," if column == "image" else "/"
    return [part for value in values for part in value.split(mark)] if column != "size" else values


def _plain(name: str) -> str:
    """`g:image link` and `Image_Link` are image_link."""
    return re.sub(r"[\s_]+", "_", name.strip().lower().removeprefix("g:"))


def _entries(file: Path) -> Iterator[dict[str, list[str]]]:
    """Field -> its values, of each item; fields inside fields (shipping) are left out."""
    found: list[dict[str, list[str]]] = []
    path: list[str] = []
    text: list[str] = []

    def refuse(*_: object) -> NoReturn:
        raise InputError(f"{file} declares a document type or entities, which no product feed needs; export it without")

    def start(name: str, _: dict[str, str]) -> None:
        path.append(_plain(name.rsplit(" ", 1)[-1]))
        text.clear()
        if _is_item(path):
            found.append({})

    def end(_: str) -> None:
        if len(path) > 1 and _is_item(path[:-1]):
            value = "".join(text).strip()
            if value:
                found[-1].setdefault(path[-1], []).append(value)
        path.pop()
        text.clear()

    def data(piece: str) -> None:
        text.append(piece)
        if len(text) > 1000 and sum(map(len, text)) > _LONGEST:
            raise InputError(f"{file} has a field of over {_LONGEST:,} characters at line {parser.CurrentLineNumber}")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    stream: BinaryIO
    with gzip.open(file) if is_gzip(file) else file.open("rb") as stream:  # type: ignore[assignment]
        try:
            parser.ParseFile(stream)
        except expat.ExpatError as error:
            raise InputError(
                f"{file} is no well-formed XML: {expat.ErrorString(error.code)} at line {error.lineno}, column "
                f"{error.offset + 1}; export the feed again"
            ) from None
        except (EOFError, OSError) as error:
            raise InputError(f"{file} cannot be read: {error}; copy it again") from None
    yield from found


def _is_item(path: list[str]) -> bool:
    return path in (["rss", "channel", "item"], ["feed", "entry"])


def _is_xml(source: Source) -> bool:
    return not source.is_parquet and source.head.lstrip("\ufeff \n\t").startswith("<")


def _recognises(source: Source) -> bool:
    if source.path.is_dir() or source.is_parquet or source.is_json:
        return False
    if _is_xml(source):
        return bool(re.search(r"<(rss|feed)[\s>]", source.head)) or _NAMESPACE in source.head
    text = ",;\t|"
    return any(
        has_columns(source.files[0], needed, text)
        for link in ("image_link", "image link", "g:image_link")
        for needed in [("g:id", "g:title", link) if link.startswith("g:") else ("id", "title", link)]
    )


CATALOGUE: Format[Items] = Format(
    "merchant", "a product feed: text with id, title, image_link …, or RSS with g:id …", _recognises, read_catalogue
)
