"""Where tables are computed: DuckDB inside the process, or a Spark cluster, behind one DataFrame API.

SQLFrame speaks the PySpark DataFrame API to DuckDB, so the same lines run on both.
"""

import tempfile
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import duckdb
from sqlframe.duckdb import DuckDBSession
from sqlframe.duckdb import functions as duckdb_functions
from sqlframe.duckdb.window import Window as DuckDBWindow

# Both engines' frames have the same methods but no common type.
DataFrame = Any


@dataclass(frozen=True)
class Backend:
    """A session with the functions and windows that belong to it."""

    session: Any  # DuckDBSession or pyspark.sql.SparkSession
    F: ModuleType
    Window: Any

    @property
    def connection(self) -> duckdb.DuckDBPyConnection | None:
        """The DuckDB connection, or None on Spark."""
        return self.session._conn if isinstance(self.session, DuckDBSession) else None


def local(memory: str = "4GB", threads: int | None = None) -> Backend:
    """A DuckDB in this process that spills to a temporary folder above `memory`."""
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET temp_directory = '{tempfile.gettempdir()}/endcap-duckdb'")
    connection.execute("SET TimeZone = 'UTC'")
    if threads:
        connection.execute(f"SET threads = {threads}")
    return Backend(DuckDBSession(conn=connection), duckdb_functions, DuckDBWindow)


def spark(session: Any) -> Backend:
    """The same tables on a Spark session of the user's."""
    from pyspark.sql import Window, functions

    return Backend(session, functions, Window)
