"""Whether a price is high or low for what it is: against those of the product's own category."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from endcap.data.vocabulary import Floats

Level = tuple[float, float]
"""Mean and deviation of the log prices of a category."""


def price_levels(logs: Floats, paths: Sequence[Sequence[str]], *, few: int) -> dict[str, Level]:
    """The categories with at least `few` of the (n,) log prices, and of all prices under the name ``""``.

    `paths` are the categories of each item from the top to its own; one of several branches may come after another.
    """
    members: dict[str, list[float]] = defaultdict(list)
    for log, path in zip(logs.tolist(), paths, strict=True):
        if np.isfinite(log):
            for name in ("", *path):
                members[name].append(log)
    return {name: (float(np.mean(some)), max(float(np.std(some)), NARROW))
            for name, some in sorted(members.items()) if len(some) >= few or not name}  # fmt: skip


def within_category(logs: Floats, paths: Sequence[Sequence[str]], levels: Mapping[str, Level]) -> Floats:
    """(n,) deviations above the mean of the nearest category that has a level."""
    found = np.full(len(logs), np.nan)
    for item, (log, path) in enumerate(zip(logs.tolist(), paths, strict=True)):
        name = next((each for each in (*reversed(path), "") if each in levels), None)
        if np.isfinite(log) and name is not None:
            mean, deviation = levels[name]
            found[item] = (log - mean) / deviation
    return found


NARROW = 0.05
"""The least deviation of log prices: where all cost about the same, 5 % more is one deviation."""
