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
from endcap.serve.console.page import SLOTS, Desk, Page, Reading
from endcap.serve.errors import Refused
from endcap.store import figures
from endcap.store.records import Happened, Visitor

router = APIRouter()

PLACE = "/console/people"
LAST = 60
"""Events that are shown."""

K = 8
"""Places of a list; reasons cost a call of the model for each event."""

RECENT = 3_000
"""Events among which visitors are looked for."""

Text = Annotated[str, Query(max_length=512)]


@dataclass(frozen=True)
class Did:
    """An event with its product."""

    event: Happened
    card: Card
    known: bool


@router.get(PLACE)
def show(page: Reading, q: Text = "", slot: Slot = "home", item: Text = "") -> Response:
    """The visitor with that id, or the latest ones."""
    desk, asked = page.desk, q.strip()
    visitor = find(desk, asked) if asked else None
    if visitor is None:
        latest = figures.recent(desk.store, RECENT)
        near = [each for each in latest if asked.lower() in id_of(each).lower()]
        shown = [(id_of(each), each.user_id is not None, latest[each]) for each in (near if asked else latest)]
        return page("people.html", active="people", q=asked, visitor=None, latest=shown[:24], n=len(latest))
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


def find(desk: Desk, text: str) -> Visitor | None:
    """Who has this id: a user, else a session; None where neither did anything."""
    kind, _, rest = text.partition(":")
    tries = [Visitor(user_id=text), Visitor(session_id=text)] if text else []
    if kind == "session" and rest:
        tries.append(Visitor(session_id=rest))
    pasts = desk.store.histories(tries, last=1)
    return next((visitor for visitor, past in zip(tries, pasts, strict=True) if past), None)


def id_of(visitor: Visitor) -> str:
    """As it is looked for."""
    return visitor.user_id or visitor.session_id or ""


def lists(page: Page, visitor: Visitor, slot: Slot, item: str) -> dict[str, List]:
    """Role -> what the model in it would show, with reasons."""
    engine = page.desk.engine
    cart = (item,) if item and slot in ("cart", "purchased") else ()
    ask = Ask(visitor, item_id=item if slot == "product" else None, cart=cart, slot=slot, k=K, explain=True)
    key = ("people", visitor, slot, item, tuple(each.name for each in engine.versions.values()), int(time.time() // 5))
    answers = page.desk.slow.get(key, lambda: beside(engine, ask), seconds=5.0)
    versions = page.desk.versions
    return {
        role: list_of(answers[role], page.words, version.shelf)
        for role, version in versions.items()
        if answers is not None and role in answers
    }
