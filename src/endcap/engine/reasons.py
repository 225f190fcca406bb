"""Which events carried a product into a list: those without which it falls, and which are something like it.

Each of the last different items is left out in turn (Zeiler and Fergus 2014 call it occlusion) and kept alone in turn:
what is lost without it, and what it is enough for (DeYoung et al. 2020, arXiv 1911.03429, ask both of a reason). Places
in the ranking of all items are compared, since the scores of models have no common scale, and some have another one for
an empty history.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.data.interactions import Histories
from endcap.data.vocabulary import Floats, Ints
from endcap.engine.past import joined

Scores = Callable[[Histories], NDArray[np.float32]]
"""(histories, items + 1) scores after each of some histories."""

LAST = 20
"""Different items of a history that are looked at, the latest first."""
PLACES = 10
"""An event is material where a product falls by so many places without it."""
SHARE = 0.2
"""Or where it loses this share of what the history gave it, in logarithms of its place. With half of it a hybrid on
groceries named half as many events more, and no larger part of them was of the product's own category."""
ENOUGH = 0.5
"""Where nothing is known of products, an event is named if alone it gives this share: what is only counted to go
together, of sparse logs, persuades nobody."""
SECOND = 0.5
"""A second event is named where its absence costs at least this share of what the first one's does."""
AT_ONCE = 4_000_000
"""Scores held at a time, 16 MB."""


@dataclass(frozen=True)
class Effects:
    """What candidates lose where a part of a history is left out, and where they then stand among all items."""

    items: Ints  # (events,) the last different items, the latest first
    losses: NDArray[np.float32]  # (events, candidates) of score, without the item
    places: Floats  # (candidates,) from 1
    unknown: Floats  # (candidates,) after no history at all
    without: Floats  # (events, candidates)
    alone: Floats  # (events, candidates) after the events of the item alone

    def only(self, kept: NDArray[np.bool_]) -> "Effects":
        """Of (events,) some of the items alone."""
        return replace(
            self,
            items=self.items[kept],
            losses=self.losses[kept],
            without=self.without[kept],
            alone=self.alone[kept],
        )

    @property
    def gains(self) -> Floats:
        """(candidates,) what the history gave, in logarithms of places; not above 0 where it carried nothing."""
        return np.log(self.unknown / self.places)

    @property
    def material(self) -> NDArray[np.bool_]:
        """(events, candidates) without which a candidate falls far."""
        fallen = (self.without - self.places >= PLACES) | (np.log(self.without / self.places) >= SHARE * self.gains)
        return (self.losses > 0) & (self.without > self.places) & (self.gains > 0) & fallen

    @property
    def enough(self) -> NDArray[np.bool_]:
        """(events, candidates) which alone give a candidate much of what the whole history does."""
        return np.log(self.unknown / self.alone) >= ENOUGH * self.gains


def effects(
    history: Histories, candidates: Ints, scores: Scores, keep: Callable[[NDArray[np.bool_]], Histories], width: int
) -> Effects:
    """Of the last different items of one history on some candidates.

    keep: the history with some of its events alone. width: items + 1, the columns of `scores`.
    """
    items = latest(history.items)
    masks = [np.ones(len(history.items), bool), np.zeros(len(history.items), bool)]
    masks += [history.items != item for item in items] + [history.items == item for item in items]
    own, places = _scored([keep(mask) for mask in masks], candidates, scores, max(1, AT_ONCE // width))
    end = 2 + len(items)
    return Effects(items, own[0] - own[2:end], places[0], places[1], places[2:end], places[end:])


def confirmed(
    named: Sequence[Ints],
    history: Histories,
    candidates: Ints,
    scores: Scores,
    keep: Callable[[NDArray[np.bool_]], Histories],
    width: int,
) -> list[Ints]:
    """The items that were named of each candidate; of two the first alone where without both the score is no lower."""
    pairs = list(dict.fromkeys(tuple(each.tolist()) for each in named if len(each) == 2))
    if not pairs:
        return [*named]
    left = [keep(np.ones(len(history.items), bool)), *(keep(~np.isin(history.items, pair)) for pair in pairs)]
    own, _ = _scored(left, candidates, scores, max(1, AT_ONCE // width))
    lower = dict(zip(pairs, own[1:] < own[0], strict=True))
    return [
        each if len(each) < 2 or lower[int(each[0]), int(each[1])][place] else each[:1]
        for place, each in enumerate(named)
    ]


def _scored(
    histories: Sequence[Histories], candidates: Ints, scores: Scores, at_once: int
) -> tuple[NDArray[np.float32], Floats]:
    """(histories, candidates) scores, and places among all items from 1."""
    own, places = [], []
    for start in range(0, len(histories), at_once):
        scored = scores(joined(histories[start : start + at_once]))
        scored[:, 0] = -np.inf
        own.append(scored[:, candidates])
        above = [(scored > scored[:, [item]]).sum(1) + (scored >= scored[:, [item]]).sum(1) for item in candidates]
        places.append((1 + np.stack(above, axis=1)) / 2)  # the middle of those with the same score
    return np.concatenate(own), np.concatenate(places)


def latest(items: Ints, last: int = LAST) -> Ints:
    """The last different items of a history, the latest first."""
    recent = items[::-1]
    return recent[np.sort(np.unique(recent, return_index=True)[1])][:last]


def named(effects: Effects, candidate: int, related: NDArray[np.bool_], *, blind: bool) -> Ints:
    """The items of the history that a candidate is there because of, at most two, the strongest first.

    related: (events,) which have something in common with it that a person sees. blind: nothing is known that could be
    in common; then one can be told that alone is enough.
    """
    fit = effects.material[:, candidate] & (related | (effects.enough[:, candidate] & blind))
    order = sorted(np.flatnonzero(fit), key=lambda place: (not related[place], -effects.losses[place, candidate]))
    losses = effects.losses[order, candidate]
    return effects.items[[place for n, place in enumerate(order[:2]) if not n or losses[n] >= SECOND * losses[0]]]


def by_features(whole: NDArray[np.float32], blanked: NDArray[np.float32], columns: Sequence[str]) -> list[str | None]:
    """For each candidate the column whose absence costs the most; None where none costs anything.

    whole: (candidates,) scores; blanked: (columns, candidates) the same where nothing is known of a column.
    """
    if not len(columns):
        return [None] * len(whole)
    losses = whole - blanked
    best = losses.argmax(axis=0)
    return [columns[place] if losses[place, n] > 0 else None for n, place in enumerate(best)]
