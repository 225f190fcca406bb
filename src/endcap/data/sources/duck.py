"""Reading files with DuckDB: every record is split or reported, in the file's order, at millions of records a second.

A clean file stays where it is: what is handed on is a view, and each use reads the file again. Which broken records
DuckDB skips depends on the columns a query asks for, so a file that has some is copied into a table, once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.sources.source import Source, is_gzip

LONGEST = 8 << 20  # bytes of a record
BUFFER = 32 << 20  # bytes that a thread reads at once; DuckDB would take sixteen times LONGEST
NOT_UTF8 = "not UTF-8; row left out: convert the file, for example iconv -f WINDOWS-1252 -t UTF-8"
ROW = "endcap_row"  # the number of a record, under a name that no source has


@dataclass(frozen=True)
class Scan:
    """A relation with ROW and the columns asked for, its number of records, and a table of broken records if any."""

    name: str
    records: int
    problems: str | None = None


def local(backend: Backend, source: Source, form: str) -> duckdb.DuckDBPyConnection:
    """The DuckDB connection; raises InputError on Spark, for formats that it does not read."""
    if backend.connection is None:
        raise InputError(f"{source.path}: Spark reads csv, tsv, parquet and jsonl; {form} needs the local backend")
    return backend.connection


@contextmanager
def readable(source: Source, form: str) -> Iterator[None]:
    """Turns DuckDB's errors into an InputError that names the file."""
    try:
        yield
    except duckdb.Error as error:
        raise InputError(f"{source.path} cannot be read as {form}: {_reason(str(error))}") from None


def scan_delimited(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    names: Sequence[str],
    used: Sequence[str],
    *,
    delimiter: str,
    quote: str = '"',
    preamble: int = 0,
    header: bool = True,
) -> Scan:
    """The columns `used` of text as strings; its header, if any, comes after `preamble` lines."""
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in names)
    options = (
        f"auto_detect = false, header = {header}, skip = {preamble}, columns = {{{columns}}}, "
        f"delim = {literal(delimiter)}, "
        f"quote = {literal(quote)}, escape = {literal(quote)}, max_line_size = {LONGEST}, buffer_size = {BUFFER}"
    )
    first = 1 + header + preamble
    return joined(connection, [_scan(connection, file, options, used, first=first) for file in files], used)


