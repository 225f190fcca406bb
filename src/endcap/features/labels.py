"""What can be learned from photos: the columns of a catalogue with few values, such as category and colour."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from endcap.data.catalog import NUMBERS, Catalog
from endcap.data.errors import InputError
from endcap.data.ranges import Count
from endcap.data.schema import ITEM_COLUMNS, SEPARATOR
from endcap.data.vocabulary import Ints

LEVEL = " > "
"""Between the levels of a category."""

_NOT_SEEN = {*ITEM_COLUMNS, "categories", "colour", "price_max", "currency", "size", "tags", "attributes",
             "product_code", "created", "part"}  # fmt: skip


@dataclass(frozen=True)
class LabelsConfig:
    """What networks for photos learn to tell."""

    columns: tuple[
        str, ...
    ] = ()  # of the catalogue, the most important first; empty: category, colour, others of few values
    photos: Count = 20  # that a class must have; smaller ones are not learned, in a category they join the level above
    classes: Count = 200  # at most in a column that is chosen by itself
    most: Count = 8  # columns that are chosen by themselves


@dataclass(frozen=True)
class Labels:
    """The classes of every item, a column for each thing to tell; the first is the most important."""

    names: tuple[str, ...]  # (columns,) the catalogue's column
    classes: tuple[tuple[str, ...], ...]  # (columns,) what its codes mean, the most frequent first
    codes: Ints  # (items + 1, columns) from 0; -1 where the class is not known or too rare
    notes: tuple[str, ...]  # which columns and classes were left out, and why

    @property
    def sizes(self) -> tuple[int, ...]:
        """(columns,) how many classes each has."""
        return tuple(map(len, self.classes))


def labels(catalog: Catalog, photos: Ints, config: LabelsConfig) -> Labels:
    """The columns to learn from items that have (items + 1,) `photos` to learn from.

    Raises InputError where a named column is not there or has fewer than two classes, or none can be chosen.
    """
    absent = [name for name in config.columns if name not in catalog.table.column_names]
    if absent:
        there = ", ".join(catalog.table.column_names)
        raise InputError(f"found no column {', '.join(absent)} in the catalogue; expected some of {there}")
    chosen: list[_Column] = []
    notes: list[str] = []
    for name, values in _candidates(catalog, config.columns):
        column = _column(name, values, photos, config)
        why = _why_not(column, chosen, photos, config)
        if why is None:
            chosen.append(column)
            if column.rare:
                notes.append(f"{name}: {column.rare:,} classes of less than {config.photos} photos are not learned")
        elif name in config.columns:
            raise InputError(f"column {name} is no label: {why}; name another one, or fewer photos a class")
        else:
            notes.append(f"{name} is not learned: {why}")
        if not config.columns and len(chosen) == config.most:
            break
    if not chosen:
        raise InputError(
            f"found no column with two classes of {config.photos} photos each; name columns or set fewer photos a class"
        )
    codes = np.stack([column.codes for column in chosen], axis=1)
    return Labels(tuple(c.name for c in chosen), tuple(c.classes for c in chosen), codes, tuple(notes))


@dataclass(frozen=True)
class _Column:
    name: str
    classes: tuple[str, ...]
    codes: Ints  # (items + 1,)
    rare: int  # classes that were left out
    known: int  # photos with any value


def _candidates(catalog: Catalog, named: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    if named:
        return [(name, _values(catalog, name)) for name in named]
    others = [name for name in catalog.table.column_names if name not in _NOT_SEEN and _is_text(catalog, name)]
    colour = ["colour"] if "colour" in catalog.table.column_names else []
    first = [(name, _values(catalog, name)) for name in ("category", *colour)]
    rest = [(name, _values(catalog, name)) for name in others]
    return first + sorted(rest, key=lambda column: _is_number(column[1]))  # a code's name says more than the code


def _values(catalog: Catalog, name: str) -> tuple[str, ...]:
    """(items + 1,) of a list the first value, which is the main one."""
    if name in NUMBERS:
        raise InputError(f"column {name} has numbers; a label needs classes: name another column")
    return tuple(text.split(SEPARATOR)[0].strip() for text in catalog.texts(name))


def _is_number(values: tuple[str, ...]) -> bool:
    return all(value.isdecimal() for value in values if value)


def _is_text(catalog: Catalog, name: str) -> bool:
    kind = catalog.table.schema.field(name).type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)


def _column(name: str, values: tuple[str, ...], photos: Ints, config: LabelsConfig) -> _Column:
    if name == "category":
        values = _deep_enough(values, photos, config.photos)
    counts = _counts(values, photos)
    classes = tuple(value for value, n in counts.most_common() if n >= config.photos)
    place = {value: code for code, value in enumerate(classes)}
    codes = np.array([place.get(value, -1) for value in values], dtype=np.int64)
    return _Column(name, classes, codes, len(counts) - len(classes), counts.total())


def _deep_enough(values: tuple[str, ...], photos: Ints, least: int) -> tuple[str, ...]:
    """Cuts each category to its deepest level that still has `least` photos; the first level stays in any case."""
    counts: Counter[str] = Counter()
    for value, n in zip(values, photos.tolist(), strict=True):
        counts.update(dict.fromkeys(_levels(value), n))
    return tuple(
        next((each for each in reversed(_levels(value)) if counts[each] >= least), value) if value else ""
        for value in values
    )


def _levels(value: str) -> list[str]:
    """`A > B > C` -> `A`, `A > B`, `A > B > C`"""
    parts = value.split(LEVEL)
    return [LEVEL.join(parts[: depth + 1]) for depth in range(len(parts))]


def _counts(values: tuple[str, ...], photos: Ints) -> Counter[str]:
    counts: Counter[str] = Counter()
    for value, n in zip(values, photos.tolist(), strict=True):
        if value and n:
            counts[value] += n
    return counts


def _why_not(column: _Column, chosen: Sequence[_Column], photos: Ints, config: LabelsConfig) -> str | None:
    if len(column.classes) < 2:
        return f"{len(column.classes)} classes have {config.photos} photos; two are needed"
    if config.columns:
        return None
    if len(column.classes) > config.classes:
        return f"{len(column.classes)} classes are more than {config.classes}"
    learned = int(photos[column.codes >= 0].sum())
    if 2 * learned < column.known:
        return f"most of its values have less than {config.photos} photos"
    for other in chosen:
        if _same(column.codes, other.codes):
            return f"it says the same as {other.name}"
    return None


def _same(codes: Ints, others: Ints) -> bool:
    """Whether each class of one is one class of the other."""
    pairs = set(zip(codes.tolist(), others.tolist(), strict=True))
    return len(pairs) == len(set(codes.tolist())) == len(set(others.tolist()))
