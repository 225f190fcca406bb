"""What came of the lists: clicks and purchases by slot and model, and how much of the catalogue was shown."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import get_args

import pyarrow as pa

from endcap.engine.requests import Slot
from endcap.exposure import clicked, follows, person
from endcap.store import figures
from endcap.store.figures import Sample, Span
from endcap.store.records import Shown
from endcap.store.store import Store

MOST = 20_000
"""Lists that are read; of more, a sample."""

Key = tuple[str, str]
"""Slot and model."""


@dataclass
class Counted:
    """What is added up."""

    lists: int = 0
    clicked: int = 0  # lists with a click on one of their items
    visitors: int = 0
    buyers: int = 0  # visitors who bought anything within a day of one of these lists (exposure.follows)
    items: set[str] = field(default_factory=set)
    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list), repr=False)  # by visitor

    @property
    def click_rate(self) -> float | None:
        """Clicked lists per list."""
        return self.clicked / self.lists if self.lists else None

    @property
    def conversion(self) -> float | None:
        """Buyers per visitor."""
        return self.buyers / self.visitors if self.visitors else None

    def add(self, shown: Shown, *, hit: bool) -> None:
        """One more list."""
        self.lists += 1
        self.clicked += hit
        self.items.update(shown.items)
        if shown.visitor.session_id != shown.recommendation_id:  # else it was given to nobody in particular
            self.times[person(shown.visitor)].append(shown.time)

    def settle(self, bought: Mapping[str, Sequence[float]]) -> None:
        """Says who bought; visitor -> times of purchases. Lists were added in the order of their times."""
        self.visitors = len(self.times)
        self.buyers = sum(
            any(follows(time, shown) for time in bought.get(name, ())) for name, shown in self.times.items()
        )


@dataclass
class Placed:
    """A product in the lists that were read: how many it stood in, and in how many of them it was clicked."""

    shown: Counter[str] = field(default_factory=Counter)  # by slot
    clicked: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Measures:
    """Of a span; of a sample where there were too many lists."""

    lists: int
    share: float  # of the lists that were read
    total: Counted
    by: Mapping[Key, Counted]
    steps: Mapping[Key, Sequence[Counted]]  # by slot and model, one for each step of the span
    shown: Sequence[float]  # lists in each step, all of them
    placed: Mapping[str, Placed]  # by product


def measures(store: Store, span: Span, most: int = MOST) -> Measures:
    """Reads the lists of a span and what came of them."""
    sample = figures.lists(store, span, most)
    named = clicked(store.results([each.recommendation_id for each in sample.lists]))
    everyone = {each.visitor for each in sample.lists}
    return _measured(sample, span, named, _bought(figures.purchases(store, everyone, span.since)))


def _bought(purchases: pa.Table) -> dict[str, list[float]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for name, time in zip(purchases["user_id"].to_pylist(), purchases["time"].to_pylist(), strict=True):
        found[name].append(time)
    return found


def _measured(
    sample: Sample, span: Span, clicks: Mapping[str, set[str]], bought: Mapping[str, Sequence[float]]
) -> Measures:
    total, by = Counted(), defaultdict[Key, Counted](Counted)
    placed = defaultdict[str, Placed](Placed)
    steps = defaultdict[Key, list[Counted]](lambda: [Counted() for _ in range(span.n)])
    shown = [0.0] * span.n
    for each in sample.lists:
        key, place = (each.slot, each.model), int((each.time - span.since) // span.step)
        hits = clicks.get(each.recommendation_id, set()).intersection(each.items)
        for counted in (total, by[key], steps[key][place]):
            counted.add(each, hit=bool(hits))
        for item_id in set(each.items):
            placed[item_id].shown[each.slot] += 1
            placed[item_id].clicked[each.slot] += item_id in hits
        shown[place] += 1 / (sample.share or 1.0)
    for counted in (total, *by.values(), *(step for own in steps.values() for step in own)):
        counted.settle(bought)
    places = {slot: place for place, slot in enumerate(get_args(Slot))}
    order = sorted(by, key=lambda key: (places.get(key[0], len(places)), key))
    return Measures(
        sample.total, sample.share, total, {key: by[key] for key in order}, {key: steps[key] for key in order}, shown,
        dict(placed),
    )  # fmt: skip


def rate(part: float, whole: float, *, fewest: float = 1) -> float | None:
    """A share; None where the whole is less than `fewest`."""
    return part / whole if whole >= fewest else None


def wilson(part: int, whole: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if not whole:
        return 0.0, 1.0
    share, spread = part / whole, z * z / whole
    centre = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) / whole * z * z + spread * spread / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
