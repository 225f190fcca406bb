"""The first page: what visitors did, what came of the lists, how the server does."""

import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.data.vocabulary import Floats
from endcap.serve.console import plots, summary
from endcap.serve.console.page import Desk, Reading
from endcap.serve.console.plots import Axis, Plot, axis_of
from endcap.serve.console.render import number, seconds
from endcap.serve.console.session import PATH
from endcap.serve.console.texts import Words
from endcap.serve.console.traffic import Route, quantile
from endcap.store.figures import Span

router = APIRouter()

Period = Literal["day", "week", "month"]
STEPS: dict[Period, tuple[int, int]] = {"day": (24, 3_600), "week": (14, 43_200), "month": (30, 86_400)}
"""How many steps of how many seconds."""

FRESH = 20.0
"""Seconds that figures are kept."""


@router.get(PATH)
def overview(
    page: Reading,
    period: Period = "week",
    until: Annotated[float | None, Query(ge=0, le=4e9, allow_inf_nan=False)] = None,
) -> Response:
    """Figures of a period that ends now, or at another time."""
    desk, span = page.desk, span_of(period, until)
    read = desk.slow.get(("overview", span), partial(summary.read, desk.store, span), seconds=FRESH)
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
        capped=events > summary.EVENTS,
        tiles=summary.tiles(page.words, read, n_items),
        measured=found,
        models=summary.models(found),
        courses=summary.courses(page.words, axis, found),
        rows=summary.rows(found, n_items),
        shown=plots.columns(
            page.words("overview.lists"), axis, found.shown, form=number, head=page.words("table.when"),
            total=number(found.lists),
        ),
        kinds=summary.kinds_of(page.words, axis, kinds),
        server=_server(page.words, desk, axis, span),
    )  # fmt: skip


def span_of(period: Period, until: float | None) -> Span:
    """Whole steps; the last one has begun and is not over."""
    n, step = STEPS[period]
    end = ((time.time() if until is None else until) // step + 1) * step
    return Span(end - n * step, step, n)


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
