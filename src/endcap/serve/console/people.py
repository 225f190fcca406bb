"""A visitor: what they did, and what each model makes of it; export and forgetting."""

import json
import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.engine.preview import beside
from endcap.engine.requests import Ask, Slot
from endcap.serve.console.cards import Card, List, card_of, list_of
from endcap.serve.console.form import Change
from endcap.serve.console.page import SLOTS, Page, Reading
from endcap.serve.console.persons import CHOICES, Choice, find, near, people
from endcap.serve.console.render import midnight
from endcap.serve.errors import Refused
from endcap.store.records import Happened, Visitor

router = APIRouter()

PLACE = "/console/people"
LAST = 60
"""Events that are shown."""

K = 8
"""Places of a list; reasons cost a call of the model for each event."""

MOST = 24
"""Visitors that are listed."""

Text = Annotated[str, Query(max_length=512)]


@dataclass(frozen=True)
class Did:
    """An event with its product."""

    event: Happened
    card: Card
    known: bool


@router.get(PLACE)
def show(page: Reading, q: Text = "", slot: Slot = "home", item: Text = "", who: Choice = "all") -> Response:
    """The visitor with that id, or those among whom one chooses."""
    desk, asked = page.desk, q.strip()
    visitor = find(desk, asked) if asked else None
    if visitor is None:
        return _choose(page, asked, who)
    past = desk.store.histories([visitor], last=LAST)[0][::-1]
    shelf = desk.engine.live.shelf
    did = [Did(event, card_of(event.item_id, shelf), bool(shelf.find(event.item_id))) for event in past]
    beside_item = item.strip() or next((each.event.item_id for each in did if each.known), "")
    return page(
        "people.html",
        active="people",
        q=asked,
        visitor=visitor,
        did=did,
        lists=lists(page, visitor, slot, beside_item),
        slot=slot,
        slots=SLOTS,
        item=beside_item,
        card=card_of(beside_item, shelf) if beside_item else None,
    )


def _choose(page: Page, asked: str, who: Choice) -> Response:
    desk, today = page.desk, midnight(time.time(), page.words.zone)
    if asked:
        found = near(desk, page.words, asked, today=today, most=MOST)
        return page("people.html", active="people", q=asked, visitor=None, persons=found, who="all", counts={})
    key = ("people", page.words, today, desk.engine.live.name)
    found_all = page.figure(key, lambda: people(desk, page.words, today=today), seconds=5.0)
    if found_all is None:
        return page("waiting.html", active="people", title=page.words("people.title"))
    counts = {choice: sum(choice in each.groups for each in found_all) for choice in CHOICES}
    chosen = [each for each in found_all if who in each.groups][:MOST]
    return page(
        "people.html",
        active="people",
        q="",
        visitor=None,
        persons=chosen,
        who=who,
        counts=counts,
        kind=desk.shop.people,
    )


@router.get(f"{PLACE}/export")
def export(page: Reading, q: Text) -> Response:
    """Everything that is known of a user, or what a session did, as a file."""
    visitor = find(page.desk, q.strip())
    if visitor is None:
        raise Refused(404, "not_found", f"nothing is known of {q!r}")
    store = page.desk.store
    if visitor.user_id is not None:
        found = store.export(visitor.user_id)
    else:
        events = [event._asdict() for event in store.histories([visitor], last=100_000, shown=True)[0]]
        found = {"session_id": visitor.session_id, "events": events}
    text = json.dumps(found, ensure_ascii=False, indent=1)
    disposition = {"Content-Disposition": 'attachment; filename="visitor.json"', "Cache-Control": "no-store"}
    return Response(text, media_type="application/json", headers=disposition)


@router.post(f"{PLACE}/forget")
def forget(page: Reading, form: Change) -> Response:
    """Forgets a visitor: gone from the next answer and the next training."""
    visitor = find(page.desk, form["q"])
    if visitor is None:
        raise Refused(404, "not_found", f"nothing is known of {form['q']!r}")
    engine, store = page.desk.engine, page.desk.store
    engine.flush()
    user_id = visitor.user_id or f"session:{visitor.session_id}"
    if visitor.user_id is None:  # the store forgets users with their sessions: for a moment this one has a user
        store.identify(Visitor(user_id, visitor.session_id))
    store.forget(user_id, now=time.time())
    return page.to(PLACE, done="forgotten")


def lists(page: Page, visitor: Visitor, slot: Slot, item: str) -> dict[str, List]:
    """Role -> what the model in it would show, with reasons."""
    engine = page.desk.engine
    cart = (item,) if item and slot in ("cart", "purchased") else ()
    ask = Ask(visitor, item_id=item if slot == "product" else None, cart=cart, slot=slot, k=K, explain=True)
    key = ("people", visitor, slot, item, tuple(each.name for each in engine.versions.values()), int(time.time() // 5))
    answers = page.figure(key, lambda: beside(engine, ask), seconds=5.0)
    versions = page.desk.versions
    return {
        role: list_of(answers[role], page.words, version.shelf)
        for role, version in versions.items()
        if answers is not None and role in answers
    }
