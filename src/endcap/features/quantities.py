"""The columns of a catalogue that are quantities: prices, ratings, counts, dates, and the order of the ids."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from endcap.data.catalog import Catalog
from endcap.data.vocabulary import Floats
from endcap.features import cells
from endcap.features.columns import Column, date_seconds
from endcap.features.dates import YEAR
from endcap.features.prices import Level, price_levels, within_category


@dataclass(frozen=True)
class Quantity:
    """One number of every item."""

    column: str
    name: str
    values: Floats  # (items,) NaN where it is missing


@dataclass(frozen=True)
class Rating:
    """What a product's rating is drawn to."""

    mean: float  # of all products
    count: float  # of reviews at which a product's own rating weighs as much


@dataclass(frozen=True)
class Learned:
    """What quantities are measured against."""

    prices: dict[str, Level]
    rating: Rating
    newest: dict[str, float]  # of a column of dates, in seconds
    seasons: tuple[str, ...]  # the columns of dates that span a year
    logs: tuple[str, ...]  # the columns of numbers of which the logarithm is taken
    order: tuple[float, ...]  # ids at even steps from the lowest to the highest


def learn(mine: Catalog, columns: Sequence[Column], *, few: int) -> Learned:
    """From the known items alone; a category with less than `few` prices is compared with the one above."""
    dates = {column.name: date_seconds(mine, column.name) for column in columns if column.role == "date"}
    plain = [column.name for column in columns if column.role == "number"]
    return Learned(
        prices=price_levels(_log(cells.numbers(mine, "price")), cells.values(mine, "category"), few=few),
        rating=_learn_rating(mine),
        newest={name: float(np.nanmax(found)) for name, found in dates.items()},
        seasons=tuple(name for name, found in dates.items() if np.nanmax(found) - np.nanmin(found) > 0.9 * YEAR),
        logs=tuple(name for name in plain if name == "rating_count" or _is_skewed(cells.numbers(mine, name))),
        order=_learn_order(mine) if any(column.role == "order" for column in columns) else (),
    )


def quantities(catalog: Catalog, columns: Sequence[Column], learned: Learned) -> Iterator[Quantity]:
    """Of each column that is one, in their order."""
    for column in columns:
        name = column.name
        match column.role:
            case "order":
                yield Quantity(name, "id order", _place(id_numbers(catalog), np.array(learned.order)))
            case "price":
                logs = _log(cells.numbers(catalog, name))
                yield Quantity(name, "log price" if name == "price" else "log highest price", logs)
                if name == "price":
                    within = within_category(logs, cells.values(catalog, "category"), learned.prices)
                    yield Quantity(name, "price within category", within)
            case "rating":
                yield Quantity(name, name, _drawn(catalog, learned.rating))
            case "number":
                found = cells.numbers(catalog, name)
                log = name in learned.logs
                yield Quantity(name, f"log {name}" if log else name, np.log1p(_not_negative(found)) if log else found)
            case "date":
                yield from _of_date(catalog, name, learned)


def _of_date(catalog: Catalog, name: str, learned: Learned) -> Iterator[Quantity]:
    years = date_seconds(catalog, name) / YEAR
    yield Quantity(name, f"{name}: age", learned.newest[name] / YEAR - years)
    if name in learned.seasons:
        yield Quantity(name, f"{name}: winter", np.cos(2 * np.pi * years))
        yield Quantity(name, f"{name}: spring", np.sin(2 * np.pi * years))


def _drawn(catalog: Catalog, rating: Rating) -> Floats:
    """(items,) ratings drawn to the mean of all, half way at the usual count; those without a count have the usual."""
    found, counts = cells.numbers(catalog, "rating"), cells.numbers(catalog, "rating_count")
    counts = np.where(counts >= 0, counts, rating.count)
    weight = counts / (counts + rating.count) if rating.count else np.ones(len(found))
    return weight * found + (1 - weight) * rating.mean


def id_numbers(catalog: Catalog) -> Floats:
    """(items,) NaN where an id is none."""
    return np.array([float(each) if each.isdecimal() and len(each) < LONGEST_ID else np.nan
                     for each in cells.texts(catalog, "item_id")])  # fmt: skip


def _place(ids: Floats, steps: Floats) -> Floats:
    """(n,) where ids lie among the known ones, from 0 to 1; beyond, on the line of the nearest tenth of them."""
    places = np.interp(ids, steps, np.linspace(0, 1, len(steps)))
    tenth = len(steps) // 10
    below, above = (
        (steps[0] - ids) / _gap(steps[0], steps[tenth]),
        (ids - steps[-1]) / _gap(steps[-1 - tenth], steps[-1]),
    )
    return places + 0.1 * (np.clip(above, 0, BEYOND) - np.clip(below, 0, BEYOND))


def _gap(low: float, high: float) -> float:
    return max(high - low, 1.0)


def _log(found: Floats) -> Floats:
    """Prices of 0 and below are none."""
    return np.log(np.where(found > 0, found, np.nan))


def _not_negative(found: Floats) -> Floats:
    return np.where(found >= 0, found, np.nan)


def _is_skewed(found: Floats) -> bool:
    found = found[np.isfinite(found)]
    return bool(found.min() >= 0 and np.quantile(found, 0.99) > 10 * max(np.median(found), 1e-9))


def _learn_rating(mine: Catalog) -> Rating:
    ratings, counts = cells.numbers(mine, "rating"), cells.numbers(mine, "rating_count")
    rated = np.isfinite(ratings)
    counts = counts[rated & (counts > 0)]
    mean = float(ratings[rated].mean()) if rated.any() else 0.0
    return Rating(mean, float(np.median(counts)) if len(counts) else 0.0)


def _learn_order(mine: Catalog) -> tuple[float, ...]:
    ids = id_numbers(mine)
    return tuple(np.quantile(ids[np.isfinite(ids)], np.linspace(0, 1, STEPS + 1)).tolist())


STEPS = 1000
"""Of the ids that are kept to tell others' places among them."""

BEYOND = 10.0
"""Tenths that an id can lie beyond the known ones."""

LONGEST_ID = 19
"""Digits; longer ids differ by less than a float can tell."""
