"""Rules: what holds, a form for each action, a preview before it holds, and who changed what."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic_core import from_json, to_json
from starlette.responses import Response

from endcap.data.errors import InputError
from endcap.engine.filters import parse
from endcap.engine.preview import published
from endcap.engine.rules import ACTIONS, check_rule, parse_rule
from endcap.serve.console.form import Change, Form
from endcap.serve.console.page import SLOTS, Page, Reading, Writing
from endcap.serve.console.rule_forms import body_of, own_fields, values_of
from endcap.serve.console.rule_views import State, previewed, told_change, told_rule
from endcap.serve.errors import Refused
from endcap.store.checks import identifier

router = APIRouter()

PLACE = "/console/rules"
LOG = 40
"""Changes that are listed."""

MATCHES = 8
"""Products that a search finds."""


@router.get(PLACE)
def show(page: Reading) -> Response:
    """What holds now, then what will, then what is over; and the log."""
    desk = page.desk
    log = desk.store.changes(500)
    last: dict[str, Mapping[str, Any]] = {}
    for change in log:
        if change["what"] == "rule":
            last.setdefault(change["name"], change)
    rules = [told_rule(page, rule_id, rule, last.get(rule_id)) for rule_id, rule in published(desk.engine).items()]
    order: list[State] = ["now", "later", "over"]
    unreadable = len(desk.store.rules()) - len(rules)
    changes = [told_change(page, change) for change in log if change["what"] == "rule"][:LOG]
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
    return page("rule_preview.html", active="rules", **previewed(page, form, rule_id, rule, is_new=is_new))


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
        found = from_json(form["body"])
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
