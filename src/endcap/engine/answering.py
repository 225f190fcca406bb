"""From histories to lists, by one version of the model: scores, what may be shown, rules, reasons."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.schema import GOALS, KINDS
from endcap.data.vocabulary import Ints
from endcap.engine import alike
from endcap.engine.diversity import diversify
from endcap.engine.explain import Visit, explain, placed_by
from endcap.engine.explore import explore, with_ids
from endcap.engine.filters import parse
from endcap.engine.groups import one_each
from endcap.engine.past import Past
from endcap.engine.policy import Policy, arrange, companions, pinned_by
from endcap.engine.requests import NEEDS_ITEM, Answer, Ask, Reason, Recommended, Slot, Step
from endcap.engine.retrieval import Floats32, Found, Restriction
from endcap.engine.version import Version
from endcap.store.records import Happened

DAY = 86_400.0
NEAR = 1.0
"""In slot new, what a standard deviation of likeness to what was looked at counts against one of the model's scores."""
KIN = 3.0
"""There, what being of a category that was looked at counts."""
LATEST = 5
"""Products of the visitor that it is looked for near."""
MEMBERS = 8
"""Candidates for each place, of which a list takes one of a group."""
NOT_PERSONAL: frozenset[Slot] = frozenset(["popular", "similar"])
"""Slots whose lists are the same for everybody."""
WIDE = 500
"""Candidates that diversity and limits per brand or category choose from."""
KIND_OF_SLOT = {"product": "view", "cart": "cart", "purchased": "purchase"}
"""What the products that come with a request mean there: looked at, in the cart, just bought."""


@dataclass(frozen=True)
class Exploring:
    """How many of the last places of a list are left to chance, and among how many candidates."""

    places: int = 0
    pool: int = 20


@dataclass(frozen=True)
class Question:
    """A request that was understood."""

    ask: Ask
    goal: int  # a kind, from 1
    restriction: Restriction
    policy: Policy | None
    without: Ints  # indices that must not be shown
    history: Histories  # one
    past: Past


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
        [] if one.slot in NOT_PERSONAL else [*past, *_brought(one, now)] for one, past in zip(asks, pasts, strict=True)
    ]
    histories, unknown = version.memory.histories(complete, version.shelf.find, now)
    questions: list[Question | InputError] = []
    for place, (one, past) in enumerate(zip(asks, complete, strict=True)):
        try:
            history = histories.take(np.array([place]))
            questions.append(_understood(version, one, past, policies(one.slot), history, now))
        except InputError as error:
            questions.append(error)
    good = [place for place, each in enumerate(questions) if isinstance(each, Question)]
    understood = [each for each in questions if isinstance(each, Question)]
    results: list[Given | InputError] = [each if isinstance(each, InputError) else _EMPTY for each in questions]
    if not understood:
        return results
    chosen = histories if len(good) == len(asks) else histories.take(np.array(good))
    goals = np.array([each.goal for each in understood], np.int64)
    batch = version.batch(chosen, goals, now)
    wanted = max(_wanted(version, each, exploring) for each in understood)
    found = version.retriever.find(
        batch, [each.restriction for each in understood], [each.without for each in understood], wanted
    )
    for n, each in enumerate(understood):
        if each.ask.slot == "similar":
            item = version.shelf.find(each.ask.item_id or "")
            near = alike.nearest(version, item, each.restriction.allowed, each.without, wanted)
            found[n] = near or Found(np.zeros(0, np.int64), np.zeros(0, np.float32))
    for place, question, candidates in zip(good, understood, found, strict=True):
        listed, explored = _listed(version, question, candidates, exploring, random)
        missing = tuple(dict.fromkeys([*unknown[place], *_unknown(version, question.ask)]))
        results[place] = _given(version, question, listed, explored, missing, now)
    return results


_EMPTY = Given(Answer("", (), ""))


def _brought(ask: Ask, now: float) -> list[Step]:
    """The products that come with a request, as the latest events."""
    kind = KIND_OF_SLOT.get(ask.slot, "view")
    looked = [ask.item_id] if ask.item_id else []
    return [Step(item_id, "cart" if kind == "view" else kind, now) for item_id in ask.cart] + [
        Step(item_id, "view", now) for item_id in looked
    ]


def _unknown(version: Version, ask: Ask) -> list[str]:
    return [item_id for item_id in ask.exclude if not version.shelf.find(item_id)]


def _understood(
    version: Version, ask: Ask, past: Past, policy: Policy | None, history: Histories, now: float
) -> Question:
    shelf = version.shelf
    if ask.k < 1:
        raise InputError(f"found k = {ask.k}; expected at least 1")
    if not 0 <= ask.diversity <= 1:
        raise InputError(f"found diversity {ask.diversity}; expected 0 (by score) to 1 (as unlike as can be)")
    if ask.slot in NEEDS_ITEM and not ask.item_id:
        raise InputError(f"found slot {ask.slot} without item_id; name the product that the list stands beside")
    restriction = _restriction(version, ask, policy, history)
    if ask.slot == "again":
        owned = np.zeros(len(shelf) + 1, bool)
        owned[_owned(version, past)] = True
        restriction = replace(
            restriction, allowed=owned if restriction.allowed is None else restriction.allowed & owned
        )
    return Question(
        ask=ask,
        goal=_goal(version, ask),
        restriction=restriction,
        policy=policy,
        without=np.unique(np.concatenate(_hidden(version, ask, past, policy, history, now))),
        history=history,
        past=past,
    )


