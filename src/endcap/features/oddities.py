"""The oddest rows of a catalogue, with the reason: a wrong category, an absurd price, a foreign photo, an empty row."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats, Ints
from endcap.features.autoencoder import Autoencoder
from endcap.features.base import Block
from endcap.features.similar import similar


@dataclass(frozen=True)
class Oddity:
    """One row that looks wrong."""

    item_id: str
    title: str
    score: float  # from 0 to 1: how sure
    column: str  # of the catalogue, where to look
    found: str
    expected: str
    reason: str


def oddest(
    catalog: Catalog, blocks: Mapping[str, Block], autoencoder: Autoencoder, *, k: int = 20, photo: str = "photos"
) -> list[Oddity]:
    """The k oddest rows, the surest first, one oddity per item.

    A product's category is asked of the products that are nearest when nobody tells the autoencoder its category, its
    price of those nearest without its price. `photo` is the name of the photos' block, where there is one. Text that
    repeats the category finds a little less. Raises InputError where the blocks are not of this catalogue.
    """
    for name, block in blocks.items():
        if len(block.vectors) != len(catalog) + 1:
            sizes = f"{len(block.vectors) - 1:,} items in the {name} block and {len(catalog):,} in the catalogue"
            raise InputError(f"found {sizes}; expected the blocks of this very catalogue")
    found = [*_wrong_categories(catalog, blocks, autoencoder), *_absurd_prices(catalog, blocks, autoencoder)]
    if photo in blocks and len(blocks) > 1:
        found += _foreign_photos(catalog, blocks, autoencoder, photo)
    surest: dict[str, Oddity] = {}
    for oddity in sorted(found, key=lambda each: -each.score):
        surest.setdefault(oddity.item_id, oddity)
    # Shops with thousands of empty rows have other errors too: the empty ones take a fifth of the places at most.
    listed = [*surest.values(), *_empty_rows(catalog)[: max(1, k // 5)]]
    return sorted(listed, key=lambda each: -each.score)[:k]


@dataclass(frozen=True)
class _Votes:
    """What the nearest products say about each item's category; items without a category are left out."""

    items: Ints  # (n,)
    asked: Ints  # (n,) neighbours with a category
    own: Floats  # (n,) share of them in the item's own
    other: list[str]  # (n,) the category most of the others are in; empty where there is none
    share: Floats  # (n,) of them in that
    knows: Floats  # (n,) how well neighbours know its category: the mean of `own` over its items

    @property
    def trust(self) -> Floats:
        """(n,) 1 from TRUSTED on."""
        return np.minimum(1, self.knows / TRUSTED)


def _votes(catalog: Catalog, codes: Block) -> _Votes:
    """A category that neighbours never know, such as one with a single product, gets no trust."""
    categories = np.array(catalog.categories, dtype=object)
    items = np.flatnonzero((categories != "") & codes.present)
    _, group, sizes = np.unique(categories[items].astype(str), return_inverse=True, return_counts=True)
    # Where categories are small, the twentieth neighbour is bound to be in another one.
    k = int(np.clip(np.median(sizes[group]) / 2, FEWEST, NEIGHBOURS)) if len(items) else FEWEST
    near = similar(codes, items, k=k, among=items).items
    own, share = np.zeros(len(items)), np.zeros(len(items))
    asked, other = (near > 0).sum(1), []
    for row, (item, neighbours) in enumerate(zip(items, near, strict=True)):
        counts = Counter(categories[neighbours[neighbours > 0]])
        own[row] = counts.pop(categories[item], 0) / max(1, asked[row])
        name, votes = counts.most_common(1)[0] if counts else ("", 0)
        other.append(name)
        share[row] = votes / max(1, asked[row])
    return _Votes(items, asked, own, other, share, (np.bincount(group, own) / sizes)[group])


def _wrong_categories(catalog: Catalog, blocks: Mapping[str, Block], autoencoder: Autoencoder) -> Iterator[Oddity]:
    votes = _votes(catalog, autoencoder.code(blocks, hidden=_is_category))
    surprise = _rank(autoencoder.hidden_errors(blocks, _is_category)[votes.items])
    apart = [SIBLING if _top(catalog.categories[item]) == _top(other) else 1.0
             for item, other in zip(votes.items, votes.other, strict=True)]  # fmt: skip
    scores = (votes.share - votes.own) * votes.trust * surprise * np.array(apart)
    for row in np.flatnonzero(scores > SURE):
        item, n = votes.items[row], votes.asked[row]
        found, expected = catalog.categories[item], votes.other[row]
        reason = (
            f"category {found}: {round(votes.share[row] * n)} of its {n} nearest products are in {expected}, "
            f"{_count(round(votes.own[row] * n))} in its own"
        )
        yield _oddity(catalog, item, scores[row], "category", found, expected, reason)


