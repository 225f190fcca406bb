"""What two products have in common that a person sees: a brand, a place in the tree of categories, or everything."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from endcap.data.schema import SEPARATOR
from endcap.engine.shelf import Shelf
from endcap.features.groups import Codes

COMMON = 0.05
"""A brand that more than this share of the catalogue has, such as that of the house, is nothing in common."""


@dataclass(frozen=True)
class Relations:
    """Of the products of a catalogue as it is now, by index."""

    brands: tuple[str, ...]  # as people read them; empty where one is not known
    common: frozenset[str]  # brands that say nothing
    groups: Codes
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
            groups=shelf.groups,
            categories=catalog.categories,
        )

    @property
    def is_blind(self) -> bool:
        """Whether neither categories nor brands are known."""
        return not any(self.categories) and not any(self.brands)

    def one_product(self, item: int, other: int) -> bool:
        """Whether two are one for people, see features/groups.py."""
        return bool(self.groups[item] == self.groups[other])

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
