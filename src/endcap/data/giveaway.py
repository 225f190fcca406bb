"""What a question gives away of its answer: where most answers stand in the history, who repeats it looks perfect."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX
from endcap.data.schema import GOALS
from endcap.data.split import Queries, split

MOST = 0.5
"""The largest share of answers that may be read off the history in one way."""


@dataclass(frozen=True)
class Giveaway:
    """Shares of the answers, each by itself; 0 where there is none."""

    answers: int
    last: float  # the item of the last event before the question
    history: float  # the item of any event before it
    last_cart: float  # the item that was put into the cart last
    instead: str = ""  # the kind of event to ask for instead; none: nothing to mend, or no other kind is better
    instead_history: float = 0.0  # the share of its answers that stand there all the same

    @property
    def most(self) -> float:
        """The largest of the shares."""
        return max(self.last, self.history, self.last_cart)


def giveaway(queries: Queries) -> Giveaway:
    """What the questions give away."""
    histories, n = queries.histories, len(queries)
    if not len(queries.targets):
        return Giveaway(0, 0.0, 0.0, 0.0)
    owners = np.repeat(np.arange(n), np.diff(queries.target_offsets))
    last, last_cart = np.full(n, -1), np.full(n, -1)
    some = histories.lengths > 0
    last[some] = histories.items[histories.offsets[1:][some] - 1]
    carts = histories.kinds == KIND_INDEX["cart"]
    last_cart[histories.owners[carts]] = histories.items[carts]  # of several values the last one stays
    width = 1 + int(max(histories.items.max(initial=0), queries.targets.max()))
    seen = np.isin(owners * width + queries.targets, histories.owners * width + histories.items)
    return Giveaway(
        answers=len(owners),
        last=float((queries.targets == last[owners]).mean()),
        history=float(seen.mean()),
        last_cart=float((queries.targets == last_cart[owners]).mean()),
    )


def question_instead(table: pa.Table, goal: str | None, min_rating: float | None) -> tuple[str, float]:
    """The kind of event to ask for where `goal` gives its answers away, and the share of its answers in the history.

    Empty where no other kind of event has answers of which at most `MOST` stand there.
    """
    shares = {}
    for kind in GOALS:
        if kind == goal:
            continue
        try:
            found = giveaway(split(table, kind, min_rating).test)
        except InputError:
            continue
        if found.answers and found.history <= MOST:
            shares[kind] = found.history
    best = min(shares, key=lambda kind: shares[kind], default="")
    return best, shares.get(best, 0.0)
