"""JSON Lines: one object a line, its keys being the columns."""

from collections.abc import Sequence
from functools import partial

import duckdb

from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.sources import spark
from endcap.data.sources.duck import LONGEST, ROW, Scan, count, literal, literal_name, scan_lines, table, view
from endcap.data.sources.plain import Plain, read_events, read_items, unique
from endcap.data.sources.source import HEAD, Source, is_gzip
from endcap.data.sources.tables import Format, Items, Tables


def names(source: Source) -> list[str]:
    """The keys of the first objects; raises InputError where there are no objects, one a line."""
    if not source.keys:
        raise InputError(
            f"{source.path} is JSON but not JSON Lines; expected one object a line (jq -c '.[]' makes that of an array)"
        )
    return unique([*dict.fromkeys([*source.keys, *_later_keys(source)])], source)


def _later_keys(source: Source) -> list[str]:
    """Keys of files that are longer than the head that was looked at; none where a line cannot be read."""
    if not any(is_gzip(file) or file.stat().st_size > HEAD for file in source.files) and len(source.files) == 1:
        return []
    files = ", ".join(literal(str(file)) for file in source.files)
    reader = f"read_ndjson_objects([{files}], ignore_errors = true, maximum_object_size = {LONGEST})"
    with duckdb.connect() as connection:
        try:
            found = connection.execute(f"SELECT DISTINCT unnest(json_keys(json)) FROM {reader} ORDER BY 1").fetchall()
        except duckdb.Error:  # what is wrong with a line is said where it is read
            return []
    return [key for (key,) in found]


def scan_objects(connection: duckdb.DuckDBPyConnection, source: Source) -> Scan:
    """The column `line` with JSON objects only; other lines are problems, blank ones are nothing."""
    lines = scan_lines(connection, source.files)
    found = f"(SELECT row, line, coalesce(json_valid(line) AND ltrim(line)[1] = '{{', false) AS good FROM {lines.name})"
    broken = f"""
        SELECT row, 'line' AS "column", line[:200] AS value, 'not a JSON object' AS problem
        FROM {found} WHERE NOT good AND trim(line) <> ''"""
    if lines.problems:
        broken += f' UNION ALL SELECT row, "column", value, problem FROM {lines.problems}'
    problems = table(connection, broken)
    # CASE, not WHERE alone: the optimizer may extract before it filters, and extraction stops at broken JSON
    objects = view(connection, f"SELECT row, CASE WHEN good THEN line END AS line FROM {found} WHERE good")
    return Scan(objects, count(connection, objects), problems if count(connection, problems) else None)


def pointer(key: str) -> str:
    """The JSON pointer of a key, as SQL."""
    return literal("/" + key.replace("~", "~0").replace("/", "~1"))


def _local(connection: duckdb.DuckDBPyConnection, source: Source, used: Sequence[str]) -> Scan:
    objects = scan_objects(connection, source)
    keys = ", ".join(pointer(key) for key in used)
    columns = ", ".join(f"values[{place}] AS {literal_name(key)}" for place, key in enumerate(used, start=1))
    extracted = f"(SELECT row, json_extract_string(line, [{keys}]) AS values FROM {objects.name})"
    return Scan(view(connection, f"SELECT row AS {ROW}, {columns} FROM {extracted}"), objects.records, objects.problems)


def _spark(backend: Backend, source: Source, used: Sequence[str]) -> tuple[DataFrame, DataFrame | None]:
    return spark.objects(backend, source, used)


def is_jsonl(source: Source) -> bool:
    """Whether the text begins like JSON."""
    return source.is_json


READER = Plain("jsonl", names, _local, _spark)
FORMAT: Format[Tables] = Format("jsonl", "one JSON object a line", is_jsonl, partial(read_events, READER))
CATALOGUE: Format[Items] = Format("jsonl", "one JSON object a line", is_jsonl, partial(read_items, READER))