def scan_lines(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> Scan:
    """The lines of a text as the column `line`, null where blank; here the number is called `row`."""
    options = (
        "auto_detect = false, header = false, columns = {'line': 'VARCHAR'}, delim = '\x01', quote = '', escape = '', "
        f"strict_mode = false, max_line_size = {LONGEST}, buffer_size = {BUFFER}"
    )
    scan = joined(connection, [_scan(connection, file, options, ["line"], first=1) for file in files], ["line"])
    return replace(scan, name=view(connection, f"SELECT {ROW} AS row, line FROM {scan.name}"))


def scan_parquet(connection: duckdb.DuckDBPyConnection, files: Sequence[Path], used: Sequence[str]) -> Scan:
    """The columns `used` with the file's own types; they are decoded once here, so that damage is found at the door."""
    reader = f"read_parquet([{', '.join(literal(str(file)) for file in files)}], binary_as_string = true)"
    types = {name: str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {reader}").fetchall()}
    columns = ", ".join(f"{_plain(name, types[name])} AS {literal_name(name)}" for name in used)
    # hashes, because the file's statistics would answer simple counts without looking at the values
    records = _count(connection, reader, [f"hash({literal_name(name)})" for name in used], "max")
    return Scan(view(connection, f"SELECT row_number() OVER () AS {ROW}, {columns} FROM {reader}"), records)


def view(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """A new view; returns its name. (SQLFrame does not see temporary ones.)"""
    return _create(connection, "VIEW", select)


def table(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """A new table; returns its name."""
    return _create(connection, "TABLE", select)


def store(connection: duckdb.DuckDBPyConnection, values: pa.Table) -> str:
    """A new table with the rows of an Arrow one; returns its name."""
    connection.register("endcap_arrow", values)
    made = table(connection, "SELECT * FROM endcap_arrow")
    connection.unregister("endcap_arrow")
    return made


def frame(backend: Backend, relation: str) -> DataFrame:
    """The DataFrame of a view or table."""
    return backend.session.table(relation)


def count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """The number of rows of a relation or parenthesised query."""
    return _count(connection, relation, [])


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"


def literal_name(text: str) -> str:
    """An identifier in SQL."""
    return '"' + text.replace('"', '""') + '"'


def _scan(connection: duckdb.DuckDBPyConnection, file: Path, options: str, used: Sequence[str], *, first: int) -> Scan:
    compression = "gzip" if is_gzip(file) else "none"
    reader = f"read_csv({literal(str(file))}, {options}, compression = '{compression}'"
    rejects = f"endcap_rejects_{uuid4().hex}"
    storing = f"{reader}, store_rejects = true, rejects_table = '{rejects}', rejects_scan = '{rejects}_scans')"
    records = _count(connection, storing, [literal_name(column) for column in used])
    if not count(connection, rejects):
        numbered = f"SELECT row_number() OVER () AS {ROW}, {_columns(used)} FROM {reader})"
        return Scan(view(connection, numbered), records)
    connection.execute(f"DELETE FROM {rejects}")
    copied = table(connection, f"SELECT row_number() OVER () AS place, {_columns(used)} FROM {storing}")
    problems = table(connection, _problems(rejects, first=first))
    return Scan(view(connection, _numbered(copied, problems, used)), count(connection, copied), problems)


def _numbered(copied: str, problems: str, used: Sequence[str]) -> str:
    """The good records with their numbers in the file.

    The j-th broken record, number b, precedes every good record from the (b - j + 1)-th on; a good record's number is
    its place among the good ones plus the number of broken ones that precede it.
    """
    return f"""
        SELECT (copied.place + coalesce(shifts.shift, 0))::BIGINT AS {ROW}, {_columns(used)}
        FROM {copied} AS copied
        ASOF LEFT JOIN (
            SELECT row - broken + 1 AS place, max(broken) AS shift
            FROM (SELECT row, row_number() OVER (ORDER BY row) AS broken FROM {problems}) GROUP BY 1
        ) AS shifts ON copied.place >= shifts.place"""


def _problems(rejects: str, first: int) -> str:
    """One row per broken record (it can be broken in several columns); DuckDB's number of record 1 is `first`."""
    return f"""
        SELECT (line - {first} + 1)::BIGINT AS row,
               coalesce(first(column_name ORDER BY column_idx), '') AS "column",
               first(csv_line)[:200] AS value,
               CASE first(error_type ORDER BY column_idx)
                   WHEN 'MISSING COLUMNS' THEN 'too few fields; row left out'
                   WHEN 'TOO MANY COLUMNS' THEN 'too many fields; row left out'
                   WHEN 'INVALID ENCODING' THEN '{NOT_UTF8}'
                   WHEN 'UNQUOTED VALUE' THEN 'a quote that is not closed, or closed in the middle, swallows '
                       || (length(first(csv_line)) - length(replace(first(csv_line), chr(10), ''))) || ' line ends'
                   ELSE lower(first(error_type)) || ': ' || first(error_message)[:200] END AS problem
        FROM {rejects} GROUP BY line ORDER BY line"""


def joined(connection: duckdb.DuckDBPyConnection, scans: Sequence[Scan], used: Sequence[str]) -> Scan:
    """Files as one: rows are numbered on from file to file."""
    if len(scans) == 1:
        return scans[0]
    rows, problems, before = [], [], 0
    for scan in scans:
        rows.append(f"SELECT {ROW} + {before} AS {ROW}, {_columns(used)} FROM {scan.name}")
        if scan.problems:
            problems.append(f'SELECT row + {before} AS row, "column", value, problem FROM {scan.problems}')
        before += scan.records + (count(connection, scan.problems) if scan.problems else 0)
    whole = view(connection, " UNION ALL ".join(rows))
    records = sum(scan.records for scan in scans)
    return Scan(whole, records, view(connection, " UNION ALL ".join(problems)) if problems else None)


def _plain(column: str, kind: str) -> str:
    """The column, in a type that both engines have: SQLFrame knows no unsigned numbers, enums or nanoseconds."""
    if kind in ("VARCHAR", "BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "DATE", "TIMESTAMP"):
        return literal_name(column)
    if kind.endswith("[]") or kind.startswith(("STRUCT", "MAP")):
        return f"to_json({literal_name(column)})::VARCHAR"
    return f"{literal_name(column)}::{'TIMESTAMP' if kind.startswith('TIMESTAMP') else 'VARCHAR'}"


def _columns(used: Sequence[str]) -> str:
    return ", ".join(literal_name(column) for column in used)


def _count(
    connection: duckdb.DuckDBPyConnection, relation: str, values: Sequence[str], aggregate: str = "count"
) -> int:
    """Counts rows, and looks at every one of `values` on the way."""
    looks = [f"{aggregate}({value})" for value in values]
    rows = connection.execute(f"SELECT {', '.join(['count(*)', *looks])} FROM {relation}").fetchall()
    return int(rows[0][0])


def _create(connection: duckdb.DuckDBPyConnection, what: str, select: str) -> str:
    created = f"endcap_{uuid4().hex}"
    connection.execute(f"CREATE {what} {created} AS {select}")
    return created


def _reason(message: str) -> str:
    first = message.splitlines()[0].strip()
    if "GZIP" in message:
        return f"{first}; it is cut off or damaged, copy it again (gzip -t tells whether it is whole)"
    if "invalid state" in message:
        return "its quotes or line ends are inconsistent (\\n and \\r\\n mixed?); write it with one kind of line end"
    return f"{first}; it is damaged or of another format: write it again, or name its format with --format"
