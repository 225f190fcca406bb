"""Who did it: users, sessions, which session is whose, and who asked to be forgotten.

A visitor is one text, their key: `u:` and the user's id, or `s:` and the id of a session that has not logged in.
"""

import hmac
import zlib
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, select, text, update

from endcap.data.errors import InputError
from endcap.store import checks
from endcap.store.database import inserts, rows_of
from endcap.store.records import Visitor
from endcap.store.tables import EVENTS, FORGOTTEN, SESSIONS, SHOWN

Login = tuple[str, str]
"""A session's id, and the user who uses it from now on."""

_OWNERS = select(SESSIONS).where(SESSIONS.c.session_id.in_(bindparam("ids", expanding=True)))
_SESSIONS = select(SESSIONS.c.session_id).where(SESSIONS.c.user_id == bindparam("user"))
_LOGIN = inserts(SESSIONS, ["session_id"], ["user_id"])
_MOVES = [
    update(table).where(table.c.visitor == bindparam("session")).values(visitor=bindparam("user"))
    for table in (EVENTS, SHOWN)
]
_ANYONE_FORGOTTEN = select(FORGOTTEN.c.time).limit(1)
_FORGET = inserts(FORGOTTEN, ["visitor_hash"], ["time"])
_FORGOTTEN = select(FORGOTTEN).where(FORGOTTEN.c.visitor_hash.in_(bindparam("ids", expanding=True)))

_LOCK = 7_310_251
_LOCKS = 64  # PostgreSQL has room for some 64 locks a transaction, so sessions share them
_LOCK_SESSIONS = text(
    "SELECT CASE WHEN alone THEN CAST(pg_advisory_xact_lock(:lock, place) AS text)"
    " ELSE CAST(pg_advisory_xact_lock_shared(:lock, place) AS text) END"
    " FROM unnest(CAST(:places AS int[]), CAST(:alone AS bool[])) AS wanted (place, alone)"
)


def check(visitor: Visitor) -> None:
    """Raises InputError where a visitor has no id, or one that cannot be."""
    if visitor.user_id is None and visitor.session_id is None:
        raise InputError("found neither user_id nor session_id; expected one of them, or both")
    check_ids(visitor)


def check_ids(visitor: Visitor) -> None:
    """Raises InputError where an id cannot be; having none is no mistake in who asks."""
    if visitor.user_id is not None:
        checks.identifier("user_id", visitor.user_id)
    if visitor.session_id is not None:
        checks.identifier("session_id", visitor.session_id)


def key(user_id: str | None, session_id: str | None) -> str:
    """`u:` and the user, or where there is none `s:` and the session."""
    return f"s:{session_id}" if user_id is None else f"u:{user_id}"


def of_key(key: str) -> Visitor:
    """The visitor of a key."""
    return Visitor(user_id=key[2:]) if key.startswith("u:") else Visitor(session_id=key[2:])


def name(key: str) -> str:
    """The visitor in tables for training and measuring, where anonymous sessions are users too."""
    return key[2:] if key.startswith("u:") else f"session:{key[2:]}"


def owners(connection: Connection, session_ids: Iterable[str]) -> dict[str, str]:
    """Session -> user, of the sessions that have logged in."""
    return {row.session_id: row.user_id for row in rows_of(connection, _OWNERS, dict.fromkeys(session_ids))}


def resolve(connection: Connection, visitors: Sequence[Visitor]) -> tuple[list[str], list[Login | None]]:
    """The key of each of some visitors who act one after another, and the login that each act is, if any.

    To be called inside the transaction that writes under these keys, and that does the logins.
    """
    whose = _settled(connection, visitors)
    keys, logins = [], []
    for visitor in visitors:
        user, session, login = visitor.user_id, visitor.session_id, None
        if user is None:
            user = whose.get(session or "")
        elif session is not None and whose.get(session) != user:
            whose[session] = user
            login = session, user
        keys.append(key(user, session))
        logins.append(login)
    return keys, logins


def login(connection: Connection, logins: Iterable[Login]) -> None:
    """From now on the sessions are those users'; what they did while nobody's becomes the users' too."""
    for session, user in logins:
        connection.execute(_LOGIN[connection.dialect.name], {"session_id": session, "user_id": user})
        for move in _MOVES:
            connection.execute(move, {"session": key(None, session), "user": key(user, None)})


def identify(connection: Connection, visitor: Visitor) -> None:
    """The login that a visitor with both ids is, where it is news."""
    _, logins = resolve(connection, [visitor])
    login(connection, [each for each in logins if each])


def forget(connection: Connection, user_id: str, now: float, salt: bytes) -> int:
    """Takes out a user with sessions, events and lists; returns how many events there were."""
    user = key(user_id, None)
    keys = [user, *[key(None, session) for session in sessions_of(connection, user_id)]]
    connection.execute(
        _FORGET[connection.dialect.name], [{"visitor_hash": _hashed(each, salt), "time": now} for each in keys]
    )
    connection.execute(delete(SHOWN).where(SHOWN.c.visitor == user))
    connection.execute(delete(SESSIONS).where(SESSIONS.c.user_id == user_id))
    return connection.execute(delete(EVENTS).where(EVENTS.c.visitor == user)).rowcount


def sessions_of(connection: Connection, user_id: str) -> list[str]:
    """The sessions that a user used last."""
    return list(connection.execute(_SESSIONS, {"user": user_id}).scalars())


def forgotten(connection: Connection, visitors: Iterable[Visitor], salt: bytes) -> dict[Visitor, float]:
    """Visitor -> when, of those who asked to be forgotten, as user or by their session."""
    if connection.execute(_ANYONE_FORGOTTEN).first() is None:
        return {}
    hashes: dict[str, list[Visitor]] = {}
    for visitor in set(visitors):
        for own in _keys(visitor):
            hashes.setdefault(_hashed(own, salt), []).append(visitor)
    found: dict[Visitor, float] = {}
    for row in rows_of(connection, _FORGOTTEN, hashes):
        for visitor in hashes[row.visitor_hash]:
            found[visitor] = max(row.time, found.get(visitor, row.time))
    return found


def _keys(visitor: Visitor) -> list[str]:
    """The keys of a user and of a session apart."""
    user = [] if visitor.user_id is None else [key(visitor.user_id, None)]
    return user if visitor.session_id is None else [*user, key(None, visitor.session_id)]


def _hashed(key: str, salt: bytes) -> str:
    return hmac.digest(salt, key.encode(), "sha256").hex()


def _settled(connection: Connection, visitors: Sequence[Visitor]) -> dict[str, str]:
    """Session -> user, which no other transaction changes for anonymous sessions until this one ends.

    Otherwise an event written as the session's could miss the login that moves what the session did to its user.
    SQLite has one writer, so this is so by itself.
    """
    wanted = {visitor.session_id: visitor.user_id for visitor in visitors if visitor.session_id is not None}
    if not wanted:
        return {}
    whose = owners(connection, wanted)
    if connection.dialect.name == "sqlite":
        return whose
    locks: dict[int, bool] = {}
    for visitor in visitors:
        session = visitor.session_id
        if session is not None and (session not in whose or visitor.user_id not in (None, whose[session])):
            place = zlib.crc32(session.encode()) % _LOCKS
            locks[place] = locks.get(place, False) or visitor.user_id is not None
    if not locks:
        return whose
    # In one order, so that two transactions never wait for each other.
    places = sorted(locks)
    alone = [locks[place] for place in places]
    connection.execute(_LOCK_SESSIONS, {"lock": _LOCK, "places": places, "alone": alone})
    return owners(connection, wanted)
