"""A page of products: of a category or a search, filtered, sorted, some at a time."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import numpy as np

from endcap.data.vocabulary import Ints
from endcap.engine.columns import TOP
from endcap.engine.filters import parse
from endcap.engine.shelf import Shelf
from endcap.serve.storefront.facets import Facet, Mask, facets, kept
from endcap.serve.storefront.kinds import one_card_each

PAGE = 24
MOST_CHOSEN = 24
"""Values that one address may choose of a column."""
SORTS = ("best", "cheap", "dear", "name")


@dataclass(frozen=True)
class Choice:
    """What a visitor chose beside the products, as the address of the page has it; what makes no sense is left out."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column -> its chosen values
    low: float | None = None
    high: float | None = None
    stocked: bool = False
    sort: str = "best"
    page: int = 1

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]], columns: Sequence[str]) -> "Choice":
        """Out of an address, of which `columns` may be facets; a low price above the high one is the high one."""
        query: dict[str, str] = {}
        chosen: dict[str, list[str]] = {}
        for name, value in pairs:
            query.setdefault(name, value)
            if name in columns and value.strip() and value not in chosen.setdefault(name, []):
                chosen[name].append(value)
        ends = [_number(query.get(name, "")) for name in ("low", "high")]
        low, high = sorted(ends) if None not in ends else ends  # type: ignore[type-var]
        page = query.get("page", "")
        return cls(
            columns={name: tuple(values[:MOST_CHOSEN]) for name, values in chosen.items() if values},
            low=low,
            high=high,
            stocked=query.get("stocked") == "1",
            sort=query["sort"] if query.get("sort") in SORTS else "best",
            page=int(page) if page.isascii() and page.isdecimal() and 0 < len(page) < 6 else 1,
        )

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the order was chosen."""
        return bool(self.columns or self.stocked) or self.low is not None or self.high is not None

    def without(self, column: str, value: str) -> str:
        """The address of the page with one value of a column no longer chosen."""
        left = {name: tuple(each for each in values if (name, each) != (column, value))
                for name, values in self.columns.items()}  # fmt: skip
        return self.query(columns=left, page=1)

    def query(self, **changes: object) -> str:
        """The address of the page with other choices."""
        chosen = replace(self, **changes)  # type: ignore[arg-type]
        pairs: list[tuple[str, object]] = [(name, each) for name, values in chosen.columns.items() for each in values]
        pairs += [
            (name, f"{value:g}") for name, value in (("low", chosen.low), ("high", chosen.high)) if value is not None
        ]
        pairs += [("stocked", 1)] * chosen.stocked
        pairs += [("sort", chosen.sort)] * (chosen.sort != "best") + [("page", chosen.page)] * (chosen.page > 1)
        return urlencode(pairs)


@dataclass(frozen=True)
class Listing:
    """What is shown, and what could be chosen."""

    items: Ints  # indices, of this page
    size: int  # cards on all pages: products that are one for people are one
    choice: Choice
    facets: tuple[Facet, ...] = ()
    prices: tuple[float, float] | None = None  # lowest and highest there are
    has_stock: bool = False  # whether the shop says what is in stock
    pages: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pages", max(1, math.ceil(self.size / PAGE)))


def listing(shelf: Shelf, ordered: Ints, choice: Choice) -> Listing:
    """One page of some products that are in their best order already; a page after the last one is the last one."""
    prices = shelf.whole.prices
    known = prices[ordered][np.isfinite(prices[ordered])]
    others = _others(shelf, choice)
    found = _sorted(shelf, ordered[(others & kept(shelf, choice.columns))[ordered]], choice.sort)
    found = one_card_each(shelf, found)
    choice = replace(choice, page=min(choice.page, max(1, math.ceil(len(found) / PAGE))))
    start = PAGE * (choice.page - 1)
    return Listing(
        items=found[start : start + PAGE],
        size=len(found),
        choice=choice,
        facets=tuple(facets(shelf, ordered, choice.columns, others)),
        prices=(float(known.min()), float(known.max())) if len(known) and known.min() < known.max() else None,
        has_stock=any(shelf.whole.stock[item] for item in ordered),
    )


def _others(shelf: Shelf, choice: Choice) -> Mask:
    """(items + 1,) what the chosen prices and stock let through."""
    mask, prices = np.ones(len(shelf) + 1, dtype=bool), shelf.whole.prices
    with np.errstate(invalid="ignore"):
        if choice.low is not None:
            mask &= prices >= choice.low
        if choice.high is not None:
            mask &= prices <= choice.high
    return mask & shelf.mask(parse("in_stock")) if choice.stocked else mask


def in_category(shelf: Shelf, path: Sequence[str], best: Ints) -> Ints:
    """The products of a category; `best` are some of them, in their order, which come first."""
    mask = shelf.mask(parse(category_filter(path)))
    first = best[mask[best]]
    mask = mask.copy()
    mask[first] = False
    return np.concatenate([first, np.flatnonzero(mask)])


def category_filter(path: Sequence[str]) -> str:
    """Products of a category and of all below it; another branch may have one of the same name."""
    return f"category:{quoted(TOP + ' ' + ' > '.join(path))}"


def quoted(text: str) -> str:
    """A value as a filter has it, whatever stands in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _sorted(shelf: Shelf, items: Ints, sort: str) -> Ints:
    """Products without a price come last, whichever way prices are sorted."""
    prices, titles = shelf.whole.prices[items], shelf.whole.titles
    match sort:
        case "cheap":
            return items[np.argsort(np.nan_to_num(prices, nan=np.inf), kind="stable")]
        case "dear":
            return items[np.argsort(-np.nan_to_num(prices, nan=-np.inf), kind="stable")]
        case "name":
            return np.array(sorted(items.tolist(), key=lambda item: titles[item].casefold()), np.int64)
    return items


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value < 1e12 else None
