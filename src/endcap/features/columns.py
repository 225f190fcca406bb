"""What each column of a catalogue is good for: values, numbers, dates, or nothing, with the reason."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from endcap.data.catalog import Catalog
from endcap.data.schema import EXTRA_COLUMNS, ITEM_COLUMNS, SEPARATOR
from endcap.data.vocabulary import Ints
from endcap.features import cells, dates
from endcap.features.frequent import Values, frequent

Role = Literal["values", "price", "rating", "number", "date", "order", "none"]


@dataclass(frozen=True)
class Column:
    """A column and its use."""

    name: str
    role: Role
    how: str  # how it is used, or why it is not


@dataclass(frozen=True)
class Enough:
    """When values are frequent enough to be told apart."""

    min_count: int  # items that have the value
    most: int  # values in a column


_ELSEWHERE = {
    "title": "left to the text encoder", "description": "left to the text encoder",
    "image": "left to the photo encoder", "stock": "not used: it changes while the product stays",
    "categories": "used with category",
}  # fmt: skip
_VALUES = ("category", "brand", "colour", "size", "material", "gender", "tags", "attributes", "currency")
_IDENTIFIER = re.compile(r"(.*[_ .-])?(id|ids|code|no|nr|num|number|key|sku|ean|gtin|upc|mpn|isbn|asin|uuid|guid|hash)")
_ADDRESS = re.compile(r"(.*[_ .-])?(url|uri|link|path|file|slug|handle|image|images|photo|photos)([_ .-].*)?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def survey(catalog: Catalog, known: Ints, enough: Enough, leave_out: Sequence[str] = ()) -> tuple[Column, ...]:
    """Every column of the catalogue, judged by the items `known` (indices from 1) alone; ours come first."""
    mine = Catalog(catalog.table.take(pa.array(known - 1)))
    names = [name for name in (*ITEM_COLUMNS, *EXTRA_COLUMNS) if name in mine.table.column_names]
    names += [name for name in mine.table.column_names if name not in names]
    seen: dict[int, str] = {}
    found = []
    for name in names:
        column = Column(name, "none", "left out, as configured") if name in leave_out else _column(mine, name, enough)
        if column.role not in ("none", "order"):
            faces = {_print(texts, column.role): what for texts, what in reversed([*_faces(mine, name)])}
            # that ours agree, such as each brand with a category, can be chance: the next product may be otherwise
            twin = None if name in _VALUES else next((seen[face] for face in faces if face in seen), None)
            if twin:
                column = Column(name, "none", f"not used: it tells the same as {twin}")
            else:
                seen |= faces
        found.append(column)
    return tuple(found)


def _column(mine: Catalog, name: str, enough: Enough) -> Column:
    if name in _ELSEWHERE:
        return Column(name, "none", _ELSEWHERE[name])
    if name == "item_id":
        return _order(cells.texts(mine, name))
    kind = mine.table.schema.field(name).type
    if not cells.is_list(kind) and (pa.types.is_nested(kind) or pa.types.is_binary(kind)):
        return Column(name, "none", f"not used: its cells are of type {kind}, neither text nor numbers")
    texts = cells.texts(mine, name)
    given = [text for text in texts if text]
    if not given:
        return Column(name, "none", "not used: empty")
    if len(set(given)) == 1 and len(given) == len(texts):
        return Column(name, "none", "not used: the same for every item")
    if name in _VALUES:
        return _values(mine, name, enough, least=0.0)
    if name in ("price", "price_max", "rating", "rating_count"):
        return _canonical_number(mine, name)
    return _date(mine, name, given) or _other(mine, name, given, enough)


def _order(texts: Sequence[str]) -> Column:
    numbers = cells.parsed([text.lstrip("0") or "0" if text.isdigit() else "" for text in texts])
    readable = np.isfinite(numbers)
    if len(texts) < FEW or readable.mean() < MOSTLY:
        return Column("item_id", "none", "not used: an identifier")
    return Column("item_id", "order", "id order: its place among the known ids, which are numbers")


def _canonical_number(mine: Catalog, name: str) -> Column:
    found = cells.numbers(mine, name)
    if name.startswith("price"):
        usable = found > 0
        within = ", and log price within its category" if name == "price" else ""
        how: Column = Column(name, "price", f"log price{within}" if name == "price" else "log of the highest price")
    elif name == "rating":
        usable, how = np.isfinite(found), Column(name, "rating", "the mean, drawn to that of all where there are few")
    else:
        usable, how = found >= 0, Column(name, "number", "log of the count")
    if len(np.unique(found[usable])) < 2:
        return Column(name, "none", "not used: no two different values")
    return how


def _date(mine: Catalog, name: str, given: Sequence[str]) -> Column | None:
    found = date_seconds(mine, name)
    dated = np.isfinite(found)
    if dated.sum() < MOSTLY * len(given):
        return None
    if len(np.unique(found[dated])) < 2:
        return Column(name, "none", "not used: no two different dates")
    return Column(name, "date", "age in years, and the season")


def date_seconds(catalog: Catalog, name: str) -> np.ndarray:
    """(items,) seconds since 1970; numbers count as such only in columns whose name says so."""
    found = dates.seconds(cells.texts(catalog, name))
    if np.isfinite(found).any() or not (name == "created" or re.search(r"date|time|_at$", name.lower())):
        return found
    return dates.unix(cells.numbers(catalog, name))


def _other(mine: Catalog, name: str, given: Sequence[str], enough: Enough) -> Column:
    """A column of the source's own, or a product_code: values where they repeat, else a number, else nothing."""
    if len(given) < enough.min_count:
        return Column(name, "none", f"not used: only {len(given)} of {len(mine):,} items have it")
    words = _CAMEL.sub("_", name).lower()
    different = len(set(given))
    if _ADDRESS.fullmatch(words):
        return Column(name, "none", "not used: addresses")
    numbers = cells.numbers(mine, name)
    numeric = np.isfinite(numbers).sum() >= MOSTLY * len(given)
    if numeric and not _IDENTIFIER.fullmatch(words):
        whole = bool((numbers[np.isfinite(numbers)] % 1 == 0).all())
        if whole and different <= FEW:
            return _values(mine, name, enough, least=0.0)
        if whole and different > NEARLY * len(given):
            return Column(name, "none", "not used: whole numbers that nearly never repeat, so an identifier")
        return Column(name, "number", "standardised")
    if sum(map(len, given)) > LONG * len(given) and not any(SEPARATOR in text for text in given):
        return Column(name, "none", "not used: long texts; only title and description are read")
    if _IDENTIFIER.fullmatch(words) or name == "product_code" or different > NEARLY * len(given):
        return _values(mine, name, enough, least=HALF, otherwise="an identifier")
    return _values(mine, name, enough, least=HALF)


