"""What the shop knows of a visitor, for their own eyes; and which users a demonstration lets them be."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, func, select

from endcap.engine.shelf import Shelf
from endcap.serve.storefront.catalogue import Product, find, product, readable
from endcap.store.database import Database, connect
from endcap.store.records import Happened
from endcap.store.tables import EVENTS

LATEST = 40
REASONS = 100
"""Products of the past that a shelf may name as its reason."""
HOUSEHOLDS = 4
LONGEST_NAME = 16


@dataclass(frozen=True)
class Deed:
    """A line of the drawer."""

    kind: str
    product: Product
    time: float
    quantity: float | None


@dataclass(frozen=True)
class Known:
    """All that lists are made from."""

    deeds: tuple[Deed, ...]  # the latest first
    counts: Counter[str]  # of all events that were read, by kind
    is_cut: bool  # whether there may be more, which no list is made from


@dataclass(frozen=True)
class Household:
    """A user of the store."""

    user_id: str
    events: int

    @property
    def name(self) -> str:
        """The id, or the beginning of one that is too long to read."""
        return shortened(self.user_id)


def shortened(user_id: str) -> str:
    """An id for people."""
    return user_id if len(user_id) <= LONGEST_NAME else f"{user_id[:8]}…"


def known(shelf: Shelf, past: Sequence[Happened], last: int) -> Known:
    """Of products that are in the shop; `last`: events of a past that are read."""
    done = [(event, item) for event in reversed(past) if (item := find(shelf, event.item_id))]
    deeds = tuple(Deed(event.kind, product(shelf, item), event.time, event.quantity) for event, item in done[:LATEST])
    return Known(deeds, Counter(event.kind for event in past), is_cut=len(past) >= last)


def orders(past: Sequence[Happened]) -> int:
    """Purchases of one moment are one order."""
    return len({event.time for event in past if event.kind == "purchase"})


def reasons(shelf: Shelf, past: Sequence[Happened]) -> dict[str, tuple[str, str]]:
    """item_id -> what was last done to it (view, cart, purchase) and its title, of the latest products."""
    found: dict[str, tuple[str, str]] = {}
    for event in reversed(past):
        if len(found) == REASONS:
            break
        item = find(shelf, event.item_id)
        if event.kind != "remove" and item:
            kind = "view" if event.kind == "click" else "purchase" if event.kind == "review" else event.kind
            found.setdefault(shelf.ids[item - 1], (kind, str(shelf.shown(item)["title"])))
    return found


def liked(shelf: Shelf, past: Sequence[Happened], most: int = 3) -> list[str]:
    """The categories of most of a past's events."""
    counts: Counter[str] = Counter()
    for event in past:
        if item := find(shelf, event.item_id):
            counts.update(product(shelf, item).category[-1:])
    return [readable(name) for name, _ in counts.most_common(most)]


@lru_cache(maxsize=4)  # counting takes a second where there are millions of events
def households(db: str, names: tuple[str, ...]) -> tuple[Household, ...]:
    """The users of that name, or those with the most events; `cache_clear` where one was forgotten."""
    counted = select(EVENTS.c.visitor, func.count()).group_by(EVENTS.c.visitor)
    chosen = counted.where(EVENTS.c.visitor.in_([f"u:{name}" for name in names]))
    busiest = counted.where(EVENTS.c.visitor.startswith("u:", autoescape=True))
    statement = chosen if names else busiest.order_by(func.count().desc(), EVENTS.c.visitor).limit(HOUSEHOLDS)

    def read(connection: Connection) -> tuple[Household, ...]:
        return tuple(Household(visitor[2:], n) for visitor, n in connection.execute(statement))

    with closing(Database(connect(db))) as database:
        found = database.read(read, whole=True)
    return tuple(sorted(found, key=lambda each: names.index(each.user_id))) if names else found
