"""A test before it begins: how long, which difference matters, and how many visitors that takes."""

import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.abtest import Plan, visitors_needed
from endcap.data.errors import InputError
from endcap.serve.console.artifacts import chosen
from endcap.serve.console.form import Form
from endcap.serve.console.measures import measures
from endcap.serve.console.page import Desk, Writing
from endcap.store.figures import Span
from endcap.store.store import Store

router = APIRouter()

PLACE = "/console/experiments/plan"
DAYS = 28
"""Of lists by which it is said how many visitors come and buy."""

DAY = 86_400
USUAL = {"share": "50", "days": "14", "uplift": "10"}
"""What the form begins with; share and uplift in percent."""


@dataclass(frozen=True)
class Baseline:
    """How the live model does: what a test is measured against."""

    rate: float | None  # of visitors who buy within a day of a list
    a_day: float  # visitors who are shown a list


@dataclass(frozen=True)
class Needed:
    """What a plan takes."""

    visitors: int | None  # of both arms; None where nobody buys yet, or everybody would
    days: int | None  # at the present pace
    enough: bool  # the plan's own days are


@router.get(PLACE)
def show(
    page: Writing,
    path: Annotated[str, Query(max_length=512)],
    share: Annotated[str, Query(max_length=20)] = USUAL["share"],
    days: Annotated[str, Query(max_length=20)] = USUAL["days"],
    uplift: Annotated[str, Query(max_length=20)] = USUAL["uplift"],
) -> Response:
    """The plan with what it takes; nothing begins here."""
    desk, given = page.desk, {"share": share, "days": days, "uplift": uplift}
    choice = chosen(desk, path)
    found = page.figure(("baseline",), partial(baseline, desk.store, time.time()), seconds=600.0)
    if found is None:
        return page("waiting.html", active="experiments", title=page.words("plan.title"))
    problem, plan, part = "", None, 0.0
    try:
        part, plan = share_of(share), plan_of(given)
    except InputError as error:
        problem = str(error)
    return page(
        "plan.html",
        active="experiments",
        status=422 if problem else 200,
        choice=choice,
        given=given,
        problem=problem,
        plan=plan,
        part=part,
        base=found,
        needed=None if plan is None else needed(found, plan, part),
    )


def baseline(store: Store, now: float) -> Baseline:
    """Of the last weeks; the days before the first list do not count."""
    found = measures(store, Span(now - DAYS * DAY, DAY, DAYS))
    days = DAYS - next((place for place, lists in enumerate(found.shown) if lists), DAYS)
    return Baseline(found.total.conversion, found.total.visitors / max(1, days))


def needed(base: Baseline, plan: Plan, share: float) -> Needed:
    """Whether the days of a plan are enough for the difference that matters."""
    visitors = None if base.rate is None else visitors_needed(base.rate, plan.uplift, share)
    if visitors is None or not base.a_day:
        return Needed(visitors, None, enough=False)
    days = math.ceil(visitors / base.a_day)
    return Needed(visitors, days, enough=days <= plan.days)


def share_of(text: str) -> float:
    """Of the visitors, given in percent; raises InputError."""
    found = _number("share", text)
    if not 0 < found < 100:
        raise InputError(f"found share {text!r}; expected percent of the visitors, above 0 and below 100")
    return found / 100


def plan_of(form: Form | dict[str, str]) -> Plan | None:
    """The plan of a form; None where it has none. Raises InputError where it is none that can be."""
    if not (form.get("days") or form.get("uplift")):
        return None
    days = _number("days", form["days"])
    if days != int(days):
        raise InputError(f"found {form['days']!r} days; expected a whole number")
    return Plan(int(days), _number("uplift", form["uplift"]) / 100)


def planned(desk: Desk) -> tuple[Plan, float] | None:
    """The plan of the test that runs, and when it began; None where it had none."""
    name = f"{desk.engine.name} candidate"
    last = next((each for each in desk.store.changes(500) if each["what"] == "model" and each["name"] == name), None)
    about = None if last is None else last["after"]
    if last is None or not about or "days" not in about:
        return None
    return Plan(int(about["days"]), float(about["uplift"])), float(last["time"])


def _number(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"found {name} {text[:80]!r}; expected a number, such as 10")
    return found