def _hidden(
    version: Version, ask: Ask, past: Past, policy: Policy | None, history: Histories, now: float
) -> list[Ints]:
    """What must not be shown: what the request names, what was seen, what was bought too lately."""
    shelf = version.shelf
    hidden = [_with_groups(version, ask, [*map(shelf.find, ask.exclude), *_beside(version, ask)])]
    if ask.slot == "new":
        hidden.append(_with_groups(version, ask, [shelf.find(event.item_id) for event in past]))
    elif ask.slot == "email" or (not version.repeat and ask.slot not in ("again", *NOT_PERSONAL)):
        hidden.append(history.items)
    if policy is not None and policy.no_repeats is not None:
        hidden.append(np.array([item for event in past if (item := _bought(version, event, policy, now))], np.int64))
    return hidden


def _owned(version: Version, past: Past) -> Ints:
    """What was bought before; where the model's log had no purchases, all that something was done with."""
    sold = KIND_INDEX["purchase"] in version.artifact.traits.kinds
    return np.array(
        [version.shelf.find(event.item_id) for event in past if event.kind == "purchase" or not sold], np.int64
    )


def _with_groups(version: Version, ask: Ask, items: Iterable[int]) -> Ints:
    """Items and, where lists have one of a group, those that are one with them."""
    if not ask.one_per_group or not version.shelf.has_groups:
        return np.array(list(items), np.int64)
    return np.concatenate([version.shelf.members(item) for item in {*items} if item] + [np.zeros(0, np.int64)])


def _beside(version: Version, ask: Ask) -> list[int]:
    """The products that a list stands beside; 0 for what is none."""
    return [version.shelf.find(item_id) for item_id in (*ask.cart, *([ask.item_id] if ask.item_id else []))]


def _bought(version: Version, event: Happened | Step, policy: Policy, now: float) -> int:
    """The item of a purchase that is too recent to be shown again; 0 of any other event."""
    if event.kind != "purchase" or event.time is None or policy.no_repeats is None:
        return 0
    item = version.shelf.find(event.item_id)
    return item if item and event.time > now - DAY * policy.no_repeats[item] else 0


def _goal(version: Version, ask: Ask) -> int:
    known = [kind for kind in version.artifact.traits.kinds if KINDS[kind - 1] in GOALS]
    if ask.goal is None:
        preferred = KIND_INDEX["purchase"] if ask.slot in ("cart", "purchased", "again") else version.goal
        return preferred if preferred in known else version.goal
    if KIND_INDEX[ask.goal] not in known:
        names = ", ".join(KINDS[kind - 1] for kind in known)
        raise InputError(f"found goal {ask.goal}; the model has learned of {names} alone")
    return KIND_INDEX[ask.goal]


def _restriction(version: Version, ask: Ask, policy: Policy | None, history: Histories) -> Restriction:
    shelf = version.shelf
    allowed = shelf.there if shelf.gone else None
    if ask.filter:
        allowed = shelf.mask(parse(ask.filter))
    bonus = None
    if policy is not None:
        allowed = policy.allowed if allowed is None else allowed & policy.allowed
        bonus = policy.bonus
    if ask.slot == "new" and len(history.items):
        near = _near(version, history)
        bonus = near if bonus is None else bonus + near
    return Restriction(allowed, bonus)


def _near(version: Version, history: Histories) -> Floats32:
    """(items + 1,) how like the likest of the visitor's latest products each is, and whether of their categories."""
    latest = list(dict.fromkeys(history.items[::-1].tolist()))[:LATEST]
    own, _ = version.shelf.kin
    near = KIN * (np.isin(own, own[latest]) & (own > 0)).astype(np.float32)
    likeness = [each for item in latest if (each := version.likeness(item)) is not None]
    return near + NEAR * np.max(likeness, axis=0) if likeness else near


def _wanted(version: Version, question: Question, exploring: Exploring) -> int:
    ask, policy = question.ask, question.policy
    chooses = ask.diversity > 0 or (policy is not None and bool(policy.at_most))
    more = ask.one_per_group and version.shelf.has_groups
    wanted = ask.k + (exploring.pool if exploring.places else 0)
    return max(WIDE if chooses else 0, MEMBERS * wanted if more else wanted)


def _listed(
    version: Version, question: Question, found: Found, exploring: Exploring, random: np.random.Generator
) -> tuple[Listed, tuple[Mapping[str, Any], ...]]:
    """The places of the list, and what chance chose of them."""
    ask, policy, items, scores = question.ask, question.policy, found.items, found.scores.astype(np.float64)
    scored = dict(zip(items.tolist(), found.scores.tolist(), strict=True))
    if ask.diversity and version.vectors is not None:
        items = items[diversify(scores, version.vectors[items], strength=ask.diversity, k=len(items))]
    fixed: list[int] = []
    pins = () if policy is None else (*policy.pins, *enumerate(companions(policy, _beside(version, ask))))
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
    ruled: dict[int, str] = {}
    if policy is not None:
        ruled = placed_by(version, visit, items, policy, question.restriction, question.without)
        ruled |= pinned_by(policy, _beside(version, question.ask))
    return explain(version, visit, items, ruled)
