"""Intervals beneath each other on one scale, as numbers that a template draws."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from endcap.bootstrap import Interval
from endcap.serve.console.plots import Form, Tick, scale


@dataclass(frozen=True)
class Whisker:
    """An interval as a line with a point."""

    name: str
    shade: str
    y: float
    low: float | None  # None: too little is known for one
    high: float | None
    at: float
    text: str


@dataclass(frozen=True)
class Whiskers:
    """Intervals beneath each other on one scale."""

    said: str
    height: int
    zero: float | None  # where nothing differs
    ticks: tuple[Tick, ...]
    rows: tuple[Whisker, ...]


WIDE = 340
"""Width of intervals."""

ROW = 40
"""Height of one."""

SIDE = 14


def whiskers(said: str, rows: Sequence[tuple[str, str, Interval, str]], *, form: Form, zero: bool = False) -> Whiskers:
    """Intervals as (name, shade, interval, text); `zero` is drawn where they are differences."""
    ends = [end for _, _, each, _ in rows for end in (each.value, each.low, each.high) if math.isfinite(end)]
    low, high = (min([0.0, *ends]), max([0.0, *ends]))
    spread = (high - low) or 1.0
    step = scale(spread)[1]
    first = math.floor(low / step + 1e-9) if low < 0 else 0
    marks = [step * place for place in range(first, math.ceil(high / step - 1e-9) + 1)]
    if len(marks) < 2:
        marks.append(marks[-1] + step)

    def x(value: float) -> float:
        return round(SIDE + (WIDE - 2 * SIDE) * (value - marks[0]) / (marks[-1] - marks[0]), 1)

    drawn = tuple(
        Whisker(
            name, shade, ROW * place + 28,
            x(each.low) if math.isfinite(each.low) else None, x(each.high) if math.isfinite(each.high) else None,
            x(each.value) if math.isfinite(each.value) else x(0.0), text,
        )
        for place, (name, shade, each, text) in enumerate(rows)
    )  # fmt: skip
    return Whiskers(
        said, ROW * len(rows) + 30, x(0.0) if zero else None,
        tuple(Tick(x(value), form(value)) for value in marks), drawn,
    )  # fmt: skip
