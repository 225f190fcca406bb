"""The catalogue as pages show it: products, and the tree of categories."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from string import capwords
from urllib.parse import quote

import numpy as np

from endcap.data.schema import SEPARATOR
from endcap.engine.filters import parse
from endcap.engine.shelf import Shelf
from endcap.features import cells
from endcap.features.cells import plain

MOST_FACTS = 8
LONGEST_FACT = 120
TOLD = frozenset({"item_id", "title", "category", "categories", "brand", "price", "price_max", "currency", "rating",
                  "rating_count", "stock", "description", "image", "video", "metadata", "created"})  # fmt: skip
"""Columns that a product's page shows in other ways, or that are not for people."""
SMALL, SHARE = 50, 0.02
"""A department of fewer cards, in a small catalogue of less than this share, is not in the navigation."""
DENIALS = frozenset({"no", "none", "n/a", "false", "否", "无"})
"""What a shop writes where a product does not have something: nobody looks for it."""
CODES = ("_id", "_no", "_code", "sku", "gtin", "ean", "url", "link")
"""What the names of columns end in that are for machines."""


@dataclass(frozen=True)
class Category:
    """A place in the tree."""

    path: tuple[str, ...]  # from the top, as the catalogue writes it
    size: int  # cards, those below included: products that are one for people are one

    @property
    def name(self) -> str:
        """Its own part, for people."""
        return readable(self.path[-1])

    @property
    def text(self) -> str:
        """As a filter writes it."""
        return " > ".join(self.path)

    @property
    def address(self) -> str:
        """Of its page."""
        return f"/shop/category/{quote(self.text, safe='')}"

    @property
    def pattern(self) -> str:
        """Address of a picture of nothing but its pattern."""
        return f"/shop/pattern/{quote(self.text, safe='')}"


@dataclass(frozen=True)
class Tree:
    """All categories of a shelf."""

    sizes: Counter[tuple[str, ...]]

    def below(self, path: tuple[str, ...] = ()) -> list[Category]:
        """Those right below a place, the largest first."""
        found = [
            Category(each, n) for each, n in self.sizes.items() if len(each) == len(path) + 1 and each[:-1] == path
        ]
        return sorted(found, key=lambda category: (-category.size, category.path))

    def departments(self) -> tuple[list[Category], list[Category]]:
        """Those at the top, the largest first, and apart those that are too small for a navigation."""
        every = self.below()
        least = min(SMALL, SHARE * sum(each.size for each in every))
        return [each for each in every if each.size >= least], [each for each in every if each.size < least]

    def find(self, text: str) -> Category | None:
        """By its text."""
        path = levels(text)
        return Category(path, self.sizes[path]) if path in self.sizes else None

    def above(self, path: tuple[str, ...]) -> list[Category]:
        """From the top down to a place, itself included."""
        return [Category(path[:depth], self.sizes[path[:depth]]) for depth in range(1, len(path) + 1)]


@dataclass(frozen=True)
class Product:
    """A product as a card or a page shows it."""

    item_id: str
    title: str
    category: tuple[str, ...] = ()
    brand: str | None = None
    price: float | None = None
    currency: str | None = None
    rating: float | None = None
    rating_count: float | None = None
    kinds: int = 1  # products that are one with it for people, itself included
    is_from: bool = False  # whether others of them cost more

    @property
    def by(self) -> str | None:
        """Its brand, where the title does not end in it (`Milk, Private brand` of the brand Private)."""
        title, brand = plain(self.title), plain(self.brand or "")
        return None if not brand or title.endswith((brand, f"{brand} brand")) else self.brand

    @property
    def address(self) -> str:
        """Of its page."""
        return f"/shop/product/{quote(self.item_id, safe='')}"

    @property
    def photo(self) -> str:
        """Address of its picture."""
        return f"/photo/{quote(self.item_id, safe='')}"


def product(shelf: Shelf, item: int) -> Product:
    """By its index."""
    shown = shelf.shown(item)
    return Product(
        shelf.ids[item - 1],
        str(shown["title"]),
        levels(str(shown.get("category", "")).split(SEPARATOR)[0]),
        shown.get("brand"),
        shown.get("price"),
        shown.get("currency"),
        shown.get("rating"),
        shown.get("rating_count"),
    )


