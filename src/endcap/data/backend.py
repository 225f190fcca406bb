"""Where tables are computed: DuckDB inside the process, or a Spark cluster, behind one DataFrame API.

SQLFrame speaks the PySpark DataFrame API to DuckDB, so the same lines run on both.
"""

import itertools
import tempfile
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import duckdb
from sqlframe.base.session import _BaseSession
from sqlframe.duckdb import DuckDBSession
from sqlframe.duckdb import functions as duckdb_functions
from sqlframe.duckdb.window import Window as DuckDBWindow

# Both engines' frames and columns have the same methods but no common type.
DataFrame = Any
Column = Any

_table_numbers = itertools.count(1)


@dataclass(frozen=True)
class Backend:
    """A session with the functions and windows that belong to it."""

    session: Any  # DuckDBSession or pyspark.sql.SparkSession
    F: ModuleType
    Window: Any
    _tables: dict[str, DataFrame] = field(default_factory=dict, repr=False, compare=False)  # made and not released

    @property
    def connection(self) -> duckdb.DuckDBPyConnection | None:
        """The DuckDB connection, or None on Spark."""
        return self.session._conn if isinstance(self.session, DuckDBSession) else None  # noqa: SLF001  SQLFrame's

    def close(self) -> None:
        """Gives back the memory of DuckDB, whose session SQLFrame keeps for ever; a Spark session is the user's."""
        if self.connection is not None:
            self.connection.close()

    def materialise(self, frame: DataFrame) -> DataFrame:
        """The same rows, computed once: a table on DuckDB, a cache on Spark. Give it back with `release`."""
        if self.connection is None:
            return frame.cache()
        name = f"step_{next(_table_numbers)}"
        # Not a TEMP table: SQLFrame looks names up in the main catalogue only. Not optimised: DuckDB does it better.
        self.connection.execute(f"CREATE TABLE {name} AS {frame.sql(dialect='duckdb', pretty=False, optimize=False)}")
        made = self.session.table(name)
        self._tables[name] = made
        return made

    def view(self, frame: DataFrame) -> DataFrame:
        """The same rows, still computed at each use, under a short name.

        SQLFrame copies a frame's whole expression at every step, which takes longer than small queries.
        """
        if self.connection is None:
            return frame
        name = f"view_{next(_table_numbers)}"
        self.connection.execute(f"CREATE VIEW {name} AS {frame.sql(dialect='duckdb', pretty=False, optimize=False)}")
        return self.session.table(name)

    def release(self, frame: DataFrame) -> None:
        """Frees what `materialise` made; neither it nor a frame that reads it can be used afterwards."""
        if self.connection is None:
            frame.unpersist()
            return
        for name in [name for name, made in self._tables.items() if made is frame]:
            del self._tables[name]
            self.connection.execute(f"DROP TABLE {name}")

    def key(self, *columns: Column | str) -> Column:
        """A hash of the columns as a bigint, to group by instead of wide strings.

        Two of n different values share a key with probability n²/2⁶⁴: 2·10⁻⁵ for 20 million.
        """
        if self.connection is None:
            return self.F.xxhash64(*columns)
        # DuckDB's hash is unsigned, a type that Spark's dialect has no name for: half of it fits a bigint.
        return self.F.shiftright(self.F.hash(*columns), 1).cast("bigint")

    def rows(self, frame: DataFrame) -> list[dict[str, Any]]:
        """The rows of a small frame as dictionaries; NaN stays NaN."""
        names = frame.columns
        return [dict(zip(names, row, strict=True)) for row in frame.collect()]

    def one(self, frame: DataFrame) -> dict[str, Any]:
        """The only row of an aggregate."""
        (row,) = self.rows(frame)
        return row


def local(memory: str = "4GB", threads: int | None = None) -> Backend:
    """A DuckDB in this process that spills to a temporary folder above `memory`."""
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET temp_directory = '{tempfile.gettempdir()}/endcap-duckdb'")
    connection.execute("SET TimeZone = 'UTC'")
    if threads:
        connection.execute(f"SET threads = {threads}")
    # SQLFrame keeps one session per process and would hand back the earlier one with its own connection.
    _BaseSession._instance = None  # noqa: SLF001
    session = DuckDBSession(conn=connection)
    # Names stay as they are: DuckDB itself takes capitals for small letters in ASCII alone.
    for role in ("input", "output", "execution"):
        spoken = getattr(session, f"{role}_dialect")
        setattr(session, f"{role}_dialect", type(spoken)(normalization_strategy="case_sensitive"))
    return Backend(session, duckdb_functions, DuckDBWindow)


def spark(session: Any) -> Backend:
    """The same tables on a Spark session of the user's: a sibling of it, so that its settings stay as they are."""
    from pyspark.sql import Window, functions

    sibling = session.newSession()
    sibling.conf.set("spark.sql.session.timeZone", "UTC")  # times without a zone are UTC
    return Backend(sibling, functions, Window)
