"""Connections and transactions: where a database is, what every connection is told, what is tried again."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from endcap.data.errors import InputError
from endcap.store.errors import Unavailable

T = TypeVar("T")
Insert = sqlite.Insert | postgresql.Insert

WAIT = 5.0
"""Seconds that a statement may take, and that a writer waits for its turn."""

_CONNECT = 2  # seconds
_TRIES = 3
_SQLITE_HEAD = b"SQLite format 3\0"
_SQLITE_AWAY = ("BUSY", "LOCKED", "IOERR", "FULL", "CANTOPEN", "READONLY", "PROTOCOL", "NOMEM")
_READ_ONLY = "25006"  # a PostgreSQL that was made a replica
_COLLIDED = ("40P01", "40001")  # a deadlock, which PostgreSQL has undone; what was undone can be done again
_IDS = 10_000  # parameters of one statement; SQLite takes 32,766


class Database:
    """An engine, and two ways to use it, each a transaction: `read` and `write`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(begin="BEGIN IMMEDIATE")
        # PostgreSQL needs no BEGIN and no ROLLBACK to read: one round trip instead of three.
        is_sqlite = engine.dialect.name == "sqlite"
        self._reader = engine if is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        # SQLite has one writer. Threads that take turns here do not sleep and wake in its busy handler.
        self._turn = threading.Lock() if is_sqlite else None

    @property
    def dialect(self) -> str:
        """Either sqlite or postgresql."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Closes the connections that nobody uses."""
        self._engine.dispose()

    def read(self, work: Callable[[Connection], T], *, whole: bool = False) -> T:
        """What `work` finds; `whole`: all its statements see the same moment, and none is cut off for taking long."""
        if not whole:
            return _tried(self._reader, work)

        def patient(connection: Connection) -> T:
            unhurried(connection)
            return work(connection)

        option = {} if self._turn else {"isolation_level": "REPEATABLE READ"}
        return _tried(self._engine.execution_options(**option), patient)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, after everything it did is on disk; raises Unavailable where nothing was done."""
        if self._turn is None:
            return _tried(self._writer, work)
        if not self._turn.acquire(timeout=WAIT):
            raise Unavailable(f"the database is busy: other writers took longer than {WAIT:g} s")
        try:
            return _tried(self._writer, work)
        finally:
            self._turn.release()


def unhurried(connection: Connection) -> None:
    """Lifts the limit on how long a statement may take, to the end of the transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def inserts(table: Table, key: Sequence[str], replaced: Sequence[str] = ()) -> dict[str, Insert]:
    """By dialect: puts rows into a table; where the key is there, replaces some columns, or leaves all as it was."""
    made: dict[str, Insert] = {}
    for name, insert in {"sqlite": sqlite.insert, "postgresql": postgresql.insert}.items():
        statement: Any = insert(table)  # both can ON CONFLICT, each with a construct of its own
        made[name] = (
            statement.on_conflict_do_update(
                index_elements=key, set_={column: statement.excluded[column] for column in replaced}
            )
            if replaced
            else statement.on_conflict_do_nothing(index_elements=key)
        )
    return made


def rows_of(connection: Connection, statement: Executable, ids: Iterable[str]) -> list[Row[Any]]:
    """The rows of a statement that has `IN :ids`, some thousand ids at a time."""
    return [row for some in parts(ids, _IDS) for row in connection.execute(statement, {"ids": some})]


def parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` values, the last one shorter."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def connect(url: str) -> Engine:
    """An engine that has not connected yet; raises InputError where the address is none."""
    place = _parse(url)
    if place.get_backend_name() == "sqlite":
        _check_file(place.database)
        arguments: dict[str, Any] = {"check_same_thread": False, "timeout": WAIT}
    else:
        # tcp_user_timeout: a server that vanished is noticed while a statement waits for it.
        wanted = {"connect_timeout": _CONNECT, "tcp_user_timeout": int(1000 * WAIT), "client_encoding": "utf8"}
        arguments = {name: value for name, value in wanted.items() if name not in place.query}
    try:
        engine = create_engine(
            place, connect_args=arguments, pool_size=8, max_overflow=8, pool_timeout=WAIT, pool_use_lifo=True
        )
    except ModuleNotFoundError as error:
        raise InputError("PostgreSQL needs the package psycopg: pip install 'endcap[postgres]'") from error
    event.listen(engine, "connect", _sqlite if engine.dialect.name == "sqlite" else _postgresql)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "begin", _begin)
    return engine


def _parse(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    scheme = url.partition("://")[0]  # no more of it is ever shown: passwords are in there
    expected = "expected a file such as shop.db or sqlite:///shop.db, or postgresql://user:password@host/database"
    try:
        place = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InputError(f"found an address {scheme}://… that cannot be read; {expected}") from error
    if place.drivername in ("postgresql", "postgresql+psycopg", "postgres"):
        return place.set(drivername="postgresql+psycopg")
    if place.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise InputError(f"found a database {scheme}://…; {expected}")
    return place


def _check_file(path: str | None) -> None:
    if not path or path == ":memory:":
        raise InputError("found a SQLite database in memory; expected a file, such as sqlite:///shop.db")
    file = Path(path)
    if not file.parent.is_dir():
        raise InputError(f"found no folder {file.parent} for the database {file.name}; make it first")
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_SQLITE_HEAD))
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"cannot open the database {path}: {error.strerror}") from error
    if head and head != _SQLITE_HEAD:
        raise InputError(f"{path} is no SQLite database; give the path of one, or of a file that is not there yet")


def _sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the module's own BEGIN would come too late; _begin says it
    deadline = time.monotonic() + WAIT
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except connection.OperationalError as error:  # the busy handler is not asked where two switch at once
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise InputError("the place of the database allows no write-ahead log (a network drive?); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk when it returns
    connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _postgresql(connection: Any, record: object) -> None:
    # Not among the options of connecting: poolers such as pgbouncer refuse those.
    connection.execute(f"SET statement_timeout = {int(1000 * WAIT)}")
    connection.commit()


def _tried(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Does it, again where the database undid it: a deadlock, a connection that had broken before.

    A commit is never sent twice: where it fails, nobody knows whether it was done.
    """
    tries = 0
    while True:
        tries, worked = tries + 1, False
        try:
            with engine.begin() as connection:
                result = work(connection)
                worked = True
            return result
        except SQLAlchemyError as error:
            away = _away(error)
            if away is None:
                raise
            if worked or tries == _TRIES or not _undone(error):
                raise away from error


def _undone(error: SQLAlchemyError) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _COLLIDED


def _away(error: SQLAlchemyError) -> Unavailable | None:
    """What the error says of the database; None where it is not the database that is wrong."""
    if isinstance(error, PoolTimeout):
        return Unavailable(f"the database is busy: no connection was free within {WAIT:g} s")
    if not isinstance(error, DBAPIError):
        return None
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        away = name.removeprefix("SQLITE_").startswith(_SQLITE_AWAY)
    else:
        away = isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
        away = away or getattr(error.orig, "sqlstate", None) == _READ_ONLY
    reason = next(iter(str(error.orig).strip().splitlines()), "no reason given")
    return Unavailable(f"the database is away: {reason}") if away else None
