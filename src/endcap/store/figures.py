"""What the console reads of a store: sums and samples, never more rows than a page may wait for."""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import BigInteger, Connection, RowMapping, Select, bindparam, cast, func, select

from endcap.store import visitors
from endcap.store.database import rows_of
from endcap.store.records import Shown, Visitor
from endcap.store.store import Store
from endcap.store.tables import EVENTS, PHOTOS, SHOWN

_VALUES = ("rating", "price", "quantity")
_EVENTS = {
    "user_id": pa.string(),
    "item_id": pa.string(),
    "kind": pa.string(),
    "time": pa.float64(),
    **dict.fromkeys(_VALUES, pa.float64()),
}
_NEWEST = (
    select(*[EVENTS.c[name] for name in ("visitor", "item_id", "kind", "time", *_VALUES)])
    .order_by(EVENTS.c.id.desc())
    .limit(bindparam("most"))
)
_THEIRS = (
    select(*[EVENTS.c[name] for name in ("visitor", "item_id", "kind", "time", *_VALUES)])
    .where(EVENTS.c.visitor.in_(bindparam("ids", expanding=True)))
    .order_by(EVENTS.c.time, EVENTS.c.id)
)
_PLACES = 16**4  # an id of a list begins with four digits of chance


@dataclass(frozen=True)
class Span:
    """A time that is looked at in steps of the same length, in seconds."""

    since: float
    step: int
    n: int
    cut: float = math.inf  # where it ends before its last step does

    @property
    def until(self) -> float:
        """Its end, which no longer belongs to it."""
        return min(self.cut, self.since + self.step * self.n)


@dataclass(frozen=True)
class Sample:
    """Lists of a span: all, or a share of them that chance chose."""

    lists: tuple[Shown, ...]
    total: int

    @property
    def share(self) -> float:
        """Of all lists that are here."""
        return len(self.lists) / self.total if self.total else 1.0


def newest_events(store: Store, most: int) -> pa.Table:
    """The events that came last: row (from 1), user_id, item_id, kind, time, rating, price, quantity; oldest first."""

    def found(connection: Connection) -> pa.Table:
        rows = connection.execute(_NEWEST, {"most": most}).all()[::-1]
        return _table([tuple(row) for row in rows])

    return store.read(found, whole=True)


def kinds(store: Store, span: Span, most: int) -> dict[str, list[int]]:
    """Kind -> its events in each step of a span, among the `most` events that came last."""
    latest = select(EVENTS.c.kind, EVENTS.c.time).order_by(EVENTS.c.id.desc()).limit(most).subquery()
    place = cast(latest.c.time - span.since, BigInteger) // span.step
    statement = (
        select(latest.c.kind, place, func.count())
        .where(latest.c.time >= span.since, latest.c.time < span.until)
        .group_by(latest.c.kind, place)
    )
    found: dict[str, list[int]] = {}
    for kind, step, n in store.read(lambda connection: connection.execute(statement).all(), whole=True):
        found.setdefault(kind, [0] * span.n)[min(int(step), span.n - 1)] += n  # PostgreSQL rounds the last half second
    return found


def size(store: Store) -> tuple[int, float | None]:
    """How many events there are, and the time of the one that came last."""

    def found(connection: Connection) -> tuple[int, float | None]:
        last = connection.execute(select(EVENTS.c.time).order_by(EVENTS.c.id.desc()).limit(1)).scalar()
        return connection.execute(select(func.count()).select_from(EVENTS)).scalar_one(), last

    return store.read(found, whole=True)


def lists(store: Store, span: Span, most: int) -> Sample:
    """The lists of a span; where there are more than `most`, about as many by the chance in their ids."""
    within = (SHOWN.c.time >= span.since, SHOWN.c.time < span.until)

    def found(connection: Connection) -> Sample:
        total = connection.execute(select(func.count()).select_from(SHOWN).where(*within)).scalar_one()
        statement = select(SHOWN).where(*within).order_by(SHOWN.c.time, SHOWN.c.recommendation_id).limit(2 * most)
        if total > most:
            bound = f"{int(_PLACES * most / total):04x}"
            statement = statement.where(func.substr(SHOWN.c.recommendation_id, 1, 4) < bound)
        return Sample(_shown(connection, statement), total)

    return store.read(found, whole=True)


