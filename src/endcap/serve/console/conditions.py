"""Conditions on products as rows that one clicks together, and the filter that they make; a filter back into rows."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from endcap.data.errors import InputError
from endcap.engine.columns import CATEGORIES, Between, Columns, FilterError, Known, Text
from endcap.engine.filters import Every, Filter, Has, InStock, Node, Not, Some, parse
from endcap.serve.console.form import Form
from endcap.serve.storefront.listing import quoted

STOCK = "in_stock"
"""The column of the row that asks whether a product can be bought."""

MOST_ROWS = 10

How = Literal["is", "not", "between", "outside", "below", "above", "known", "unknown"]
HOWS: tuple[How, ...] = get_args(How)
_NEGATED: dict[How, How] = {"is": "not", "between": "outside", "known": "unknown"}
_BARE = re.compile(r"(?!(?:and|or|not|in_stock)$)[^\W\d][\w-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A condition: products of which a column is one of the values, or a number from `low` to `high`."""

    column: str
    how: How = "is"
    values: tuple[str, ...] = ()
    low: str = ""  # numbers as they were written; empty: no end
    high: str = ""

    @property
    def text(self) -> str | None:
        """As a filter has it; None where something is missing. Raises InputError for what is no number."""
        column = self.column if _BARE.fullmatch(self.column) else quoted(self.column)
        match self.how:
            case "is" | "not" if self.column == STOCK:
                found = STOCK
            case "known" | "unknown":
                found = f"{column}:*"
            case "is" | "not":
                written = [value if _BARE.fullmatch(value) else quoted(value) for value in self.values if value.strip()]
                found = f"{column}:({', '.join(written)})" if len(written) > 1 else f"{column}:{''.join(written)}"
                if not written:
                    return None
            case "below" | "above":
                number, sign = (self.high, "<") if self.how == "below" else (self.low, ">")
                if not number:
                    return None
                found = f"{column} {sign} {_number(number)}"
            case _:
                if not self.low and not self.high:
                    return None
                found = f"{column}:{self.low and _number(self.low)}..{self.high and _number(self.high)}"
        return f"NOT {found}" if self.how in _NEGATED.values() else found


@dataclass(frozen=True)
class Draft:
    """The conditions of a form: rows, and products that are meant beside them; or the filter as it was written."""

    by_rows: bool
    rows: tuple[Row, ...] = ()
    also: tuple[str, ...] = ()  # ids
    written: str = ""

    @property
    def filter(self) -> str:
        """What the form says; raises InputError where a row is not complete."""
        if not self.by_rows:
            return self.written
        missing = [place for place, row in enumerate(self.rows, start=1) if row.text is None]
        if missing and (len(self.rows) > 1 or not self.also):
            raise RowError(missing[0])
        return self.so_far

    @property
    def so_far(self) -> str:
        """What the complete rows say; empty where there is none."""
        if not self.by_rows:
            return self.written
        text = " AND ".join(text for row in self.rows if (text := row.text))
        return widened(text, self.also)


class RowError(InputError):
    """A row that says nothing yet."""

    def __init__(self, place: int) -> None:
        super().__init__(f"found nothing chosen in condition {place}; expected a value, or no such condition")
        self.place = place


def widened(text: str, item_ids: Sequence[str]) -> str:
    """A filter, or some products beside what it lets through."""
    if not item_ids:
        return text
    theirs = Row("item_id", values=tuple(item_ids)).text or ""
    return f"({text}) OR {theirs}" if text else theirs


def draft_of(form: Form) -> Draft:
    """The conditions of a form that was sent."""
    rows = []
    for n in range(MOST_ROWS):
        column, was = form[f"column-{n}"], form[f"was-{n}"]
        if column and was not in ("", column):  # another column was chosen: its values are others
            rows.append(Row(column))
        elif column:
            how: How = next((each for each in HOWS if each == form[f"how-{n}"]), "is")
            values = tuple(each.strip() for each in form.several(f"value-{n}"))
            rows.append(Row(column, how, values, form[f"low-{n}"], form[f"high-{n}"]))
    also = tuple(dict.fromkeys(form.several("also")))
    return Draft(form["mode"] == "rows", tuple(rows), also, form["filter"])


