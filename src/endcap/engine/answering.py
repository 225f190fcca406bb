"""From histories to lists, by one version of the model: scores, what may be shown, rules, reasons."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from endcap.data.errors import InputError
from endcap.data.interactions import Histories
from endcap.data.vocabulary import Ints
from endcap.engine import alike, novel
from endcap.engine import together as baskets
from endcap.engine.diversity import diversify
from endcap.engine.explain import Visit, by_rule, explain, placed_by
from endcap.engine.explore import explore, with_ids
from endcap.engine.order import JUST, few_of, just_seen, pictured_first
from endcap.engine.past import Past
from endcap.engine.policy import Policy, arrange, companions, pinned_by
from endcap.engine.question import NOT_PERSONAL, Question, brought, understood
from endcap.engine.requests import Answer, Ask, Reason, Recommended, Slot
from endcap.engine.retrieval import Found, Restriction
from endcap.engine.version import Version
from endcap.features.groups import one_each

MEMBERS = 8
"""Candidates for each place, of which a list takes one of a group."""
WIDE = 500
"""Candidates that diversity and limits per brand or category choose from."""


@dataclass(frozen=True)
class Exploring:
    """How many of the last places of a list are left to chance, and among how many candidates."""

    places: int = 0
    pool: int = 20


Listed = list[tuple[int, float | None]]
"""Items of a list with their scores; None where a rule put one there that is not among the candidates."""


@dataclass(frozen=True)
class Given:
    """An answer, and how chance had a part in it."""

    answer: Answer
    explored: tuple[Mapping[str, Any], ...] = ()


def answer(
    version: Version,
    asks: Sequence[Ask],
    pasts: Sequence[Past],
    policies: Callable[[Slot], Policy | None],
    now: float,
    *,
    exploring: Exploring,
    random: np.random.Generator,
) -> list[Given | InputError]:
    """One answer per request, or what is wrong with it; `pasts` are what the visitors did before.

    policies: a slot's rules, compiled for the version's shelf.
    """
    complete = [
        [] if one.slot in NOT_PERSONAL else [*past, *brought(one, now)] for one, past in zip(asks, pasts, strict=True)
    ]
    histories, unknown = version.memory.histories(complete, version.shelf.find, now)
    questions: list[Question | InputError] = []
    for place, (one, past) in enumerate(zip(asks, complete, strict=True)):
        try:
            history = histories.take(np.array([place]))
            questions.append(understood(version, one, past, policies(one.slot), history, now))
        except InputError as error:
            questions.append(error)
    good = [place for place, each in enumerate(questions) if isinstance(each, Question)]
    asked = [each for each in questions if isinstance(each, Question)]
    results: list[Given | InputError] = [each if isinstance(each, InputError) else _EMPTY for each in questions]
    if not asked:
        return results
    chosen = histories if len(good) == len(asks) else histories.take(np.array(good))
    wanted = max(_wanted(version, each, exploring) for each in asked)
    found = _candidates(version, asked, chosen, now, wanted)
    for place, question, candidates in zip(good, asked, found, strict=True):
        listed, explored = _listed(version, question, candidates, exploring, random)
        missing = tuple(dict.fromkeys([*unknown[place], *_unknown(version, question.ask)]))
        results[place] = _given(version, question, listed, explored, missing, now)
    return results


def _candidates(
    version: Version, asked: Sequence[Question], histories: Histories, now: float, wanted: int
) -> list[Found]:
    """At most so many products for each question, best first; slot new is asked twice, for kin alone too."""
    new = [n for n, each in enumerate(asked) if each.ask.slot == "new"]
    rows = [*range(len(asked)), *new]
    restrictions = [each.restriction for each in asked] + [_of_kin(version, asked[n]) for n in new]
    batch = version.batch(
        histories.take(np.array(rows)) if new else histories, np.array([asked[n].goal for n in rows], np.int64), now
    )
    every = version.retriever.find(batch, restrictions, [asked[n].without for n in rows], wanted)
    found, kin = every[: len(asked)], every[len(asked) :]
    for n, own in zip(new, kin, strict=True):
        found[n] = novel.alternating(own, found[n], wanted)
    for n, each in enumerate(asked):
        if each.ask.slot == "similar":
            item = version.shelf.find(each.ask.item_id or "")
            near = alike.nearest(version, item, each.restriction.allowed, each.without, wanted)
            found[n] = near or Found(np.zeros(0, np.int64), np.zeros(0, np.float32))
        elif each.ask.slot == "cart":
            found[n] = baskets.together(version, each.beside, each.restriction, each.without, wanted)
    return found


def _of_kin(version: Version, question: Question) -> Restriction:
    """What may be shown of the categories that the visitor looked at."""
    allowed, own = question.restriction.allowed, novel.kin(version, question.history)
    return replace(question.restriction, allowed=own if allowed is None else allowed & own)


_EMPTY = Given(Answer("", (), ""))


def _unknown(version: Version, ask: Ask) -> list[str]:
    return [item_id for item_id in ask.exclude if not version.shelf.find(item_id)]


def _wanted(version: Version, question: Question, exploring: Exploring) -> int:
    ask, policy = question.ask, question.policy
    chooses = ask.diversity > 0 or (policy is not None and bool(policy.at_most))
    more = ask.one_per_group and version.shelf.has_groups
    wanted = ask.k + (exploring.pool if exploring.places else 0) + (JUST if ask.slot == "home" else 0)
    return max(WIDE if chooses else 0, MEMBERS * wanted if more else wanted)


def _listed(
    version: Version, question: Question, found: Found, exploring: Exploring, random: np.random.Generator
) -> tuple[Listed, tuple[Mapping[str, Any], ...]]:
    """The places of the list, and what chance chose of them."""
    found = pictured_first(found, version.pictured)
    ask, policy, items, scores = question.ask, question.policy, found.items, found.scores.astype(np.float64)
    scored = dict(zip(items.tolist(), found.scores.tolist(), strict=True))
    if ask.diversity and version.vectors is not None:
        items = items[diversify(scores, version.vectors[items], strength=ask.diversity, k=len(items))]
    if ask.slot == "home":
        items = few_of(items, just_seen(version.shelf, question.past))
    fixed: list[int] = []
    pins = () if policy is None else (*policy.pins, *enumerate(companions(policy, question.beside)))
    if ask.one_per_group and version.shelf.has_groups:
        codes = version.shelf.groups
        items = one_each(items, codes, codes[[item for _, item in pins]] if pins else ())
    if policy is not None:
        # Pins too must be allowed by the request, and not be among what it leaves out.
        allowed = (policy.allowed if question.restriction.allowed is None else question.restriction.allowed).copy()
        allowed[question.without] = False
        stricter = replace(policy, allowed=allowed, pins=pins)
        items = arrange(items, stricter, ask.k + (exploring.pool if exploring.places else 0))
        pinned = {item for _, item in pins}
        fixed = [place for place, item in enumerate(items.tolist()) if item in pinned]
    explored: tuple[Mapping[str, Any], ...] = ()
    if exploring.places and ask.slot != "email":
        last = min(ask.k, len(items))
        values = np.array([scored.get(item, 0.0) for item in items.tolist()])  # of pins it is not asked
        places = range(max(0, last - exploring.places), last)
        items, records = explore(items, values, places, exploring.pool, random, fixed=fixed)
        explored = with_ids(records, version.shelf.ids)
    items = items[: ask.k]
    return [(item, scored.get(item)) for item in items.tolist()], explored


def _given(
    version: Version,
    question: Question,
    listed: Listed,
    explored: tuple[Mapping[str, Any], ...],
    unknown: tuple[str, ...],
    now: float,
) -> Given:
    ask, shelf = question.ask, version.shelf
    why: Sequence[Reason | None] = [None] * len(listed)
    if ask.explain and listed:
        why = _why(version, question, np.array([item for item, _ in listed]), now)
    items = tuple(
        Recommended(shelf.ids[item - 1], score, reason, shelf.shown(item))
        for (item, score), reason in zip(listed, why, strict=True)
    )
    notes = (f"found {len(items)} products that may be shown; asked were {ask.k}",) if len(items) < ask.k else ()
    return Given(Answer(uuid.uuid4().hex, items, version.name, unknown, notes), explored)


def _why(version: Version, question: Question, items: Ints, now: float) -> list[Reason]:
    policy, visit = question.policy, Visit(question.history, question.past, question.goal, now)
    pinned = {} if policy is None else pinned_by(policy, question.beside)
    if question.ask.slot == "cart":
        why = baskets.reasons(version, question.beside, items)
        return [by_rule(pinned[item]) if item in pinned else one for item, one in zip(items.tolist(), why, strict=True)]
    boosted: dict[int, str] = {}
    if policy is not None:
        boosted = placed_by(version, visit, items, policy, question.restriction, question.without)
    return explain(version, visit, items, boosted | pinned)
