"""What pages say of rules: one that is published, a draft before and after, a line of the log."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from endcap.data.errors import InputError
from endcap.engine.filters import parse
from endcap.engine.preview import preview, published
from endcap.engine.requests import Answer, Ask, Slot
from endcap.engine.rules import Boost, Bury, Complement, Hide, Only, Pin, Rule, dump_rule, parse_rule
from endcap.engine.shelf import Shelf
from endcap.serve.console.cards import list_of
from endcap.serve.console.form import Form
from endcap.serve.console.page import SLOTS, Desk, Page
from endcap.serve.console.people import find, id_of
from endcap.serve.console.rule_forms import Told, told
from endcap.store import figures
from endcap.store.records import Visitor

K = 10
"""Places of a list that is previewed."""

VISITORS = 12
"""Whose lists are counted in a preview."""

State = Literal["now", "later", "over"]


@dataclass(frozen=True)
class Reach:
    """What a rule has to do with, in a catalogue."""

    products: int | None  # that its filter lets through; None: it has no filter
    problem: str  # why it, or a part of it, cannot be followed


@dataclass(frozen=True)
class Published:
    """A rule in the list."""

    rule_id: str
    told: Told
    rule: Rule
    state: State
    reach: Reach
    changed: Mapping[str, Any] | None  # the last change of it, where the log still has it


def told_rule(page: Page, rule_id: str, rule: Rule, change: Mapping[str, Any] | None) -> Published:
    """A rule that is published."""
    shelf = page.desk.engine.live.shelf
    return Published(rule_id, told(rule, page.words), rule, state(rule, time.time()), reach(rule, shelf), change)


def state(rule: Rule, now: float) -> State:
    """Whether its time is now."""
    if rule.ends is not None and rule.ends <= now:
        return "over"
    return "later" if rule.starts is not None and rule.starts > now else "now"


def reach(rule: Rule, shelf: Shelf) -> Reach:
    """The products that it has to do with, and those that are none."""
    if isinstance(rule, Pin | Complement):
        named = (*rule.beside, *rule.item_ids) if isinstance(rule, Complement) else rule.item_ids
        missing = ", ".join(item_id for item_id in named if not shelf.find(item_id))
        return Reach(None, f"{rule.action}: {missing} is no product of the catalogue" if missing else "")
    if not isinstance(rule, Boost | Bury | Hide | Only):
        return Reach(None, "")
    try:
        return Reach(int(shelf.mask(parse(rule.filter)).sum()), "")
    except InputError as error:
        return Reach(None, str(error))


def previewed(page: Page, form: Form, rule_id: str, rule: Rule, *, is_new: bool) -> dict[str, Any]:
    """What the page of a preview shows: one list twice, and how many others change."""
    desk, engine = page.desk, page.desk.engine
    latest, asked = list(figures.recent(desk.store, 2_000))[:VISITORS], form["visitor"]
    own = find(desk, asked) if asked else None
    people = [*([own or Visitor()] if asked else []), *(each for each in latest if each != own)] or [Visitor()]
    slot: Slot = next((each for each in SLOTS if each == form["slot"]), (rule.slots or SLOTS)[0])
    item = form["item"] or _item(desk, people[0])
    rules = [*dict(sorted({**published(engine), rule_id: rule}.items())).values()]
    pairs = preview(engine, rules, [_ask(each, slot, item) for each in people])
    differ = [place for place, (before, after) in enumerate(pairs) if _ids(before) != _ids(after)]
    chosen = 0 if asked or not differ else differ[0]  # where nobody in particular was asked for, one who sees it
    (before, after), shelf = pairs[chosen], engine.live.shelf
    return {
        "rule_id": rule_id,
        "told": told(rule, page.words),
        "rule": rule,
        "state": state(rule, time.time()),
        "reach": reach(rule, shelf),
        "of": int(shelf.there.sum()),
        "body": json.dumps(dump_rule(rule), ensure_ascii=False),
        "is_new": is_new,
        "before": list_of(before, page.words, shelf),
        "after": list_of(after, page.words, shelf, against=before),
        "same": chosen not in differ,
        "lists": len(differ),
        "asked_lists": len(pairs),
        "slot": slot,
        "slots": SLOTS,
        "visitor": id_of(people[chosen]),
        "unknown": bool(asked) and own is None,
        "latest": [id_of(each) for each in latest],
        "item": item,
    }


def told_change(page: Page, change: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log: what was before and after in words, and what can be put back."""
    sides: dict[str, Told | None] = {}
    for side in ("before", "after"):
        try:
            sides[side] = None if change[side] is None else told(parse_rule(change[side]), page.words)
        except InputError:
            sides[side] = Told("", json.dumps(change[side], ensure_ascii=False), "")
    body = None if change["before"] is None else json.dumps(change["before"], ensure_ascii=False)
    return {"time": change["time"], "by": change["by"], "name": change["name"], "body": body, **sides}


def _ids(answer: Answer | InputError) -> Sequence[str]:
    return [] if isinstance(answer, InputError) else [each.item_id for each in answer.items]


def _ask(visitor: Visitor, slot: Slot, item: str) -> Ask:
    cart = (item,) if item and slot in ("cart", "purchased") else ()
    return Ask(visitor, item_id=item if slot == "product" else None, cart=cart, slot=slot, k=K)


def _item(desk: Desk, visitor: Visitor) -> str:
    """A product for lists beside one: the last that the visitor had to do with, else any."""
    shelf = desk.engine.live.shelf
    past = desk.store.histories([visitor], last=20)[0]
    known = [event.item_id for event in reversed(past) if shelf.find(event.item_id)]
    return known[0] if known else next((each for each in shelf.ids if shelf.there[shelf.find(each)]), "")