def draft_from(text: str, columns: Columns) -> Draft:
    """A filter as rows where it can be said in rows; else as it is written."""
    if not text:
        return Draft(by_rows=True, rows=(Row(CATEGORIES[0]),))
    try:
        rows, also = _read(parse(text), columns)
    except (FilterError, _TooRich):
        return Draft(by_rows=False, written=text)
    return Draft(by_rows=True, rows=rows or (Row(CATEGORIES[0]),), also=also, written=text)


def changed(draft: Draft, do: str, columns: Columns) -> Draft:
    """After one of the form's own buttons: add, or-N, remove-N, text, rows; anything else changes nothing."""
    what, _, number = do.partition("-")
    place = int(number) if number.isascii() and number.isdecimal() and len(number) < 3 else -1
    rows = list(draft.rows)
    match what:
        case "add" if len(rows) < MOST_ROWS:
            rows.append(Row(CATEGORIES[0]))
        case "or" if 0 <= place < len(rows):
            rows[place] = replace(rows[place], values=(*rows[place].values, ""))
        case "remove" if 0 <= place < len(rows):
            del rows[place]
        case "text" if draft.by_rows:
            return Draft(by_rows=False, written=draft.so_far)
        case "rows" if not draft.by_rows:
            return draft_from(draft.written, columns)
    return replace(draft, rows=tuple(rows))


class _TooRich(Exception):  # noqa: N818  no mistake: the filter is good, and stays as it is written
    """A filter that says more than rows can."""


def _read(condition: Filter, columns: Columns) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    root, also = condition.root, tuple[str, ...]()
    if isinstance(root, Some) and len(root.of) == 2:
        row = _row(root.of[1], columns)
        if row.column == "item_id" and row.how == "is":
            root, also = root.of[0], row.values
    rows = tuple(_row(each, columns) for each in _parts(root))
    if len(rows) > MOST_ROWS:
        raise _TooRich
    return rows, also


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, Every):
        for part in node.of:
            yield from _parts(part)
    else:
        yield node


def _row(node: Node, columns: Columns) -> Row:
    if isinstance(node, Not):
        row = _row(node.of, columns)
        if row.how not in _NEGATED:
            raise _TooRich
        return replace(row, how=_NEGATED[row.how])
    if isinstance(node, InStock):
        return Row(STOCK)
    if not isinstance(node, Has):
        raise _TooRich
    column = columns.name(node.column, node.place)
    column = CATEGORIES[0] if column in CATEGORIES else column
    if all(isinstance(test, Known) for test in node.tests):
        return Row(column, "known")
    texts = tuple(test.value for test in node.tests if isinstance(test, Text))
    if len(texts) == len(node.tests):
        if not columns.read(column).numeric:
            return Row(column, values=texts)
        if len(texts) == 1:
            return Row(column, "between", low=texts[0], high=texts[0])
    if len(node.tests) == 1 and isinstance(test := node.tests[0], Between):
        return _range(column, test)
    raise _TooRich


def _range(column: str, test: Between) -> Row:
    """`price < 40` is kept as the last number below 40: the shorter of the two is what was written."""
    low, high = _short(test.low), _short(test.high)
    after, before = np.nextafter(test.high, np.inf), np.nextafter(test.low, -np.inf)
    if not low and len(_short(after)) < len(high):
        return Row(column, "below", high=_short(after))
    if not high and len(_short(before)) < len(low):
        return Row(column, "above", low=_short(before))
    return Row(column, "between", low=low, high=high)


def _short(number: float) -> str:
    return "" if np.isinf(number) else repr(float(number)).removesuffix(".0")


def _number(text: str) -> str:
    try:
        found = float(text)
    except ValueError:
        found = np.nan
    if not np.isfinite(found):
        raise InputError(f"found {text[:30]!r}; expected a number")
    return _short(found)
