"""Rules: what holds, a form for each action, a preview before it holds, and who changed what."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic_core import to_json
from starlette.responses import Response

from endcap.data.errors import InputError
from endcap.engine.preview import published
from endcap.engine.rules import ACTIONS, dump_rule, parse_rule
from endcap.serve.console.form import Change
from endcap.serve.console.page import Reading, Writing
from endcap.serve.console.rule_edit import drafted, edited, edited_again, found_products, given
from endcap.serve.console.rule_forms import drafted_for
from endcap.serve.console.rule_preview import previewed
from endcap.serve.console.rule_views import State, reach, told_change, told_rule
from endcap.serve.errors import Refused

router = APIRouter()

PLACE = "/console/rules"
LOG = 40
"""Changes that are listed."""


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
def new(
    page: Writing,
    action: Annotated[str, Query(max_length=40)] = "",
    item: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """First which action, then its form; filled in for a product where one is named."""
    if action and action not in ACTIONS:
        raise Refused(404, "not_found", f"there is no action {action!r}")
    if not action:
        return page("rule_new.html", active="rules", actions=[*ACTIONS])
    body, rule_id = drafted_for(action, item), f"{action} {item}"[:512] if item else ""
    return page("rule_form.html", active="rules", **edited(page, rule_id, body, is_new=True))


@router.get(f"{PLACE}/edit")
def edit(page: Writing, id: Annotated[str, Query(max_length=512)]) -> Response:  # noqa: A002
    """The form of a rule that is published."""
    body = dict(page.desk.store.rules()).get(id)
    if body is None:
        raise Refused(404, "not_found", f"there is no rule {id!r}")
    return page("rule_form.html", active="rules", **edited(page, id, body, is_new=False))


@router.post(f"{PLACE}/edit")
def edit_again(page: Reading, form: Change) -> Response:
    """Back from the preview to the form, or after one of the form's own buttons."""
    return page("rule_form.html", active="rules", **edited_again(page, form))


@router.post(f"{PLACE}/conditions")
def conditions(page: Reading, form: Change) -> Response:
    """The conditions after a change, and the products that they mean, for the form while it is made."""
    values = edited_again(page, form)
    parts = {"builder": "rule_conditions.html", "matches": "rule_matches.html"}
    return _json({name: page.part(template, **values) for name, template in parts.items()})


@router.post(f"{PLACE}/preview")
def show_preview(page: Reading, form: Change) -> Response:
    """The same lists before and after; nothing is published."""
    try:
        rule_id, rule = drafted(page, form)
    except InputError as error:
        return page("rule_form.html", active="rules", status=422, **edited_again(page, form, error))
    return page("rule_preview.html", active="rules", **previewed(page, form, rule_id, rule))


@router.post(f"{PLACE}/publish")
def publish(page: Reading, form: Change) -> Response:
    """The next answer follows it; one that means no product at all only where that was said to be right."""
    rule = parse_rule(given(form, page.words.zone))
    if reach(rule, page.desk.engine.live.shelf).products == 0 and form["nothing"] != "yes":
        values = previewed(page, form, form["id"], rule, unsure=True)
        return page("rule_preview.html", active="rules", status=422, **values)
    page.desk.engine.put_rule(form["id"], dump_rule(rule), by=page.session.name)
    page.desk.engine.refresh()
    return page.to(PLACE, done="published")


@router.post(f"{PLACE}/take-back")
def take_back(page: Reading, form: Change) -> Response:
    """The next answer is without it."""
    page.desk.store.delete_rule(form["id"], by=page.session.name, now=time.time())
    page.desk.engine.refresh()
    return page.to(PLACE, done="taken_back")


@router.get(f"{PLACE}/products")
def products(page: Reading, q: Annotated[str, Query(min_length=1, max_length=200)]) -> Response:
    """Products by their titles or ids, for the forms of pins and complements."""
    return _json(found_products(page, q))


def _json(value: Any) -> Response:
    return Response(to_json(value), media_type="application/json")
