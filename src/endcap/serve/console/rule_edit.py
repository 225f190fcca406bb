"""The form of a rule: what stands in it, what its buttons change, and where it is wrong."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from pydantic_core import from_json

from endcap.data.errors import InputError
from endcap.engine.columns import FilterError, columns_of
from endcap.engine.filters import parse
from endcap.engine.rules import BESIDE, Rule, check_rule, parse_rule
from endcap.serve.console.attributes import attributes, example, fitting, options
from endcap.serve.console.cards import card_of
from endcap.serve.console.conditions import Draft, RowError, changed, draft_from, draft_of, widened
from endcap.serve.console.finding import find_products
from endcap.serve.console.form import Form
from endcap.serve.console.matching import Matches, Wrong, matches, wrong
from endcap.serve.console.page import SLOTS, Page
from endcap.serve.console.rule_forms import IDS, STRENGTHS, body_of, own_fields, values_of
from endcap.store.checks import identifier


def given(form: Form, zone: tzinfo) -> dict[str, Any]:
    """The rule of a form: as JSON where a page carries it on, else of its fields; with products that were ticked."""
    if not form["body"]:
        return body_of(form, zone)
    try:
        found = from_json(form["body"])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError("found no rule in the form; load the page again")
    if also := form.several("also"):
        found["filter"] = widened(str(found.get("filter", "")), also)
    return found


def drafted(page: Page, form: Form) -> tuple[str, Rule]:
    """The name and the rule of a form; raises InputError saying what is wrong."""
    rule_id = identifier("the rule's name", form["id"])
    if form["new"] == "yes" and rule_id in dict(page.desk.store.rules()):
        raise InputError(f"found a rule named {rule_id!r}; choose another name, or change that one")
    body = given(form, page.words.zone)
    if isinstance(condition := body.get("filter"), str):
        parse(condition)  # by itself it says which place is wrong
    rule = parse_rule(body)
    check_rule(rule, page.desk.engine.live.shelf.whole)
    return rule_id, rule


def edited(
    page: Page,
    rule_id: str,
    body: Mapping[str, Any],
    *,
    is_new: bool,
    draft: Draft | None = None,
    error: InputError | None = None,
    find: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the form of a rule shows. find: field -> words that a product is looked for by."""
    own, version = own_fields(str(body.get("action", ""))), page.desk.engine.live
    shelf, values = version.shelf, values_of(body, page.words.zone)
    columns = columns_of(shelf.whole)
    written = body.get("filter", "")
    known = attributes(shelf) if "filter" in own else {}
    shown = fitting(draft or draft_from(written if isinstance(written, str) else "", columns), known)
    problem = None if error is None else _wrong(page, error, shown)
    return {
        "rule_id": rule_id,
        "values": values,
        "own": own,
        "is_new": is_new,
        "problem": problem,
        "at": "" if error is None else _place(error, own, shown),
        "slots": BESIDE if body.get("action") == "complement" else SLOTS,
        "strengths": STRENGTHS,
        "draft": shown,
        "attributes": known,
        "options": lambda chosen: options(shelf, chosen),
        "example": example(shelf) if "filter" in own else "",
        "columns": [name for name in shelf.whole.table.column_names if name != "item_id"],
        "also": [card_of(item_id, shelf) for item_id in shown.also],
        "found": _matches(page, shown) if "filter" in own else None,
        "chosen": {
            name: [card_of(each, shelf) for each in str(values[name]).splitlines()] for name in IDS if name in own
        },
        "finds": {name: (text, found_products(page, text)) for name, text in (find or {}).items() if text},
    }


def edited_again(page: Page, form: Form, error: InputError | None = None) -> dict[str, Any]:
    """The form as it was sent, after one of its own buttons, or with what is wrong."""
    if form["body"]:
        return edited(page, form["id"], given(form, page.words.zone), is_new=form["new"] == "yes", error=error)
    draft = changed(draft_of(form), form["do"], columns_of(page.desk.engine.live.shelf.whole))
    return edited(
        page,
        form["id"],
        body_of(form, page.words.zone, draft.written),
        is_new=form["new"] == "yes",
        draft=draft,
        error=error,
        find={name: form[f"find-{name}"] for name in IDS},
    )


def found_products(page: Page, text: str) -> dict[str, Any]:
    """Products that fit some words, and what is said of them where they fit none."""
    shelf = page.desk.engine.live.shelf
    found = find_products(shelf, text)
    said = ""
    if not found.items:
        said = page.words("find.nothing", text=text)
    elif found.instead:
        said = page.words("find.instead", text=text, instead=found.instead)
    cards = [card_of(shelf.ids[item - 1], shelf) for item in found.items]
    return {"products": [{"id": each.item_id, "title": each.title, "line": each.category} for each in cards],
            "text": said}  # fmt: skip


def _matches(page: Page, draft: Draft) -> Matches:
    version = page.desk.engine.live
    try:
        text = draft.so_far
    except InputError as error:  # a number that is none
        return Matches(None, int(version.shelf.there.sum()), wrong=wrong(error, "", page.words))
    return matches(version, text, page.words)


def _wrong(page: Page, error: InputError, draft: Draft) -> Wrong:
    if isinstance(error, RowError):
        return Wrong(page.words("form.row_missing", place=error.place))
    for name in IDS:
        if re.match(rf"rule: (?:{name}: found \[\]|found no {name},)", str(error)):
            return Wrong(page.words(f"form.no_{name}"))
    return wrong(error, draft.so_far if isinstance(error, FilterError) else "", page.words)


def _place(error: InputError, own: tuple[str, ...], draft: Draft) -> str:
    """The field that is wrong."""
    if isinstance(error, RowError):
        return f"row-{error.place - 1}"
    if isinstance(error, FilterError):
        return "row-0" if draft.by_rows else "filter"
    if "name" in str(error)[:16] or "rule named" in str(error):
        return "id"
    named = re.match(r"rule: (?:found no )?(\w+)", str(error))
    return named[1] if named and named[1] in (*own, "starts", "ends", "note") else "id" if named is None else own[0]