def events_of(store: Store, people: Collection[Visitor]) -> pa.Table:
    """What some visitors did, each one's oldest first; columns as `newest_events` has them."""
    return _of(store, people, _THEIRS)


def purchases(store: Store, people: Collection[Visitor], since: float) -> pa.Table:
    """What some visitors bought from a time on; columns as `newest_events` has them."""
    return _of(store, people, _THEIRS.where(EVENTS.c.kind == "purchase", EVENTS.c.time >= since))


def recent(store: Store, most: int) -> dict[Visitor, float]:
    """The visitors of the events that came last, the latest first, and when they were last heard of."""
    latest = select(EVENTS.c.visitor, EVENTS.c.time, EVENTS.c.id).order_by(EVENTS.c.id.desc()).limit(most).subquery()
    statement = select(latest.c.visitor, func.max(latest.c.time)).group_by(latest.c.visitor)
    statement = statement.order_by(func.max(latest.c.id).desc())
    rows = store.read(lambda connection: connection.execute(statement).all())
    return {visitors.of_key(key): time for key, time in rows}


@dataclass(frozen=True)
class Experiment:
    """An A/B test that lists were shown for."""

    name: str
    first: float  # seconds, of its first and last list among those that were read
    last: float
    lists: int


def experiments(store: Store, most: int) -> list[Experiment]:
    """The A/B tests of the newest `most` lists, the latest first."""
    newest = select(SHOWN.c.experiment, SHOWN.c.time).order_by(SHOWN.c.time.desc()).limit(most).subquery()
    statement = (
        select(newest.c.experiment, func.min(newest.c.time), func.max(newest.c.time), func.count())
        .where(newest.c.experiment.is_not(None))
        .group_by(newest.c.experiment)
        .order_by(func.max(newest.c.time).desc())
    )
    rows = store.read(lambda connection: connection.execute(statement).all(), whole=True)
    return [Experiment(*row) for row in rows]


def lists_of(store: Store, experiment: str, most: int) -> list[Shown]:
    """The newest `most` lists of an A/B test, oldest first."""
    return _newest(store, select(SHOWN).where(SHOWN.c.experiment == experiment), most)


def explored(store: Store, most: int) -> list[Shown]:
    """The newest `most` lists in which chance decided some places, oldest first."""
    return _newest(store, select(SHOWN).where(SHOWN.c.explored != "[]"), most)


def with_photo(store: Store) -> set[str]:
    """Ids of the products whose photo is in the store."""
    found = store.read(lambda connection: connection.execute(select(PHOTOS.c.item_id)).scalars().all())
    return set(found)


def _of(store: Store, people: Collection[Visitor], statement: Select[Any]) -> pa.Table:
    keys = {visitors.key(each.user_id, each.session_id) for each in people}
    found = store.read(lambda connection: rows_of(connection, statement, keys), whole=True)
    return _table([tuple(row) for row in found])


def _newest(store: Store, statement: Select[Any], most: int) -> list[Shown]:
    newest = statement.order_by(SHOWN.c.time.desc(), SHOWN.c.recommendation_id.desc()).limit(most)
    return [*store.read(lambda connection: _shown(connection, newest), whole=True)][::-1]


def _shown(connection: Connection, statement: Select[Any]) -> tuple[Shown, ...]:
    return tuple(_list(row) for row in connection.execute(statement).mappings())


def _list(row: RowMapping) -> Shown:
    return Shown(
        **{name: row[name] for name in ("recommendation_id", "time", "slot", "model", "experiment", "arm")},
        visitor=visitors.of_key(row["visitor"]),
        items=tuple(json.loads(row["items"])),
        explored=tuple(json.loads(row["explored"])),
    )


def _table(rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = [*zip(*rows, strict=True)] if rows else [()] * len(_EVENTS)
    names = [visitors.name(key) for key in columns[0]]
    values = dict(zip(_EVENTS, [names, *columns[1:]], strict=True))
    numbered = {"row": pa.array(range(1, len(rows) + 1), pa.int64())}
    return pa.table(numbered | {name: pa.array(values[name], kind) for name, kind in _EVENTS.items()})
