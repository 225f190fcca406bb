"""The columns of a catalogue as numbers: categories, prices, ratings, dates, colours, sizes, brands and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.ranges import Count
from endcap.data.vocabulary import Floats, Ints
from endcap.features import cells, quantities
from endcap.features.base import Block
from endcap.features.columns import Column, Enough, survey
from endcap.features.fitted import load_estimator, load_state, save_estimator, save_state
from endcap.features.frequent import find, frequent
from endcap.features.quantities import Quantity, id_numbers
from endcap.features.vector_cache import Floats32


@dataclass(frozen=True)
class TabularConfig:
    """How the columns of a catalogue become numbers."""

    min_count: Count = 5  # items that a value needs for a number of its own; the others are pooled
    most_values: Count = 256  # of a column with numbers of their own; the less frequent are pooled
    width: Count = 1024  # numbers per item at most; above it, the wide columns pool more
    id_order: bool = True  # whether ids that are numbers tell how new an item is
    leave_out: tuple[str, ...] = ()  # columns that are not used


class Tabular:
    """A block in which each column has the same total variance over the items it was fitted on.

    What is missing is 0 and has an indicator, `no price`; values that were rare or unknown are `category: other`.
    """

    def __init__(self, config: TabularConfig | None = None) -> None:
        self.config = config or TabularConfig()

    def fit(self, catalog: Catalog, known: Ints) -> Self:
        """Learns from the items `known` (indices from 1) alone; raises InputError where there are none."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if not len(known):
            raise InputError("found no items to learn from; expected some with events")
        mine = Catalog(catalog.table.take(known - 1))
        config = self.config
        columns = survey(catalog, known, Enough(config.min_count, config.most_values), config.leave_out)
        if not config.id_order:
            columns = tuple(replace(c, role="none", how="not used, as configured") if c.role == "order" else c
                            for c in columns)  # fmt: skip
        learned = _Learned(
            config,
            columns,
            _learn_values(mine, [column.name for column in columns if column.role == "values"], config),
            quantities.learn(mine, columns, few=config.min_count),
        )
        numbers = [*quantities.quantities(mine, columns, learned.quantities)]
        if numbers:
            self._pipeline = make_pipeline(
                StandardScaler(), SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
            ).fit(_matrix(numbers))
        self._learned = learned
        named, raw = self._raw(mine)
        self._learned = replace(learned, scale=_scale(raw, [of for of, _ in named]))
        return self

    def transform(self, catalog: Catalog) -> Block:
        """The numbers of every item of a catalogue, columns that it lacks being missing."""
        named, raw = self._raw(catalog)
        vectors = np.zeros((len(catalog) + 1, len(named)), dtype=np.float32)
        vectors[1:] = np.clip(raw * np.array(self._learned.scale, np.float32), -FAR, FAR)
        present = np.zeros(len(catalog) + 1, dtype=np.bool_)
        present[1:] = _present(catalog, self._learned.columns)
        vectors[~present] = 0
        return Block(vectors, present, tuple(name for _, name in named))

    def columns_used(self) -> dict[str, str]:
        """Column -> how it is used, or why not."""
        return {column.name: column.how for column in self._learned.columns}

    def save(self, folder: Path) -> None:
        """Writes tabular.json and, where there are numbers, tabular.skops."""
        save_state(folder / "tabular.json", self._learned)
        if self._has_numbers():
            save_estimator(folder / "tabular.skops", self._pipeline)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        from sklearn.pipeline import Pipeline

        learned = load_state(folder / "tabular.json", _Learned)
        loaded = cls(learned.config)
        loaded._learned = learned
        if loaded._has_numbers():
            loaded._pipeline = load_estimator(folder / "tabular.skops", Pipeline)
        loaded._check(folder)
        return loaded

    def _has_numbers(self) -> bool:
        return any(column.role not in ("none", "values") for column in self._learned.columns)

    def _check(self, folder: Path) -> None:
        """That the two files are of one fit."""
        empty = Catalog.from_table(None, ["?"])
        try:
            named, _ = self._raw(empty)
            fits = len(named) == len(self._learned.scale)
        except (ValueError, AttributeError, KeyError, IndexError):
            fits = False
        if not fits:
            raise InputError(f"{folder}: tabular.json and tabular.skops do not belong together; train again")

    def _raw(self, catalog: Catalog) -> tuple[list[tuple[str, str]], Floats32]:
        """(column, name) of each number, and (items, numbers) before they are scaled."""
        named: list[tuple[str, str]] = []
        parts: list[Floats32] = []
        if numbers := [*quantities.quantities(catalog, self._learned.columns, self._learned.quantities)]:
            named += [(number.column, number.name) for number in numbers]
            indicators = self._pipeline[-1].indicator_
            missing = indicators.features_ if indicators is not None else []
            of = [numbers[place].column for place in missing]
            first = [place for place, column in enumerate(of) if column not in of[:place]]
            named += [(of[place], f"no {of[place]}") for place in first]
            found = self._pipeline.transform(_matrix(numbers))
            columns = [*range(len(numbers)), *(len(numbers) + place for place in first)]
            parts.append(np.clip(found[:, columns], -ENDLESS, ENDLESS).astype(np.float32))
        for column, values in self._learned.values.items():
            named += [(column, name) for name in values.numbers(column)]
            parts.append(_hot(cells.values(catalog, column), values))
        return named, np.concatenate(parts, axis=1) if parts else np.zeros((len(catalog), 0), np.float32)


