"""What conditions can ask of the products of this shop: its columns, their values, its tree of categories."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from endcap.data.schema import SEPARATOR
from endcap.engine.columns import CATEGORIES, TEXTS, TOP, columns_of
from endcap.engine.filters import parse
from endcap.engine.shelf import Shelf
from endcap.features import cells
from endcap.features.cells import plain
from endcap.serve.console.conditions import STOCK, Draft, How
from endcap.serve.storefront.catalogue import CODES, Category, Tree, tree
from endcap.serve.storefront.listing import category_filter

Kind = Literal["category", "value", "words", "number", "stock"]
HOWS: dict[Kind, tuple[How, ...]] = {
    "category": ("is", "not", "known", "unknown"),
    "value": ("is", "not", "known", "unknown"),
    "words": ("is", "not", "known", "unknown"),
    "number": ("between", "below", "above", "outside", "known", "unknown"),
    "stock": ("is", "not"),
}
"""What a condition on a column of that kind can say."""

FIRST = ("category", "brand", "price", STOCK)
SKIPPED = frozenset({"item_id", "image", "video", "metadata", "created", "currency", "categories", "stock"})
MOST_VALUES = 200
"""Values that are offered while one types."""

WHOLE_TREE = 250
"""Categories up to which all are shown; of more the branch that is chosen is open."""


@dataclass(frozen=True)
class Attribute:
    """A column that can be asked for."""

    column: str
    kind: Kind
    values: tuple[tuple[str, int], ...] = ()  # as the shop writes them, with how many products, the most first
    low: float | None = None  # numbers there are
    high: float | None = None

    @property
    def hows(self) -> tuple[How, ...]:
        """What can be said of it."""
        return HOWS[self.kind]


@dataclass(frozen=True)
class Option:
    """A line of the tree of categories."""

    value: str  # as a filter has it
    name: str
    depth: int
    size: int | None = None  # products; None: it is no one place of the tree


@lru_cache(maxsize=1)  # each change of the catalogue makes another shelf
def attributes(shelf: Shelf) -> dict[str, Attribute]:
    """By column, the usual ones first."""
    names = dict.fromkeys([*FIRST, *shelf.whole.table.column_names])
    found = {name: each for name in names if name not in SKIPPED and (each := _attribute(shelf, name)) is not None}
    return found | {"item_id": Attribute("item_id", "value")}


def fitting(draft: Draft, known: Mapping[str, Attribute]) -> Draft:
    """The draft with comparisons that its columns have: a price is not a value, but between two."""
    rows = [replace(row, how=known[row.column].hows[0]) if row.column in known and row.how not in known[row.column].hows
            else row for row in draft.rows]  # fmt: skip
    return replace(draft, rows=tuple(rows))


def options(shelf: Shelf, chosen: Collection[str]) -> list[Option]:
    """The tree of categories; what was chosen is among them, wherever it came from."""
    known = tree(shelf)
    opened = [cells.levels(each.removeprefix(TOP))[-1:] for each in chosen]
    paths = {tuple(path[0].split(cells.LEVEL)) for path in opened if path}
    found = _below(known, (), None if len(known.sizes) <= WHOLE_TREE else paths)
    there = {each.value for each in found}
    return [*(Option(each, each.removeprefix(TOP).strip(), 0) for each in chosen if each and each not in there), *found]


def example(shelf: Shelf) -> str:
    """A filter that lets products of this shop through: its largest category, of which the cheaper half."""
    largest = [each.path for each in tree(shelf).below()[:1]]
    parts = [category_filter(path).replace(f"{TOP} ", "", 1) for path in largest]
    prices = shelf.whole.prices[shelf.mask(parse(parts[0])) if parts else shelf.there]
    known = prices[np.isfinite(prices)]
    if len(known) and known.max() > 0:
        parts.append(f"price <= {float(f'{np.median(known):.2g}'):g}")
    return " AND ".join(parts) or "title:*"


def _below(known: Tree, path: tuple[str, ...], opened: Collection[tuple[str, ...]] | None) -> list[Option]:
    found = []
    for each in known.below(path):
        found.append(_option(each))
        if opened is None or any(_starts(chosen, each.path) for chosen in opened):
            found += _below(known, each.path, opened)
    return found


def _starts(chosen: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return chosen[: len(path)] == path


def _option(category: Category) -> Option:
    return Option(f"{TOP} {category.text}", category.name, len(category.path) - 1, category.size)


def _attribute(shelf: Shelf, name: str) -> Attribute | None:
    """None where the shop says nothing there that could be asked for."""
    if name == STOCK:
        return Attribute(STOCK, "stock") if any(shelf.whole.stock) else None
    if name in CATEGORIES:
        return Attribute(CATEGORIES[0], "category") if tree(shelf).sizes else None
    column = columns_of(shelf.whole).read(name)
    if not len(column.numbers):
        return None
    if name in TEXTS:
        return Attribute(name, "words")
    known = column.numbers[np.isfinite(column.numbers)]
    if len(known) == len(column.numbers) and not name.endswith(CODES):
        return Attribute(name, "number", low=float(known.min()), high=float(known.max()))
    values = _values(shelf, name)
    return Attribute(name, "value", values) if values and values[0][1] > 1 else None


def _values(shelf: Shelf, name: str) -> tuple[tuple[str, int], ...]:
    """As the shop writes them: spellings that compare as one are one."""
    texts = np.array(cells.texts(shelf.whole, name), dtype=object)[shelf.there[1:]]
    counts: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for cell, n in Counter(texts.tolist()).most_common():
        for value in {each.strip() for each in cell.split(SEPARATOR)} - {""}:
            counts[spelled.setdefault(plain(value), value)] += n
    return tuple(counts.most_common(MOST_VALUES))
