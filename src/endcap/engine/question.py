"""A request understood: what it asks of a model, and what its list may hold."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.schema import GOALS, KINDS
from endcap.data.vocabulary import Ints
from endcap.engine import novel
from endcap.engine.filters import parse
from endcap.engine.past import Past
from endcap.engine.policy import Policy
from endcap.engine.requests import NEEDS_ITEM, Ask, Slot, Step
from endcap.engine.retrieval import Restriction
from endcap.engine.together import in_cart
from endcap.engine.version import Version
from endcap.store.records import Happened

DAY = 86_400.0
NOT_PERSONAL: frozenset[Slot] = frozenset(["popular", "similar"])
"""Slots whose lists are the same for everybody."""
KIND_OF_SLOT = {"product": "view", "cart": "cart", "purchased": "purchase"}
"""What the products that come with a request mean there: looked at, in the cart, just bought."""


@dataclass(frozen=True)
class Question:
    """A request that was understood."""

    ask: Ask
    goal: int  # a kind, from 1
    restriction: Restriction
    policy: Policy | None
    beside: tuple[int, ...]  # the products that the list stands beside
    without: Ints  # indices that must not be shown
    history: Histories  # one
    past: Past


def brought(ask: Ask, now: float) -> list[Step]:
    """The products that come with a request, as the latest events."""
    kind = KIND_OF_SLOT.get(ask.slot, "view")
    looked = [ask.item_id] if ask.item_id else []
    return [Step(item_id, "cart" if kind == "view" else kind, now) for item_id in ask.cart] + [
        Step(item_id, "view", now) for item_id in looked
    ]


def understood(
    version: Version, ask: Ask, past: Past, policy: Policy | None, history: Histories, now: float
) -> Question:
    """Raises InputError where a request cannot be answered. past: with what comes with it; history: as it is heard."""
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
    beside = _beside(version, ask, past)
    return Question(
        ask=ask,
        goal=_goal(version, ask),
        restriction=restriction,
        policy=policy,
        beside=beside,
        without=np.unique(np.concatenate(_hidden(version, ask, past, beside, policy, history, now))),
        history=history,
        past=past,
    )


def _hidden(
    version: Version,
    ask: Ask,
    past: Past,
    beside: tuple[int, ...],
    policy: Policy | None,
    history: Histories,
    now: float,
) -> list[Ints]:
    """What must not be shown: what the request names, what was seen, what was bought too lately."""
    shelf = version.shelf
    hidden = [_with_groups(version, ask, [*map(shelf.find, ask.exclude), *beside])]
    if ask.slot == "new":
        hidden.append(_with_groups(version, ask, [shelf.find(event.item_id) for event in past]))
    elif ask.slot == "email" or (not version.repeat and ask.slot not in ("again", "cart", *NOT_PERSONAL)):
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


def _beside(version: Version, ask: Ask, past: Past) -> tuple[int, ...]:
    """The products that a list stands beside; for what goes with a cart that the request does not name, what is known
    to lie in it."""
    shelf = version.shelf
    items = [item for item_id in (*ask.cart, *([ask.item_id] if ask.item_id else [])) if (item := shelf.find(item_id))]
    if ask.slot == "cart" and not ask.cart and not ask.item_id:
        items = in_cart(shelf, past)
    return tuple(dict.fromkeys(items))


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
    if ask.slot == "new" and (near := novel.near(version, history)) is not None:
        bonus = near if bonus is None else bonus + near
    return Restriction(allowed, bonus)
