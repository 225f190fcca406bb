import multiprocessing
import os
import sqlite3
import threading
import time
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from endcap.data.errors import InputError
from endcap.store import database as databases
from endcap.store.database import Database, connect
from endcap.store.errors import Unavailable
from endcap.store.migrate import VERSION_TABLE
from endcap.store.records import Event, Visitor
from endcap.store.store import Store
from endcap.store.tables import METADATA
from tests.postgres import Postgres

EVENT = Event(Visitor("ann"), "tea", "view", 1.0)


def test_what_was_written_is_there_after_opening_again(url: str) -> None:
    first = Store.open(url)
    first.record([EVENT], now=9.0)
    first.close()
    second = Store.open(url)
    second.ping()
    assert len(second.histories([Visitor("ann")])[0]) == 1
    second.close()


def test_migrations_make_the_tables_that_the_code_knows(fresh: str) -> None:
    Store.open(fresh).close()
    database = Database(connect(fresh))
    options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    differences = database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    )
    database.close()
    assert differences == []


def test_a_bare_path_is_a_sqlite_file_with_a_durable_log(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "a shop %41?.db"))
    store.record([EVENT], now=9.0)
    settings = [
        store.read(lambda connection, name=name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("journal_mode", "synchronous", "busy_timeout")
    ]
    assert settings == ["wal", 2, 5000]
    assert (tmp_path / "a shop %41?.db").exists()
    store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://root:secret@host/shop", "found a database mysql://…; expected a file such as shop.db"),
        ("postgresql+asyncpg://host/shop", r"found a database postgresql\+asyncpg://"),
        ("postgresql://root:secret@host:port/shop", "found an address postgresql://… that cannot be read"),
        ("sqlite://", "in memory; expected a file"),
        (":memory:", "in memory; expected a file"),
        ("", "in memory; expected a file"),
        ("nowhere/at/all/shop.db", "found no folder nowhere/at/all for the database shop.db"),
        ("src", "cannot open the database src"),
        ("pyproject.toml", "pyproject.toml is no SQLite database"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    with pytest.raises(InputError, match=message) as error:
        Store.open(url)
    assert "secret" not in str(error.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    with pytest.raises(InputError, match="the database cannot be used: file is not a database"):
        Store.open(str(path))


def execute(url: str, statement: str) -> None:
    database = Database(connect(url))
    database.write(lambda connection: connection.exec_driver_sql(statement))
    database.close()


def test_the_database_of_another_program_is_left_alone(fresh: str) -> None:
    execute(fresh, "CREATE TABLE events (its_own text)")
    with pytest.raises(InputError, match=r"tables of another program \(events\)"):
        Store.open(fresh)
    execute(fresh, "INSERT INTO events (its_own) VALUES ('as before')")


def test_a_newer_database_is_refused(fresh: str) -> None:
    Store.open(fresh).close()
    execute(fresh, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(InputError, match=r"written by a newer endcap .*version 9999, this endcap knows up to 0003"):
        Store.open(fresh)


def test_a_schema_of_its_own_in_a_shared_database(postgres: Postgres) -> None:
    url = postgres.database()
    execute(url, "CREATE TABLE events (its_own text)")
    execute(url, "CREATE SCHEMA endcap")
    store = Store.open(f"{url}&options=-csearch_path%3Dendcap")
    assert store.record([EVENT], now=9.0) == [True]
    store.close()


def test_postgresql_without_unicode_is_refused(postgres: Postgres) -> None:
    url = postgres.database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(InputError, match="encoding is LATIN1"):
        Store.open(url)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="the database is away: ") as error:
        Store.open("postgresql://root:secret@127.0.0.1:9/shop")
    assert time.monotonic() - began < 3
    assert "secret" not in str(error.value)


def opened(url: str, gate: object, n: int) -> None:
    gate.wait()  # type: ignore[attr-defined]
    store = Store.open(url)
    store.record([Event(Visitor("ann"), f"i{n}", "view", 1.0)], now=9.0)
    store.close()


def test_processes_that_open_a_new_database_at_once(fresh: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.test_open"])
    gate = context.Barrier(4)
    processes = [context.Process(target=opened, args=(fresh, gate, n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    store = Store.open(fresh)
    assert len(store.histories([Visitor("ann")])[0]) == 4
    store.close()


def test_a_writer_that_never_ends_makes_others_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "WAIT", 0.2)
    store = Store.open(str(tmp_path / "shop.db"))
    other = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="database is locked"):
        store.record([EVENT], now=9.0)
    assert store.histories([Visitor("ann")]) == [[]]  # readers go on
    other.execute("ROLLBACK")
    other.close()
    assert store.record([EVENT], now=9.0) == [True]
    store.close()


def test_a_statement_that_takes_too_long_is_cut_off(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "WAIT", 0.2)
    url = postgres.database()
    store = Store.open(url)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE events")
        with pytest.raises(Unavailable, match="statement timeout"):
            store.record([EVENT], now=9.0)
    assert store.record([EVENT], now=9.0) == [True]
    store.close()


def test_what_many_threads_do_at_once_is_all_there(store: Store) -> None:
    done = []

    def work(thread: int) -> None:
        for n in range(10):
            store.record([Event(Visitor(f"u{thread}"), f"i{n}", "view", float(n))], now=99.0)
            done.append(len(store.histories([Visitor(f"u{thread}")])[0]) == n + 1)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(20)]  # more than there are connections
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [True] * 200
