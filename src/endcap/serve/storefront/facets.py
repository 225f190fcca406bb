"""What products of a listing can be narrowed down by: any column of few values, with how many products have each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from endcap.data.schema import ITEM_COLUMNS, SEPARATOR
from endcap.data.vocabulary import Ints
from endcap.engine.columns import Column, Text, columns_of
from endcap.engine.shelf import Shelf
from endcap.features import cells
from endcap.features.cells import plain
from endcap.serve.storefront.catalogue import CODES, TOLD, readable

Mask = NDArray[np.bool_]

FIRST = ("colour", "size", "brand", "material", "gender", "pattern", "product_type", "product_type_name")
"""Columns that shoppers look for; the others come after them, the better filled first."""
NEVER = frozenset({*TOLD, *ITEM_COLUMNS, "categories", "attributes", "image", "video", "product_code",
                   "q", "low", "high", "stocked", "sort", "page", "lang", "list"}) - {"brand"}  # fmt: skip
"""Columns that a page shows in other ways, and names that its address has for something else."""
FEWEST, MOST = 2, 60
"""Values that a column has within a listing to be a facet of it."""
FILLED = 0.6
"""Share of a listing's products of which a facet says something."""
MOST_FACETS = 6
MOST_DIFFERENT = 20_000
"""Values of a column in the whole catalogue, above which nobody counts it."""
LONGEST = 40
"""Characters of a value; a longer one is a sentence."""
SAME = 0.95
"""Share of products whose value follows from another facet's, above which a facet says nothing new."""
SIZES = ("xxxs", "xxs", "xs", "s", "m", "l", "xl", "xxl", "2xl", "xxxl", "3xl", "4xl", "5xl")


@dataclass(frozen=True)
class Value:
    """One value of a facet."""

    name: str  # as the address of a page has it
    label: str  # for people
    size: int  # products that have it, of those that the other choices let through
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    """A column of which a visitor can choose values."""

    column: str
    values: tuple[Value, ...]


def candidates(shelf: Shelf) -> tuple[str, ...]:
    """Columns that could be facets of some listing: neither numbers, codes nor sentences; the sought ones first."""
    return _candidates(shelf)


def kept(shelf: Shelf, chosen: Mapping[str, Sequence[str]], *, but: str | None = None) -> Mask:
    """(items + 1,) products that have one of the chosen values of every column, `but` left out."""
    mask = np.ones(len(shelf) + 1, dtype=bool)
    for column, values in chosen.items():
        if column != but and values:
            mask &= _read(shelf, column).having([Text(value) for value in values])
    return mask


def facets(shelf: Shelf, items: Ints, chosen: Mapping[str, Sequence[str]], others: Mask) -> list[Facet]:
    """Those of a listing of `items`; `others` (items + 1,) is what prices and stock let through."""
    listed = np.zeros(len(shelf) + 1, dtype=bool)
    listed[items] = True
    found: list[Facet] = []
    told = ["category"]  # what its chips say already
    for column in _candidates(shelf):
        if len(found) == MOST_FACETS:
            break
        if column in chosen or (_divides(shelf, column, listed) and not _follows(shelf, column, told, listed)):
            told.append(column)
            found.append(_facet(shelf, column, chosen, listed & others & kept(shelf, chosen, but=column), listed))
    return found


def labels(shelf: Shelf, column: str) -> dict[str, str]:
    """The values of a column as they are compared -> as the catalogue first writes them, for people."""
    return _labels(shelf, column)


def _facet(shelf: Shelf, column: str, chosen: Mapping[str, Sequence[str]], open_: Mask, listed: Mask) -> Facet:
    read, names, wanted = _read(shelf, column), _labels(shelf, column), [plain(each) for each in chosen.get(column, ())]
    there, now = _counts(read, listed), _cards(shelf, read, open_)
    values = [
        Value(name, names.get(name, name), int(now[code]), name in wanted)
        for code, name in enumerate(read.names.to_pylist()) if there[code]
    ]  # fmt: skip
    order = _by_size if column == "size" else _by_number
    return Facet(column, tuple(sorted(values, key=order)[:MOST]))


