"""A/B tests with their intervals, and the replay of a model that nobody has seen yet."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.abtest import DECIDES, MISMATCH, Measured, Report, report
from endcap.bootstrap import Interval
from endcap.choices import judged
from endcap.data.errors import InputError
from endcap.engine.version import Version
from endcap.exposure import CLICKS
from endcap.replay import Estimate
from endcap.serve.console.page import Desk, Page, Reading
from endcap.serve.console.planning import planned
from endcap.serve.console.plots import ROLE_SHADES, Sheet
from endcap.serve.console.render import number, percent
from endcap.serve.console.texts import Words
from endcap.serve.console.verdicts import chance, verdict
from endcap.serve.console.whiskers import Whiskers, whiskers
from endcap.store import figures
from endcap.store.store import Store

router = APIRouter()

PLACE = "/console/experiments"
LISTS = 100_000
"""Of an A/B test that are read; `endcap experiment` reads all."""

EXPLORED = 3_000
"""Lists that are replayed; `endcap experiment --replay` replays all."""

RESAMPLES = 1_000
Reward = Literal["click", "purchase"]


@router.get(PLACE)
def show(
    page: Reading,
    name: Annotated[str, Query(max_length=512)] = "",
    replay: Literal["", "candidate", "shadow"] = "",
    reward: Reward = "click",
) -> Response:
    """The latest test, or one of the others; and a replay where one is asked for."""
    desk, words = page.desk, page.words
    tests = page.figure("experiments", partial(figures.experiments, desk.store, 500_000))
    if tests is None:
        return page("waiting.html", active="experiments", title=words("experiments.title"))
    chosen = next((test for test in tests if test.name == name), tests[0] if tests else None)
    found: Report | None = None
    problem = ""
    if chosen is not None:
        try:
            found = page.figure(("test", chosen.name), partial(_report, desk, chosen.name))
        except InputError as error:
            problem = str(error)
    running = desk.engine.about["models"].get("candidate")
    current = f"{desk.engine.live.name}:{running}" if running else ""
    estimate, refused, waiting = _replayed(page, replay, reward)
    return page(
        "experiments.html",
        active="experiments",
        files=[] if found is None else _sheets(words, found),
        tests=tests,
        chosen=chosen,
        current=current,
        share=desk.engine.about["share"],
        found=found,
        problem=problem,
        tone=_tone(found) if found else "",
        verdict=verdict(words, found) if found else "",
        chance=chance,
        plan=planned(desk) if chosen is not None and chosen.name == current else None,
        pairs=_pairs(words, found) if found else (),
        capped=chosen is not None and chosen.lists > LISTS,
        most=LISTS,
        roles=[role for role in ("candidate", "shadow") if role in desk.engine.versions],
        replay=replay,
        reward=reward,
        estimate=estimate,
        estimate_plot=_estimated(words, estimate, ROLE_SHADES[replay]) if estimate and replay else None,
        refused=refused,
        waiting=waiting or (chosen is not None and found is None and not problem),
        explored=EXPLORED,
    )


def _sheets(words: Words, found: Report) -> list[Sheet]:
    """The sums of the arms, and the measures with their intervals."""
    arms: list[list[str | float | None]] = [[words(f"arm.{arm}"), *sums.values()] for arm, sums in found.sums.items()]
    head = (words("experiments.arm"), *(words(f"sum.{column}") for column in found.sums["control"]))
    measures: list[list[str | float | None]] = []
    for each in found.measures:
        ends = [
            end for one in (each.control, each.candidate, each.difference) for end in (one.value, one.low, one.high)
        ]
        measures.append([words(f"measure.{each.name}"), *ends, each.p])
    columns = [f"{words(name)}{end}" for name in ("arm.control", "arm.candidate", "experiments.difference")
               for end in ("", " 2.5 %", " 97.5 %")]  # fmt: skip
    return [Sheet("arms", head, arms), Sheet("measures", (words("experiments.measures"), *columns, "p"), measures)]


def _report(desk: Desk, name: str) -> Report:
    store = desk.store
    lists = figures.lists_of(store, name, LISTS)
    first = min((each.time for each in lists), default=0.0)
    role = store.models(desk.engine.name).get("candidate", {})
    return report(
        lists,
        figures.purchases(store, {each.visitor for each in lists}, first),
        store.events_of_lists(since=first),
        experiment=name,
        share=role.get("share"),
        share_since=role.get("since", math.inf),
        resamples=RESAMPLES,
    )


def _tone(found: Report) -> str:
    """How the verdict is set off; it is about one measure alone."""
    if found.ratio_p is not None and found.ratio_p < MISMATCH:
        return "is-warn"
    difference = next(each.difference for each in found.measures if each.name == DECIDES)
    return "is-good" if difference.low > 0 else "is-warn" if difference.high < 0 else ""


def _pairs(words: Words, found: Report) -> Sequence[tuple[Measured, Whiskers, Whiskers]]:
    """Each measure with its arms on one scale, and their difference on another."""
    result = []
    for each in found.measures:
        is_share = each.name != "revenue per visitor"
        name = words(f"measure.{each.name}")
        arms = whiskers(
            name,
            [(words("arm.control"), ROLE_SHADES["live"], each.control, _figure(each.control, is_share=is_share)),
             (words("arm.candidate"), ROLE_SHADES["candidate"], each.candidate,
              _figure(each.candidate, is_share=is_share))],
            form=percent if is_share else _plain,
        )  # fmt: skip
        shade = "good" if each.difference.low > 0 else "bad" if each.difference.high < 0 else "c7"
        text = _points(words, each.difference) if is_share else _figure(each.difference, is_share=False, signed=True)
        difference = whiskers(
            name, [(words("experiments.difference"), shade, each.difference, text)],
            form=_signed_points if is_share else _signed, zero=True,
        )  # fmt: skip
        result.append((each, arms, difference))
    return result


def _replayed(page: Page, role: str, reward: Reward) -> tuple[Estimate | None, str, bool]:
    """The estimate, or why there is none, or that it is not ready."""
    desk = page.desk
    version = desk.engine.versions.get(role)  # type: ignore[call-overload]
    if version is None:
        return None, "", False
    try:
        found = page.figure(
            ("replay", version.name, reward), partial(_judged, desk.store, version, reward), seconds=600.0
        )
    except InputError as error:
        return None, str(error), False
    return found, "", found is None


def _judged(store: Store, version: Version, reward: Reward) -> Estimate:
    lists = figures.explored(store, EXPLORED)
    since = min((each.time for each in lists), default=0.0)
    kinds = CLICKS if reward == "click" else ("purchase",)
    events = figures.events_of(store, {each.visitor for each in lists})
    return judged(version, lists, events, store.events_of_lists(since=since), kinds=kinds, resamples=RESAMPLES)


def _estimated(words: Words, found: Estimate, shade: str) -> Whiskers:
    rows = [
        ("replay.logged", "c6", found.logged),
        ("replay.snips", shade, found.snips),
        ("replay.ips", "c7", found.ips),
    ]
    return whiskers(
        words("experiments.replay"),
        [(words(name), shade, each, _figure(each, is_share=True)) for name, shade, each in rows],
        form=percent,
    )


def _figure(each: Interval, *, is_share: bool, signed: bool = False) -> str:
    form = percent if is_share else _signed if signed else _plain
    if math.isnan(each.low):
        return form(each.value)
    return f"{form(each.value)} ({form(each.low)} – {form(each.high)})"


def _points(words: Words, each: Interval) -> str:
    value = _signed_points(each.value)
    text = value if math.isnan(each.low) else f"{value} ({_signed_points(each.low)} – {_signed_points(each.high)})"
    return words("experiments.points", text=text)


def _plain(value: float) -> str:
    return number(value, 2)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _signed_points(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")
