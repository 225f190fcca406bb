"""The catalogue's changes: rows that are merged, what encoders say of them, photos."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from endcap.data.errors import InputError
from endcap.store import checks
from endcap.store.counters import grown, held
from endcap.store.database import inserts, rows_of
from endcap.store.records import ItemChange
from endcap.store.tables import ITEMS, PHOTOS, VECTORS

_IDS: BindParameter[str] = bindparam("ids", expanding=True)
_LONGEST_FINGERPRINT = 128  # with an item's id it must fit one index entry
_BODIES = select(ITEMS.c.item_id, ITEMS.c.body).where(ITEMS.c.item_id.in_(_IDS))
_SINCE = select(ITEMS).where(ITEMS.c.revision > bindparam("seen")).order_by(ITEMS.c.revision, ITEMS.c.item_id)
_VECTORS = select(VECTORS.c.item_id, VECTORS.c.vector).where(
    VECTORS.c.encoders == bindparam("encoders"), VECTORS.c.item_id.in_(_IDS)
)
_PHOTOS = select(PHOTOS).where(PHOTOS.c.item_id.in_(_IDS))
_PUT = inserts(ITEMS, ["item_id"], ["body", "revision"])
_PUT_VECTORS = inserts(VECTORS, ["item_id", "encoders"], ["vector"])
_PUT_PHOTO = inserts(PHOTOS, ["item_id"], ["jpeg"])


def check(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Item -> the columns given, later rows of the same item last; raises InputError where one cannot be."""
    given: dict[str, dict[str, Any]] = {}
    for row in rows:
        item_id = checks.identifier("item_id", row.get("item_id"))
        body = {column: value for column, value in row.items() if column != "item_id"}
        checks.json_text(f"a row of item {item_id!r}", body)
        given.setdefault(item_id, {}).update(body)
    return given


def put(connection: Connection, given: Mapping[str, Mapping[str, Any]]) -> int:
    """Merges the rows into what is there; rows that change nothing are left alone. Returns the revision."""
    revision = held(connection, "items")  # before reading: no one else merges meanwhile
    before = _bodies(connection, given)
    changed = {}
    for item_id, columns in given.items():
        body = before.get(item_id)
        merged = {**(body or {}), **columns}
        if merged != body:
            changed[item_id] = merged
    return _write(connection, changed) if changed else revision


def take_out(connection: Connection, item_ids: Iterable[str]) -> int:
    """The items are no longer in the shop, nor are their vectors and photos; returns the revision."""
    gone = list(dict.fromkeys(item_ids))
    if not gone:
        return held(connection, "items")
    revision = _write(connection, dict.fromkeys(gone))
    for table in (VECTORS, PHOTOS):
        connection.execute(delete(table).where(table.c.item_id == bindparam("gone")), [{"gone": each} for each in gone])
    return revision


def since(connection: Connection, seen: int) -> list[ItemChange]:
    """The items whose last change came after the revision `seen`, in the order of the changes."""
    found = connection.execute(_SINCE, {"seen": seen})
    return [
        ItemChange(item_id, None if body is None else json.loads(body), revision) for item_id, body, revision in found
    ]


def put_vectors(connection: Connection, encoders: str, vectors: Mapping[str, bytes]) -> None:
    """Replaces what the encoders say of some items."""
    rows = [{"encoders": encoders, "item_id": item_id, "vector": vector} for item_id, vector in vectors.items()]
    if rows:
        connection.execute(_PUT_VECTORS[connection.dialect.name], rows)


def check_encoders(encoders: str) -> None:
    """Raises InputError where a fingerprint is too long."""
    if len(checks.identifier("encoders", encoders)) > _LONGEST_FINGERPRINT:
        raise InputError(f"found a fingerprint of {len(encoders)} characters; expected at most {_LONGEST_FINGERPRINT}")


def vectors(connection: Connection, encoders: str, item_ids: Sequence[str]) -> dict[str, bytes]:
    """What the encoders said, of the items for which they were asked before."""
    statement = _VECTORS.params(encoders=encoders)
    return {row.item_id: bytes(row.vector) for row in rows_of(connection, statement, dict.fromkeys(item_ids))}


def put_photo(connection: Connection, item_id: str, jpeg: bytes) -> int:
    """Keeps a photo; the item counts as changed, and its vectors are to be made anew. Returns the revision."""
    held(connection, "items")
    body = _bodies(connection, [item_id]).get(item_id, {})
    connection.execute(_PUT_PHOTO[connection.dialect.name], {"item_id": item_id, "jpeg": jpeg})
    connection.execute(delete(VECTORS).where(VECTORS.c.item_id == item_id))
    return _write(connection, {item_id: body})


def photos(connection: Connection, item_ids: Sequence[str]) -> dict[str, bytes]:
    """The photos there are."""
    return {row.item_id: bytes(row.jpeg) for row in rows_of(connection, _PHOTOS, dict.fromkeys(item_ids))}


def _bodies(connection: Connection, item_ids: Iterable[str]) -> dict[str, dict[str, Any] | None]:
    """The bodies there are, None for items that were taken out."""
    found = rows_of(connection, _BODIES, item_ids)
    return {row.item_id: None if row.body is None else json.loads(row.body) for row in found}


def _write(connection: Connection, bodies: Mapping[str, Mapping[str, Any] | None]) -> int:
    revision = grown(connection, "items")
    rows = [
        {
            "item_id": item_id,
            "body": None if body is None else checks.json_text("a row", body),
            "revision": revision,
        }
        for item_id, body in bodies.items()
    ]
    connection.execute(_PUT[connection.dialect.name], rows)
    return revision
