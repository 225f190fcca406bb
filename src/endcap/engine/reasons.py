"""Why a product is in a list: the events and the features without which its score is lower."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from endcap.data.interactions import Histories
from endcap.data.vocabulary import Floats, Ints
from endcap.engine.past import joined
from endcap.engine.requests import Reason

Scores = Callable[[Histories], NDArray[np.float32]]
"""(histories, candidates) scores of the candidates after each of some histories."""

Without = Callable[[Histories, int], Histories]
"""One history as it had been without an item."""

SECOND = 0.5
"""A second event is named where its absence costs at least this share of what the first one's does."""


def by_events(history: Histories, scores: Scores, without: Without, *, last: int) -> list[Ints]:
    """For each candidate the items of the history that carried it, at most two, the strongest first.

    Each of the last different items is left out in turn (Zeiler & Fergus 2014 call it occlusion); those are named
    whose absence lowers the score, together as well as alone. None are where nothing does: popularity carried it.
    """
    items = _latest(history, last)
    if not len(items):
        return [items] * scores(history).shape[1]
    scored = scores(joined([history, *(without(history, int(item)) for item in items)]))
    whole, losses = scored[0], scored[0] - scored[1:]  # (candidates,), (items, candidates)
    order = np.argsort(-losses, axis=0, kind="stable")
    named = [_strongest(items[order[:, place]], losses[order[:, place], place]) for place in range(len(whole))]
    pairs = list(dict.fromkeys(tuple(each.tolist()) for each in named if len(each) == 2))
    if not pairs:
        return named
    left = scores(joined([without(without(history, first), second) for first, second in pairs]))
    lower = {pair: row < whole for pair, row in zip(pairs, left, strict=True)}
    return [
        each if len(each) < 2 or lower[(int(each[0]), int(each[1]))][place] else each[:1]
        for place, each in enumerate(named)
    ]


def _latest(history: Histories, last: int) -> Ints:
    """The different items of the last events, the latest first."""
    recent = history.items[-last:][::-1]
    return recent[np.sort(np.unique(recent, return_index=True)[1])]


def _strongest(items: Ints, losses: Floats | NDArray[np.float32]) -> Ints:
    if losses[0] <= 0:
        return items[:0]
    return items[: 2 if len(items) > 1 and losses[1] >= SECOND * losses[0] else 1]


def by_features(whole: NDArray[np.float32], blanked: NDArray[np.float32], columns: Sequence[str]) -> list[str | None]:
    """For each candidate the column whose absence costs the most; None where none costs anything.

    whole: (candidates,) scores; blanked: (columns, candidates) the same where nothing is known of a column.
    """
    if not len(columns):
        return [None] * len(whole)
    losses = whole - blanked
    best = losses.argmax(axis=0)
    return [columns[place] if losses[place, n] > 0 else None for n, place in enumerate(best)]


def reason(titles: Sequence[str], events: Sequence[str], feature: tuple[str, str] | None) -> Reason:
    """In words; titles and ids of the events, and a column with its value."""
    said = f"because of {' and '.join(titles)}" if titles else ""
    features = () if feature is None else (f"{feature[0]} = {feature[1]}",)
    liked = "" if feature is None else f"its {feature[0]} {feature[1]} fits"
    return Reason("; ".join(filter(None, [said, liked])) or "many like it", tuple(events), features)
