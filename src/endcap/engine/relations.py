"""What two products have in common that a person sees: a brand, a place in the tree of categories, or everything."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from endcap.data.schema import SEPARATOR
from endcap.data.vocabulary import Ints
from endcap.engine.shelf import Shelf

COMMON = 0.05
"""A brand that more than this share of the catalogue has, such as that of the house, is nothing in common."""
CODE = "product_code"
"""The column that says of which product a row is a size or a colour."""


@dataclass(frozen=True)
class Relations:
    """Of the products of a catalogue as it is now, by index."""

    brands: tuple[str, ...]  # as people read them; empty where one is not known
    common: frozenset[str]  # brands that say nothing
    titles: tuple[str, ...]
    codes: tuple[str, ...]
    categories: tuple[str, ...]

    @staticmethod
    @lru_cache(maxsize=4)
    def of(shelf: Shelf) -> "Relations":
        """Made once for a shelf."""
        catalog = shelf.whole
        brands = tuple(map(_plain, catalog.brands))
        names, counts = np.unique(np.array(brands), return_counts=True)
        return Relations(
            brands=brands,
            common=frozenset(names[counts > max(1.0, COMMON * len(catalog))].tolist()) | {""},
            titles=tuple(map(_plain, catalog.titles)),
            codes=catalog.texts(CODE) if CODE in catalog.table.column_names else ("",) * (len(catalog) + 1),
            categories=catalog.categories,
        )

    @cached_property
    def _members(self) -> dict[tuple[str, ...], list[int]]:
        """What makes products one -> their indices."""
        found: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        for item in range(1, len(self.titles)):
            for key in self._keys(item):
                found[key].append(item)
        return found

    def _keys(self, item: int) -> list[tuple[str, ...]]:
        named = [(self.titles[item], self.brands[item])] if self.titles[item] else []
        return [*named, *([(self.codes[item],)] if self.codes[item] else [])]

    def with_alike(self, items: Ints) -> Ints:
        """Some products and all that are one with any of them for people, ascending."""
        alike = [other for item in items.tolist() for key in self._keys(item) for other in self._members[key]]
        return np.unique(np.concatenate([items, np.array(alike, np.int64)]))

    @property
    def is_blind(self) -> bool:
        """Whether neither categories nor brands are known."""
        return not any(self.categories) and not any(self.brands)

    def one_product(self, item: int, other: int) -> bool:
        """Whether two are one for people: their titles and brands read alike, or they have one product_code."""
        if self.codes[item] and self.codes[item] == self.codes[other]:
            return True
        reads_alike = bool(self.titles[item]) and self.titles[item] == self.titles[other]
        return item == other or (reads_alike and self.brands[item] == self.brands[other])

    def related(self, item: int, other: int) -> bool:
        """Whether two have a brand in common that few have, or stand in one category, the deepest that is known."""
        if self.brands[item] not in self.common and self.brands[item] == self.brands[other]:
            return True
        return not _deepest(self.categories[item]).isdisjoint(_deepest(self.categories[other]))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _deepest(category: str) -> set[str]:
    """The paths of a product that no other of its paths goes on."""
    paths = {path.strip() for path in category.split(SEPARATOR)} - {""}
    return {path for path in paths if not any(other.startswith(f"{path} > ") for other in paths)}
