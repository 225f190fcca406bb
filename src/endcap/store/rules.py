"""The merchandiser's rules, and the log of who changed what."""

import json
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from endcap.store import checks
from endcap.store.counters import grown, held
from endcap.store.database import inserts
from endcap.store.tables import CHANGES, RULES

_ALL = select(RULES).order_by(RULES.c.rule_id)
_ONE = select(RULES.c.body).where(RULES.c.rule_id == bindparam("rule"))
_PUT = inserts(RULES, ["rule_id"], ["body"])
_KNOWN = select(CHANGES.c.id).where(CHANGES.c.what == "rule", CHANGES.c.name == bindparam("rule")).limit(1)
_CHANGES = select(CHANGES).order_by(CHANGES.c.id.desc()).limit(bindparam("last"))


def published(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    """Every rule, by its id."""
    return [(rule_id, json.loads(body)) for rule_id, body in connection.execute(_ALL)]


def put(connection: Connection, rule_id: str, body: str, by: str, now: float) -> int:
    """Publishes a rule (JSON), in place of the one with this id; returns the revision."""
    revision = grown(connection, "rules")
    before = connection.execute(_ONE, {"rule": rule_id}).scalar()
    connection.execute(_PUT[connection.dialect.name], {"rule_id": rule_id, "body": body})
    note(connection, "rule", rule_id, before, body, by, now)
    return revision


def offer(connection: Connection, rule_id: str, body: str, by: str, now: float) -> bool:
    """Publishes a rule (JSON) unless there ever was one with this id; whether it did."""
    held(connection, "rules")
    if connection.execute(_KNOWN, {"rule": rule_id}).first():
        return False
    put(connection, rule_id, body, by, now)
    return True


def take_out(connection: Connection, rule_id: str, by: str, now: float) -> int:
    """A rule is no more; returns the revision. Nothing changes where there was none."""
    revision = held(connection, "rules")
    before = connection.execute(_ONE, {"rule": rule_id}).scalar()
    if before is None:
        return revision
    connection.execute(delete(RULES).where(RULES.c.rule_id == rule_id))
    note(connection, "rule", rule_id, before, None, by, now)
    return grown(connection, "rules")


def note(
    connection: Connection, what: str, name: str, before: str | None, after: str | None, by: str, now: float
) -> None:
    """Writes a change into the log; `before` and `after` are JSON."""
    values = {"what": what, "name": name, "before": before, "after": after}
    connection.execute(insert(CHANGES), values | {"by": checks.identifier("by", by), "time": checks.time("now", now)})


def changes(connection: Connection, last: int) -> list[dict[str, Any]]:
    """Who changed what, newest first: time, by, what, name, before, after."""
    found = connection.execute(_CHANGES, {"last": last}).mappings()
    bodies = ("before", "after")
    return [
        {name: row[name] for name in ("time", "by", "what", "name")}
        | {name: None if row[name] is None else json.loads(row[name]) for name in bodies}
        for row in found
    ]
