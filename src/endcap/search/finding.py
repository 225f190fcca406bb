"""A search from the words that were typed to the products that fit, and to what is said of both."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.search.ranking import Corpus, Ints, Mask, Ranked, best_first, rank, unwanted
from endcap.search.reading import Reading, reading_of
from endcap.search.spelling import Speller
from endcap.search.wishes import Sort, Wishes, wishes_of

FEW = 24
"""Products that a list has before those that fit in part are left out."""

WHOLE = 0.999
"""The share of what was looked for from which it is all; sums of floats are not exact."""

FITS = 0.6
"""The part of the best score from which a product is sorted by price or rating among the first."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Facts:
    """What of products is no word; all (items + 1,), NaN where nothing is known."""

    prices: Floats
    ratings: Floats
    currencies: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Found:
    """Products, best first, and what was understood, corrected and given up."""

    items: Ints
    scores: Floats  # of these
    complete: Mask  # (of these) whether they have all that was asked for
    exact: int  # how many of them are; others follow where these are few
    wishes: Wishes
    reading: Reading
    given_up: tuple[str, ...] = ()  # words and bounds that nothing could be found for
    nearest: float | None = None  # where no price is within the bounds: the price nearest to them

    def reordered(self, first: Ints) -> "Found":
        """With the first products in another order, given by their places."""
        order = np.concatenate([first, np.arange(len(first), len(self.items))])
        return replace(self, items=self.items[order], scores=self.scores[order], complete=self.complete[order])


def find(
    corpus: Corpus,
    speller: Speller,
    facts: Facts,
    query: str,
    *,
    allowed: Mask,
    sort: Sort | None = None,
) -> Found:
    """What fits a query, of the `allowed` (items + 1,) products.

    Hard wishes hold whatever else is found: no product out of the bounds of the price, none that is said to have what
    was not wanted. Words are given up before those, the ones that nothing has together first.
    """
    wishes = wishes_of(query)
    wishes, given_up = _judged(wishes, facts)
    reading = reading_of(corpus, speller, wishes)
    ranked = rank(corpus, reading.words)
    open_ = allowed & ~unwanted(corpus, reading.words)
    if reading.words.wanted:
        fits = open_ & (ranked.scores > 0)
    else:  # nothing but bounds or an order: all of the shop, where there is a wish at all
        fits = open_ & (wishes != Wishes(wishes.text) and not reading.unknown)
    fits[0] = False
    priced = fits & _within(wishes, facts.prices)
    exact = int((priced & (ranked.fitting > WHOLE)).sum()) if reading.words.wanted else int(priced.sum())
    chosen = _enough(priced, ranked) if reading.words.wanted else np.flatnonzero(priced)
    missed = not exact
    exact = 0 if reading.unknown else exact
    behind = ranked.fitting <= WHOLE if exact else ~corpus.having(reading.words.kind, named=False)
    order = _ordered(chosen, ranked, facts, sort or wishes.sort, behind=behind)
    return Found(
        items=order,
        scores=ranked.scores[order].astype(np.float64),
        complete=ranked.fitting[order] > WHOLE if exact and reading.words.wanted else np.full(len(order), exact > 0),
        exact=exact,
        wishes=wishes,
        reading=reading,
        given_up=(*given_up, *reading.unknown, *(_missing(corpus, reading, order[0]) if missed and len(order) else ())),
        nearest=None if priced.any() else _nearest(wishes, facts.prices[fits]),
    )


def _judged(wishes: Wishes, facts: Facts) -> tuple[Wishes, tuple[str, ...]]:
    """Without bounds that this shop cannot hold: it has no prices, or only in another currency."""
    bounded = wishes.low is not None or wishes.high is not None
    foreign = wishes.currency and facts.currencies and wishes.currency not in facts.currencies
    if bounded and (foreign or not np.isfinite(facts.prices).any()):
        bounds = "–".join("" if end is None else f"{end:g}" for end in (wishes.low, wishes.high))
        given_up = f"{bounds} {wishes.currency or ''}".strip()
        return replace(wishes, low=None, high=None, currency=None), (given_up,)
    return wishes, ()


def _within(wishes: Wishes, prices: Floats) -> Mask:
    mask = np.ones(len(prices), dtype=bool)
    with np.errstate(invalid="ignore"):
        if wishes.low is not None:
            mask &= prices >= wishes.low
        if wishes.high is not None:
            mask &= prices <= wishes.high
    return mask


def _nearest(wishes: Wishes, prices: Floats) -> float | None:
    known = prices[np.isfinite(prices)]
    bound = wishes.low if wishes.high is None else wishes.high
    return None if bound is None or not len(known) else float(known[np.argmin(np.abs(known - bound))])


def _enough(fits: Mask, ranked: Ranked) -> Ints:
    """All that have everything; where these are few, those that have the most too."""
    items = np.flatnonzero(fits)
    levels, counts = np.unique(np.round(ranked.fitting[items], 3), return_counts=True)
    reached = np.flatnonzero(np.cumsum(counts[::-1]) >= FEW)
    least = levels[::-1][reached[0]] if len(reached) else 0.0
    return items[ranked.fitting[items] >= least - 0.001]


def _missing(corpus: Corpus, reading: Reading, item: int) -> tuple[str, ...]:
    """Words that the first product lacks."""
    return tuple(typed for (name, *_), typed in zip(reading.words.wanted, reading.typed, strict=True)
                 if not corpus.having(name, named=False)[item])  # fmt: skip


def _ordered(items: Ints, ranked: Ranked, facts: Facts, sort: Sort, *, behind: Mask) -> Ints:
    """What has everything comes before what fits in part; where nothing has, what is of the kind before what is not.

    In another order than by fit, so does what fits half as well as the best: the cheapest wine is no vinegar.
    """
    best = best_first(ranked.scores, items)
    match sort:
        case "cheap":
            keys = np.nan_to_num(facts.prices[best], nan=np.inf)
        case "dear":
            keys = -np.nan_to_num(facts.prices[best], nan=-np.inf)
        case "rating":
            keys = -np.nan_to_num(facts.ratings[best], nan=-np.inf)
        case _:
            return best[np.argsort(behind[best], kind="stable")]
    poor = ranked.scores[best] < FITS * ranked.scores[best].max(initial=0.0)
    return best[np.lexsort((keys, behind[best] | poor))]
