"""What a log's own values tell of how they are written: times, decimal commas, currencies; a column at a time.

Nothing is read anew where a look at the first rows finds nothing strange.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import duckdb
import pyarrow as pa

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources import times
from endcap.data.sources.duck import frame, literal_name, store, view
from endcap.data.sources.log import Log
from endcap.data.sources.money import decimal_comma, money
from endcap.data.sources.tables import Tables

_NUMBERS = ("price", "quantity", "rating")
_MOST = 200_000  # different prices; a log with more of them has another column there


def understood(backend: Backend, tables: Tables, log: Log) -> Tables:
    """The log with times as ISO text and numbers as numbers, where its values were written otherwise.

    Raises InputError where ids are lists, and where times can be read in two ways. On Spark all stays as it is.
    """
    connection = backend.connection
    if connection is None:
        if log.time_format or log.timezone:
            raise InputError(
                "Spark reads ISO times and seconds in UTC; --time-format and --timezone need the local backend"
            )
        return tables
    old = view(connection, tables.events.sql(dialect="duckdb", pretty=False, optimize=False))
    types = {name: str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {old}").fetchall()}
    _refuse_lists(connection, old, types, tables.columns)
    written: dict[str, str] = {}
    notes = [*tables.notes]
    if "time" in types and (
        found := times.reading(connection, old, types["time"], given=log.time_format, zone=log.timezone)
    ):
        written["time"] = found.sql
        notes.append(found.note)
    joins = []
    for column in (name for name in _NUMBERS if types.get(name) == "VARCHAR"):
        if amounts := _amounts(connection, old, column):
            made, note = amounts
            joins.append(f"LEFT JOIN {made} AS new_{column} ON old.{column} = new_{column}.text")
            written[column] = f"coalesce(new_{column}.value::VARCHAR, old.{column})"
            notes.append(note)
    if not written:
        return tables
    columns = ", ".join(f"{written.get(name, 'old.' + literal_name(name))} AS {literal_name(name)}" for name in types)
    made = view(connection, f"SELECT {columns} FROM {old} AS old {' '.join(joins)}")
    return replace(tables, events=frame(backend, made), notes=notes)


def _refuse_lists(
    connection: duckdb.DuckDBPyConnection, old: str, types: Mapping[str, str], columns: Mapping[str, str]
) -> None:
    for name in ("user_id", "item_id"):
        if types.get(name) == "VARCHAR":
            found = connection.execute(
                f"SELECT first({name}) FILTER (listed), count(*) FILTER (listed) * 2 > count(*) FROM"
                f" (SELECT {name}, coalesce({name}[1] = '[' AND json_valid({name}), false) AS listed"
                f" FROM {old} LIMIT {times.SAMPLE})"
            ).fetchall()
            if found[0][1]:
                source = columns.get(name, name)
                raise InputError(
                    f"{name} ({source}) holds lists, such as {found[0][0][:60]}; --map '{name}={source}[]' makes an"
                    " event of each element"
                )


def _amounts(connection: duckdb.DuckDBPyConnection, old: str, column: str) -> tuple[str, str] | None:
    """A table of text -> number, and what is said of it; None where the column's numbers are plain ones."""
    strange = f"trim({column}) <> '' AND TRY_CAST({column} AS DOUBLE) IS NULL"
    sample = connection.execute(
        f"SELECT DISTINCT {column} FROM (FROM {old} LIMIT {times.SAMPLE}) WHERE {strange}"
    ).fetchall()
    if not any(money(text) for (text,) in sample):
        return None
    counted = connection.execute(
        f"SELECT {column}, count(*) FROM {old} WHERE trim({column}) <> '' GROUP BY 1 LIMIT {_MOST + 1}"
    ).fetchall()
    if len(counted) > _MOST:
        return None
    comma = decimal_comma([text for text, _ in counted])
    read = {text: found for text, _ in counted if (found := money(text, comma=comma))}
    rows: Counter[str] = Counter()
    for text, n in counted:
        if text in read and (currency := read[text][1]):
            rows[currency] += n
    usual = rows.most_common(1)[0][0] if rows else None
    kept = {text: value for text, (value, currency) in read.items() if currency in (None, usual)}
    table = pa.table({"text": pa.array(kept.keys(), pa.string()), "value": pa.array(kept.values(), pa.float64())})
    example = next((text for text in kept if _is_strange(text)), next(iter(kept), ""))
    note = f"{column}: {example!r} is read as {kept.get(example, 0):g}" + f", in {usual}" * bool(usual)
    others = {currency: n for currency, n in rows.items() if currency != usual}
    note += "".join(f"; {n:,} rows in {currency} are left empty" for currency, n in others.items())
    return store(connection, table), note


def _is_strange(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return True
    return False
