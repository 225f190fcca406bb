"""Plots as numbers that a template draws: small SVG panels, whose colours are those of the page.

Drawn here and not by Altair: these are a few lines and columns each, made for every request, and a strict content
security policy has no place for the styles that Vega writes into its elements.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from endcap.engine.engine import Role
from endcap.serve.console.texts import Words
from endcap.store.figures import Span

WIDTH, HEIGHT = 270, 150
LEFT, RIGHT, TOP, BOTTOM = 42, 4, 12, 22
SHADES = 8
ROLE_SHADES: Mapping[Role, str] = {"live": "c0", "candidate": "c1", "shadow": "c2", "again": "c3", "new": "c4"}
"""The colour of the model in each role; what has none gets one of the others."""
"""Colours of the page: classes c0 to c7."""

DAY = 86_400
Form = Callable[[float], str]
"""How a number is written."""


@dataclass(frozen=True)
class Tick:
    """A place of an axis and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A series; it has gaps where nothing is known."""

    name: str
    shade: str
    path: str
    dots: tuple[tuple[float, float], ...]  # points that have no neighbour to draw a line to


@dataclass(frozen=True)
class Column:
    """A column from the axis upwards; the last one is of a step that is not over."""

    x: float
    y: float
    width: float
    height: float
    part: bool


@dataclass(frozen=True)
class Hit:
    """Where a pointer finds the figures of a step."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Sheet:
    """A table as numbers and texts."""

    name: str  # as in the address, and of the file
    head: tuple[str, ...]
    rows: Iterable[Sequence[str | float | None]]  # a generator costs nothing until the file is asked for


