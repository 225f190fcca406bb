"""Catalogues in plain tables: HTML becomes text and `15.00 USD` a number, as in the formats of shops.

Only the values that need it are looked at one by one; a table without any stays the view that it is.
"""

import json
from dataclasses import replace

import pyarrow as pa

from endcap.data.backend import Backend
from endcap.data.schema import LISTS, SEPARATOR
from endcap.data.sources.duck import frame, literal, literal_name, store, view
from endcap.data.sources.markup import PATTERN, plain_text
from endcap.data.sources.money import Price, in_one_currency, problem_table
from endcap.data.sources.tables import Items

_TEXTS = ("title", "description")
_LISTED = (*dict.fromkeys(("title", "category", "brand", "description", *LISTS)),)
_PHOTOS = ("large", "hi_res", "full", "original", "url", "src", "uri", "image", "medium", "small", "thumb")
_BETWEEN = {"category": " > ", "title": " ", "description": " ", "brand": ", "}


def tidied(backend: Backend, items: Items) -> Items:
    """The catalogue with text, and prices in one currency: those in others are problems. On Spark it stays as it is."""
    connection = backend.connection
    if connection is None:
        return items
    old = f"({items.frame.sql(dialect='duckdb', pretty=False, optimize=False)})"
    types = {name: str(kind) for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {old}").fetchall()}
    written: dict[str, str] = {}  # column -> a table (row, value) of what is written anew
    notes, problems = [*items.notes], items.problems
    for column in _LISTED:
        if types.get(column) == "VARCHAR":
            listed = f"SELECT row, {column} FROM {old} WHERE {column}[1] = '[' AND json_valid({column})"
            if found := connection.execute(listed).fetchall():
                rows = {"row": [row for row, _ in found], "value": [_unlisted(column, text) for _, text in found]}
                written[column] = store(
                    connection, pa.table(rows, pa.schema([("row", pa.int64()), ("value", pa.string())]))
                )
                notes.append(f"{column}: lists were taken apart in {len(found):,} rows")
    for column in _TEXTS:
        if column not in written and types.get(column) == "VARCHAR":
            html = f"SELECT row, {column} FROM {old} WHERE regexp_matches({column}, {literal(PATTERN)})"
            if found := connection.execute(html).fetchall():
                rows = {"row": [row for row, _ in found], "value": [plain_text(text) or None for _, text in found]}
                written[column] = store(
                    connection, pa.table(rows, pa.schema([("row", pa.int64()), ("value", pa.string())]))
                )
                notes.append(f"{column}: HTML was turned to text in {len(found):,} rows")
    if types.get("price") == "VARCHAR":
        named = "currency" if "currency" in types else "NULL::VARCHAR"
        strange = "trim(price) <> '' AND TRY_CAST(price AS DOUBLE) IS NULL"
        look = f"SELECT count(*) FILTER ({strange}), count(DISTINCT upper({named})) FROM {old}"
        if max(connection.execute(look).fetchall()[0]) > (1 if named == "currency" else 0):
            found = connection.execute(f"SELECT row, price, {named} FROM {old} WHERE trim(price) <> ''").fetchall()
            values, usual, wrong = in_one_currency([Price(*each) for each in found])
            rows = {"row": [row for row, *_ in found], "value": [values.get(row) for row, *_ in found]}
            written["price"] = store(
                connection, pa.table(rows, pa.schema([("row", pa.int64()), ("value", pa.float64())]))
            )
            notes += [f"prices are in {usual}"] * bool(usual)
            if wrong:
                faults = frame(backend, store(connection, problem_table(wrong)))
                problems = faults if problems is None else problems.unionByName(faults)
    if not written:
        return items
    columns = ", ".join(_column(name, anew=name in written) for name in types)
    joins = " ".join(
        f"LEFT JOIN {made} AS new_{column} ON old.row = new_{column}.row" for column, made in written.items()
    )
    made = view(connection, f"SELECT {columns} FROM {old} AS old {joins}")
    return replace(items, frame=frame(backend, made), problems=problems, notes=notes)


def _unlisted(column: str, text: str) -> str | None:
    """A JSON list as our text: a path of categories, sentences, the largest of each photo, a list of values.

    >>> _unlisted("category", '["Beauty", "Hair"]'), _unlisted("image", '[{"thumb": "s.jpg", "large": "l.jpg"}]')
    ('Beauty > Hair', 'l.jpg')
    """
    values = json.loads(text)
    if column == "category" and values and all(isinstance(each, list) for each in values):
        values = max(values, key=len)  # of several paths the deepest
    texts = []
    for each in values:
        value = next((each[name] for name in _PHOTOS if each.get(name)), None) if isinstance(each, dict) else each
        texts += (
            [plain_text(str(value)).strip() if column in _TEXTS else str(value).strip().replace(SEPARATOR, "/")]
            if value
            else []
        )
    kept = [each for each in dict.fromkeys(texts) if each]
    return _BETWEEN[column].join(kept) or None if column in _BETWEEN else SEPARATOR.join(kept) or None


def _column(name: str, *, anew: bool) -> str:
    if name == "price" and anew:
        return "new_price.value AS price"
    if anew:
        return f"CASE WHEN new_{name}.row IS NULL THEN old.{name} ELSE new_{name}.value END AS {name}"
    return f"old.{literal_name(name)}"
