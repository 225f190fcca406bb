"""Odd rows of the catalogue as they were found, and which of them somebody has called right."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from endcap.store import checks
from endcap.store.counters import held
from endcap.store.database import inserts
from endcap.store.records import OddRow
from endcap.store.tables import ODD, SETTINGS

_NAME = "odd"
_STATE = select(SETTINGS.c.value).where(SETTINGS.c.name == _NAME)
_SET = inserts(SETTINGS, ["name"], ["value"])
_PUT = inserts(ODD, ["item_id", "column", "value"])  # what was called right stays so
_ALL = select(ODD).order_by(ODD.c.score.desc(), ODD.c.item_id)


def state(connection: Connection) -> dict[str, Any]:
    """of (which catalogue), at (seconds since 1970), done; nothing where nobody has looked yet."""
    found = connection.execute(_STATE).scalar()
    return {} if found is None else dict(json.loads(found))


def claim(connection: Connection, of: str, now: float, pause: float) -> bool:
    """Whether the caller is the one to look through a catalogue: nobody has, and nobody looked in the last `pause`."""
    held(connection, "items")  # one at a time
    before = state(connection)
    if before and (now - before["at"] < pause or (before["of"] == of and before["done"])):
        return False
    _set_state(connection, of, now, done=False)
    return True


def put(connection: Connection, of: str, rows: Sequence[OddRow], now: float) -> None:
    """Replaces what was found before, but for what was called right."""
    connection.execute(delete(ODD).where(ODD.c.right_by.is_(None)))
    if rows:
        values = [row._asdict() for row in rows]
        connection.execute(_PUT[connection.dialect.name], values)
    _set_state(connection, of, now, done=True)


def all_rows(connection: Connection) -> list[OddRow]:
    """The surest first, those that were called right among them."""
    return [OddRow(**row) for row in connection.execute(_ALL).mappings()]


def set_right(connection: Connection, row: tuple[str, str, str], by: str, now: float) -> bool:
    """Calls a row (item_id, column, value) right; False where there is no such row."""
    item_id, column, value = row
    own = (ODD.c.item_id == item_id, ODD.c.column == column, ODD.c.value == value)
    done = {"right_by": checks.identifier("by", by), "right_at": checks.time("now", now)}
    return connection.execute(update(ODD).where(*own).values(done)).rowcount > 0


def _set_state(connection: Connection, of: str, now: float, *, done: bool) -> None:
    value = json.dumps({"of": of, "at": now, "done": done})
    connection.execute(_SET[connection.dialect.name], {"name": _NAME, "value": value})
