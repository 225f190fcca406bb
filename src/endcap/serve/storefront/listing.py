"""A page of products: of a category or a search, filtered, sorted, some at a time."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import numpy as np

from endcap.data.vocabulary import Ints
from endcap.engine.columns import TOP
from endcap.engine.filters import parse
from endcap.engine.shelf import Shelf

PAGE = 24
MOST_BRANDS = 12
LONGEST = 100
"""Characters of a brand, so that a filter of all of them is not too long."""
SORTS = ("best", "cheap", "dear", "name")


@dataclass(frozen=True)
class Choice:
    """What a visitor chose beside the products, as the address of the page has it; what makes no sense is left out."""

    brands: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    stocked: bool = False
    sort: str = "best"
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str], brands: Sequence[str]) -> "Choice":
        """Out of an address."""
        page = query.get("page", "")
        return cls(
            brands=tuple(dict.fromkeys(brand for brand in brands if 0 < len(brand) <= LONGEST))[:MOST_BRANDS],
            low=_number(query.get("low", "")),
            high=_number(query.get("high", "")),
            stocked=query.get("stocked") == "1",
            sort=query["sort"] if query.get("sort") in SORTS else "best",
            page=int(page) if page.isascii() and page.isdecimal() and 0 < len(page) < 6 else 1,
        )

    @property
    def is_narrow(self) -> bool:
        """Whether anything but the order was chosen."""
        return bool(self.brands or self.stocked) or self.low is not None or self.high is not None

    @property
    def filter(self) -> str | None:
        """As engine/filters.py reads it."""
        parts = []
        if self.brands:
            parts.append(f"brand:({', '.join(map(quoted, self.brands))})")
        if self.low is not None:
            parts.append(f"price >= {self.low:f}")
        if self.high is not None:
            parts.append(f"price <= {self.high:f}")
        if self.stocked:
            parts.append("in_stock")
        return " AND ".join(parts) or None

    def query(self, **changes: object) -> str:
        """The address of the page with other choices."""
        chosen = replace(self, **changes)  # type: ignore[arg-type]
        pairs: list[tuple[str, object]] = [("brand", brand) for brand in chosen.brands]
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
    size: int  # products on all pages
    choice: Choice
    brands: tuple[tuple[str, int], ...] = ()  # that there are, with how many products
    prices: tuple[float, float] | None = None  # lowest and highest there are
    has_stock: bool = False  # whether the shop says what is in stock
    pages: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pages", max(1, math.ceil(self.size / PAGE)))


def listing(shelf: Shelf, ordered: Ints, choice: Choice) -> Listing:
    """One page of some products that are in their best order already."""
    prices = shelf.whole.prices
    known = prices[ordered][np.isfinite(prices[ordered])]
    brands = Counter(brand for item in ordered if (brand := shelf.whole.brands[item]))
    kept = ordered
    if (text := choice.filter) is not None:
        kept = ordered[shelf.mask(parse(text))[ordered]]
    kept = _sorted(shelf, kept, choice.sort)
    start = PAGE * (choice.page - 1)
    return Listing(
        items=kept[start : start + PAGE],
        size=len(kept),
        choice=choice,
        brands=tuple(brands.most_common(MOST_BRANDS)) if len(brands) > 1 else (),
        prices=(float(known.min()), float(known.max())) if len(known) and known.min() < known.max() else None,
        has_stock=any(shelf.whole.stock[item] for item in ordered),
    )


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
