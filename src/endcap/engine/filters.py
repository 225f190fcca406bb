"""Filters as in shop search: `category:Dairy AND price < 5 AND NOT brand:Acme AND in_stock`; see docs/filters.md."""

import difflib
import re
import unicodedata
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lark import Lark, Token, Tree, UnexpectedInput
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.interactions import spans
from endcap.data.schema import EXTRA_COLUMNS, ITEM_COLUMNS, LISTS, SEPARATOR
from endcap.data.vocabulary import Floats, Ints
from endcap.features import cells

Mask = NDArray[np.bool_]

LONGEST = 2_000
"""Characters that a filter may have."""

DEEPEST = 20
"""Brackets and NOTs that may stand within each other."""

CATEGORIES = ("category", "categories")
"""Both mean all the categories of a product; a value is also that of everything below it."""

TEXTS = ("title", "description")
"""Columns of which a part is asked for, not the whole."""

SHORT = {"color": "colour"}
"""What columns may be called beside their names."""

OUT_OF_STOCK = frozenset({
    "outofstock", "notinstock", "no", "false", "soldout", "unavailable", "notavailable", "discontinued",
    "ausverkauft", "nichtverfügbar", "agotado", "rupturedestock", "épuisé", "esaurito",
    "缺货", "缺貨", "无货", "無貨", "售罄", "否",
})  # fmt: skip
"""What shops write for what cannot be bought, without separators; any other word says that it can."""

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
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
        | _column COMPARISON NUMBER -> compared
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
    RANGE.3: /(?:{_NUMBER}\.\.(?:{_NUMBER})?|\.\.{_NUMBER}){_ENDS}/
    NUMBER: /{_NUMBER}{_ENDS}/
    WORD: /[^\s"(),:<>=!*][^\s"(),*]*/
    %ignore /\s+/
    """,
    start="either",
    parser="lalr",
)
_NAMES = {
    "NAME": "a column", "WORD": "a value", "QUOTED": 'text in "quotes"', "RANGE": "a range such as 1..5",
    "STAR": "*", "NUMBER": "a number", "_IS": ":", "_UNLIKE": "!=", "COMPARISON": "< <= > >=", "IN_STOCK": "in_stock",
    "_NOT": "NOT", "LPAR": "(", "_AND": "AND", "_OR": "OR", "COMMA": "a comma", "RPAR": ")", "$END": "its end",
}  # fmt: skip


@dataclass(frozen=True)
class Text:
    """A value as a person writes it."""

    value: str


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included."""

    low: float
    high: float


@dataclass(frozen=True)
class Known:
    """Anything."""


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

        What is read of a column is kept as long as the catalogue lives. Raises InputError where the catalogue lacks a
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
    """Reads a filter; raises InputError saying what was found where, and what was expected.

    >>> parse("price < 5 AND (colour:red OR in_stock)").text
    'price < 5 AND (colour:red OR in_stock)'
    """
    if len(text) > LONGEST:
        raise InputError(f"found a filter of {len(text):,} characters; expected at most {LONGEST:,}")
    if not text.strip():
        raise InputError("found an empty filter; expected one such as brand:Acme AND price < 5")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"found half a character in place {error.start + 1} of the filter; expected text") from error
    try:
        tree = _PARSER.parse(text)
    except UnexpectedInput as error:
        raise InputError(_explain(text, error)) from error
    return Filter(text, _node(tree, 0))


def _explain(text: str, error: UnexpectedInput) -> str:
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
    return f"found {found} in place {place + 1} of the filter; expected {expected}{hint}"


def _node(tree: Token | Tree[Token], depth: int) -> Node:
    assert isinstance(tree, Tree)
    if depth > DEEPEST:
        raise InputError(
            f"found a filter with more than {DEEPEST} brackets and NOTs within each other; make it flatter"
        )
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
        return Has(name, place, (_comparison(str(values[0]), float(values[1])),))
    found = Has(name, place, tuple(_test(value) for value in values))
    return found if kind == "having" else Every((Has(name, place, (Known(),)), Not(found)))


