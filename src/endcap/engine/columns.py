"""What filters look into: the columns of a catalogue as values that can be compared, read once each."""

import difflib
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.interactions import spans
from endcap.data.schema import EXTRA_COLUMNS, ITEM_COLUMNS, LISTS, SEPARATOR
from endcap.data.vocabulary import Floats, Ints
from endcap.features import cells, dates
from endcap.features.cells import plain

Mask = NDArray[np.bool_]

CATEGORIES = ("category", "categories")
"""Both mean all the categories of a product; a value is also that of everything below it."""

TOP = ">"
"""What a category begins with that is meant from the top alone."""

TEXTS = ("title", "description")
"""Columns of which a part is asked for, not the whole."""

SHORT = {"color": "colour"}
"""What columns may be called beside their names."""

OUT_OF_STOCK = frozenset({
    "outofstock", "notinstock", "no", "false", "soldout", "unavailable", "notavailable", "discontinued",
    "ausverkauft", "nichtverfügbar", "agotado", "rupturedestock", "épuisé", "esaurito",
    "缺货", "缺貨", "无货", "無貨", "售罄", "否",
})  # fmt: skip
"""What shops write for what cannot be bought, without separators; any other word says that it can."""


class FilterError(InputError):
    """A filter that cannot be read, or not with this catalogue; with what is wrong for who shows it."""

    def __init__(self, message: str, kind: str, place: int = 0, value: str = "", near: str = "") -> None:
        super().__init__(message)
        self.kind = kind  # long, empty, half, deep, quote, words, bracket, joint, sign, condition, value, number, …
        self.place = place  # of the first character that is meant, from 1; 0: no place in particular
        self.value = value  # what was found there
        self.near = near  # what may have been meant


@dataclass(frozen=True)
class Text:
    """A value as a person writes it."""

    value: str


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Known:
    """Anything."""