def _by_number(value: Value) -> tuple[int, str]:
    return -value.size, value.label


def _by_size(value: Value) -> tuple[int, float, str]:
    """Sizes as people know them: XS, S, M, then 28, 30, 32.

    >>> named = [Value(name, name, 1, is_chosen=False) for name in ("m", "32", "xs", "8")]
    >>> [value.name for value in sorted(named, key=_by_size)]
    ['xs', 'm', '8', '32']
    """
    number = re.match(r"\d+(\.\d+)?", value.name)
    if value.name in SIZES:
        return 0, SIZES.index(value.name), value.name
    return 1, float(number[0]) if number else np.inf, value.name


def _divides(shelf: Shelf, column: str, listed: Mask) -> bool:
    """Whether a column has few values, and most of the products one of them."""
    read = _read(shelf, column)
    owners = read.owners[listed[read.owners]]
    different = int((_counts(read, listed) > 0).sum())
    return FEWEST <= different <= MOST and len(np.unique(owners)) >= FILLED * listed.sum()


def _follows(shelf: Shelf, column: str, before: Sequence[str], listed: Mask) -> bool:
    """Whether who knows one of the facets before knows this one too, as `colour` says all of `shade`."""
    mine = _single(shelf, column)
    for other in before:
        theirs = _single(shelf, other)
        both = listed & (mine >= 0) & (theirs >= 0)
        # Where each product has a value of its own, everything follows from it.
        if not both.any() or len(np.unique(theirs[both])) > both.sum() / 2:
            continue
        pairs, sizes = np.unique(np.stack([theirs[both], mine[both]]), axis=1, return_counts=True)
        most = np.zeros(int(theirs.max()) + 1, np.int64)
        np.maximum.at(most, pairs[0], sizes)
        if most.sum() >= SAME * both.sum():
            return True
    return False


def _single(shelf: Shelf, column: str) -> Ints:
    """(items + 1,) the code of an item's first value, of a category the deepest one; -1 where it has none."""
    read = _read(shelf, column)
    found = np.full(len(shelf) + 1, -1, np.int64)
    way = slice(None) if column == "category" else slice(None, None, -1)  # of several, what is written last stays
    found[read.owners[way]] = read.codes[way]
    return found


def _counts(read: Column, mask: Mask) -> Ints:
    """(values,) products of a mask that have each."""
    return np.bincount(read.codes[mask[read.owners]], minlength=len(read.names)).astype(np.int64)


def _cards(shelf: Shelf, read: Column, mask: Mask) -> Ints:
    """(values,) as `_counts`, but products that are one for people count once, as they are one card."""
    own, width = mask[read.owners], len(shelf) + 2
    pairs = np.unique(read.codes[own].astype(np.int64) * width + shelf.groups[read.owners[own]])
    return np.bincount(pairs // width, minlength=len(read.names)).astype(np.int64)


def _read(shelf: Shelf, column: str) -> Column:
    return columns_of(shelf.whole).read(column)


@lru_cache(maxsize=4)  # each change of the catalogue makes another shelf, and rules another one of it
def _candidates(shelf: Shelf) -> tuple[str, ...]:
    table, found = shelf.whole.table, []
    for column in table.column_names:
        if column in NEVER or column.startswith("_") or column.endswith(CODES):
            continue
        if cells.is_number(table.schema.field(column).type):
            continue
        read = _read(shelf, column)
        names = read.names.to_pylist()
        if not FEWEST <= len(names) <= MOST_DIFFERENT:
            continue
        numeric = np.isfinite(read.numbers).mean() > 0.5
        sentences = np.mean([len(name) > LONGEST for name in names]) > 0.1
        if column in FIRST or not (numeric or sentences):
            found.append((FIRST.index(column) if column in FIRST else len(FIRST), -len(np.unique(read.owners)), column))
    return tuple(column for *_, column in sorted(found))


@lru_cache(maxsize=16)
def _labels(shelf: Shelf, column: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for cell in dict.fromkeys(cells.texts(shelf.whole, column)):
        for value in cell.split(SEPARATOR):
            if value.strip():
                found.setdefault(plain(value), readable(" ".join(value.split())))
    return found
