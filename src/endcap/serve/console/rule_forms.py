"""Rules as forms and as sentences."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, tzinfo
from typing import Any

from endcap.data.errors import InputError
from endcap.engine.rules import ACTIONS, AtMost, Boost, Bury, Complement, Floor, Hide, NoRepeats, Only, Pin, Rule, Scope
from endcap.serve.console.conditions import draft_of, widened
from endcap.serve.console.form import Form
from endcap.serve.console.texts import Words

IDS = ("item_ids", "beside")
"""Fields with an id a line."""

STRENGTHS = {"slight": 0.5, "clear": 1.5, "strong": 4.0}
"""What is offered, in standard deviations of the visitor's scores; docs/console.md says what each does in places."""

COMMON = tuple(field.name for field in fields(Scope))


def own_fields(action: str) -> tuple[str, ...]:
    """What a rule of this action asks for beside where and when it holds."""
    kind = ACTIONS.get(action)
    if kind is None:
        raise InputError(f"found action {action!r}; expected one of {', '.join(ACTIONS)}")
    return tuple(field.name for field in fields(kind) if field.name not in (*COMMON, "action"))


def drafted_for(action: str, item_id: str = "") -> dict[str, Any]:
    """The JSON that a new form begins with; about a product where one is named."""
    body: dict[str, Any] = {"action": action}
    own = own_fields(action)
    if "strength" in own:
        body["strength"] = STRENGTHS["clear"]
    if item_id and "item_ids" in own:
        body["item_ids"] = [item_id]
    elif item_id and "filter" in own:
        body["filter"] = widened("", [item_id])
    return body


def body_of(form: Form, zone: tzinfo, condition: str | None = None) -> dict[str, Any]:
    """The JSON of a rule as it was written; what was left empty keeps its default.

    zone: of its dates. condition: in place of the form's filter.
    Raises InputError for no action, and for rows that are not complete.
    """
    action = form["action"]
    body: dict[str, Any] = {"action": action}
    for name in own_fields(action):
        if name == "unless_rebought":
            body[name] = form[name] == "on"
        elif name in IDS:
            lines = [line.strip() for text in form.several(name) for line in text.splitlines()]
            body[name] = list(dict.fromkeys(filter(None, lines)))
        elif name == "filter":
            body[name] = draft_of(form).filter if condition is None else condition
        elif form[name]:
            body[name] = form[name]
    if slots := form.several("slots"):
        body["slots"] = slots
    for name in ("starts", "ends"):
        if form[name]:
            body[name] = _seconds(form[name], zone)
    if form["note"]:
        body["note"] = form["note"]
    return body


def values_of(body: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """What stands in the fields of a form for a rule's JSON; lists where there are several values."""
    action = str(body.get("action", ""))
    slots = body.get("slots")
    values: dict[str, Any] = {
        "action": action,
        "slots": slots if isinstance(slots, list) else [],
        "note": body.get("note", ""),
    }
    for name in ("starts", "ends"):
        values[name] = _date(body.get(name), zone)
    kind = ACTIONS.get(action)
    for field in fields(kind) if kind else ():
        if field.name in COMMON or field.name == "action":
            continue
        default = "" if field.default is MISSING else field.default
        found = body.get(field.name, default)
        values[field.name] = "\n".join(map(str, found)) if isinstance(found, list) else found
    if "strength" in values:
        values["strength"] = _float(values["strength"])
    return values


def _seconds(text: str, zone: tzinfo) -> float | str:
    """Of a date; what is none stays as it is, and is no rule then."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except ValueError:
        return text


def _float(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _date(seconds: Any, zone: tzinfo) -> str:
    try:
        return "" if seconds is None else datetime.fromtimestamp(float(seconds), zone).strftime("%Y-%m-%dT%H:%M")
    except (OverflowError, ValueError, OSError, TypeError):
        return ""


@dataclass(frozen=True)
class Told:
    """A rule in words: what it does, and the part of it that is set off, such as its filter."""

    action: str
    what: str
    detail: str


def told(rule: Rule, words: Words) -> Told:
    """A sentence for people."""
    name = rule.action
    match rule:
        case Pin():
            what = words("told.pin", n=len(rule.item_ids), position=rule.position)
            return Told(name, what, ", ".join(rule.item_ids))
        case Boost() | Bury():
            known = next((each for each, value in STRENGTHS.items() if value == rule.strength), "custom")
            how = words(f"strength_told.{known}", strength=f"{rule.strength:g}")
            return Told(name, words(f"told.{name}", how=how), rule.filter)
        case Hide() | Only():
            return Told(name, words(f"told.{name}"), rule.filter)
        case Floor():
            return Told(name, words("told.floor", price=f"{rule.price:g}"), "")
        case NoRepeats():
            key = "told.no_repeats_unless" if rule.unless_rebought else "told.no_repeats"
            return Told(name, words(key, days=f"{rule.days:g}"), "")
        case Complement():
            what = words("told.complement", n=len(rule.item_ids))
            return Told(name, what, f"{', '.join(rule.beside)} → {', '.join(rule.item_ids)}")
        case AtMost():
            return Told(name, words("told.at_most", n=rule.n, of=words(f"column.{rule.of}").lower()), "")
