"""The first page: what visitors did, what came of the lists, how the server does."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.data.schema import KINDS
from endcap.data.vocabulary import Floats
from endcap.serve.console import plots
from endcap.serve.console.measures import Counted, Key, Measures, measures, wilson
from endcap.serve.console.page import Desk, Reading, number, percent, seconds
from endcap.serve.console.plots import Axis, Plot, axis_of, shades_of
from endcap.serve.console.session import PATH
from endcap.serve.console.texts import Words
from endcap.serve.console.traffic import Route, quantile
from endcap.store import figures
from endcap.store.figures import Span
from endcap.store.store import Store

router = APIRouter()

Period = Literal["day", "week", "month"]
STEPS: dict[Period, tuple[int, int]] = {"day": (24, 3_600), "week": (14, 43_200), "month": (30, 86_400)}
"""How many steps of how many seconds."""

FRESH = 20.0
"""Seconds that figures are kept."""

FEWEST = 5
"""Lists or visitors of a step from which on a share of them is drawn."""

Rate = Callable[[Counted], tuple[int, int]]
"""The part and the whole of a measure."""

EVENTS = 500_000
"""Of the newest events that are counted."""


@router.get(PATH)
def overview(
    page: Reading,
    period: Period = "week",
    until: Annotated[float | None, Query(ge=0, le=4e9, allow_inf_nan=False)] = None,
) -> Response:
    """Figures of a period that ends now, or at another time."""
    desk, span = page.desk, span_of(period, until)
    read = desk.slow.get(("overview", span), partial(_read, desk.store, span), seconds=FRESH)
    if read is None:
        return page("waiting.html", active="overview", title=page.words("overview.title"))
    axis, found, kinds, (events, last) = axis_of(span, page.words), read.found, read.kinds, read.size
    n_items = int(desk.engine.live.shelf.there.sum())
    return page(
        "overview.html",
        active="overview",
        period=period,
        periods=[*STEPS],
        span=span,
        now=until is None,
        earlier=span.since,
        later=min(span.until + span.step * span.n, time.time()),
        empty=not found.lists and not kinds,
        events=events,
        last=last,
        capped=events > EVENTS,
        tiles=_tiles(page.words, found, read.past, kinds, n_items),
        measured=found,
        models=_models(found),
        courses=_courses(page.words, axis, found),
        rows=_rows(found, n_items),
        shown=plots.columns(
            page.words("overview.lists"), axis, found.shown, form=number, head=page.words("table.when"),
            total=number(found.lists),
        ),
        kinds=_kinds(page.words, axis, kinds),
        server=_server(page.words, desk, axis, span),
    )  # fmt: skip


def span_of(period: Period, until: float | None) -> Span:
    """Whole steps; the last one has begun and is not over."""
    n, step = STEPS[period]
    end = ((time.time() if until is None else until) // step + 1) * step
    return Span(end - n * step, step, n)


@dataclass(frozen=True)
class Read:
    """What the store says of a span."""

    found: Measures
    past: Measures  # of the span before
    kinds: Mapping[str, Sequence[int]]
    size: tuple[int, float | None]


def _read(store: Store, span: Span) -> Read:
    before = Span(span.since - span.step * span.n, span.step, span.n)
    return Read(measures(store, span), measures(store, before), figures.kinds(store, span, EVENTS), figures.size(store))


@dataclass(frozen=True)
class Tile:
    """A figure, and how it was in the period before."""

    name: str
    value: str
    before: str
    up: bool | None  # None: as it was, or nothing to compare with
    line: str  # its course, as a path
    note: str = ""


def _tiles(
    words: Words, found: Measures, past: Measures, kinds: Mapping[str, Sequence[int]], n_items: int
) -> list[Tile]:
    steps = [[own[place] for own in found.steps.values()] for place in range(len(found.shown))]
    clicks = [_rate(sum(each.clicked for each in step), sum(each.lists for each in step)) for step in steps]
    bought = [_rate(sum(each.buyers for each in step), sum(each.visitors for each in step)) for step in steps]
    total, then = found.total, past.total
    events = [float(sum(values)) for values in zip(*kinds.values(), strict=True)]
    seen, before = len(total.items) / max(1, n_items), len(then.items) / max(1, n_items)
    return [
        _tile(words("overview.lists"), found.lists, past.lists or None, number, found.shown),
        _tile(words("overview.clicks"), total.click_rate, then.click_rate, percent, clicks),
        _tile(words("overview.conversion"), total.conversion, then.conversion, percent, bought),
        _tile(
            words("overview.coverage"), seen if total.lists else None, before if then.lists else None, percent, [],
            words("overview.coverage_of", shown=number(len(total.items)), n=n_items, items=number(n_items)),
        ),
        _tile(words("overview.events"), sum(events), None, number, events),
    ]  # fmt: skip


def _tile(
    name: str,
    value: float | None,
    before: float | None,
    form: plots.Form,
    course: Sequence[float | None],
    note: str = "",
) -> Tile:
    same = value is None or before is None or form(value) == form(before)
    up = None if same or value is None or before is None else value > before
    text = "–" if value is None else form(value)
    return Tile(name, text, "" if before is None else form(before), up, plots.spark(course), note)


def _rate(part: int, whole: int, *, fewest: int = 1) -> float | None:
    return part / whole if whole >= fewest else None


def _models(found: Measures) -> dict[str, str]:
    """Model -> its colour on this page."""
    return shades_of(sorted({model for _, model in found.by}))


@dataclass(frozen=True)
class Course:
    """A measure over time: a panel for each slot, a line for each model."""

    name: str
    total: str
    panels: tuple[Plot, ...]


def _courses(words: Words, axis: Axis, found: Measures) -> list[Course]:
    """Clicks per list and conversion; what few lists or visitors say is left out."""
    shades, slots = _models(found), dict.fromkeys(slot for slot, _ in found.by)
    measured: tuple[tuple[str, Rate], ...] = (
        ("click_rate", lambda each: (each.clicked, each.lists)),
        ("conversion", lambda each: (each.buyers, each.visitors)),
    )
    result = []
    for name, parts in measured:
        panels = []
        for slot in slots:
            own = {model: found.steps[slot, model] for each, model in found.by if each == slot}
            series = {model: [_rate(*parts(step), fewest=FEWEST) for step in steps] for model, steps in own.items()}
            sums = [sum(pair) for pair in zip(*(parts(found.by[slot, model]) for model in own), strict=True)]
            panels.append(
                plots.lines(
                    words(f"slot.{slot}"), axis, series, form=percent, shades=shades,
                    total=percent(_rate(sums[0], sums[1])), head=words("table.when"),
                )
            )  # fmt: skip
        result.append(Course(words(f"overview.{name}"), percent(_rate(*parts(found.total))), tuple(panels)))
    return result


@dataclass(frozen=True)
class Row:
    """A slot and a model in the table."""

    slot: str
    model: str
    counted: Counted
    clicks: tuple[float, float]  # 95 % interval
    buys: tuple[float, float]
    coverage: float


def _rows(found: Measures, n_items: int) -> list[Row]:
    def row(key: Key, each: Counted) -> Row:
        clicks, buys = wilson(each.clicked, each.lists), wilson(each.buyers, each.visitors)
        return Row(*key, each, clicks, buys, len(each.items) / max(1, n_items))

    return [row(key, each) for key, each in found.by.items()]


def _kinds(words: Words, axis: Axis, kinds: Mapping[str, Sequence[int]]) -> list[Plot]:
    known = [kind for kind in KINDS if kind in kinds]
    return [
        plots.columns(
            words.known("kind", kind), axis, [float(n) for n in kinds[kind]], form=number,
            head=words("table.when"), total=number(sum(kinds[kind])),
        )
        for kind in known
    ]  # fmt: skip


@dataclass(frozen=True)
class Server:
    """Requests and times."""

    plots: tuple[Plot, ...]
    routes: tuple[dict[str, Any], ...]  # name, requests, refused, failed, p50, p95: since the server started


def _server(words: Words, desk: Desk, axis: Axis, span: Span) -> Server:
    reading = desk.slow.get("metrics", desk.traffic.read, seconds=5.0)
    if reading is None:
        return Server((), ())
    added = desk.traffic.during(span, reading)
    routes = [route for route in reading.routes.values() if not route.name.startswith(PATH)]
    busiest = sorted(routes, key=lambda route: -route.requests)[:12]
    return Server(() if added is None else _loads(words, axis, added), tuple(_route(route) for route in busiest))


def _loads(words: Words, axis: Axis, added: Floats) -> tuple[Plot, ...]:
    head = words("table.when")
    asked, refused, failed = np.nan_to_num(added[:, :3]).round().T
    times = {
        name: [None if np.isnan(row[0]) else quantile(row[3:].tolist(), share) for row in added]
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
    last = [next((value for value in reversed(values) if value is not None), None) for values in times.values()]
    newest = "–" if last[0] is None else " · ".join(map(seconds, last))
    return (
        plots.columns(
            words("server.requests"), axis, asked.tolist(), form=number, head=head, total=number(asked.sum())
        ),
        plots.lines(
            words("server.times"), axis, times, form=seconds, shades={"p50": "c0", "p95": "c1"}, head=head,
            total=newest,
        ),
        plots.columns(
            words("server.failed"), axis, failed.tolist(), form=number, head=head, total=number(failed.sum())
        ),
        plots.columns(
            words("server.refused"), axis, refused.tolist(), form=number, head=head, total=number(refused.sum())
        ),
    )  # fmt: skip


def _route(route: Route) -> dict[str, Any]:
    return {
        "name": route.name,
        "requests": route.requests,
        "refused": route.refused,
        "failed": route.failed,
        "p50": quantile(route.buckets, 0.5),
        "p95": quantile(route.buckets, 0.95),
    }
