"""The order of candidates beside their scores: those with a photo first among equals, few that were just seen."""

import numpy as np

from endcap.data.vocabulary import Ints
from endcap.engine.columns import Mask
from endcap.engine.past import Past
from endcap.engine.retrieval import Found
from endcap.engine.shelf import Shelf

EQUAL = 0.1
"""Scores that differ by less than this part of the candidates' standard deviation are as good as equal."""
JUST = 20
"""Products that were looked at last and no more, of which a list for the visitor has few."""
FEW = 2
"""So many."""
LOOKS = frozenset({"view", "click", "impression"})


def pictured_first(found: Found, pictured: Mask) -> Found:
    """The same candidates, of those as good as equal the ones with a photo first. pictured: (items + 1,).

    >>> mask = np.array([False, False, True, True])
    >>> pictured_first(Found(np.array([1, 2, 3]), np.array([5.0, 4.99, 1.0], np.float32)), mask).items
    array([2, 1, 3])
    """
    own, scores = pictured[found.items], found.scores
    if own.all() or not own.any():
        return found
    width = EQUAL * float(scores.std())
    bands, first = np.zeros(len(scores), np.int64), float(scores[0])
    for place, score in enumerate(scores.tolist()):
        begins = abs(first - score) > width
        first = score if begins else first
        bands[place] = bands[place - 1] + begins if place else 0
    order = np.lexsort((~own, bands))
    return Found(found.items[order], scores[order])


def just_seen(shelf: Shelf, past: Past) -> Ints:
    """The latest products of a past that were looked at and neither put into the cart nor bought."""
    more = {shelf.find(event.item_id) for event in past if event.kind not in LOOKS}
    looked = dict.fromkeys(
        item for event in reversed(past) if event.kind != "impression" and (item := shelf.find(event.item_id))
    )
    return np.array([item for item in looked if item not in more][:JUST], np.int64)


def few_of(items: Ints, some: Ints) -> Ints:
    """Candidates without those of `some` after the first FEW.

    >>> few_of(np.array([1, 2, 3, 4, 5]), np.array([1, 3, 4]))
    array([1, 2, 3, 5])
    """
    own = np.isin(items, some)
    return items[~own | (np.cumsum(own) <= FEW)]