def _absurd_prices(catalog: Catalog, blocks: Mapping[str, Block], autoencoder: Autoencoder) -> Iterator[Oddity]:
    """By the distance of the log price from its neighbours' median, against their spread and the usual distance."""
    codes, prices = autoencoder.code(blocks, hidden=_is_price), catalog.prices
    items = np.flatnonzero((np.nan_to_num(prices) > 0) & codes.present)
    if len(items) <= FEWEST:
        return
    near = similar(codes, items, k=NEIGHBOURS, among=items).items
    logs = np.log(np.where(near > 0, prices[near], np.nan))  # (n, k)
    middle = np.nanmedian(logs, axis=1)
    distance = np.log(prices[items]) - middle
    spread = np.nanmedian(np.abs(logs - middle[:, None]), axis=1)
    usual = max(float(np.median(np.abs(distance))), LEAST)
    times = np.abs(distance) / np.maximum(spread, usual)
    scores = times / (times + 3)
    low, high = _trimmed(np.exp(logs))
    outside = (prices[items] < low) | (prices[items] > high)
    for row in np.flatnonzero((scores > SURE) & outside & (np.abs(distance) > np.log(TIMES))):
        item, n = items[row], int((near[row] > 0).sum())
        expected = f"{price_text(low[row])} to {price_text(high[row])}"
        most = n - 2 * min(ASIDE, (n - 1) // 2)
        reason = f"price {price_text(prices[item])}: {most} of its {n} nearest products cost {expected}"
        yield _oddity(catalog, item, scores[row], "price", price_text(prices[item]), expected, reason)


def _foreign_photos(
    catalog: Catalog, blocks: Mapping[str, Block], autoencoder: Autoencoder, photo: str
) -> Iterator[Oddity]:
    """The products with the most similar photos are elsewhere, while all else fits the item's category."""
    seen = _votes(catalog, autoencoder.code({photo: blocks[photo]}))
    rest = _votes(catalog, autoencoder.code({name: block for name, block in blocks.items() if name != photo}))
    fits = np.zeros(len(catalog) + 1)
    fits[rest.items] = rest.own
    # A network that tells few photos right finds them foreign everywhere: it is believed as far as it knows a category.
    scores = (seen.share - seen.own) * seen.knows * fits[seen.items]
    for row in np.flatnonzero(scores > SURE):
        item, n = seen.items[row], seen.asked[row]
        found, expected = seen.other[row], catalog.categories[item]
        reason = (
            f"photo like {found}: so are {round(seen.share[row] * n)} of the {n} products with the nearest photos, "
            f"while its other data is like {expected}"
        )
        yield _oddity(catalog, item, scores[row], "image", found, expected, reason)


def _empty_rows(catalog: Catalog) -> list[Oddity]:
    """Rows without a single word or price; the more of them there are, the less odd is each."""
    texts = [catalog.texts(column) for column in ("title", "category", "brand", "description")]
    empty = [item for item in range(1, len(catalog) + 1)
             if not any(text[item].strip() for text in texts) and np.isnan(catalog.prices[item])]  # fmt: skip
    others = f", as of {len(empty) - 1:,} other products" if len(empty) > 1 else ""
    reason = f"no title, category, brand, description or price{others}"
    score = 1 - len(empty) / max(1, len(catalog))
    return [_oddity(catalog, item, score, "title", "nothing", "a title and a category", reason) for item in empty]


def _oddity(
    catalog: Catalog, item: int, score: float, column: str, found: str, expected: str, reason: str
) -> Oddity:  # fmt: skip
    item_id = catalog.item_ids[item - 1]
    return Oddity(item_id, catalog.title(item), round(float(score), 3), column, found, expected, reason)


def _top(category: str) -> str:
    return category.partition(" > ")[0]


def _is_category(modality: str, name: str) -> bool:
    return name.lower().startswith("categor")


def _is_price(modality: str, name: str) -> bool:
    return "price" in name.lower()


def _rank(errors: NDArray[np.float32]) -> Floats:
    """Where each stands among all, from 0 (the smallest) to 1; 1 for all where there is nothing to compare."""
    if not np.isfinite(errors).all() or not len(errors) or np.ptp(errors) == 0:
        return np.ones(len(errors))
    return np.searchsorted(np.sort(errors), errors, side="right") / len(errors)


def _trimmed(prices: Floats) -> tuple[Floats, Floats]:
    """(n, k) -> the range of each row without ASIDE at either end: some neighbours may be wrong themselves."""
    ordered = np.sort(prices, axis=1)  # NaN comes last
    rows, last = np.arange(len(prices)), np.isfinite(prices).sum(1) - 1
    aside = np.minimum(ASIDE, last // 2)
    return ordered[rows, aside], ordered[rows, last - aside]


def price_text(value: float) -> str:
    """As an oddity names a price.

    >>> price_text(1234.5), price_text(3.0)
    ('1,234.5', '3')
    """
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _count(n: int) -> str:
    return str(n) if n else "none"


NEIGHBOURS = 20
"""Asked about each product."""

FEWEST = 5
"""Neighbours, where there are few products; with fewer priced ones, no price can be called absurd."""

TRUSTED = 0.5
"""Of the neighbours of a category's items are in it: then what neighbours say of it is believed in full."""

SIBLING = 0.7
"""What a mistake counts between two categories of the same first level: shops themselves are not of one mind there."""

SURE = 0.4
"""The score from which on a row is odd."""

ASIDE = 2
"""Of the neighbours' prices, at either end of their range."""

TIMES = 2.0
"""A price within this factor of its neighbours' median is never absurd."""

LEAST = 0.1
"""Of a log price: prices that all but agree would make any other absurd."""
