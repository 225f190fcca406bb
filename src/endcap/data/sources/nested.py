"""JSON Lines whose events hold lists of items: one row per item of an event."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.duck import Scan, count, frame, literal, local, readable, table
from endcap.data.sources.jsonl import scan_objects
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Mapped, Tables

Paths = tuple[str, ...]
"""Places in a JSON object, `a/b`: the first that is filled counts."""


@dataclass(frozen=True)
class Nested:
    """Where such a format keeps things."""

    format: str
    event: str
    kinds: Mapping[str, str]  # its names of events -> ours; others are skipped and counted
    users: Paths
    time: str
    items: str
    item: Mapping[str, Paths]  # event column -> place in an item
    about: Mapping[str, Paths] = field(default_factory=dict)  # catalogue column -> places, joined by ` > `


def read_nested(nested: Nested, backend: Backend, source: Source, given: Mapped) -> Tables:
    """Rows are numbered over all items of all events, in the file's order; problems have the line's number."""
    refuse_mapping(given, source, nested.format)
    connection = local(backend, source, nested.format)
    with readable(source, nested.format):
        objects = objects_of(connection, source)
        events = table(connection, _events(nested, objects.name))
        catalogue = table(connection, _catalogue(nested, objects.name)) if nested.about else None
        notes = [f"read {objects.records:,} lines of {source.path.name}", *_skipped(connection, nested, objects.name)]
        repeats = int(connection.execute(f"SELECT coalesce(sum(times - 1), 0)::BIGINT FROM {events}").fetchall()[0][0])
    if not count(connection, events):
        raise InputError(
            f"{source.path} has no events with items; expected {nested.event} of {', '.join(nested.kinds)}"
        )
    notes += [f"{repeats:,} exact repeats of events were read once"] if repeats else []
    columns = {"user_id": " or ".join(nested.users), "kind": nested.event, "time": nested.time}
    columns |= {column: f"{nested.items}/{' or '.join(paths)}" for column, paths in nested.item.items()}
    columns |= {f"items.{column}": f"{nested.items}/{paths[0]}" for column, paths in nested.about.items()}
    return Tables(
        nested.format,
        frame(backend, events).drop("times"),
        frame(backend, catalogue) if catalogue else None,
        columns,
        frame(backend, objects.problems) if objects.problems else None,
        notes,
    )


def objects_of(connection: duckdb.DuckDBPyConnection, source: Source) -> Scan:
    """The records as JSON objects in the column `line`, of JSON Lines or of Parquet."""
    if not source.is_parquet:
        return scan_objects(connection, source)
    reader = f"read_parquet([{', '.join(literal(str(file)) for file in source.files)}], binary_as_string = true)"
    lines = table(connection, f"SELECT row_number() OVER () AS row, to_json(r) AS line FROM {reader} AS r")
    return Scan(lines, count(connection, lines))


def refuse_mapping(given: Mapped, source: Source, form: str) -> None:
    """Raises InputError: the columns of this format are fixed."""
    if given:
        raise InputError(
            f"{source.path}: the columns of {form} are fixed; leave out --map, or read it with --format jsonl"
        )


def _events(nested: Nested, lines: str) -> str:
    """`times` is how often exactly this was in the files, the item's place in its event included."""
    kinds = " ".join(f"WHEN {literal(name)} THEN {literal(kind)}" for name, kind in nested.kinds.items())
    columns = ", ".join(f"{_first('item', paths)} AS {column}" for column, paths in nested.item.items())
    return f"""
        WITH events AS (
            SELECT row AS line_row, {_first("line", nested.users)} AS user_id,
                   CASE line ->> {literal("/" + nested.event)} {kinds} END AS kind,
                   line ->> {literal("/" + nested.time)} AS time,
                   json_extract(line, {literal(f"$.{nested.items}[*]")}) AS items
            FROM {lines}
        ), rows AS (
            SELECT line_row, generate_subscripts(items, 1) AS place, user_id, kind, time, unnest(items) AS item
            FROM events WHERE kind IS NOT NULL
        ), once AS (
            SELECT min(line_row) AS line_row, place, user_id, {columns}, kind, time, count(*) AS times
            FROM rows GROUP BY ALL
        )
        SELECT row_number() OVER (ORDER BY line_row, place) AS row, * EXCLUDE (line_row, place)
        FROM once ORDER BY row"""


def _catalogue(nested: Nested, lines: str) -> str:
    item_id = _first("item", nested.item["item_id"])
    latest = ", ".join(f"max_by({_joined(paths)}, row) AS {column}" for column, paths in nested.about.items())
    return f"""
        SELECT row_number() OVER (ORDER BY item_id) AS row, * FROM (
            SELECT {item_id} AS item_id, {latest}
            FROM (SELECT row, unnest(json_extract(line, {literal(f"$.{nested.items}[*]")})) AS item FROM {lines})
            WHERE {item_id} IS NOT NULL GROUP BY 1
        )"""


def _skipped(connection: duckdb.DuckDBPyConnection, nested: Nested, lines: str) -> list[str]:
    """What was left out, by the event's name."""
    name = f"coalesce(line ->> {literal('/' + nested.event)}, '(none)')"
    known = ", ".join(map(literal, nested.kinds))
    empty = f"coalesce(json_array_length(line, {literal('/' + nested.items)}), 0) = 0"
    rows = connection.execute(
        f"SELECT {name}, {name} NOT IN ({known}) AS other, count(*) FROM {lines} WHERE other OR {empty} "
        "GROUP BY ALL ORDER BY 3 DESC, 1"
    ).fetchall()
    other = ", ".join(f"{found:,} {event}" for event, is_other, found in rows if is_other)
    bare = ", ".join(f"{found:,} {event}" for event, is_other, found in rows if not is_other)
    return [f"skipped events of other kinds: {other}"] * bool(other) + [f"skipped events without items: {bare}"] * bool(
        bare
    )


def _first(variable: str, paths: Paths) -> str:
    return f"coalesce({', '.join(_text(variable, path) for path in paths)})"


def _joined(paths: Paths) -> str:
    return f"nullif(concat_ws(' > ', {', '.join(_text('item', path) for path in paths)}), '')"


def _text(variable: str, path: str) -> str:
    # GA4 writes "(not set)" and empty strings for what is missing
    return f"nullif(nullif({variable} ->> {literal('/' + path)}, ''), '(not set)')"