def products(shelf: Shelf, items: Iterable[int]) -> list[Product]:
    """By their indices."""
    return [product(shelf, int(item)) for item in items]


def find(shelf: Shelf, item_id: str) -> int:
    """The index of a product that is in the shop; 0 where there is none."""
    item = shelf.find(item_id)
    return item if item and shelf.there[item] else 0


def in_stock(shelf: Shelf, item: int) -> bool | None:
    """None where the shop says nothing of its stock."""
    if shelf.shown(item).get("stock") is None:
        return None
    return bool(shelf.mask(parse("in_stock"))[item])


def facts(shelf: Shelf, item: int) -> list[tuple[str, str]]:
    """What else is known of a product, in words: names and values."""
    row = shelf.row(shelf.ids[item - 1])
    said = {str(row.get(name)).casefold() for name in ("title", "brand", "category", "description")}
    said.add(str(row.get("title")).partition(",")[0].casefold())  # `Milk, 1 l` of the type milk
    said |= {level.casefold() for level in levels(str(row.get("category") or ""))}
    found: dict[str, list[str]] = {}
    for name, value in row.items():
        if name in TOLD or name.endswith(CODES) or value is None:
            continue
        for heading, text in _pairs(name, str(value)):
            if text.casefold() in {*said, *DENIALS} or len(text) > LONGEST_FACT:
                continue
            if np.isnan(cells.parsed([text])[0]):
                found.setdefault(heading, []).append(readable(text))
                said.add(text.casefold())
    return [(name, ", ".join(texts)) for name, texts in found.items()][:MOST_FACTS]


def described(text: str | None) -> str:
    """A description with each of its bullets on a line of its own.

    >>> described("Warm. • Two pockets. • Machine wash.")
    'Warm.\\n• Two pockets.\\n• Machine wash.'
    """
    return "\n• ".join(part.strip() for part in (text or "").split("•")).strip()


@lru_cache(maxsize=1)  # each change of the catalogue makes another shelf
def tree(shelf: Shelf) -> Tree:
    """The categories of the products that are in the shop."""
    width = len(shelf) + 2
    texts, cell = np.unique(np.array(shelf.whole.categories)[shelf.there], return_inverse=True)
    cell, group = np.divmod(np.unique(cell.astype(np.int64) * width + shelf.groups[shelf.there]), width)
    starts = np.searchsorted(cell, np.arange(len(texts) + 1))
    number: dict[tuple[str, ...], int] = {}
    cards = [np.zeros(0, np.int64)]  # number of the category * width + group
    for n, text in enumerate(texts.tolist()):
        for path in {own[:depth] for own in map(levels, text.split(SEPARATOR)) for depth in range(1, len(own) + 1)}:
            cards.append(number.setdefault(path, len(number)) * width + group[starts[n] : starts[n + 1]])
    counts = np.bincount(np.unique(np.concatenate(cards)) // width, minlength=len(number))
    sizes = Counter({path: int(counts[n]) for path, n in number.items()})
    return Tree(sizes)


def levels(text: str) -> tuple[str, ...]:
    """A category's parts from the top."""
    return tuple(name for part in text.split(cells.LEVEL.strip()) if (name := " ".join(part.split())))


def readable(text: str) -> str:
    """Words in capitals, as tills print them, in small letters.

    >>> readable("FROZEN PIZZA"), readable("Dairy"), readable("DVD")
    ('Frozen Pizza', 'Dairy', 'DVD')
    """
    return capwords(text) if text.isupper() and len(text) > 3 else text


def _pairs(name: str, value: str) -> list[tuple[str, str]]:
    """The values of a column as label and text; attributes have their own labels."""
    values = [each for each in value.split(SEPARATOR) if each]
    if name != "attributes":
        return [(label(name), each) for each in values]
    split = [each.partition("=") for each in values]
    return [(label(name), text) for name, _, text in split if text]


def label(name: str) -> str:
    """What a column is called.

    >>> label("product_type_name")
    'Product type'
    """
    words = name.removesuffix("_name").replace("_", " ").strip()
    return words[:1].upper() + words[1:]