def _comparison(operator: str, number: float) -> Between:
    # The next float below 5 is the last that is less than 5: so that there is one kind of test.
    match operator:
        case "<":
            return Between(-np.inf, float(np.nextafter(number, -np.inf)))
        case "<=":
            return Between(-np.inf, number)
        case ">":
            return Between(float(np.nextafter(number, np.inf)), np.inf)
        case _:
            return Between(number, np.inf)


def _test(token: Token) -> Text | Between:
    place = (token.start_pos or 0) + 1
    if ends := re.fullmatch(rf"({_NUMBER})?\.\.({_NUMBER})?", token) if token.type == "RANGE" else None:
        between = Between(float(ends[1] or "-inf"), float(ends[2] or "inf"))
        if between.low > between.high:
            raise InputError(f"found {str(token)!r} in place {place} of the filter; expected the lower number first")
        return between
    if not plain(value := _unquoted(token)):
        raise InputError(
            f"found an empty value in place {place} of the filter; expected one, or NOT COLUMN:* for what is not known"
        )
    return Text(value)


def _unquoted(token: Token) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token.type == "QUOTED" else str(token)


def plain(text: str) -> str:
    """A text as it is compared: without case, width and extra spaces.

    >>> plain(" Größe  ＸＬ")
    'grösse xl'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _leaves(node: Node) -> Iterator[Has]:
    match node:
        case Has():
            yield node
        case Not(of):
            yield from _leaves(of)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _leaves(part)


def _rows(node: Node, columns: "Columns") -> Mask:
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
            return columns.read(columns.name(node)).having(node.tests)


def _check(leaf: Has, columns: "Columns") -> None:
    column = columns.read(columns.name(leaf))
    start = f"found {leaf.column} compared with"
    for test in leaf.tests:
        if isinstance(test, Between) and len(column.numbers) and np.isnan(column.numbers).all():
            raise InputError(
                f"{start} a number in place {leaf.place} of the filter, but the column holds no numbers;"
                f" expected {leaf.column}:value"
            )
        if isinstance(test, Text) and column.numeric and np.isnan(cells.parsed([plain(test.value)])[0]):
            raise InputError(
                f"{start} {test.value[:30]!r} in place {leaf.place} of the filter, but the column holds numbers;"
                f" expected {leaf.column}:5, or a range such as {leaf.column}:1..5"
            )


@dataclass(frozen=True, eq=False)
class Column:
    """The values of a column, each different one once: `owners[i]` has the value `codes[i]`."""

    n_items: int
    owners: Ints  # (cells,) from 1
    codes: Ints  # (cells,)
    names: pa.Array  # (values,) as `plain` makes them; null where the column is numeric
    numbers: Floats  # (values,) NaN where a value is none
    asked: Callable[[str], str]  # what is looked for when a person writes a value
    within: bool = False  # whether it may be a part
    numeric: bool = False  # by its type: nothing but numbers can be in it

    def having(self, tests: Sequence[Text | Between | Known]) -> Mask:
        """(items + 1,) items with a value that passes one of the tests."""
        passed = np.logical_or.reduce([self._passed(test) for test in tests])
        return self.of(passed)

    def of(self, chosen: Mask) -> Mask:
        """(items + 1,) items with one of the chosen (values,)."""
        found = np.zeros(self.n_items + 1, dtype=bool)
        found[self.owners[chosen[self.codes]]] = True
        return found

    def _passed(self, test: Text | Between | Known) -> Mask:
        match test:
            case Known():
                return np.ones(len(self.numbers), dtype=bool)
            case Between(low, high):
                return (self.numbers >= low) & (self.numbers <= high)
            case Text(value):
                asked = self.asked(value)
                same = pc.match_substring(self.names, asked) if self.within else pc.equal(self.names, asked)
                number = cells.parsed([plain(value)])[0]  # 5 and 5.0 are the same number; NaN equals nothing
                return np.asarray(same.fill_null(False)) | (self.numbers == number)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a catalogue, each read when it is first asked for."""

    catalog: Catalog
    _known: dict[str, Column] = field(default_factory=dict)

    def name(self, leaf: Has) -> str:
        """The column that is meant; raises InputError with the names of those there are."""
        wanted = leaf.column.casefold()
        there = self.catalog.table.column_names
        known = SHORT | {name.casefold(): name for name in (*EXTRA_COLUMNS, *ITEM_COLUMNS, *there)}
        if wanted in known:
            return known[wanted]
        near = [f"; did you mean {known[name]}?" for name in difflib.get_close_matches(wanted, known, n=1)]
        raise InputError(
            f"found the column {leaf.column!r} in place {leaf.place} of the filter; this catalogue has"
            f" {', '.join(there)}{''.join(near)}"
        )

    def read(self, name: str) -> Column:
        """A column by its name; one of ours that the shop does not have is empty."""
        name = CATEGORIES[0] if name in CATEGORIES else name
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    @cached_property
    def in_stock(self) -> Mask:
        """(items + 1,) items of which the shop does not say that they are sold out."""
        column = self.read("stock")
        words = np.array([_word(name or "") in OUT_OF_STOCK for name in column.names.to_pylist()], dtype=bool)
        return ~column.of(words | (column.numbers <= 0))

    def _read(self, name: str) -> Column:
        table = self.catalog.table
        if name in table.column_names and cells.is_number(table.schema.field(name).type):
            return _of_numbers(cells.numbers(self.catalog, name))
        if name == CATEGORIES[0]:
            both = zip(*(cells.texts(self.catalog, each) for each in CATEGORIES), strict=True)
            return _of_texts([SEPARATOR.join(each) for each in both], _paths, lambda value: _path(value)[-1])
        several = name in LISTS or name not in (*ITEM_COLUMNS, *EXTRA_COLUMNS)
        found = cells.texts(self.catalog, name)
        return _of_texts(found, _values if several else lambda cell: [plain(cell)], plain, within=name in TEXTS)


