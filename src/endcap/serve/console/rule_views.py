"""What pages say of rules: one that is published, a line of the log."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from endcap.data.errors import InputError
from endcap.engine.filters import parse
from endcap.engine.rules import Boost, Bury, Complement, Hide, Only, Pin, Rule, parse_rule
from endcap.engine.shelf import Shelf
from endcap.serve.console.page import Page
from endcap.serve.console.rule_forms import Told, told

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
