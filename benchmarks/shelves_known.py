"""What is known of a shop's products by its catalogue and its log: whether two are alike, or go together.

It is read from the folder of `endcap demo`, not asked of the shop that is measured: so it is the same before and after.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from endcap import demo
from endcap.data.catalog import Catalog
from endcap.data.dataset import Dataset

MOST_BOUGHT = 200
DAY = 86_400.0
TOGETHER = 2
"""Baskets that two products must share to be bought together, and times as many as if each were bought for itself."""
NOT_SOLD = re.compile(r"\b(fuel|gasoline|coupons?|coup|deposits?|charitable)\b", re.IGNORECASE)
"""What no shop sells by the cart, though tills print it."""

Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """By item_id."""

    leaves: dict[str, frozenset[Path_]]  # the deepest categories
    brand: dict[str, str]
    group: dict[str, int]  # products of one title and brand, or of one product_code
    not_sold: frozenset[str]
    baskets: dict[str, NDArray[np.int64]]  # carts and purchases of one user on one day
    n_baskets: int
    most_bought: tuple[str, ...]
    users: tuple[str, ...]  # of those in the demonstration's database

    @classmethod
    def of(cls, place: Path) -> "Known":
        """Of what `endcap demo --out PLACE` prepared."""
        dataset = Dataset.load(place / "data")
        ids = sorted(
            {
                *dataset.table["item_id"].to_pylist(),
                *([] if dataset.items is None else dataset.items["item_id"].to_pylist()),
            }
        )
        catalog = Catalog.from_table(dataset.items, ids)
        leaves = {item: _leaves(text) for item, text in zip(ids, catalog.categories[1:], strict=True)}
        titles = catalog.texts("title")[1:]
        texts = zip(ids, titles, catalog.categories[1:], strict=True)
        baskets, n_baskets = _baskets(dataset)
        users = demo.some_users(dataset.table, demo.households(dataset), demo.MOST_EVENTS)
        return cls(
            leaves=leaves,
            brand=dict(zip(ids, catalog.brands[1:], strict=True)),
            group=dict(zip(ids, _groups(catalog, titles).tolist(), strict=True)),
            not_sold=frozenset(item for item, title, category in texts if NOT_SOLD.search(f"{title} {category}")),
            baskets=baskets,
            n_baskets=n_baskets,
            most_bought=_most_bought(dataset),
            users=tuple(sorted(users or set(dataset.table["user_id"].to_pylist()))),
        )

    @cached_property
    def of_category(self) -> dict[Path_, list[str]]:
        """The products of each deepest category."""
        found: dict[Path_, list[str]] = {}
        for item, paths in self.leaves.items():
            for path in paths:
                found.setdefault(path, []).append(item)
        return found

    def same(self, one: str, other: str) -> bool:
        """The same product, or one that reads the same."""
        return one == other or self.group.get(one, one) == self.group.get(other, other)

    def own(self, one: str, other: str) -> bool:
        """Whether they share a deepest category."""
        return bool(self.leaves.get(one, frozenset()) & self.leaves.get(other, frozenset()))

    def sister(self, one: str, other: str) -> bool:
        """Whether they share one, or have two below the same parent."""
        above = [{path[:-1] for path in self.leaves.get(item, ()) if len(path) > 1} for item in (one, other)]
        return self.own(one, other) or bool(above[0] & above[1])

    def together(self, one: str, other: str) -> bool:
        """Whether they are bought together."""
        if one not in self.baskets or other not in self.baskets:
            return False
        first, second = self.baskets[one], self.baskets[other]
        n = len(np.intersect1d(first, second, assume_unique=True))
        return n >= TOGETHER and n * self.n_baskets >= TOGETHER * len(first) * len(second)

    def plausible(self, event: str, product: str) -> bool:
        """Whether an event can be the reason of a product: by category, brand or basket."""
        brand = self.brand.get(event)
        return (
            self.own(event, product)
            or bool(brand and brand == self.brand.get(product))
            or self.together(event, product)
        )

    def distinct(self, items: Iterable[str]) -> int:
        """Products that read differently."""
        return len({self.group.get(item, item) for item in items})


def _leaves(text: str) -> frozenset[Path_]:
    paths = {tuple(part.strip() for part in each.split(">") if part.strip()) for each in text.split("|")} - {()}
    return frozenset(path for path in paths if not any(other[: len(path)] == path and other != path for other in paths))


def _groups(catalog: Catalog, titles: Sequence[str]) -> NDArray[np.int64]:
    """(items,) a number for each product, the same for those that read alike."""
    names = [
        f"{title}\0{brand}".casefold() if title else f"\0{n}"
        for n, (title, brand) in enumerate(zip(titles, catalog.brands[1:], strict=True))
    ]
    has_code = "product_code" in catalog.table.column_names
    codes = catalog.texts("product_code")[1:] if has_code else ("",) * len(names)
    keys = [
        np.unique(texts, return_inverse=True)[1]
        for texts in (names, [code or f"\0{n}" for n, code in enumerate(codes)])
    ]
    n, widest = len(names), max(len(names), 1)
    rows = np.tile(np.arange(n), 2)
    columns = np.concatenate([n + keys[0], n + widest + keys[1]])
    graph = coo_array((np.ones(2 * n, bool), (rows, columns)), shape=(n + 2 * widest, n + 2 * widest))
    return np.asarray(connected_components(graph, directed=False)[1][:n], np.int64)


def _baskets(dataset: Dataset) -> tuple[dict[str, NDArray[np.int64]], int]:
    """item_id -> the numbers of its baskets; how many baskets there are."""
    kinds = pc.field("kind")
    table = dataset.table.filter((kinds == "cart") | (kinds == "purchase"))
    users = np.unique(table["user_id"].to_numpy(), return_inverse=True)[1]
    days = np.floor(table["time"].to_numpy() / DAY).astype(np.int64)
    days -= days.min(initial=0)
    numbers = np.unique(users * (days.max(initial=0) + 1) + days, return_inverse=True)[1]
    items, rows = np.unique(table["item_id"].to_numpy(), return_inverse=True)
    parts = np.split(numbers[np.argsort(rows, kind="stable")], np.cumsum(np.bincount(rows, minlength=len(items)))[:-1])
    return {str(item): np.unique(part) for item, part in zip(items, parts, strict=True)}, int(
        numbers.max(initial=0)
    ) + 1


def _most_bought(dataset: Dataset) -> tuple[str, ...]:
    """Of those that were put into carts where hardly anything was bought."""
    for kinds in (("purchase",), ("cart", "purchase"), ("view", "cart", "purchase")):
        table = dataset.table.filter(pc.field("kind").isin(list(kinds)))
        if len(table) >= 10 * MOST_BOUGHT:
            break
    counted = table.group_by("item_id").aggregate([("row", "count")])
    counted = counted.sort_by([("row_count", "descending"), ("item_id", "ascending")])
    return tuple(counted["item_id"][:MOST_BOUGHT].to_pylist())