@dataclass(frozen=True)
class Plot:
    """One panel, and the table that says the same."""

    name: str  # as in the address, and of the file
    title: str
    said: str  # for those who cannot see it
    total: str
    lines: tuple[Line, ...]
    columns: tuple[Column, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    hits: tuple[Hit, ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sheet: Sheet

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.lines and not self.columns


@dataclass(frozen=True)
class Axis:
    """The steps of a span in words."""

    labels: tuple[str, ...]
    ticks: tuple[tuple[int, str], ...]  # (step, text) of those that are written beneath


def axis_of(span: Span, words: Words) -> Axis:
    """Hours of a day, days of a longer span, in the shop's time zone."""
    times = [datetime.fromtimestamp(span.since + span.step * place, words.zone) for place in range(span.n)]
    # By the middle of a step: where clocks are changed, a day begins an hour off.
    middles = [datetime.fromtimestamp(span.since + span.step * (place + 0.5), words.zone) for place in range(span.n)]
    days = [words("date.day", month=time.month, name=f"{time:%b}", day=time.day) for time in middles]
    if span.step >= DAY:
        every = max(1, round(span.n / 5))
        return Axis(tuple(days), tuple((place, days[place]) for place in range(0, span.n, every)))
    labels = tuple(f"{day} {time:%H:%M}" for day, time in zip(days, times, strict=True))
    if span.step * span.n <= DAY:
        return Axis(labels, tuple((place, f"{times[place]:%H:%M}") for place in range(0, span.n, 6)))
    starts = [place for place, time in enumerate(middles) if time.hour < 12]
    every = 2 if len(starts) > 5 else 1
    return Axis(labels, tuple((place, days[place]) for place in starts[::every]))


def lines(
    name: str,
    title: str,
    axis: Axis,
    series: Mapping[str, Sequence[float | None]],
    *,
    form: Form,
    shades: Mapping[str, str],
    total: str = "",
    head: str = "",
) -> Plot:
    """A line for each series of which anything is known."""
    known = [value for values in series.values() for value in values if value is not None]
    marks = scale(max(known)) if any(known) else [0.0]  # where all is 0, nothing says how high the axis is
    width = _step(axis)
    centres = [LEFT + width * (place + 0.5) for place in range(len(axis.labels))]
    drawn = tuple(
        Line(each, shades[each], *_path(centres, [None if v is None else _y(v, marks[-1]) for v in values]))
        for each, values in series.items()
        if any(value is not None for value in values)
    )
    written = Written(form, form, total, (head, *series))
    return _plot(name, title, axis, [*series.values()], marks if known else [], written, drawn=drawn)


def columns(
    name: str,
    title: str,
    axis: Axis,
    values: Sequence[float],
    *,
    form: Form,
    short: Form | None = None,
    head: str = "",
    total: str = "",
) -> Plot:
    """A column for each step. short: how numbers are written beside the axis, where there is little room."""
    marks, width = scale(max(values, default=0.0), least=1.0), _step(axis)
    gap = min(2.0, width * 0.2)
    drawn = tuple(
        Column(
            round(LEFT + width * place + gap / 2, 1),
            round(_y(value, marks[-1]), 1),
            round(width - gap, 1),
            round(HEIGHT - BOTTOM - _y(value, marks[-1]), 1),
            place == len(values) - 1,
        )
        for place, value in enumerate(values)
        if value > 0
    )
    written = Written(form, short or form, total, (head, title))
    return _plot(name, title, axis, [values], marks if drawn else [], written, bars=drawn)


@dataclass(frozen=True)
class Written:
    """How the numbers of a plot are written, and what stands above them."""

    form: Form
    short: Form
    total: str
    head: tuple[str, ...]


def _plot(
    name: str,
    title: str,
    axis: Axis,
    series: Sequence[Sequence[float | None]],
    marks: Sequence[float],
    written: Written,
    *,
    drawn: tuple[Line, ...] = (),
    bars: tuple[Column, ...] = (),
) -> Plot:
    """marks: of the axis; none where nothing is known, since an axis without anything on it says what is not so."""
    width, form, head = _step(axis), written.form, written.head
    values = [*zip(*series, strict=True)] if series else [()] * len(axis.labels)
    rows = tuple(
        (label, *("–" if value is None else form(value) for value in row))
        for label, row in zip(axis.labels, values, strict=True)
    )
    names = [""] if len(head) == 2 else [f"{each} " for each in head[1:]]
    hits = tuple(
        Hit(
            round(LEFT + width * place, 1),
            round(width, 1),
            f"{label}: {', '.join(f'{each}{cell}' for each, cell in zip(names, cells, strict=True))}",
        )
        for place, (label, *cells) in enumerate(rows)
    )
    return Plot(
        name=name,
        title=title,
        said=f"{title}: {written.total}" if written.total else title,
        total=written.total,
        lines=drawn,
        columns=bars,
        x_ticks=tuple(Tick(round(LEFT + width * (place + 0.5), 1), text) for place, text in axis.ticks),
        y_ticks=tuple(Tick(round(_y(value, marks[-1]), 1), written.short(value)) for value in marks),
        hits=hits,
        head=head,
        rows=rows,
        sheet=Sheet(name, head, [(label, *row) for label, row in zip(axis.labels, values, strict=True)]),
    )


def _step(axis: Axis) -> float:
    return (WIDTH - LEFT - RIGHT) / max(1, len(axis.labels))


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / (top or 1.0))


def scale(top: float, *, least: float = 0.0) -> list[float]:
    """From 0 to above `top` in two to four steps of 1, 2 or 5, none smaller than `least`."""
    if not top > 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(top / 3))
    step = max(least, next(each * power for each in (1, 2, 5, 10) if each * power >= top / 3.999))
    return [round(step * place, 12) for place in range(math.ceil(top / step - 1e-9) + 1)]


def _path(xs: Sequence[float], ys: Sequence[float | None]) -> tuple[str, tuple[tuple[float, float], ...]]:
    parts, dots = [], []
    for place, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if y is None:
            continue
        before = place > 0 and ys[place - 1] is not None
        after = place + 1 < len(ys) and ys[place + 1] is not None
        parts.append(f"{'L' if before else 'M'}{x:.1f} {y:.1f}")
        if not before and not after:
            dots.append((round(x, 1), round(y, 1)))
    return "".join(parts), tuple(dots)


def shades_of(names: Sequence[str], roles: Mapping[Role, str]) -> dict[str, str]:
    """A colour for each model: that of its role (role -> name), so that the live one has the same on every page."""
    held = {name: ROLE_SHADES[role] for role, name in reversed([*roles.items()])}
    others = [name for name in names if name not in held]
    spare = [f"c{place}" for place in range(len(ROLE_SHADES), SHADES)]
    return {name: held.get(name) or spare[others.index(name) % len(spare)] for name in names}


def spark(values: Sequence[float | None], width: float = 120, height: float = 30) -> str:
    """The course of a figure as a path without axes."""
    known = [value for value in values if value is not None]
    if len(known) < 2 or not max(known) > 0:
        return ""
    top = max(known)
    step = width / (len(values) - 1)
    ys = [None if value is None else 2 + (height - 4) * (1 - value / top) for value in values]
    return _path([step * place for place in range(len(values))], ys)[0]
