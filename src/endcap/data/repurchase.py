"""Categories that are bought again and again: milk is, a television is not. Learned from the training log."""

from collections.abc import Sequence

import numpy as np

from endcap.data.interactions import KIND_INDEX, Interactions, steps
from endcap.data.vocabulary import Floats, Ints

REBOUGHT_FROM = 0.05
"""Share of the users of an item who bought it again, from which on its category is bought again and again."""

PRIOR = 20
"""A category's share is drawn to that of the whole shop, as much as this many users of an item would draw it."""

DAY = 86_400.0


def rebought(log: Interactions, categories: Sequence[str]) -> tuple[str, ...]:
    """The names of such categories, sorted; none where the log has no purchases.

    categories: (items + 1,) of the log's vocabulary, empty where not known (`Catalog.categories`). A user bought an
    item again where there are purchases on two days, or in two steps where the log has no times.
    """
    items, again = _pairs(log)
    if not len(items):
        return ()
    names = sorted({*categories} - {""})
    code = {name: place for place, name in enumerate(names)}
    of_item = np.array([code.get(name, -1) for name in categories])
    own = of_item[items]
    bought = np.bincount(own[own >= 0], minlength=len(names))
    repeated = np.bincount(own[(own >= 0) & again], minlength=len(names))
    share = (repeated + PRIOR * again.mean()) / (bought + PRIOR)
    return tuple(name for name, is_rebought in zip(names, (bought > 0) & (share >= REBOUGHT_FROM), strict=True)
                 if is_rebought)  # fmt: skip


def _pairs(log: Interactions) -> tuple[Ints, np.ndarray]:
    """The item of every user's every item bought, and whether it was bought again."""
    moments = _moments(log)
    bought = np.flatnonzero((log.kinds == KIND_INDEX["purchase"]) & (log.items > 0) & np.isfinite(moments))
    pair = log.owners[bought] * (log.n_items + 1) + log.items[bought]
    order = np.lexsort((moments[bought], pair))
    pair, moment = pair[order], moments[bought][order]
    first = np.ones(len(pair), dtype=bool)
    first[1:] = pair[1:] != pair[:-1]
    later = np.zeros(len(pair), dtype=bool)
    later[1:] = ~first[1:] & (moment[1:] != moment[:-1])
    number = np.cumsum(first) - 1
    return log.items[bought][order][first], np.bincount(number[later], minlength=int(first.sum())) > 0


def _moments(log: Interactions) -> Floats:
    """(events,) the day of each, or its step where the log has no times; NaN where one event has no time."""
    return steps(log).astype(np.float64) if log.times is None else np.floor(log.times / DAY)