def _values(mine: Catalog, name: str, enough: Enough, *, least: float, otherwise: str = "values too rare") -> Column:
    """Used where at least the share `least` of its items have a value that is frequent enough."""
    found = cells.values(mine, name)
    values = frequent(found, min_count=enough.min_count, most=enough.most)
    if not values.names:
        what = "each value" if otherwise == "values too rare" else otherwise + ": each value"
        return Column(name, "none", f"not used: {what} is that of less than {enough.min_count} items")
    if least:
        names = {value.casefold() for value in values.names}
        covered = sum(any(value.casefold() in names for value in cell) for cell in found)
        share = covered / sum(map(bool, found))
        if share < least:
            return Column(name, "none", f"not used: {otherwise}; frequent ones cover {share:.0%} of its items")
    return Column(name, "values", _told(values))


def _told(values: Values) -> str:
    pooled = f", the rarest {values.rare:,} pooled" if values.rare else ""
    return f"{counted(len(values.names), 'value')}{pooled}"


def counted(number: int, what: str) -> str:
    """`1 value`, `2 values`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def _faces(mine: Catalog, name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The column itself; of a category each of its levels too, which sources like to repeat in columns of their own."""
    texts = cells.texts(mine, name)
    yield texts, name
    if name == "category":
        paths = [[part.strip() for part in text.split(SEPARATOR)[0].split(cells.LEVEL.strip())] for text in texts]
        for depth in range(min(MOST_LEVELS, max(map(len, paths), default=0))):
            yield tuple(path[depth] if depth < len(path) else "" for path in paths), f"level {depth + 1} of category"


def _print(texts: tuple[str, ...], role: Role) -> int:
    """Alike for columns that say the same; values may have other names there, such as a number and a word each."""
    if role != "values":
        return hash(texts)
    places: dict[str, int] = {"": -1}
    return hash(tuple(places.setdefault(text, len(places)) for text in texts))


MOSTLY = 0.95
"""Share of the cells that must be a number, or a date, for the column to be of such."""

NEARLY = 0.9
"""Share of different values above which a column names items."""

HALF = 0.5
"""Share of the items that frequent values must cover in a column that is not known to have such."""

FEW = 10
"""Whole numbers of which a column has only so many are values, such as a grade or a flag."""

LONG = 80
"""Characters in a mean text, above which it is prose."""

MOST_LEVELS = 6
