"""What a product is, as labels such as `colour = red`: for embedding bags, and to predict besides the next item."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.ranges import Count
from endcap.data.vocabulary import Ints
from endcap.features import cells
from endcap.features.base import Packed
from endcap.features.columns import Column, Enough, counted, survey
from endcap.features.fitted import load_state, save_state
from endcap.features.frequent import find, frequent


@dataclass(frozen=True)
class AttributesConfig:
    """Which values of a catalogue's columns are labels."""

    min_count: Count = 5  # items that a value needs to be one
    max_values: Count = 4096  # in all; the least frequent are left out
    leave_out: tuple[str, ...] = ()  # columns that are not used


class Attributes:
    """Labels out of all columns of values: levels of the category, brand, colour, size, tags, product codes …"""

    def __init__(self, config: AttributesConfig | None = None) -> None:
        self.config = config or AttributesConfig()

    def fit(self, catalog: Catalog, known: Ints) -> Self:
        """Learns from the items `known` (indices from 1) alone; raises InputError where there are none."""
        if not len(known):
            raise InputError("found no items to learn from; expected some with events")
        config = self.config
        mine = Catalog(catalog.table.take(known - 1))
        columns = survey(catalog, known, Enough(config.min_count, config.max_values), config.leave_out)
        counted: list[tuple[int, str, str]] = []
        for column in columns:
            if _is_used(column) and column.name not in config.leave_out:
                found = cells.values(mine, column.name)
                values = frequent(found, min_count=config.min_count, most=config.max_values)
                counted += [(count, column.name, name) for name, count in zip(values.names, values.counts, strict=True)]
        counted = sorted(counted, key=lambda each: (-each[0], each[1:]))
        kept = Counter(name for _, name, _ in counted[: config.max_values])
        values_of = {c.name: tuple(v for _, n, v in counted[: config.max_values] if n == c.name)
                     for c in columns if c.name in kept}  # fmt: skip
        self._learned = _Learned(config, tuple(_told(column, kept) for column in columns), values_of)
        return self

    def transform(self, catalog: Catalog) -> Packed:
        """The labels of every item of a catalogue; values that were rare or unknown are left out."""
        items: list[Ints] = []
        ids: list[Ints] = []
        at = 0
        for column, names in self._learned.values.items():
            has = find(cells.values(catalog, column), names)
            items.append(has.items + 1)
            ids.append(has.ids + at)
            at += len(names)
        every = np.concatenate(items) if items else np.zeros(0, np.int64)
        order = np.argsort(every, kind="stable")
        offsets = np.zeros(len(catalog) + 2, dtype=np.int64)
        np.cumsum(np.bincount(every, minlength=len(catalog) + 1), out=offsets[1:])
        return Packed(offsets, np.concatenate(ids)[order] if ids else np.zeros(0, np.int64), self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """What each id is, such as `colour = red`."""
        return tuple(f"{column} = {name}" for column, names in self._learned.values.items() for name in names)

    def columns_used(self) -> dict[str, str]:
        """Column -> how it is used, or why not."""
        return {column.name: column.how for column in self._learned.columns}

    def save(self, folder: Path) -> None:
        """Writes attributes.json."""
        save_state(folder / "attributes.json", self._learned)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        learned = load_state(folder / "attributes.json", _Learned)
        loaded = cls(learned.config)
        loaded._learned = learned
        return loaded


@dataclass(frozen=True)
class _Learned:
    config: AttributesConfig
    columns: tuple[Column, ...]
    values: dict[str, tuple[str, ...]]


def _is_used(column: Column) -> bool:
    # which colours are of one product is worth knowing, however few products have several
    return column.role == "values" or column.name == "product_code"


def _told(column: Column, kept: Counter[str]) -> Column:
    if kept[column.name]:
        return Column(column.name, "values", counted(kept[column.name], "label"))
    if column.role in ("none", "values"):
        how = column.how if column.role == "none" else "not used: its values are rarer than those of other columns"
        return Column(column.name, "none", how)
    return Column(column.name, "none", "not used: numbers are no labels")
