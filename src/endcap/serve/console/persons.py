"""Visitors as one chooses among them: their last products, what they did in words, and who belongs together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from endcap.engine.shelf import Shelf
from endcap.serve.console.cards import Card, card_of
from endcap.serve.console.page import Desk
from endcap.serve.console.render import day
from endcap.serve.console.texts import Words
from endcap.serve.storefront.past import liked, orders
from endcap.store import figures
from endcap.store.records import Happened, Visitor

Choice = Literal["all", "bought", "new", "known"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
"""Everyone; who bought today; whose first event is of today; who is no session alone."""

RECENT = 3_000
"""Events among which visitors are looked for."""

POOL = 120
"""The latest visitors, among whom one chooses."""

LAST = 200
"""Events of a visitor that are counted."""

SHOWN = 3
"""Products of a visitor that are shown."""


@dataclass(frozen=True)
class Person:
    """A visitor in a list."""

    visitor: Visitor
    cards: tuple[Card, ...]  # of their last products, the newest first
    line: str
    last: float
    groups: frozenset[Choice]

    @property
    def name(self) -> str:
        """The id, as it is looked for."""
        return id_of(self.visitor)


def people(desk: Desk, words: Words, *, today: float) -> list[Person]:
    """The latest visitors; today: when the day of the shop began, in seconds."""
    latest = dict([*figures.recent(desk.store, RECENT).items()][:POOL])
    return _persons(desk, words, latest, today)


def near(desk: Desk, words: Words, asked: str, *, today: float, most: int) -> list[Person]:
    """Those of the latest visitors whose ids have what was asked for."""
    found = {
        each: last for each, last in figures.recent(desk.store, RECENT).items() if asked.lower() in id_of(each).lower()
    }
    return _persons(desk, words, dict([*found.items()][:most]), today)


def _persons(desk: Desk, words: Words, latest: Mapping[Visitor, float], today: float) -> list[Person]:
    shelf = desk.engine.live.shelf
    pasts = desk.store.histories([*latest], last=LAST)
    return [
        Person(visitor, _cards(shelf, past), line_of(shelf, past, words), last, _groups(visitor, past, today))
        for (visitor, last), past in zip(latest.items(), pasts, strict=True)
    ]


def _cards(shelf: Shelf, past: Sequence[Happened]) -> tuple[Card, ...]:
    ids = dict.fromkeys(event.item_id for event in reversed(past) if shelf.find(event.item_id))
    return tuple(card_of(item_id, shelf) for item_id in [*ids][:SHOWN])


def _groups(visitor: Visitor, past: Sequence[Happened], today: float) -> frozenset[Choice]:
    inside: dict[Choice, bool] = {
        "all": True,
        "bought": any(event.kind == "purchase" and event.time >= today for event in past),
        "new": 0 < len(past) < LAST and past[0].time >= today,
        "known": visitor.user_id is not None,
    }
    return frozenset(choice for choice, is_in in inside.items() if is_in)


def line_of(shelf: Shelf, past: Sequence[Happened], words: Words) -> str:
    """What somebody did, as in "12 views, 1 order, mostly cat food"."""
    counts = Counter("view" if event.kind == "click" else event.kind for event in past)
    done = {"view": counts["view"], "cart": counts["cart"], "purchase": orders(past)}
    parts = [words(f"who.{kind}", n=n) for kind, n in done.items() if n]
    if likes := liked(shelf, past, 2):
        parts.append(words("who.likes", likes=words("who.and").join(likes)))
    if past:
        parts.append(words("who.last", when=day(past[-1].time, words.zone)))
    return words("who.comma").join(parts) or words("who.quiet")


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
