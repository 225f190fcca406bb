"""What a visitor did with a product before, or with one that reads alike: bought it every nine days, looked today."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from endcap.engine.requests import Had, Step
from endcap.store.records import Happened

DAY = 86_400.0
OFTEN = 3
"""Purchases from which their intervals say anything."""
REGULAR = 0.75
"""The share of the intervals that must lie between half and twice the middle one."""
APART = DAY / 2
"""Seconds between two purchases, at least; what comes sooner is one of several pieces."""
LONG_AGO = 365
"""Days after which it is no more said when it was."""

_KINDS: tuple[tuple[Literal["purchase", "cart", "view"], frozenset[str]], ...] = (
    ("purchase", frozenset(["purchase", "review"])),
    ("cart", frozenset(["cart"])),
    ("view", frozenset(["view", "click"])),
)


def had(events: Sequence[Happened | Step], now: float, *, same: bool) -> Had | None:
    """What was done with a product, of all events of it and of those that read alike; the weightiest kind alone.

    same: whether any event is of the very product.
    """
    for kind, names in _KINDS:
        own = [event for event in events if event.kind in names]
        if own:
            times = sorted(event.time for event in own if event.time is not None)
            days = int((now - times[-1]) // DAY) if times else None
            return Had(
                kind=kind,
                times=len(own),
                days=days if days is not None and 0 <= days <= LONG_AGO else None,
                every=_every(times) if kind == "purchase" else None,
                same=same,
            )
    return None


def _every(times: Sequence[float]) -> int | None:
    """Days from one purchase to the next where they come regularly."""
    apart: list[float] = []
    for time in times:
        if not apart or time - apart[-1] >= APART:
            apart.append(time)
    if len(apart) < OFTEN:
        return None
    waits = np.diff(apart)
    middle = float(np.median(waits))
    regular = ((waits >= middle / 2) & (waits <= 2 * middle)).mean() >= REGULAR
    return max(1, round(middle / DAY)) if regular else None


def sentence(had: Had) -> str:
    """In English.

    >>> sentence(Had("purchase", times=4, days=11, every=9, same=True))
    'you buy this every 9 days, last 11 days ago'
    """
    this = "this" if had.same else "one like this"
    if had.every is not None:
        often = "every day" if had.every == 1 else f"every {had.every} days"
        last = "" if had.days is None else f", last {_ago(had.days)}"
        return f"you buy {this} {often}{last}"
    did = {"purchase": f"bought {this}", "cart": f"put {this} in your cart", "view": f"looked at {this}"}[had.kind]
    return f"you {did} {'before' if had.days is None else _ago(had.days)}"


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
