"""Small raw tables for the tests of the tables: written as rows, read back as rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from endcap.data import backend as backends
from endcap.data.backend import Backend, DataFrame
from endcap.data.schema import EVENT_COLUMNS, Validated, validate

NOW = 1_800_000_000.0
TYPES = {"row": "bigint", "time": "double", "rating": "double", "price": "double", "quantity": "double"}


def raw(backend: Backend, columns: str, *rows: Sequence[Any], types: Mapping[str, str] | None = None) -> DataFrame:
    """A raw table as a reader gives it: `row` from 1, then the named columns, text unless `types` says otherwise."""
    names = columns.split()
    schema = ", ".join(f"{name} {(types or {}).get(name, 'string')}" for name in names)
    numbered = [(number, *row) for number, row in enumerate(rows, start=1)]
    return backend.session.createDataFrame(numbered, f"row bigint, {schema}")


def events(backend: Backend, columns: str, *rows: Sequence[Any]) -> DataFrame:
    """Canonical events: columns that are not named are null, `kind` is view."""
    F = backend.F  # noqa: N806
    names = columns.split()
    frame = raw(backend, columns, *rows, types=TYPES)
    missing = {"kind": F.lit("view")} | {
        name: F.lit(None).cast(TYPES.get(name, "string")) for name in EVENT_COLUMNS if name != "kind"
    }
    return frame.select(
        *[F.col(name) if name in (*names, "row") else missing[name].alias(name) for name in EVENT_COLUMNS]
    )


def check_in(columns: str, *rows: Sequence[Any], **options: Any) -> tuple[Backend, Validated]:
    """A raw table of text, validated on DuckDB."""
    backend = backends.local(threads=1)
    return backend, validate(backend, raw(backend, columns, *rows), now=NOW, **options)


def taken(frame: DataFrame, *columns: str) -> list[Any]:
    """The rows' values of some columns, in order of `row`; bare values where one column is asked for."""
    rows = frame.select("row", *[column for column in columns if column != "row"]).orderBy("row").collect()
    return [row[columns[0]] if len(columns) == 1 else tuple(row[column] for column in columns) for row in rows]
