"""From bodies to the nouns of engine and store, and from an answer to what is sent."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from endcap.data.errors import InputError
from endcap.data.sources.products import joined
from endcap.engine.requests import Answer, Ask, Recommended, Step
from endcap.serve.schemas import AskBody, EventBody, EventsBody, ItemBody, ItemsBody, NewItemBody, PageBody, StepBody
from endcap.serve.visitors import Claim
from endcap.store.records import Event, Visitor

Who = Callable[[Claim], Visitor]
"""Who a claim is, or Refused."""


def events_of(
    body: EventBody | list[EventBody] | EventsBody, token: str | None, who: Who, *, apart: bool = False
) -> list[Event]:
    """token: of the query, where the body has none. Raises InputError for an event of nobody.

    apart: an event_id counts within its session, so that no page can use up the ids of the shop's own orders.
    """
    bodies = body.events if isinstance(body, EventsBody) else [body] if isinstance(body, EventBody) else body
    signature = None
    if isinstance(body, EventsBody):
        token, signature = body.visitor or token, body.user_signature
    known: dict[Claim, Visitor] = {}
    events = []
    for place, each in enumerate(bodies):
        claim = Claim(each.user_id, each.session_id, each.visitor or token, each.user_signature or signature)
        visitor = known.get(claim) or known.setdefault(claim, who(claim))
        if visitor == Visitor():
            raise InputError(f"event {place}: found neither user_id nor session_id; expected one of them, or both")
        events.append(_event(each, visitor, _within(visitor, each.event_id) if apart else each.event_id))
    return events


def _within(visitor: Visitor, event_id: str | None) -> str | None:
    return None if event_id is None else hashlib.sha256(f"{visitor.session_id}\0{event_id}".encode()).hexdigest()


def _event(body: EventBody, visitor: Visitor, event_id: str | None) -> Event:
    review = body.kind == "review"
    return Event(
        visitor=visitor,
        item_id=body.item_id,
        kind=body.kind,
        time=body.time,
        event_id=event_id,
        rating=body.value if review else None,
        price=None if review else body.value,
        quantity=body.quantity,
        recommendation_id=body.recommendation_id,
        attributes=body.attributes,
    )


def ask_of(body: AskBody, token: str | None, who: Who) -> Ask:
    """token: of the query, where the body has none."""
    visitor = who(Claim(body.user_id, body.session_id, body.visitor or token, body.user_signature))
    return Ask(
        visitor=visitor,
        history=None if body.history is None else tuple(step_of(each) for each in body.history),
        item_id=body.item_id,
        cart=tuple(body.cart),
        goal=body.goal,
        slot=body.slot,
        k=body.k,
        filter=body.filter,
        exclude=tuple(body.exclude),
        diversity=body.diversity,
        explain=body.explain,
        one_per_group=body.one_per_group,
    )


def asks_of(body: PageBody, token: str | None, who: Who) -> list[Ask]:
    """The shelves of a page; token: of the query, where the body has none."""
    visitor = who(Claim(body.user_id, body.session_id, body.visitor or token, body.user_signature))
    history = None if body.history is None else tuple(step_of(each) for each in body.history)
    return [
        Ask(
            visitor=visitor,
            history=history,
            item_id=shelf.item_id or body.item_id,
            cart=tuple(body.cart if shelf.cart is None else shelf.cart),
            goal=body.goal,
            slot=shelf.slot,
            k=shelf.k,
            filter=shelf.filter,
            exclude=tuple(body.exclude),
            diversity=shelf.diversity,
            explain=body.explain if shelf.explain is None else shelf.explain,
        )
        for shelf in body.shelves
    ]


def step_of(body: str | StepBody) -> Step:
    """An event of a history; an id alone was looked at."""
    if isinstance(body, str):
        return Step(body)
    return Step(body.item_id, body.kind, body.time, body.rating, body.price, body.quantity)


def rows_of(body: NewItemBody | list[NewItemBody] | ItemsBody) -> list[dict[str, Any]]:
    """Rows of the catalogue with their ids."""
    bodies = body.items if isinstance(body, ItemsBody) else [body] if isinstance(body, NewItemBody) else body
    return [row_of(each) for each in bodies]


def row_of(body: ItemBody) -> dict[str, Any]:
    """The columns that were given; several values are one text, as catalogues have them."""
    return {name: _cell(name, value) for name, value in body.model_dump(exclude_unset=True).items()}


def _cell(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return joined([None if each is None else str(each) for each in value], name)


def list_of(answer: Answer) -> Mapping[str, Any]:
    """What is sent of an answer."""
    return {
        "recommendation_id": answer.recommendation_id,
        "items": _items(answer.items),
        "model": answer.model,
        "unknown": answer.unknown,
        "notes": answer.notes,
    }


def page_of(asks: Sequence[Ask], answers: Sequence[Answer | InputError]) -> Mapping[str, Any]:
    """What is sent of a page; raises InputError where a shelf cannot be answered, and says which."""
    for place, one in enumerate(answers, start=1):
        if isinstance(one, InputError):
            raise InputError(f"shelf {place}: {one}")
    lists = [list_of(one) for one in answers if isinstance(one, Answer)]
    return {"shelves": [{"slot": ask.slot, **one} for ask, one in zip(asks, lists, strict=True)]}


def _items(items: Sequence[Recommended]) -> list[dict[str, Any]]:
    return [
        {
            **item.shown,
            "id": item.item_id,
            "score": item.score,
            "reason": None if item.reason is None else asdict(item.reason),
        }
        for item in items
    ]
