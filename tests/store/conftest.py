"""Every test that takes `url` or `store` runs on SQLite and on PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, update

from endcap.store.database import Database, connect
from endcap.store.store import Store
from endcap.store.tables import COUNTERS, METADATA, SETTINGS
from tests.postgres import Postgres, postgres

__all__ = ["postgres"]

DIALECTS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def shared(postgres: Postgres) -> str:
    url = postgres.database()
    Store.open(url).close()
    return url


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "shop.db"
    Store.open(str(path)).close()
    return path


@pytest.fixture(params=DIALECTS)
def url(request: pytest.FixtureRequest, tmp_path: Path, file: Path) -> str:
    """The address of a store without any rows."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(file, tmp_path)}"
    url: str = request.getfixturevalue("shared")
    database = Database(connect(url))
    database.write(_empty)
    database.close()
    return url


def _empty(connection: Connection) -> None:
    for table in METADATA.sorted_tables:
        if table not in (COUNTERS, SETTINGS):
            connection.execute(delete(table))
    connection.execute(delete(SETTINGS).where(SETTINGS.c.name == "odd"))
    connection.execute(update(COUNTERS).values(value=0))


@pytest.fixture(params=DIALECTS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables (or of a file that is not there yet)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()
