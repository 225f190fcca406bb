"""Lists as they were shown, and what came of them: who saw them, what was clicked, what was bought afterwards.

A purchase counts for some lists where the visitor was shown one of them at most `WITHIN` before it (`follows`). The
conversion of some lists is the visitors with such a purchase / the visitors who were shown one of them: in A/B tests
(abtest.py) and in the console alike.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from endcap.store.records import Shown, Visitor

CLICKS = ("click", "view", "cart", "purchase")
"""An event of these kinds that names a list and one of its items is a click on it: not every shop sends `click`."""

WITHIN = 86_400.0
"""Seconds after a list in which a purchase counts: a day."""

COLUMNS = ("lists", "lists clicked", "items", "items clicked", "visitors", "buyers", "revenue")
"""What is added up for each visitor."""


def person(visitor: Visitor) -> str:
    """A visitor as the store's tables of events name them; what a session did before it logged in is its user's."""
    return visitor.user_id if visitor.user_id is not None else f"session:{visitor.session_id}"


def clicked(named: pa.Table, kinds: tuple[str, ...] = CLICKS) -> dict[str, set[str]]:
    """List -> the items that events of some kinds name together with it."""
    chosen = named.filter(pc.is_in(named["kind"], pa.array(kinds)))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for list_id, item_id in zip(chosen["recommendation_id"].to_pylist(), chosen["item_id"].to_pylist(), strict=True):
        found[list_id].add(item_id)
    return found


def follows(bought: float, shown: Sequence[float]) -> bool:
    """Whether a purchase (its time) counts for lists that its visitor was shown at these times, ascending."""
    place = bisect_right(shown, bought)
    return place > 0 and bought - shown[place - 1] <= WITHIN


@dataclass
class Exposed:
    """A visitor that was shown lists of an experiment, and what came of them."""

    arm: str
    changed: bool = False
    times: list[float] = field(default_factory=list)  # of the lists
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0.0) | {"visitors": 1.0})


def exposed(lists: Iterable[Shown], clicks: Mapping[str, set[str]]) -> dict[str, Exposed]:
    """Visitors by name, with their lists and clicks added up; lists say which arm they are of."""
    found: dict[str, Exposed] = {}
    for each in lists:
        assert each.arm is not None
        visitor = found.setdefault(person(each.visitor), Exposed(each.arm))
        visitor.changed |= visitor.arm != each.arm
        visitor.times.append(each.time)
        items = set(each.items)
        hits = len(items & clicks.get(each.recommendation_id, set()))
        for column, n in (("lists", 1), ("lists clicked", hits > 0), ("items", len(items)), ("items clicked", hits)):
            visitor.sums[column] += n
    return found


def buy(everyone: Mapping[str, Exposed], events: pa.Table) -> int:
    """Adds what visitors bought within `WITHIN` of a list; returns how many of these purchases had no price."""
    shown = {name: sorted(each.times) for name, each in everyone.items()}
    bought = events.filter(pc.equal(events["kind"], "purchase"))
    unpriced = 0
    columns = (bought[name].to_pylist() for name in ("user_id", "time", "price", "quantity"))
    for user_id, time, price, quantity in zip(*columns, strict=True):
        visitor = everyone.get(user_id)
        if visitor is None or not follows(time, shown[user_id]):
            continue
        visitor.sums["buyers"] = 1.0
        unpriced += price is None
        visitor.sums["revenue"] += (price or 0.0) * (1.0 if quantity is None else quantity)
    return unpriced
