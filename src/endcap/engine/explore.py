"""Exploration: at some places of a list chance decides, and what the chance was is written down.

Only where a list might have been another one can a log say what another model would have earned (replay.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats, Ints

EVEN = 0.5
"""The share of the chance that all of a pool have alike; the rest goes by score. It keeps every chance above zero."""


def explore(
    items: Ints,
    scores: Floats,
    places: Sequence[int],
    pool: int,
    random: np.random.Generator,
    *,
    even: float = EVEN,
    fixed: Sequence[int] = (),
) -> tuple[Ints, list[dict[str, Any]]]:
    """The list with an item drawn for each of `places` (from 0), and what `Shown.explored` says of each draw.

    items: (n,) candidates, best first, `pool` more than are shown, all of which may be shown; scores: (n,), -inf or
    item 0 ends the list. At a place the item is drawn from the `pool` candidates that stand there and next below; those
    that it overtook move down by one, so none is there twice. The chance is `even` spread evenly and the rest by
    softmax of the scores in standard deviations of the pool. Places in `fixed` (pins) keep their item, which is in no
    pool. A place with a single candidate is not explored. The records hold indices: `with_ids` names them.

    Raises InputError where `pool` is below 2, `even` is not above 0 and at most 1, or a place is negative.
    """
    if pool < 2 or not 0 < even <= 1 or any(place < 0 for place in places):
        raise InputError(
            f"found explore with places {list(places)}, a pool of {pool} and an even share of {even}; expected places "
            "from 0, a pool of at least 2 and a share above 0 and at most 1"
        )
    free = np.setdiff1d(np.arange(len(items)), np.asarray(fixed, np.int64))
    order, own = items[free], scores[free]
    n = int(np.cumprod((order > 0) & np.isfinite(own)).sum())  # the candidates before the list ends
    records = []
    for place in sorted(set(places)):
        start = int(np.searchsorted(free, place))
        window = slice(start, min(start + pool, n))
        if start >= n or free[start] != place or n - start < 2:
            continue
        chances = _chances(own[window], even)
        drawn = int(random.choice(len(chances), p=chances))
        records.append({"place": int(place), "pool": order[window].tolist(), "chance": float(chances[drawn])})
        moved = slice(start, start + drawn + 1)
        order[moved], own[moved] = np.roll(order[moved], 1), np.roll(own[moved], 1)
    result = items.copy()
    result[free] = order
    return result, records


def with_ids(records: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """The records with the ids of their items, as the store keeps them; `ids[i - 1]` has index i."""
    return tuple({**record, "pool": [ids[item - 1] for item in record["pool"]]} for record in records)


def _chances(scores: Floats, even: float) -> Floats:
    """(pool,) that sum to 1."""
    spread = scores.std()
    softmax = np.exp((scores - scores.max()) / spread) if spread > 0 else np.ones(len(scores))
    return even / len(scores) + (1 - even) * softmax / softmax.sum()
