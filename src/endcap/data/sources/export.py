"""Reading the rows of a shop's table, and finding its columns under the names that its versions gave them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.schema import EXTRA_COLUMNS, ITEM_COLUMNS
from endcap.data.sources.duck import ROW, local, readable, scan_delimited
from endcap.data.sources.money import Problem
from endcap.data.sources.plain import unique
from endcap.data.sources.source import Source, fields, find, head
from endcap.data.sources.tables import Mapped

Row = dict[str, str | None]

TABLES = (
    ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".json", ".json.gz", ".jsonl", ".jsonl.gz", ".xml", ".xml.gz", ".parquet",
)  # fmt: skip
"""What the names of files with rows end in."""
MOST_NAMED = 8


@dataclass(frozen=True)
class Rows:
    """Rows by their number in the file (numbered on from file to file) and the records that could not be split."""

    header: list[str]
    rows: list[tuple[int, Row]]
    problems: list[Problem]


def read_rows(backend: Backend, source: Source, file: Path, form: str, *, before: int = 0) -> Rows:
    """The whole table; `before` is how many rows earlier files had."""
    connection = local(backend, source, form)
    one = find(file)
    names = unique(one.header, one)
    with readable(one, form):
        scan = scan_delimited(connection, [file], names, names, delimiter=one.delimiter, preamble=one.preamble)
        found = connection.execute(f"SELECT {ROW}, * EXCLUDE ({ROW}) FROM {scan.name} ORDER BY 1").fetchall()
        broken = connection.execute(f"FROM {scan.problems}").fetchall() if scan.problems else []
    rows = [(row + before, dict(zip(names, values, strict=True))) for row, *values in found]
    return Rows(names, rows, [(row + before, *rest) for row, *rest in broken])


def named(usual: Mapping[str, Sequence[str]], header: Sequence[str], given: Mapped, where: Path) -> dict[str, str]:
    """Canonical column -> the header's name for it: the one given, else the first of the usual ones that is there."""
    for column, name in given.items():
        if column not in (*ITEM_COLUMNS, *EXTRA_COLUMNS):
            raise InputError(f"--map items.{column}={name}: there is no column {column} in a catalogue")
        if name not in header:
            raise InputError(f"--map items.{column}={name}: {where} has no column {name}; it has {', '.join(header)}")
    lower = {name.lower(): name for name in header}
    found = {
        column: lower[name.lower()]
        for column, names in usual.items()
        for name in [next((each for each in names if each.lower() in lower), "")]
        if name
    }
    return found | dict(given)


def kept(row: Row, header: Iterable[str], used: Iterable[str]) -> Row:
    """The columns of a row that have no meaning here."""
    known = set(used)
    return {name: row[name] for name in header if name not in known}


def unread(source: Source, files: Iterable[Path]) -> list[str]:
    """A note that names the tables of a folder that are no part of its catalogue; none where there are none."""
    others = [file.name for file in source.files if file.name.lower().endswith(TABLES) and file not in {*files}]
    more = f" and {len(others) - MOST_NAMED:,} more" if len(others) > MOST_NAMED else ""
    return [f"no part of the catalogue, not read: {', '.join(others[:MOST_NAMED])}{more}"] * bool(others)


def has_columns(file: Path, needed: Iterable[str], delimiters: str = ",;\t") -> bool:
    """Whether the header has all of these, whatever their case."""
    text = head(file)
    return any(set(map(str.lower, needed)) <= {name.strip().lower() for name in fields(text, d)} for d in delimiters)