def _of_numbers(found: Floats) -> Column:
    known = np.isfinite(found)
    values, codes = np.unique(found[known], return_inverse=True)
    nameless = pa.nulls(len(values), pa.large_string())
    return Column(len(found), np.flatnonzero(known) + 1, codes, nameless, values, plain, numeric=True)


def _of_texts(
    found: Sequence[str], split: Callable[[str], Sequence[str]], asked: Callable[[str], str], *, within: bool = False
) -> Column:
    """Each different cell is split once, into values as they are compared."""
    encoded = pa.array(found, pa.large_string()).dictionary_encode()
    different = [[value for value in split(cell) if value] for cell in encoded.dictionary.to_pylist()]
    places: dict[str, int] = {}
    codes = np.array([places.setdefault(value, len(places)) for values in different for value in values], np.int64)
    ends = np.cumsum([0, *map(len, different)])
    cell = encoded.indices.to_numpy().astype(np.int64)
    chosen, offsets = spans(ends[cell], ends[cell + 1])
    return Column(
        n_items=len(found),
        owners=np.repeat(np.arange(1, len(found) + 1), np.diff(offsets)),
        codes=codes[chosen],
        names=pa.array(places, pa.large_string()),
        numbers=cells.parsed([*places]),
        asked=asked,
        within=within,
    )


def _values(cell: str) -> list[str]:
    return [plain(value) for value in cell.split(SEPARATOR)]


def _path(category: str) -> list[str]:
    return cells.levels(plain(category)) or [""]


def _paths(cell: str) -> list[str]:
    return [level for category in cell.split(SEPARATOR) for level in _path(category)]


def _word(stock: str) -> str:
    """Without separators: `out of stock`, `out_of_stock` and `https://schema.org/OutOfStock` are one."""
    return "".join(filter(str.isalnum, stock.rpartition("/")[2]))


_COLUMNS: dict[int, Columns] = {}


def columns_of(catalog: Catalog) -> Columns:
    """The columns of this very catalogue: made once, gone with it."""
    known = _COLUMNS.get(id(catalog))
    if known is None:
        # A catalogue has no hash, so its id; and what is kept of it must not hold it, so a second one of its table.
        known = _COLUMNS.setdefault(id(catalog), Columns(Catalog(catalog.table)))
        weakref.finalize(catalog, _COLUMNS.pop, id(catalog), None)
    return known
