"""What visitors did: written once each, read as histories, as a table to train on, and as the answers to lists."""

import json
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, Executable, Select, bindparam, select, text

from endcap.data.errors import InputError
from endcap.data.schema import EVENT_COLUMNS, KINDS
from endcap.store import checks, visitors
from endcap.store.database import inserts, parts, rows_of
from endcap.store.records import Event, Happened, Visitor
from endcap.store.tables import DONE, EVENTS

_ROWS = 50_000  # rows on their way to Arrow at a time

_COLUMNS = {
    "event_id": "text",
    "visitor": "text",
    "item_id": "text",
    "kind": "text",
    "time": "float8",
    "rating": "float8",
    "price": "float8",
    "quantity": "float8",
    "recommendation_id": "text",
    "attributes": "text",
}
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())
_RECORD: dict[str, Executable] = {
    "sqlite": inserts(EVENTS, ["event_id"])["sqlite"].returning(EVENTS.c.event_id),
    # One statement whatever the number of rows, so that it is planned once; a list per column.
    "postgresql": text(
        f"INSERT INTO events ({', '.join(_COLUMNS)}) SELECT * FROM unnest({_ARRAYS})"
        " ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
    ),
}
# The latest of each visitor, straight from the index however long a history is. Oldest first, by time, then arrival.
_LATEST = {
    "sqlite": (
        "SELECT visitor, item_id, kind, time, rating, price, quantity FROM json_each(:visitors) AS wanted"
        " CROSS JOIN events WHERE events.id IN (SELECT id FROM events WHERE visitor = wanted.value{done}"
        " ORDER BY time DESC, id DESC LIMIT :last) ORDER BY time, events.id"
    ),
    "postgresql": (
        "SELECT wanted.visitor, item_id, kind, time, rating, price, quantity"
        " FROM unnest(CAST(:visitors AS text[])) AS wanted (visitor) CROSS JOIN LATERAL (SELECT * FROM events"
        " WHERE events.visitor = wanted.visitor{done} ORDER BY time DESC, id DESC LIMIT :last) AS latest"
        " ORDER BY time, latest.id"
    ),
}
_HISTORIES = {
    (dialect, shown): text(statement.format(done="" if shown else f" AND {DONE}"))
    for dialect, statement in _LATEST.items()
    for shown in (False, True)
}
_VALUES = ("rating", "price", "quantity")
_EXPORTED = ("event_id", "item_id", "kind", "time", *_VALUES, "recommendation_id", "attributes")
_EXPORT = (
    select(*[EVENTS.c[name] for name in _EXPORTED])
    .where(EVENTS.c.visitor == bindparam("visitor"))
    .order_by(EVENTS.c.time, EVENTS.c.id)
)
_OF_LISTS = select(
    *[EVENTS.c[name] for name in ("id", "recommendation_id", "visitor", "item_id", "kind", "time", *_VALUES)]
).where(EVENTS.c.recommendation_id.is_not(None))
_RESULTS = _OF_LISTS.where(EVENTS.c.recommendation_id.in_(bindparam("ids", expanding=True)))

_TYPES = {
    "id": pa.int64(),
    "recommendation_id": pa.string(),
    "visitor": pa.string(),
    "item_id": pa.string(),
    "kind": pa.string(),
    "time": pa.float64(),
    **dict.fromkeys(_VALUES, pa.float64()),
}


def rows(events: Sequence[Event], now: float) -> list[dict[str, Any]]:
    """The events as rows without a visitor; raises InputError where one cannot be."""
    return [_row(event, now) for event in events]


def _row(event: Event, now: float) -> dict[str, Any]:
    visitors.check(event.visitor)
    if event.kind not in KINDS:
        raise InputError(f"found kind {event.kind!r}; expected one of {', '.join(KINDS)}")
    optional = {"event_id": event.event_id, "recommendation_id": event.recommendation_id}
    return {
        "item_id": checks.identifier("item_id", event.item_id),
        "kind": event.kind,
        "time": now if event.time is None else checks.time("time", event.time),
        "rating": checks.number("rating", event.rating),
        "price": checks.number("price", event.price),
        "quantity": checks.number("quantity", event.quantity),
        "attributes": checks.json_text("attributes", dict(event.attributes)) if event.attributes else None,
        **{name: given if given is None else checks.identifier(name, given) for name, given in optional.items()},
    }


def record(
    connection: Connection, events: Sequence[Event], rows: Sequence[dict[str, Any]], salt: bytes
) -> tuple[list[bool], int]:
    """Which of the events are new, and how many were left out because their visitor was forgotten after they happened.

    A session's login counts only with an event that is new: one that is sent again says nothing of today.
    """
    timed = [event.visitor for event in events if event.time is not None]
    forgotten = visitors.forgotten(connection, timed, salt)
    keep = [
        place
        for place, event in enumerate(events)
        if event.time is None or event.time > forgotten.get(event.visitor, float("-inf"))
    ]
    keys, logins = visitors.resolve(connection, [events[place].visitor for place in keep])
    written = [rows[place] | {"visitor": key} for place, key in zip(keep, keys, strict=True)]
    taken = _written(connection, written) if written else set()
    new = [False] * len(events)
    for place in keep:
        event_id = events[place].event_id
        new[place] = event_id is None or event_id in taken
        taken.discard(event_id or "")  # the second of the same id in one call is not new
    visitors.login(connection, [each for place, each in zip(keep, logins, strict=True) if each and new[place]])
    return new, len(events) - len(keep)


