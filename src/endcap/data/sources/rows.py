"""The rows and columns that are asked for of a plain table, as one query: carried down, kept, taken apart, renamed."""

from collections.abc import Collection, Mapping

import duckdb

from endcap.data.errors import InputError
from endcap.data.sources.duck import ROW, Scan, literal, literal_name, view
from endcap.data.sources.log import Condition, Log, conditions
from endcap.data.sources.origins import Origin, columns, origin, unnested, value

LINE = ("item_id", "price", "quantity", "rating")
"""What each line of an order has of its own; all else is its head's."""
_SHOWN = 5


def asked(mapped: Mapping[str, str], log: Log, found: Collection[str], where: str) -> dict[str, Origin]:
    """Our name -> its origin, for every column that is read; `where:COLUMN` and `carry` are those that are not kept.

    Raises InputError where the file lacks a column that is named.
    """
    named = dict(mapped)
    named |= {f"where:{each.column}": mapped.get(each.column, each.column) for each in conditions(log.where)}
    named |= {"carry": log.carry} if log.carry else {}
    origins = {name: origin(text, found) for name, text in named.items()}
    for name, each in origins.items():
        if each is None:
            option = "--where" if name.startswith("where:") else "--carry" if name == "carry" else f"--map {name}="
            raise InputError(f"{option} {named[name]}: {where} has no column {named[name]}; it has {', '.join(found)}")
    return {name: each for name, each in origins.items() if each is not None}


def used(origins: Mapping[str, Origin]) -> list[str]:
    """The columns of the source that are read."""
    return columns(origins.values())


def selected(
    connection: duckdb.DuckDBPyConnection, scan: Scan, origins: Mapping[str, Origin], log: Log
) -> tuple[str, list[str]]:
    """A view with `row` and our columns, and what was left out."""
    types = {name: str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE FROM {scan.name}").fetchall()}
    query, notes = f"SELECT * FROM {scan.name}", []
    if log.carry:
        query, note = _carried(connection, query, origins)
        notes.append(note)
    opened = unnested(
        query, list(dict.fromkeys(place for each in origins.values() for place in each.places)), types, ROW
    )
    query = opened.query
    if log.where:
        query, note = _kept(
            connection, query, {name: value(each, opened.places, types) for name, each in origins.items()}, log
        )
        notes.append(note)
    order = [f"TRY_CAST({value(origins['order'], opened.places, types)} AS DOUBLE)"] if "order" in origins else []
    row = (
        ROW
        if len(opened.order) == 1 and not order
        else f"row_number() OVER (ORDER BY {', '.join([*order, *opened.order])})"
    )
    ours = [name for name in origins if not name.startswith("where:") and name not in ("carry", "order")]
    taken = [f"{value(origins[name], opened.places, types)} AS {literal_name(name)}" for name in ours]
    if order:
        notes.append(f"rows are in the order of {', '.join(columns([origins['order']]))}")
    return view(connection, f"SELECT {row} AS row, {', '.join(taken)} FROM ({query})"), notes


def _carried(connection: duckdb.DuckDBPyConnection, query: str, origins: Mapping[str, Origin]) -> tuple[str, str]:
    """Blank cells of an order's head filled from its rows that have them; a blank order is the one above."""
    (key,) = columns([origins["carry"]])
    own = columns([each for name, each in origins.items() if name in LINE])
    head = [name for name in columns(origins.values()) if name not in own and name != key]
    if not head:
        raise InputError(f"--carry {key}: there is no other column of an order's head to carry down")
    name = literal_name(key)
    down = f"last_value({_blank(key)} IGNORE NULLS) OVER (ORDER BY {ROW})"
    keyed = f"SELECT * REPLACE ({down} AS {name}) FROM ({query})"
    group = f"OVER (PARTITION BY {name} ORDER BY {ROW} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
    fills = ", ".join(
        f"CASE WHEN {name} IS NULL THEN {literal_name(each)} "
        f"ELSE coalesce({_blank(each)}, first_value({_blank(each)} IGNORE NULLS) {group}) END AS {literal_name(each)}"
        for each in head
    )
    made = view(connection, f"SELECT * REPLACE ({fills}) FROM ({keyed})")
    blank = " OR ".join(f"{_blank(each)} IS NULL" for each in head)
    rows = connection.execute(f"SELECT count(*) FROM ({query}) WHERE {blank}").fetchall()[0][0]
    return f"FROM {made}", f"{', '.join(head)} carried down by {key} where rows had none: {rows:,} rows"


def _blank(column: str) -> str:
    """The column, null where its text is blank."""
    return f"CASE WHEN trim({literal_name(column)}::VARCHAR) <> '' THEN {literal_name(column)} END"


def _kept(connection: duckdb.DuckDBPyConnection, query: str, values: Mapping[str, str], log: Log) -> tuple[str, str]:
    """The rows that meet all conditions, and how many do not, by their values."""
    wanted = conditions(log.where)
    tests = [_test(each, values[f"where:{each.column}"]) for each in wanted]
    told = [f"coalesce({values[f'where:{each.column}']}::VARCHAR, '')" for each in wanted]
    failed = f"NOT ({' AND '.join(tests)})"
    what = f"concat_ws(', ', {', '.join(told)})"
    counts = connection.execute(
        f"SELECT {what}, count(*) FROM ({query}) WHERE {failed} GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    gone = sum(n for _, n in counts)
    total = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
    said = " and ".join(map(str, wanted))
    listed = ", ".join(f"{text or '(none)'} {n:,}" for text, n in counts[:_SHOWN]) + " …" * (len(counts) > _SHOWN)
    if gone == total:
        raise InputError(f"--where: none of the {total:,} rows has {said}; found {listed}")
    note = f"kept the rows with {said}; left out {gone:,} rows" + (f": {listed}" if gone else "")
    return f"SELECT * FROM ({query}) WHERE {' AND '.join(tests)}", note


def _test(condition: Condition, text: str) -> str:
    values = ", ".join(literal(each) for each in condition.values)
    return f"coalesce(trim({text}::VARCHAR), '') {'' if condition.keeps else 'NOT '}IN ({values})"
