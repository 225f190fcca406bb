"""How the server does: requests, errors and times."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.data.vocabulary import Floats
from endcap.serve.console import plots
from endcap.serve.console.page import PAGES, Reading
from endcap.serve.console.periods import Period, choice, span_of
from endcap.serve.console.plots import Axis, Plot, Sheet, axis_of
from endcap.serve.console.render import number, seconds
from endcap.serve.console.session import PATH
from endcap.serve.console.texts import Words
from endcap.serve.console.traffic import Route, quantile

router = APIRouter()

MOST = 12
"""Routes that are listed."""


@router.get(PAGES["server"])
def server(
    page: Reading,
    period: Period = "day",
    until: Annotated[float | None, Query(ge=0, le=4e9, allow_inf_nan=False)] = None,
) -> Response:
    """The course of requests and times, and every route since the server started."""
    span, words, desk = span_of(period, until, page.words.zone), page.words, page.desk
    reading = page.figure("metrics", desk.traffic.read, seconds=5.0)
    if reading is None:
        return page("waiting.html", active="server", title=words("server.title"))
    added = desk.traffic.during(span, reading)
    drawn = () if added is None else _loads(words, axis_of(span, words), added)
    routes = [route for route in reading.routes.values() if not route.name.startswith(PATH)]
    busiest = [_route(route) for route in sorted(routes, key=lambda route: -route.requests)]
    columns = ("name", "requests", "refused", "failed", "p50", "p95")
    sheet = Sheet("routes", columns, [tuple(route[column] for column in columns) for route in busiest])
    return page(
        "server.html",
        active="server",
        files=[*drawn, sheet],
        plots=drawn,
        routes=busiest[:MOST],
        **choice(span, period, until),
    )


def _loads(words: Words, axis: Axis, added: Floats) -> tuple[Plot, ...]:
    head = words("table.when")
    counts = dict(zip(("requests", "failed", "refused"), np.nan_to_num(added[:, [0, 2, 1]]).round().T, strict=True))
    times = {
        name: [None if np.isnan(row[0]) else quantile(row[3:].tolist(), share) for row in added]
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
    last = [next((value for value in reversed(values) if value is not None), None) for values in times.values()]
    newest = "–" if last[0] is None else " · ".join(map(seconds, last))
    requests, failed, refused = (
        plots.columns(
            name, words(f"server.{name}"), axis, n.tolist(), form=number, head=head, total=number(float(n.sum()))
        )
        for name, n in counts.items()
    )
    shades = {"p50": "c0", "p95": "c1"}
    course = plots.lines(
        "times", words("server.times"), axis, times, form=seconds, shades=shades, head=head, total=newest
    )
    return requests, course, failed, refused


def _route(route: Route) -> dict[str, Any]:
    return {
        "name": route.name,
        "requests": route.requests,
        "refused": route.refused,
        "failed": route.failed,
        "p50": quantile(route.buckets, 0.5),
        "p95": quantile(route.buckets, 0.95),
    }