def _written(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Writes the rows whose event_id is not there yet; returns the ids of those."""
    dialect = connection.dialect.name
    values: Any = rows if dialect == "sqlite" else {name: [row[name] for row in rows] for name in _COLUMNS}
    found = connection.execute(_RECORD[dialect], values).scalars()
    return {event_id for event_id in found if event_id is not None}


def histories(connection: Connection, asked: Sequence[Visitor], last: int, *, shown: bool) -> list[list[Happened]]:
    """The last events of each visitor, oldest first, by two queries for all; nothing for one without any id.

    shown: impressions too, of which there may be very many.
    """
    unnamed = [visitor.session_id for visitor in asked if visitor.user_id is None and visitor.session_id is not None]
    whose = visitors.owners(connection, unnamed) if unnamed else {}
    found: list[list[Happened]] = [[] for _ in asked]
    places: dict[str, list[list[Happened]]] = {}
    for visitor, own in zip(asked, found, strict=True):
        session = visitor.session_id
        user = visitor.user_id or whose.get(session or "")
        if user is not None:
            places.setdefault(visitors.key(user, None), []).append(own)
        if session is not None and (user is None or visitor.user_id is not None):  # it has not logged in yet
            places.setdefault(visitors.key(None, session), []).append(own)
    dialect = connection.dialect.name
    wanted = json.dumps(list(places), ensure_ascii=False) if dialect == "sqlite" else list(places)
    rows = connection.execute(_HISTORIES[dialect, shown], {"visitors": wanted, "last": last}).all()
    for key, *values in rows:
        event = Happened._make(values)
        for own in places[key]:
            own.append(event)
    return [own[-last:] for own in found]


def export(connection: Connection, user_id: str) -> list[dict[str, Any]]:
    """Every event of a user, oldest first."""
    found = connection.execute(_EXPORT, {"visitor": visitors.key(user_id, None)}).mappings()
    return [dict(row) | {"attributes": json.loads(row["attributes"] or "{}")} for row in found]


def table(connection: Connection, since: float | None) -> pa.Table:
    """The columns of data.schema.EVENT_COLUMNS but `part`, sorted by time, then arrival; row from 1."""
    columns = ("id", "visitor", "item_id", "kind", "time", *_VALUES)
    statement = select(*[EVENTS.c[name] for name in columns])
    found = _sorted(_arrow(connection, _later(statement, since)))
    named = _named(found).append_column("row", pa.array(np.arange(1, len(found) + 1)))
    return named.select([name for name in EVENT_COLUMNS if name != "part"])


def of_lists(connection: Connection, since: float | None) -> pa.Table:
    """The events that name a list: recommendation_id, user_id, item_id, kind, time, rating, price, quantity."""
    return _named(_sorted(_arrow(connection, _later(_OF_LISTS, since)))).drop_columns("id")


def results(connection: Connection, recommendation_ids: Sequence[str]) -> pa.Table:
    """The events that name one of some lists; columns as `of_lists` has them."""
    found = rows_of(connection, _RESULTS, dict.fromkeys(recommendation_ids))
    return _named(_sorted(_batch([tuple(row) for row in found], _OF_LISTS))).drop_columns("id")


def _later(statement: Select[Any], since: float | None) -> Select[Any]:
    return statement if since is None else statement.where(EVENTS.c.time >= since)


def _arrow(connection: Connection, statement: Select[Any]) -> pa.Table:
    streamed = connection.execution_options(yield_per=_ROWS).execute(statement)
    tables = [_batch(some, statement) for some in parts(map(tuple, streamed), _ROWS)]
    return pa.concat_tables(tables) if tables else _batch([], statement)


def _batch(found: Sequence[tuple[Any, ...]], statement: Select[Any]) -> pa.Table:
    names = statement.selected_columns.keys()
    columns = zip(*found, strict=True) if found else repeat((), len(names))
    return pa.table({name: pa.array(values, _TYPES[name]) for name, values in zip(names, columns, strict=True)})


def _sorted(found: pa.Table) -> pa.Table:
    return found.take(pc.sort_indices(found, [("time", "ascending"), ("id", "ascending")]))


def _named(found: pa.Table) -> pa.Table:
    """`user_id` in place of the visitors' keys."""
    place = found.column_names.index("visitor")
    keys = found["visitor"].combine_chunks().dictionary_encode()
    names = pa.array([visitors.name(key) for key in keys.dictionary.to_pylist()], pa.string())
    return found.set_column(place, "user_id", names.take(keys.indices))
