"""What the plain formats (delimited text, Parquet, JSON Lines) share: one record an event, columns found by name."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import sqlglot

from endcap.data.backend import Backend, Column, DataFrame
from endcap.data.errors import InputError
from endcap.data.parse import NOTHING
from endcap.data.schema import EVENT_COLUMNS, EXTRA_COLUMNS, ITEM_COLUMNS
from endcap.data.sources.duck import Scan, frame, readable
from endcap.data.sources.guess import event_columns, item_columns
from endcap.data.sources.log import AS_IT_IS
from endcap.data.sources.origins import Origin, Place
from endcap.data.sources.rows import asked, selected, used
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Items, Mapped, Tables
from endcap.data.sources.tidy import tidied


@dataclass(frozen=True)
class Plain:
    """How one plain format is read here and on Spark: the columns asked for, with `row`."""

    name: str
    names: Callable[[Source], list[str]]
    local: Callable[[duckdb.DuckDBPyConnection, Source, Sequence[str]], Scan]
    spark: Callable[[Backend, Source, Sequence[str]], tuple[DataFrame, DataFrame | None]]


def read_events(plain: Plain, backend: Backend, source: Source, given: Mapped) -> Tables:
    """A log whose columns are given or guessed by their names."""
    found = plain.names(source)
    columns = event_columns(found, given, str(source.path))
    if source.log.kind:
        columns.pop("kind", None)
    origins = asked(columns, source.log, found, str(source.path))
    events, problems, notes = _load(plain, backend, source, origins)
    return Tables(plain.name, events, None, columns, problems, notes)


def read_items(plain: Plain, backend: Backend, source: Source, given: Mapped) -> Items:
    """A catalogue: the canonical columns first, then the source's others under their own names."""
    found = plain.names(source)
    columns = item_columns(found, given, str(source.path))
    origins = asked(columns, AS_IT_IS, found, str(source.path))
    own = others(found, used(origins))
    items, problems, notes = _load(
        plain, backend, source, origins | {n: Origin(((Place(c),),)) for n, c in own.items()}
    )
    notes += [f"kept under their own names: {', '.join(own)}"] * bool(own)
    if problems is not None:
        F = backend.F  # noqa: N806
        problems = problems.withColumn("column", F.concat(F.lit("items."), F.col("column")))
    return tidied(backend, Items(plain.name, items, columns, problems, notes))


def others(found: Iterable[str], used: Iterable[str]) -> dict[str, str]:
    """New name -> name of the columns left over, as plain words: SQLFrame reads `a b` as `a AS b`.

    `source_` comes before a name that has a meaning of its own here, or in SQL.
    """
    ours = {*EVENT_COLUMNS, *ITEM_COLUMNS, *EXTRA_COLUMNS}
    taken = {*ours}
    renamed: dict[str, str] = {}
    for name in found:
        if name not in set(used):
            word = re.sub(r"\W+", "_", name).strip("_")
            plain = word if word.lower() not in ours and _is_column(word) else f"source_{word}"
            unique = next(each for n in itertools.count(1) if (each := plain + f"_{n}" * (n > 1)).lower() not in taken)
            renamed[unique] = name
            taken.add(unique.lower())
    return renamed


def _is_column(word: str) -> bool:
    """Whether SQL takes a bare word for a column's name."""
    try:
        return isinstance(sqlglot.parse_one(word, read="duckdb"), sqlglot.exp.Column)
    except sqlglot.errors.SqlglotError:
        return False


def unique(names: Sequence[str], source: Source) -> list[str]:
    """Column names, with nameless ones numbered; raises InputError where two are the same but for case."""
    named = [name.strip() or f"column{place}" for place, name in enumerate(names, start=1)]
    lower = [name.lower() for name in named]
    if twice := [name for name in named if lower.count(name.lower()) > 1]:
        raise InputError(f"{source.path} has more than one column called {twice[0]}; rename one of them in its header")
    return named


def _load(
    plain: Plain, backend: Backend, source: Source, origins: Mapping[str, Origin]
) -> tuple[DataFrame, DataFrame | None, list[str]]:
    read = used(origins)
    if backend.connection is None:
        return _on_spark(plain, backend, source, origins)
    with readable(source, plain.name):
        scan = plain.local(backend.connection, source, read)
    if not scan.records:
        raise InputError(
            f"{source.path} has no {'readable ' if scan.problems else ''}records; {_nothing(backend, scan)}"
        )
    with readable(source, plain.name):
        made, notes = selected(backend.connection, scan, origins, source.log)
    note = f"read {scan.records:,} records from {_files(source)}"
    return frame(backend, made), frame(backend, scan.problems) if scan.problems else None, [note, *notes]


def _on_spark(
    plain: Plain, backend: Backend, source: Source, origins: Mapping[str, Origin]
) -> tuple[DataFrame, DataFrame | None, list[str]]:
    """Columns as they are, and a kind; all else is asked of the local backend."""
    if not source.log.is_plain or any(place.lists or place.path for o in origins.values() for place in o.places):
        raise InputError(f"{source.path}: Spark reads plain columns; what else is asked of it needs the local backend")
    records, problems = plain.spark(backend, source, used(origins))
    renamed = [_spark_column(backend, each).alias(column) for column, each in origins.items()]
    return records.select("row", *renamed), problems, [f"read {_files(source)} on Spark"]


def _spark_column(backend: Backend, given: Origin) -> Column:
    F = backend.F  # noqa: N806
    alternatives = []
    for places in given.alternatives:
        parts = [F.col("`" + place.column.replace("`", "``") + "`") for place in places]
        alternatives.append(parts[0] if len(parts) == 1 else F.concat_ws(" ", *parts))
    if len(alternatives) == 1:
        return alternatives[0]
    nothing = ["", *NOTHING]
    return F.coalesce(*[F.when(~F.lower(F.trim(each)).isin(nothing), each) for each in alternatives])


def _nothing(backend: Backend, scan: Scan) -> str:
    if scan.problems and backend.connection:
        found = backend.connection.execute(f"SELECT row, problem FROM {scan.problems} ORDER BY row LIMIT 1").fetchall()
        return f"the first broken one is row {found[0][0]}: {found[0][1]}"
    return "expected one record a line after the header"


def _files(source: Source) -> str:
    return f"{len(source.files)} files" if len(source.files) > 1 else source.files[0].name
