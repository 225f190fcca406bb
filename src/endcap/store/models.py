"""Which artifact is live under a name, and which ones stand beside it."""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from sqlalchemy import Connection, bindparam, delete, insert, select

from endcap.data.errors import InputError
from endcap.store import checks
from endcap.store.counters import grown
from endcap.store.rules import note
from endcap.store.tables import MODELS

Role = Literal["live", "previous", "shadow", "candidate", "again", "new"]

Place = dict[str, Any]
"""path, since (seconds since 1970), share (of the visitors who get a candidate)."""

_PLACES = select(MODELS.c.role, MODELS.c.path, MODELS.c.since, MODELS.c.share).where(MODELS.c.name == bindparam("of"))


def places(connection: Connection, name: str) -> dict[str, Place]:
    """Role -> the artifact that has it."""
    found = connection.execute(_PLACES, {"of": name}).mappings()
    return {row["role"]: {column: row[column] for column in ("path", "since", "share")} for row in found}


def check(name: str, role: str, path: str | None, share: float) -> None:
    """Raises InputError where there is no such role, or a value that cannot be."""
    checks.identifier("name", name)
    if role not in get_args(Role):
        raise InputError(f"found role {role!r}; expected one of {', '.join(get_args(Role))}")
    if path is not None and not checks.text("path", path):
        raise InputError("found an empty path; expected the folder of an artifact")
    if not 0.0 <= (checks.number("share", share) or 0.0) <= 1.0:
        raise InputError(f"found share {share}; expected 0 to 1")


def put(
    connection: Connection,
    name: str,
    role: str,
    place: Place | None,
    by: str,
    now: float,
    about: Mapping[str, Any],
) -> int:
    """Gives a role to an artifact, or to none; what was live becomes the previous one. Returns the revision."""
    revision = grown(connection, "models")
    before = places(connection, name)
    _replace(connection, name, role, before.get(role), place, by, now, about)
    old = before.get("live")
    if role == "live" and place is not None and old is not None and old["path"] != place["path"]:
        _replace(connection, name, "previous", before.get("previous"), old | {"since": float(now)}, by, now, {})
    return revision


def _replace(
    connection: Connection,
    name: str,
    role: str,
    before: Place | None,
    after: Place | None,
    by: str,
    now: float,
    about: Mapping[str, Any],
) -> None:
    connection.execute(delete(MODELS).where(MODELS.c.name == name, MODELS.c.role == role))
    if after is not None:
        connection.execute(insert(MODELS), after | {"name": name, "role": role})
    old = None if before is None else json.dumps(before)
    new = None if after is None else json.dumps({**about, **after})
    note(connection, "model", f"{name} {role}", old, new, by, now)
