"""The logs of a data set, one or several, read as one raw table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from endcap.data import sources
from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.kinds import kinds_of
from endcap.data.schema import EVENT_COLUMNS
from endcap.data.sources.log import Log
from endcap.data.sources.recognise import split_columns, with_items
from endcap.data.sources.tables import Tables


@dataclass(frozen=True)
class LogConfig:
    """One of several logs: `[[data.logs]]`."""

    events: str  # a file or a folder
    format: str | None = None  # guessed where not given
    columns: dict[str, str] = field(default_factory=dict)  # canonical name -> the file's column, or a place in it
    kinds: dict[str, str] = field(default_factory=dict)  # the file's word -> view, cart, purchase, review, ...
    kind: str | None = None  # what every row is, where the file has no words for it
    where: tuple[str, ...] = ()  # COLUMN=VALUE or COLUMN!=VALUE: the rows that are kept
    carry: str | None = None  # the column of orders whose head stands on one of their rows alone
    header: tuple[str, ...] = ()  # names of the columns, of a file without a header
    time_format: str | None = None  # day-first, month-first, excel, or such as %d.%m.%Y %H:%M
    timezone: str | None = None  # of times that name none, such as Asia/Shanghai

    @property
    def log(self) -> Log:
        """What is said of it beyond its columns; raises InputError where that cannot be."""
        return Log(self.kind, self.where, self.carry, self.header, self.time_format, self.timezone)


def read_logs(
    backend: Backend, logs: tuple[LogConfig, ...], items: Path | None = None, separator: str | None = None
) -> Tables:
    """The raw tables of all logs, one after the other, and the catalogue; `row` goes on from log to log.

    `separator` is what the paths of the catalogue's categories have in place of ` > `.
    Raises InputError where one of them is unusable, or where only some have times.
    """
    tables = _read(backend, logs, items)
    if separator and tables.items is not None and "category" in tables.items.columns:
        F = backend.F  # noqa: N806
        path = F.regexp_replace(F.col("category"), rf"\s*{re.escape(separator)}\s*", " > ")
        tables = replace(tables, items=tables.items.withColumn("category", path))
    return tables


def _read(backend: Backend, logs: tuple[LogConfig, ...], items: Path | None) -> Tables:
    if len(logs) == 1:
        one = logs[0]
        return sources.read(backend, Path(one.events), format=one.format, columns=one.columns, items=items, log=one.log)
    read, before, notes = [], 0, list[str]()
    catalogue: Mapping[str, str] = {}
    for each in logs:
        events, of_items = split_columns(each.columns)
        catalogue = {**catalogue, **of_items}
        tables = sources.read(backend, Path(each.events), format=each.format, columns=events, log=each.log)
        last = int(backend.one(tables.events.agg(backend.F.max("row").alias("last")))["last"] or 0)
        said = (*tables.notes, f"its rows are {before + 1:,} to {before + last:,}")
        notes += [f"{each.events}: {note}" for note in said]
        read.append(_numbered(backend, tables, each, before))
        before += last
    timed = ["time" in tables.events.columns for tables in read]
    if any(timed) and not all(timed):
        without = next(log.events for log, has in zip(logs, timed, strict=True) if not has)
        raise InputError(f"{without} has no times, and other logs have; name its column, columns = {{ time = ... }}")
    names = [name for name in EVENT_COLUMNS if any(name in tables.events.columns for tables in read)]
    whole = _together(backend, [tables.events for tables in read], names)
    problems = [tables.problems for tables in read if tables.problems is not None]
    joined = Tables(
        " and ".join(dict.fromkeys(tables.format for tables in read)), whole,
        columns={name: " or ".join(dict.fromkeys(t.columns[name] for t in read if name in t.columns))
                 for name in names if any(name in t.columns for t in read)},
        problems=_united(problems), notes=notes,
    )  # fmt: skip
    given = [tables for tables in read if tables.items is not None]
    if items:
        return with_items(joined, sources.read_items(backend, items, columns=catalogue))
    return replace(joined, items=given[0].items, aliases=given[0].aliases) if given else joined


def _numbered(backend: Backend, tables: Tables, log: LogConfig, before: int) -> Tables:
    """The log's rows counted on from those before it, its words for kinds in ours, and its name in its problems."""
    F = backend.F  # noqa: N806
    events = tables.events.withColumn("row", (F.col("row") + before).cast("bigint"))
    if log.kinds and "kind" in events.columns:
        kind = F.col("kind").cast("string")
        for word, ours in kinds_of(log.kinds, log.kinds).items():
            kind = F.when(F.col("kind") == word, F.lit(ours)).otherwise(kind)
        events = events.withColumn("kind", kind)
    elif "kind" not in events.columns:
        name = "review" if "rating" in events.columns else "view"
        events = events.withColumn("kind", F.lit(name))
    problems = tables.problems
    if problems is not None:
        problems = problems.withColumn("row", (F.col("row") + before).cast("bigint"))
    return replace(tables, events=events, problems=problems)


def _together(backend: Backend, frames: list[DataFrame], names: list[str]) -> DataFrame:
    """The rows of all; a column whose types differ is text, one that a log lacks is empty there."""
    F = backend.F  # noqa: N806
    schemas = [{field.name: field.dataType.simpleString() for field in frame.schema.fields} for frame in frames]
    kinds = {name: {types[name] for types in schemas if name in types} for name in names}
    types = {name: found.pop() if len(found) == 1 else "string" for name, found in kinds.items()}
    selected = [
        frame.select(*[
            (F.col(name) if name in frame.columns else F.lit(None)).cast(types[name]).alias(name) for name in names
        ])
        for frame in frames
    ]  # fmt: skip
    return backend.view(reduce(lambda one, more: one.unionByName(more), selected))


def _united(problems: list[DataFrame]) -> DataFrame | None:
    return reduce(lambda one, more: one.unionByName(more), problems) if problems else None
