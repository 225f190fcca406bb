"""Filters as in shop search: `category:Dairy AND price < 5 AND NOT brand:Acme AND in_stock`; see docs/filters.md."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from lark import Lark, Token, Tree, UnexpectedInput

from endcap.data.catalog import Catalog
from endcap.engine.columns import Between, Columns, FilterError, Known, Mask, Text, columns_of
from endcap.features import cells, dates
from endcap.features.cells import plain

LONGEST = 2_000
"""Characters that a filter may have."""

_DAY = 86_400.0
DEEPEST = 20
"""Brackets and NOTs that may stand within each other."""

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?"
_POINT = rf"(?:{_DATE}|{_NUMBER})"
_ENDS = r"(?![^\s(),])"
_PARSER = Lark(
    rf"""
    ?either: both (_OR both)*
    ?both: condition (_AND condition)*
    ?condition: _NOT condition -> negation
        | "(" either ")" -> group
        | IN_STOCK -> in_stock
        | _column _IS "*" -> known
        | _column _IS _one -> having
        | _column _IS "(" _one ("," _one)* ")" -> having
        | _column _UNLIKE (WORD | QUOTED) -> lacking
        | _column COMPARISON (NUMBER | DATE) -> compared
    _column: NAME | QUOTED
    _one: WORD | QUOTED | RANGE

    _AND.2: /and(?![\w.-])/i
    _OR.2: /or(?![\w.-])/i
    _NOT.2: /not(?![\w.-])/i
    IN_STOCK.2: /in_stock(?![\w.-])/i
    _IS: ":" | "="
    _UNLIKE: "!="
    COMPARISON: /[<>]=?/
    NAME: /[^\W\d][\w.-]*/
    QUOTED: /"(?:[^"\\]|\\.)*"/s
    RANGE.3: /(?:{_POINT}\.\.(?:{_POINT})?|\.\.{_POINT}){_ENDS}/
    DATE.4: /{_DATE}{_ENDS}/
    NUMBER: /{_NUMBER}{_ENDS}/
    WORD: /[^\s"(),:<>=!*][^\s"(),*]*/
    %ignore /\s+/
    """,
    start="either",
    parser="lalr",
)
_NAMES = {
    "NAME": "a column", "WORD": "a value", "QUOTED": 'text in "quotes"', "RANGE": "a range such as 1..5",
    "STAR": "*", "NUMBER": "a number",
    "DATE": "a date such as 2024-03-01", "_IS": ":", "_UNLIKE": "!=", "COMPARISON": "< <= > >=", "IN_STOCK": "in_stock",
    "_NOT": "NOT", "LPAR": "(", "_AND": "AND", "_OR": "OR", "COMMA": "a comma", "RPAR": ")", "$END": "its end",
}  # fmt: skip


@dataclass(frozen=True)
class Has:
    """Products of which a value of the column passes one of the tests."""

    column: str  # as written
    place: int  # of the column in the filter, from 1
    tests: tuple[Text | Between | Known, ...]


@dataclass(frozen=True)
class InStock:
    """Products that can be bought, as far as is known."""


@dataclass(frozen=True)
class Not:
    """All other products."""

    of: "Node"


@dataclass(frozen=True)
class Every:
    """Products that pass all."""

    of: tuple["Node", ...]


@dataclass(frozen=True)
class Some:
    """Products that pass at least one."""

    of: tuple["Node", ...]


Node = Has | InStock | Not | Every | Some


@dataclass(frozen=True)
class Filter:
    """A condition on products; equal where the text is."""

    text: str
    root: Node = field(compare=False, repr=False)

    def mask(self, catalog: Catalog) -> Mask:
        """(items + 1,) the products that it lets through; place 0 is False.

        What is read of a column is kept as long as the catalogue lives. Raises FilterError where the catalogue lacks a
        column, or a number is compared with one that holds none, or a word with one of numbers.
        """
        columns = columns_of(catalog)
        for leaf in _leaves(self.root):
            _check(leaf, columns)
        found = _rows(self.root, columns).copy()
        found[0] = False
        return found


@lru_cache(maxsize=1024)
def parse(text: str) -> Filter:
    """Reads a filter; raises FilterError saying what was found where, and what was expected.

    >>> parse("price < 5 AND (colour:red OR in_stock)").text
    'price < 5 AND (colour:red OR in_stock)'
    """
    if len(text) > LONGEST:
        raise FilterError(f"found a filter of {len(text):,} characters; expected at most {LONGEST:,}", "long")
    if not text.strip():
        raise FilterError("found an empty filter; expected one such as brand:Acme AND price < 5", "empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        place = error.start + 1
        message = f"found half a character in place {place} of the filter; expected text"
        raise FilterError(message, "half", place) from error
    try:
        tree = _PARSER.parse(text)
    except UnexpectedInput as error:
        raise _explained(text, error) from error
    return Filter(text, _node(tree, 0))


def _explained(text: str, error: UnexpectedInput) -> FilterError:
    """Where reading stopped, and what may stand there."""
    token = getattr(error, "token", None)
    place = len(text) if token is not None and token.type == "$END" else error.pos_in_stream or 0
    state = _PARSER.parse_interactive(text[:place])  # it knows whether a bracket is open; the error does not
    state.exhaust_lexer()
    accepted = state.accepts()  # type: ignore[no-untyped-call]
    names = [name for terminal, name in _NAMES.items() if terminal in accepted]
    match = re.match(r'"[^"]*|[(),*]|[^\s(),*"]+', text[place:])
    word = match.group() if match else ""
    found = repr(word[:30]) if word else "its end"
    hint = ""
    if word[:1] == '"' and "QUOTED" in accepted:
        hint = "; a quote is not closed"
    elif word[:1].isalnum() and "_AND" in accepted:
        hint = '; write a value of several words in "quotes"'
    expected = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    message = f"found {found} in place {place + 1} of the filter; expected {expected}{hint}"
    return FilterError(message, _kind(word, accepted), place + 1, word)


def _kind(word: str, accepted: Collection[str]) -> str:
    """What is wrong, by what could have stood there."""
    joins = "_AND" in accepted
    if word[:1] == '"' and "QUOTED" in accepted:
        return "quote"
    if joins and word[:1].isalnum():
        return "words"
    if joins and not word and "RPAR" in accepted:
        return "bracket"
    kinds = {"_AND": "joint", "_IS": "sign", "NAME": "condition", "WORD": "value", "NUMBER": "number"}
    return next((kind for terminal, kind in kinds.items() if terminal in accepted), "joint")


def _node(tree: Token | Tree[Token], depth: int) -> Node:
    assert isinstance(tree, Tree)
    if depth > DEEPEST:
        message = f"found a filter with more than {DEEPEST} brackets and NOTs within each other; make it flatter"
        raise FilterError(message, "deep")
    parts = tree.children
    match str(tree.data):
        case "either":
            return Some(tuple(_node(part, depth) for part in parts))
        case "both":
            return Every(tuple(_node(part, depth) for part in parts))
        case "negation":
            return Not(_node(parts[0], depth + 1))
        case "group":
            return _node(parts[0], depth + 1)
        case "in_stock":
            return InStock()
        case kind:
            return _leaf(kind, [part for part in parts if isinstance(part, Token)])


def _leaf(kind: str, tokens: Sequence[Token]) -> Node:
    column, values = tokens[0], tokens[1:]
    name, place = _unquoted(column), (column.start_pos or 0) + 1
    if kind == "known":
        return Has(name, place, (Known(),))
    if kind == "compared":
        return Has(name, place, (_comparison(str(values[0]), *_points(values[1])),))
    found = Has(name, place, tuple(_test(value) for value in values))
    return found if kind == "having" else Every((Has(name, place, (Known(),)), Not(found)))


def _points(text: str) -> tuple[float, float]:
    """The first and the last moment of a date, in seconds since 1970 UTC; of a number it alone.

    >>> _points("2024-03-01"), _points("5")
    ((1709251200.0, 1709337599.999), (5.0, 5.0))
    """
    if not re.fullmatch(_DATE, text):
        return float(text), float(text)
    first = float(dates.seconds([text])[0])
    return first, first if "T" in text else first + _DAY - 0.001


def _comparison(operator: str, first: float, last: float) -> Between:
    # The next float below 5 is the last that is less than 5: so that there is one kind of test.
    match operator:
        case "<":
            return Between(-np.inf, float(np.nextafter(first, -np.inf)))
        case "<=":
            return Between(-np.inf, last)
        case ">":
            return Between(float(np.nextafter(last, np.inf)), np.inf)
        case _:
            return Between(first, np.inf)


def _test(token: Token) -> Text | Between:
    place = (token.start_pos or 0) + 1
    if ends := re.fullmatch(rf"({_POINT})?\.\.({_POINT})?", token) if token.type == "RANGE" else None:
        between = Between(_points(ends[1] or "-inf")[0], _points(ends[2] or "inf")[1])
        if between.low > between.high:
            message = f"found {str(token)!r} in place {place} of the filter; expected the lower number first"
            raise FilterError(message, "order", place, str(token))
        return between
    if not plain(value := _unquoted(token)):
        message = (
            f"found an empty value in place {place} of the filter; expected one, or NOT COLUMN:* for what is not known"
        )
        raise FilterError(message, "value", place)
    return Text(value)


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token.type == "QUOTED" else str(token)


def _leaves(node: Node) -> Iterator[Has]:
    match node:
        case Has():
            yield node
        case Not(of):
            yield from _leaves(of)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _leaves(part)


def _rows(node: Node, columns: Columns) -> Mask:
    """(items + 1,) what place 0 says has no meaning."""
    match node:
        case Every(parts):
            return np.logical_and.reduce([_rows(part, columns) for part in parts])
        case Some(parts):
            return np.logical_or.reduce([_rows(part, columns) for part in parts])
        case Not(of):
            return ~_rows(of, columns)
        case InStock():
            return columns.in_stock
        case Has():
            return columns.read(columns.name(node.column, node.place)).having(node.tests)


def _check(leaf: Has, columns: Columns) -> None:
    column = columns.read(columns.name(leaf.column, leaf.place))
    start = f"found {leaf.column} compared with"
    for test in leaf.tests:
        if isinstance(test, Between) and len(column.numbers) and np.isnan(column.numbers).all():
            message = (
                f"{start} a number in place {leaf.place} of the filter, but the column holds no numbers;"
                f" expected {leaf.column}:value"
            )
            raise FilterError(message, "no_numbers", leaf.place, leaf.column)
        if isinstance(test, Text) and column.numeric and np.isnan(cells.parsed([plain(test.value)])[0]):
            message = (
                f"{start} {test.value[:30]!r} in place {leaf.place} of the filter, but the column holds numbers;"
                f" expected {leaf.column}:5, or a range such as {leaf.column}:1..5"
            )
            raise FilterError(message, "numbers", leaf.place, leaf.column)
