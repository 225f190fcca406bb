"""The lists that were given, for measuring."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select, tuple_

from endcap.store import checks, visitors
from endcap.store.database import inserts
from endcap.store.records import Shown
from endcap.store.tables import SHOWN

PAGE = 5_000
"""Lists that are read at a time."""

_LOG = inserts(SHOWN, ["recommendation_id"])
_PAGE = (
    select(SHOWN)
    .where(tuple_(SHOWN.c.time, SHOWN.c.recommendation_id) > tuple_(bindparam("time"), bindparam("after")))
    .order_by(SHOWN.c.time, SHOWN.c.recommendation_id)
    .limit(PAGE)
)
_EXPORT = select(SHOWN).where(SHOWN.c.visitor == bindparam("visitor")).order_by(SHOWN.c.time)


def rows(lists: Sequence[Shown]) -> list[dict[str, Any]]:
    """The lists as rows without a visitor; raises InputError where one cannot be."""
    return [_row(each) for each in lists]


def _row(shown: Shown) -> dict[str, Any]:
    visitors.check(shown.visitor)
    return {
        "recommendation_id": checks.identifier("recommendation_id", shown.recommendation_id),
        "time": checks.time("time", shown.time),
        "slot": checks.text("slot", shown.slot),
        "model": checks.text("model", shown.model),
        "items": checks.json_text("items", list(shown.items)),
        "experiment": None if shown.experiment is None else checks.text("experiment", shown.experiment),
        "arm": None if shown.arm is None else checks.text("arm", shown.arm),
        "explored": checks.json_text("explored", [dict(place) for place in shown.explored]),
    }


def log(connection: Connection, lists: Sequence[Shown], rows: Sequence[dict[str, Any]]) -> None:
    """Keeps the lists; one that was there before stays as it was.

    No login is read from them: lists are written a while after they were given.
    """
    keys, _ = visitors.resolve(connection, [each.visitor for each in lists])
    written = [row | {"visitor": key} for row, key in zip(rows, keys, strict=True)]
    if written:
        connection.execute(_LOG[connection.dialect.name], written)


def page(connection: Connection, after: tuple[float, str]) -> list[Shown]:
    """The next lists after one (its time and id), oldest first."""
    time, recommendation_id = after
    return [_shown(row) for row in connection.execute(_PAGE, {"time": time, "after": recommendation_id}).mappings()]


def export(connection: Connection, user_id: str) -> list[dict[str, Any]]:
    """Every list that a user was given, oldest first."""
    found = connection.execute(_EXPORT, {"visitor": visitors.key(user_id, None)}).mappings()
    read = {"items": json.loads, "explored": json.loads}
    return [
        {name: read.get(name, lambda value: value)(row[name]) for name in row if name != "visitor"} for row in found
    ]


def _shown(row: RowMapping) -> Shown:
    return Shown(
        **{name: row[name] for name in ("recommendation_id", "time", "slot", "model", "experiment", "arm")},
        visitor=visitors.of_key(row["visitor"]),
        items=tuple(json.loads(row["items"])),
        explored=tuple(json.loads(row["explored"])),
    )
