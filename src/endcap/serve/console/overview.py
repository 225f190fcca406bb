"""The first page: what was sold, what came of the lists, which products moved."""

import time
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.serve.console import movers, plots, summary, tiles
from endcap.serve.console.measures import Measures
from endcap.serve.console.money import Money, money_of
from endcap.serve.console.page import Page, Reading
from endcap.serve.console.periods import Period, choice, span_of
from endcap.serve.console.plots import Axis, Plot, Sheet, axis_of
from endcap.serve.console.render import number
from endcap.serve.console.session import PATH
from endcap.serve.console.summary import Read, Row
from endcap.serve.console.texts import Words
from endcap.store import sales
from endcap.store.figures import Span

router = APIRouter()


def read(page: Page, span: Span) -> Read | None:
    """What the store says of a span; None where it is not ready."""
    make = partial(summary.read, page.desk.store, span, now=time.time())
    return page.figure(("overview", span), make)


@router.get(PATH)
def overview(
    page: Reading,
    period: Period = "week",
    until: Annotated[float | None, Query(ge=0, le=4e9, allow_inf_nan=False)] = None,
) -> Response:
    """Figures of a period that ends now, or at another time."""
    span, words, shelf = span_of(period, until, page.words.zone), page.words, page.desk.engine.live.shelf
    found = read(page, span)
    if found is None:
        return page("waiting.html", active="overview", title=words("overview.title"))
    axis, (events, last) = axis_of(span, words), found.size
    money, n_items, measured = money_of(words, shelf, page.desk.shop), int(shelf.there.sum()), found.now.found
    products = movers.products(words, found, shelf, money)
    money_plots, event_plots = _sales(words, axis, found, money), _events(words, axis, found)
    models = summary.models(measured, {role: version.name for role, version in page.desk.versions.items()})
    courses, rows = summary.courses(words, axis, measured, models), summary.rows(measured, n_items)
    drawn = [*money_plots, *event_plots, *(plot for course in courses for plot in course.panels)]
    return page(
        "overview.html",
        active="overview",
        files=[*drawn, *products.sheets, _shelves(words, rows), _funnel(words, found)],
        empty=not measured.lists and not found.now.kinds,
        last=last,
        capped=events > summary.EVENTS,
        tiles=tiles.tiles(words, found, shelf, money),
        funnel=tiles.stages(words, found.now),
        sales=money_plots,
        products=products,
        money=money,
        measured=measured,
        models=models,
        courses=courses,
        rows=rows,
        events=event_plots,
        **choice(span, period, until),
    )


def _sales(words: Words, axis: Axis, found: Read, money: Money) -> list[Plot]:
    total = sales.total(found.now.sold)
    head = words("table.when")
    revenue = plots.columns(
        "revenue", words("overview.revenue"), axis, [each.revenue for each in found.now.sold], form=money,
        short=money.short, head=head, total=money.rough(total.revenue or None),
    )  # fmt: skip
    orders = plots.columns(
        "orders", words("overview.orders"), axis, [float(each.orders) for each in found.now.sold], form=number,
        head=head, total=number(total.orders or None),
    )  # fmt: skip
    return [revenue, orders]


def _events(words: Words, axis: Axis, found: Read) -> list[Plot]:
    measured: Measures = found.now.found
    shown = plots.columns(
        "lists", words("overview.lists"), axis, measured.shown, form=number, head=words("table.when"),
        total=number(measured.lists),
    )  # fmt: skip
    return [shown, *summary.kinds_of(words, axis, found.now.kinds)]


def _shelves(words: Words, rows: list[Row]) -> Sheet:
    columns = ("table.slot", "table.model", "overview.lists", "sum.lists clicked", "sum.visitors", "sum.buyers",
               "overview.coverage")  # fmt: skip
    return Sheet(
        "shelves",
        tuple(words(column) for column in columns),
        [
            (words.known("slot", row.slot), row.model, row.counted.lists, row.counted.clicked, row.counted.visitors,
             row.counted.buyers, row.coverage)
            for row in rows
        ],
    )  # fmt: skip


def _funnel(words: Words, found: Read) -> Sheet:
    stages = tiles.stages(words, found.now)
    return Sheet(
        "funnel", (words("funnel.title"), words("sum.visitors")), [(each.name, each.visitors) for each in stages]
    )