@dataclass(frozen=True, eq=False)
class Column:
    """The values of a column, each different one once: `owners[i]` has the value `codes[i]`."""

    n_items: int
    owners: Ints  # (cells,) from 1
    codes: Ints  # (cells,)
    names: pa.Array  # (values,) as `plain` makes them; null where the column is numeric
    numbers: Floats  # (values,) dates as seconds since 1970; NaN where a value is neither
    alike: Callable[[pa.Array, str], pa.Array]  # (names, a value as a person writes it) -> which of the names it means
    numeric: bool = False  # by its type: nothing but numbers can be in it

    def having(self, tests: Sequence[Text | Between | Known]) -> Mask:
        """(items + 1,) items with a value that passes one of the tests."""
        passed = np.logical_or.reduce([self._passed(test) for test in tests])
        return self.of(passed)

    def of(self, chosen: Mask) -> Mask:
        """(items + 1,) items with one of the chosen (values,)."""
        found = np.zeros(self.n_items + 1, dtype=bool)
        found[self.owners[chosen[self.codes]]] = True
        return found

    def _passed(self, test: Text | Between | Known) -> Mask:
        match test:
            case Known():
                return np.ones(len(self.numbers), dtype=bool)
            case Between(low, high):
                return (self.numbers >= low) & (self.numbers <= high)
            case Text(value):
                number = cells.parsed([plain(value)])[0]  # 5 and 5.0 are the same number; NaN equals nothing
                return np.asarray(self.alike(self.names, value).fill_null(False)) | (self.numbers == number)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a catalogue, each read when it is first asked for."""

    catalog: Catalog
    _known: dict[str, Column] = field(default_factory=dict)

    def name(self, column: str, place: int = 0) -> str:
        """The column that is meant in a place of a filter; raises FilterError with the names of those there are."""
        wanted = column.casefold()
        there = self.catalog.table.column_names
        known = SHORT | {name.casefold(): name for name in (*EXTRA_COLUMNS, *ITEM_COLUMNS, *there)}
        if wanted in known:
            return known[wanted]
        near = "".join(known[name] for name in difflib.get_close_matches(wanted, known, n=1))
        message = (
            f"found the column {column!r} in place {place} of the filter; this catalogue has"
            f" {', '.join(there)}{f'; did you mean {near}?' if near else ''}"
        )
        raise FilterError(message, "column", place, column, near)

    def read(self, name: str) -> Column:
        """A column by its name; one of ours that the shop does not have is empty."""
        name = CATEGORIES[0] if name in CATEGORIES else name
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    @cached_property
    def in_stock(self) -> Mask:
        """(items + 1,) items of which the shop does not say that they are sold out."""
        column = self.read("stock")
        words = np.array([_word(name or "") in OUT_OF_STOCK for name in column.names.to_pylist()], dtype=bool)
        return ~column.of(words | (column.numbers <= 0))

    def _read(self, name: str) -> Column:
        table = self.catalog.table
        if name in table.column_names and cells.is_number(table.schema.field(name).type):
            return _of_numbers(cells.numbers(self.catalog, name))
        if name == CATEGORIES[0]:
            both = zip(*(cells.texts(self.catalog, each) for each in CATEGORIES), strict=True)
            return _of_texts([SEPARATOR.join(each) for each in both], _paths, _in_category)
        several = name in LISTS or name not in (*ITEM_COLUMNS, *EXTRA_COLUMNS)
        found = cells.texts(self.catalog, name)
        alike = _holding if name in TEXTS else _equal
        return _of_texts(found, _values if several else lambda cell: [plain(cell)], alike)


def _of_numbers(found: Floats) -> Column:
    known = np.isfinite(found)
    values, codes = np.unique(found[known], return_inverse=True)
    nameless = pa.nulls(len(values), pa.large_string())
    return Column(len(found), np.flatnonzero(known) + 1, codes, nameless, values, _equal, numeric=True)


def _of_texts(
    found: Sequence[str], split: Callable[[str], Sequence[str]], alike: Callable[[pa.Array, str], pa.Array]
) -> Column:
    """Each different cell is split once, into values as they are compared."""
    encoded = pa.array(found, pa.large_string()).dictionary_encode()
    different = [[value for value in split(cell) if value] for cell in encoded.dictionary.to_pylist()]
    places: dict[str, int] = {}
    codes = np.array([places.setdefault(value, len(places)) for values in different for value in values], np.int64)
    ends = np.cumsum([0, *map(len, different)])
    cell = encoded.indices.to_numpy().astype(np.int64)
    chosen, offsets = spans(ends[cell], ends[cell + 1])
    return Column(
        n_items=len(found),
        owners=np.repeat(np.arange(1, len(found) + 1), np.diff(offsets)),
        codes=codes[chosen],
        names=pa.array(places, pa.large_string()),
        numbers=_numbers([*places]),
        alike=alike,
    )


def _numbers(values: Sequence[str]) -> Floats:
    """(values,) numbers, and dates as seconds since 1970; NaN where a value is neither."""
    found = cells.parsed(values)
    others = np.flatnonzero(np.isnan(found)).tolist()
    found[others] = dates.seconds([values[place].upper() for place in others])
    return found


def _values(cell: str) -> list[str]:
    return [plain(value) for value in cell.split(SEPARATOR)]


def _equal(names: pa.Array, value: str) -> pa.Array:
    return pc.equal(names, plain(value))


def _holding(names: pa.Array, value: str) -> pa.Array:
    return pc.match_substring(names, plain(value))


def _in_category(names: pa.Array, value: str) -> pa.Array:
    """Paths from the top that are the value or, where it does not begin at the TOP, end with it.

    All that stands above a product's category is among its values: so a part of a path is found wherever it stands.
    """
    path = _path(value)[-1]
    whole = pc.equal(names, path)
    return whole if plain(value).startswith(TOP) else pc.or_kleene(whole, pc.ends_with(names, cells.LEVEL + path))


def _path(category: str) -> list[str]:
    return cells.levels(plain(category)) or [""]


def _paths(cell: str) -> list[str]:
    return [level for category in cell.split(SEPARATOR) for level in _path(category)]


def _word(stock: str) -> str:
    """Without separators: `out of stock`, `out_of_stock` and `https://schema.org/OutOfStock` are one."""
    return "".join(filter(str.isalnum, stock.rpartition("/")[2]))


_COLUMNS: dict[int, Columns] = {}


def columns_of(catalog: Catalog) -> Columns:
    """The columns of this very catalogue: made once, gone with it."""
    known = _COLUMNS.get(id(catalog))
    if known is None:
        # A catalogue has no hash, so its id; and what is kept of it must not hold it, so a second one of its table.
        known = _COLUMNS.setdefault(id(catalog), Columns(Catalog(catalog.table)))
        weakref.finalize(catalog, _COLUMNS.pop, id(catalog), None)
    return known
