"""Rules: what holds, a form for each action, a preview before it holds, and who changed what."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic_core import to_json
from starlette.responses import Response

from endcap.data.errors import InputError
from endcap.engine.filters import parse
from endcap.engine.preview import policy_of, preview, published
from endcap.engine.requests import Ask, Slot
from endcap.engine.rules import ACTIONS, Boost, Bury, Hide, Only, Rule, check_rule, dump_rule, parse_rule
from endcap.serve.console.cards import list_of
from endcap.serve.console.page import Change, Desk, Form, Page, Reading, Writing
from endcap.serve.console.people import SLOTS, find, id_of
from endcap.serve.console.rule_forms import Told, body_of, own_fields, told, values_of
from endcap.serve.errors import Refused
from endcap.store import figures
from endcap.store.checks import identifier
from endcap.store.records import Visitor

router = APIRouter()

PLACE = "/console/rules"
K = 10
"""Places of a list that is previewed."""

VISITORS = 12
"""Whose lists are counted in a preview."""

LOG = 40
"""Changes that are listed."""

MATCHES = 8
"""Products that a search finds."""

State = Literal["now", "later", "over"]


@dataclass(frozen=True)
class Published:
    """A rule in the list."""

    rule_id: str
    told: Told
    rule: Rule
    state: State
    products: int | None  # that its filter lets through
    problem: str
    changed: Mapping[str, Any] | None  # the last change of it, where the log still has it


@router.get(PLACE)
def show(page: Reading) -> Response:
    """What holds now, then what will, then what is over; and the log."""
    desk = page.desk
    log = desk.store.changes(500)
    last: dict[str, Mapping[str, Any]] = {}
    for change in log:
        if change["what"] == "rule":
            last.setdefault(change["name"], change)
    rules = [_published(page, rule_id, rule, last.get(rule_id)) for rule_id, rule in published(desk.engine).items()]
    order: list[State] = ["now", "later", "over"]
    unreadable = len(desk.store.rules()) - len(rules)
    changes = [_change(page, change) for change in log if change["what"] == "rule"][:LOG]
    return page(
        "rules.html",
        active="rules",
        rules=sorted(rules, key=lambda each: order.index(each.state)),
        unreadable=unreadable,
        changes=changes,
        actions=[*ACTIONS],
    )


@router.get(f"{PLACE}/new")
def new(page: Writing, action: Annotated[str, Query(max_length=40)] = "") -> Response:
    """First which action, then its form."""
    if action and action not in ACTIONS:
        raise Refused(404, "not_found", f"there is no action {action!r}")
    if not action:
        return page("rule_new.html", active="rules", actions=[*ACTIONS])
    return _form(page, "", {"action": action}, is_new=True)


@router.get(f"{PLACE}/edit")
def edit(page: Writing, id: Annotated[str, Query(max_length=512)]) -> Response:  # noqa: A002
    """The form of a rule that is published."""
    body = dict(page.desk.store.rules()).get(id)
    if body is None:
        raise Refused(404, "not_found", f"there is no rule {id!r}")
    return _form(page, id, body, is_new=False)


@router.post(f"{PLACE}/edit")
def edit_again(page: Reading, form: Change) -> Response:
    """Back from the preview to the form."""
    return _form(page, form["id"], _given(form), is_new=form["new"] == "yes")


@router.post(f"{PLACE}/preview")
def show_preview(page: Reading, form: Change) -> Response:
    """The same list before and after; nothing is published."""
    is_new = form["new"] == "yes"
    body = _given(form)
    try:
        rule_id = identifier("the rule's name", form["id"])
        if is_new and rule_id in dict(page.desk.store.rules()):
            raise InputError(f"found a rule named {rule_id!r}; choose another name, or change that one")
        rule = parse_rule(body)
        check_rule(rule, page.desk.engine.live.shelf.whole)
    except InputError as error:
        return _form(page, form["id"], body, is_new=is_new, problem=str(error), status=422)
    return page("rule_preview.html", active="rules", **_previewed(page, form, rule_id, rule, is_new=is_new))


@router.post(f"{PLACE}/publish")
def publish(page: Reading, form: Change) -> Response:
    """The next answer follows it."""
    page.desk.engine.put_rule(form["id"], _given(form), by=page.session.name)
    page.desk.engine.refresh()
    return page.to(PLACE, done="published")


@router.post(f"{PLACE}/take-back")
def take_back(page: Reading, form: Change) -> Response:
    """The next answer is without it."""
    page.desk.store.delete_rule(form["id"], by=page.session.name, now=time.time())
    page.desk.engine.refresh()
    return page.to(PLACE, done="taken_back")


@router.get(f"{PLACE}/count")
def count(page: Reading, filter: Annotated[str, Query(max_length=2_000)]) -> Response:  # noqa: A002
    """How many products a filter lets through, for the form while it is written."""
    shelf = page.desk.engine.live.shelf
    try:
        n = int((parse(filter).mask(shelf.whole) & shelf.there).sum())
    except InputError as error:
        return _json({"problem": page.words.said(str(error))})
    of = int(shelf.there.sum())
    return _json({"text": page.words("rules.passes", n=n, count=f"{n:,}", of=f"{of:,}")})


@router.get(f"{PLACE}/products")
def products(page: Reading, q: Annotated[str, Query(min_length=1, max_length=200)]) -> Response:
    """Products whose title or id has these words, for the form of a pin."""
    shelf, wanted = page.desk.engine.live.shelf, q.casefold().split()
    titles, found = shelf.whole.titles, []
    for item, item_id in enumerate(shelf.ids, start=1):
        text = f"{titles[item]} {item_id}".casefold()
        if shelf.there[item] and all(word in text for word in wanted):
            found.append({"id": item_id, "title": titles[item]})
            if len(found) == MATCHES:
                break
    return _json({"products": found})


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json")


def _given(form: Form) -> dict[str, Any]:
    """The rule of a form: as JSON where a page carries it on, else of its fields."""
    if not form["body"]:
        return body_of(form)
    try:
        found = json.loads(form["body"])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError("found no rule in the form; load the page again")
    return found


def _form(
    page: Page, rule_id: str, body: Mapping[str, Any], *, is_new: bool, problem: str = "", status: int = 200
) -> Response:
    own = own_fields(str(body.get("action", "")))
    catalog = page.desk.engine.live.shelf.whole
    return page(
        "rule_form.html",
        active="rules",
        status=status,
        rule_id=rule_id,
        values=values_of(body),
        own=own,
        is_new=is_new,
        problem=problem,
        slots=SLOTS,
        columns=[name for name in catalog.table.column_names if name != "item_id"],
    )


def _previewed(page: Page, form: Form, rule_id: str, rule: Rule, *, is_new: bool) -> dict[str, Any]:
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
    (before, after), shelf, now = pairs[chosen], engine.live.shelf, time.time()
    return {
        "rule_id": rule_id,
        "told": told(rule, page.words),
        "rule": rule,
        "state": _state(rule, now),
        "products": _products(desk, rule),
        "of": int(shelf.there.sum()),
        "problems": policy_of(engine.live, [rule], slot, now).problems,
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


def _ids(answer: Any) -> list[str]:
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


def _published(page: Page, rule_id: str, rule: Rule, change: Mapping[str, Any] | None) -> Published:
    desk, now = page.desk, time.time()
    slot = rule.slots[0] if rule.slots else "home"
    starts = rule.starts if rule.starts is not None and rule.starts > now else now
    problems = policy_of(desk.engine.live, [rule], slot, starts).problems
    return Published(
        rule_id, told(rule, page.words), rule, _state(rule, now), _products(desk, rule), "; ".join(problems), change
    )


def _state(rule: Rule, now: float) -> State:
    if rule.ends is not None and rule.ends <= now:
        return "over"
    return "later" if rule.starts is not None and rule.starts > now else "now"


def _products(desk: Desk, rule: Rule) -> int | None:
    """The products that a rule's filter lets through."""
    if not isinstance(rule, Boost | Bury | Hide | Only):
        return None
    shelf = desk.engine.live.shelf
    try:
        return int(shelf.mask(parse(rule.filter)).sum())
    except InputError:
        return None


def _change(page: Page, change: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the log: what was before and after in words, and what can be put back."""
    sides = {}
    for side in ("before", "after"):
        try:
            sides[side] = None if change[side] is None else told(parse_rule(change[side]), page.words)
        except InputError:
            sides[side] = Told("", json.dumps(change[side], ensure_ascii=False), "")
    return {
        "time": change["time"],
        "by": change["by"],
        "name": change["name"],
        **sides,
        "body": None if change["before"] is None else json.dumps(change["before"], ensure_ascii=False),
        "there": change["after"] is not None,
    }