@dataclass(frozen=True)
class _Values:
    """The numbers of a column of values."""

    names: tuple[str, ...]
    other: bool  # whether one stands for the rest
    none: bool  # whether one says that there is nothing

    def numbers(self, column: str) -> list[str]:
        return [*(f"{column} = {name}" for name in self.names), *[f"{column}: other"] * self.other,
                *[f"no {column}"] * self.none]  # fmt: skip


@dataclass(frozen=True)
class _Learned:
    """All that is not in the pipeline."""

    config: TabularConfig
    columns: tuple[Column, ...]
    values: dict[str, _Values]
    quantities: quantities.Learned
    scale: tuple[float, ...] = ()


def _learn_values(mine: Catalog, names: Sequence[str], config: TabularConfig) -> dict[str, _Values]:
    """With a number per frequent value, as many as fit the width together."""
    found = {name: cells.values(mine, name) for name in names}
    ours = {name: frequent(cell, min_count=config.min_count, most=config.most_values).names
            for name, cell in found.items()}  # fmt: skip
    most = config.most_values
    while most > 1 and sum(min(most, len(each)) + 2 for each in ours.values()) > config.width:
        most = most * 3 // 4
    return {name: _values(cell, ours[name][:most]) for name, cell in found.items()}


def _values(found: list[tuple[str, ...]], names: tuple[str, ...]) -> _Values:
    empty = sum(not cell for cell in found)
    # a rare category is told by the levels above it; where none is left, as for a rare brand, by `other`
    return _Values(names, bool(len(find(found, names).others)), 0 < empty < len(found))


def _matrix(numbers: Sequence[Quantity]) -> Floats:
    """(items, numbers)"""
    return np.stack([number.values for number in numbers], axis=1)


def _hot(found: list[tuple[str, ...]], values: _Values) -> Floats32:
    """(items, numbers of the column) 1 where an item has the value."""
    has = find(found, values.names)
    hot = sparse.csr_array(
        (np.ones(len(has.ids), np.float32), (has.items, has.ids)), shape=(len(found), len(values.names))
    )
    parts = [hot.toarray()]
    if values.other:
        parts.append(np.isin(np.arange(len(found)), has.others)[:, None].astype(np.float32))
    if values.none:
        parts.append(np.array([not cell for cell in found], dtype=np.float32)[:, None])
    return np.concatenate(parts, axis=1)


def _scale(raw: Floats32, columns: Sequence[str]) -> tuple[float, ...]:
    """What to multiply each number by, so that those of a column have a total variance of 1."""
    variances = raw.var(axis=0, dtype=np.float64)
    totals: dict[str, float] = {}
    for column, variance in zip(columns, variances.tolist(), strict=True):
        totals[column] = totals.get(column, 0.0) + variance
    return tuple(1 / np.sqrt(max(totals[column], RARELY)) for column in columns)


def _present(catalog: Catalog, columns: Sequence[Column]) -> NDArray[np.bool_]:
    """(items,) whether an item has anything in the columns that are used."""
    found = np.zeros(len(catalog), dtype=np.bool_)
    for column in columns:
        if column.role == "order":
            found |= np.isfinite(id_numbers(catalog))
        elif column.role != "none":
            names = ("category", "categories") if column.name == "category" else (column.name,)
            for name in names:
                found |= np.array([bool(text) for text in cells.texts(catalog, name)], dtype=np.bool_)
    return found


FAR = 30.0
"""Where a number ends: an absurd price stays absurd, but does not drown the rest of its item."""

RARELY = 0.01
"""The least total variance that is brought to 1: what one item in a thousand has must not outweigh the price."""

ENDLESS = 1e6
"""Where a number ends before it is scaled; far beyond FAR, and well within a float of 32 bits."""
