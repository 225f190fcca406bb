"""A small engine in memory, with the same methods; what it cannot do, it can be told to."""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.engine.alike import Likeness
from endcap.engine.engine import Beside
from endcap.engine.filters import parse
from endcap.engine.requests import Answer, Ask, Reason, Recommended
from endcap.engine.rules import dump_rule, parse_rule
from endcap.engine.searching import Hits, Sought, look_up, suggestions
from endcap.engine.shelf import Shelf
from endcap.search.suggesting import Suggestions
from endcap.store.errors import Unavailable
from endcap.store.records import Event


class FakeStore:
    def __init__(self) -> None:
        self.away = False
        self.events: list[Event] = []
        self.published: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[str, str]] = []

    def ping(self) -> None:
        if self.away:
            raise Unavailable("asked to be away")

    def export(self, user_id: str) -> dict[str, Any]:
        own = [event for event in self.events if event.visitor.user_id == user_id]
        return {"user_id": user_id, "events": [event.item_id for event in own]}

    def forget(self, user_id: str, *, now: float) -> int:
        kept = [event for event in self.events if event.visitor.user_id != user_id]
        gone, self.events = len(self.events) - len(kept), kept
        return gone

    def rules(self) -> list[tuple[str, dict[str, Any]]]:
        return list(self.published.items())

    def put_rule(self, rule_id: str, body: Mapping[str, Any], *, by: str, now: float) -> int:
        self.published[rule_id] = dict(body)
        self.log.append((by, rule_id))
        return len(self.log)

    def delete_rule(self, rule_id: str, *, by: str, now: float) -> int:
        del self.published[rule_id]
        self.log.append((by, rule_id))
        return len(self.log)


class FakeEngine:
    """Recommends what lies in the shop, the visitor's last item first."""

    def __init__(self, items: Sequence[str] = ("tea", "milk", "rum")) -> None:
        self.store: FakeStore | None = FakeStore()
        self.rows: dict[str, dict[str, Any]] = {item_id: {"title": item_id.title(), "price": 2.5} for item_id in items}
        self.photos: dict[str, bytes] = {}
        self.seen: set[str] = set()  # event ids
        self.asked: list[list[Ask]] = []
        self.versions = ["first"]
        self.beside: dict[str, tuple[Path | None, float]] = {}
        self.revision = 0
        self.pause = 0.0  # seconds that every call takes
        self.closed = False
        self.lock = threading.Lock()

    @property
    def about(self) -> Mapping[str, Any]:
        return {
            "models": {"live": self.versions[-1]},
            "items": len(self.rows),
            "revisions": {"items": self.revision},
        }

    def search(self, sought: Sought) -> Hits:
        self._reach()
        shelf = self._shelf()
        if sought.filter is not None:
            shelf.mask(parse(sought.filter))
        return Hits(shelf, look_up(shelf, sought.query), {}, self.versions[-1])

    def suggest(self, query: str, k: int) -> tuple[Shelf, Suggestions]:
        self._reach()
        shelf = self._shelf()
        return shelf, suggestions(shelf, query, k)

    def _shelf(self) -> Shelf:
        titles = [str(row.get("title")) for row in self.rows.values()]
        table = pa.table({"item_id": list(self.rows), "title": titles, "price": [2.5] * len(titles)})
        return Shelf.of(Catalog.from_table(table, list(self.rows)), {})

    def recommend(self, asks: Sequence[Ask]) -> list[Answer | InputError]:
        self._reach()
        self.asked.append(list(asks))
        version = self.versions[-1]
        return [self._answer(ask, version) for ask in asks]

    def page(self, asks: Sequence[Ask]) -> list[Answer | InputError]:
        return self.recommend(asks)

    def _answer(self, ask: Ask, version: str) -> Answer | InputError:
        if ask.filter == "wrong":
            return InputError("found 'wrong' at column 1; expected a filter such as price < 5")
        assert self.store is not None
        past = [event.item_id for event in self.store.events if event.visitor == ask.visitor]
        if ask.history is not None:
            past = [step.item_id for step in ask.history]
        order = [*reversed(past), *self.rows]
        chosen = [item_id for item_id in dict.fromkeys(order) if item_id in self.rows][: ask.k]
        reason = Reason("because", tuple(past[-1:])) if ask.explain else None
        items = tuple(Recommended(each, 1.0, reason, self.rows[each]) for each in chosen)
        return Answer("r1", items, version, tuple(each for each in past if each not in self.rows))

    def similar(self, item_id: str, k: int, filter: str | None = None, *, by: Likeness = "content") -> Answer:  # noqa: A002
        if item_id not in self.rows:
            raise InputError(f"found no item {item_id!r}; expected an id of the catalogue")
        if filter == "wrong":
            raise InputError("found 'wrong'; expected a filter")
        others = [each for each in self.rows if each != item_id][:k]
        return Answer("", tuple(Recommended(each, 0.5, None, self.rows[each]) for each in others), self.versions[-1])

    def record(self, events: Sequence[Event]) -> list[bool]:
        self._reach()
        assert self.store is not None
        with self.lock:
            new = []
            for event in events:
                new.append(event.event_id is None or event.event_id not in self.seen)
                if new[-1]:
                    self.seen.add(event.event_id or "")
                    self.store.events.append(event)
        return new

    def _reach(self) -> None:
        time.sleep(self.pause)
        if self.store is not None:
            self.store.ping()

    def item(self, item_id: str) -> dict[str, Any]:
        return {"item_id": item_id, **self.rows[item_id]} if item_id in self.rows else {}

    def put_items(self, rows: Sequence[Mapping[str, Any]], photos: Mapping[str, bytes] | None = None) -> int:
        for item_id, photo in (photos or {}).items():
            if not photo:
                raise InputError("found no usable photo")
            self.photos[item_id] = photo
        for row in rows:
            self.rows[row["item_id"]] = {**self.rows.get(row["item_id"], {}), **row}
        self.revision += 1
        return self.revision

    def delete_items(self, item_ids: Sequence[str]) -> int:
        for item_id in item_ids:
            self.rows.pop(item_id, None)
        self.revision += 1
        return self.revision

    def put_rule(self, rule_id: str, body: Mapping[str, Any], *, by: str) -> int:
        assert self.store is not None
        return self.store.put_rule(rule_id, dump_rule(parse_rule(body)), by=by, now=time.time())

    def refresh(self) -> None:
        pass

    def promote(self, path: Path, *, by: str) -> None:
        self.versions.append(path.name)

    def roll_back(self, *, by: str) -> None:
        if len(self.versions) < 2:
            raise InputError("found no artifact that was live before")
        self.versions.pop()

    def set_role(self, role: Beside, path: Path | None, *, share: float, by: str) -> None:
        self.beside[role] = (path, share)

    def close(self) -> None:
        self.closed = True
