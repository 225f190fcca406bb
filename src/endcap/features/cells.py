"""The cells of a catalogue as text, values or numbers, of whatever type its source has them in."""

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from endcap.data.catalog import Catalog
from endcap.data.schema import LISTS, SEPARATOR
from endcap.data.vocabulary import Floats

Cell = TypeVar("Cell", bound=Hashable)
Value = TypeVar("Value")

LEVEL = " > "
"""Between the levels of a category."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


def texts(catalog: Catalog, column: str) -> tuple[str, ...]:
    """(items,) trimmed, empty where nothing is known; lists are joined by SEPARATOR, structures are not read."""
    if column not in catalog.table.column_names:
        return ("",) * len(catalog)
    cells = catalog.table[column]
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if is_list(cells.type):
        return tuple(SEPARATOR.join(str(each) for each in cell or () if each is not None) for cell in cells.to_pylist())
    if pa.types.is_nested(cells.type) or pa.types.is_binary(cells.type) or pa.types.is_large_binary(cells.type):
        return ("",) * len(catalog)
    trimmed = pc.utf8_trim_whitespace(cells.cast(pa.large_string())).fill_null("")
    return tuple(trimmed.to_pylist())


def is_list(kind: pa.DataType) -> bool:
    """Whether cells of this type are lists of plain values."""
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and not pa.types.is_nested(kind.value_type)


def values(catalog: Catalog, column: str) -> list[tuple[str, ...]]:
    """(items,) the different values of each cell: of a category all its levels, as paths from the top.

    >>> items = pa.table({"item_id": ["a"], "category": ["Men > Tops"], "colour": ["red|blue"]})
    >>> values(Catalog.from_table(items, ["a"]), "category"), values(Catalog.from_table(items, ["a"]), "colour")
    ([('Men', 'Men > Tops')], [('red', 'blue')])
    """
    if column == "category":
        paths = list(zip(texts(catalog, "category"), texts(catalog, "categories"), strict=True))
        return once(paths, lambda both: _different(path for cell in both for one in cell.split(SEPARATOR)
                                                   for path in levels(one)))  # fmt: skip
    cells = texts(catalog, column)
    if column in LISTS or any(SEPARATOR in cell for cell in cells):
        return once(cells, lambda cell: _different(cell.split(SEPARATOR)))
    return once(cells, lambda cell: _different([cell]))


def once(cells: Sequence[Cell], function: Callable[[Cell], Value]) -> list[Value]:
    """`function` of each cell, called once for all cells that are the same: in a catalogue most repeat."""
    of = {cell: function(cell) for cell in dict.fromkeys(cells)}
    return [of[cell] for cell in cells]


def plain(text: str) -> str:
    """A text as it is compared: without case, width and extra spaces.

    >>> plain(" Größe  ＸＬ")
    'grösse xl'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def levels(category: str) -> list[str]:
    """`A > B > C` -> `A`, `A > B`, `A > B > C`."""
    names = [" ".join(name.split()) for name in category.split(LEVEL.strip())]
    names = [name for name in names if name]
    return [LEVEL.join(names[: depth + 1]) for depth in range(len(names))]


def numbers(catalog: Catalog, column: str) -> Floats:
    """(items,) NaN where there is no number; text is read as one, infinity and what is close to it is none."""
    if column in catalog.table.column_names and is_number(catalog.table.schema.field(column).type):
        found = catalog.table[column].cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy()
        return np.where(np.abs(found) < ENDLESS, found, np.nan)
    return parsed(texts(catalog, column))


def is_number(kind: pa.DataType) -> bool:
    """Whether cells of this type are numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def parsed(cells: Sequence[str]) -> Floats:
    """(n,) texts as numbers, NaN where they are none; `0108` is a code."""
    return np.array(once(cells, _number), dtype=np.float64)


def is_code(cell: str) -> bool:
    """Whether zeros before a number are part of it."""
    return len(cell) > 1 and cell[0] == "0" and cell.isdigit()


def _number(cell: str) -> float:
    if not _NUMBER.fullmatch(cell) or is_code(cell):
        return float("nan")
    found = float(cell)
    return found if abs(found) < ENDLESS else float("nan")


def _different(found: Sequence[str] | Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for value in found if (one := " ".join(value.split()))))


ENDLESS = 1e100
"""Beyond it, squares no longer fit a float."""
