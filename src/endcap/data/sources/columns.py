"""All columns of a plain source, to be looked at: what is in those that are not read."""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from endcap.data.backend import Backend
from endcap.data.sources import FORMATS, delimited, jsonl, parquet
from endcap.data.sources.duck import literal_name
from endcap.data.sources.log import Log
from endcap.data.sources.recognise import choose

_READERS = {"csv": delimited.CSV_READER, "tsv": delimited.TSV_READER, "parquet": parquet.READER, "jsonl": jsonl.READER}


@dataclass(frozen=True)
class Columns:
    """A relation with every column of a source."""

    names: list[str]
    _connection: duckdb.DuckDBPyConnection
    _relation: str

    def text(self, name: str) -> str:
        """A column as SQL text."""
        return f"{literal_name(name)}::VARCHAR"

    def count(self, condition: str) -> int:
        """Rows that meet a condition."""
        return int(
            self._connection.execute(f"SELECT count(*) FROM {self._relation} WHERE {condition}").fetchall()[0][0]
        )

    def counts(self, name: str, condition: str) -> list[tuple[str, int]]:
        """The values of a column in the rows that meet a condition, the most frequent first."""
        query = f"SELECT trim({self.text(name)}), count(*) FROM {self._relation} WHERE {condition} GROUP BY 1"
        return self._connection.execute(query + " ORDER BY 2 DESC, 1 LIMIT 20").fetchall()

    def shared(self, name: str, user: str, blank: str) -> int:
        """Rows that meet `blank` whose value of a column is that of other rows, all of one user."""
        key, who = literal_name(name), literal_name(user)
        groups = (
            f"SELECT {key} AS key FROM {self._relation} WHERE NOT ({blank}) AND trim({self.text(name)}) <> ''"
            f" GROUP BY 1 HAVING count(DISTINCT {who}) = 1"
        )
        return self.count(f"{blank} AND {key} IN ({groups})")


def columns_of(backend: Backend, path: Path, form: str | None, log: Log) -> Columns | None:
    """The columns of a source; None where it is no plain table, or on Spark."""
    if backend.connection is None or not path.exists():
        return None
    found, source = choose(FORMATS, path, form, log)
    if found.name not in _READERS:
        return None
    reader = _READERS[found.name]
    names = reader.names(source)
    return Columns(names, backend.connection, reader.local(backend.connection, source, names).name)
