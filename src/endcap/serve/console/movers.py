"""Products by what was sold of them: the first, those that rose and fell, and those that no list showed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from endcap.engine.shelf import Shelf
from endcap.serve.console.cards import Card, card_of
from endcap.serve.console.money import Money
from endcap.serve.console.plots import Form, Sheet
from endcap.serve.console.render import number
from endcap.serve.console.summary import Figures, Read
from endcap.serve.console.texts import Words
from endcap.store.sales import Traded

MOST = 6
"""Products of a table on the page."""

IN_FILE = 10_000
"""Products of a table in a file."""

BY = ("revenue", "pieces", "looked")
"""What products are ranked by: the first of which there is any."""


@dataclass(frozen=True)
class Sold:
    """A product, this time and the time before."""

    card: Card
    lists: int  # that it stood in
    clicked: int
    now: Traded
    past: Traded
    value: str  # what it is ranked by
    before: str
    change: str


@dataclass(frozen=True)
class Products:
    """The tables; by: what products are ranked by."""

    by: str
    top: tuple[Sold, ...]
    risers: tuple[Sold, ...]
    fallers: tuple[Sold, ...]
    unseen: tuple[Sold, ...]
    sheets: tuple[Sheet, ...]


def products(words: Words, read: Read, shelf: Shelf, money: Money) -> Products:
    """The tables of the overview, and their files."""
    by = measure(read)
    form: Form = money if by == "revenue" else number

    def sold(item_id: str) -> Sold:
        return _sold(item_id, read, shelf, (by, form))

    value = {item_id: getattr(each, by) for item_id, each in read.now.traded.items()}
    before = {item_id: getattr(each, by) for item_id, each in read.past.traded.items()}
    change = {item_id: value.get(item_id, 0) - before.get(item_id, 0) for item_id in {**value, **before}}
    top = sorted((each for each in value if value[each] > 0), key=lambda each: (-value[each], each))
    rising = sorted(change, key=lambda each: (-change[each], each))
    comparable = any(before.values())
    unseen = _unseen(read.now, shelf, top)
    risers = [each for each in rising if change[each] > 0] if comparable else []
    fallers = [each for each in rising[::-1] if change[each] < 0] if comparable else []
    tables = {"products": top, "risers": risers, "fallers": fallers, "never-shown": unseen}
    return Products(
        by,
        top=tuple(map(sold, top[:MOST])),
        risers=tuple(map(sold, risers[:MOST])),
        fallers=tuple(map(sold, fallers[:MOST])),
        unseen=tuple(map(sold, unseen[:MOST])),
        sheets=tuple(sheet(words, name, map(sold, table[:IN_FILE])) for name, table in tables.items()),
    )


def fares(item_ids: Iterable[str], read: Read, shelf: Shelf, money: Money) -> tuple[Sold, ...]:
    """Some products as the tables have them."""
    by = measure(read)
    return tuple(_sold(item_id, read, shelf, (by, money if by == "revenue" else number)) for item_id in item_ids)


def measure(read: Read) -> str:
    """The first of BY of which there is any."""
    both = [*read.now.traded.values(), *read.past.traded.values()]
    return next((name for name in BY if any(getattr(each, name) for each in both)), BY[-1])


def sheet(words: Words, name: str, rows: Iterable[Sold]) -> Sheet:
    """All that is counted of products."""
    columns = ("product", "title", "lists", "clicked", "looked", "carted", "pieces", "revenue", "pieces_before",
               "revenue_before")  # fmt: skip
    return Sheet(
        name,
        tuple(words(f"sold.{column}") for column in columns),
        (
            (each.card.item_id, each.card.title, each.lists, each.clicked, each.now.looked, each.now.carted,
             each.now.pieces, round(each.now.revenue, 2), each.past.pieces, round(each.past.revenue, 2))
            for each in rows
        ),
    )  # fmt: skip


def _sold(item_id: str, read: Read, shelf: Shelf, ranked: tuple[str, Form]) -> Sold:
    by, form = ranked
    now, past = (each.traded.get(item_id, Traded()) for each in (read.now, read.past))
    placed = read.now.found.placed.get(item_id)
    value, before = getattr(now, by), getattr(past, by)
    change = value - before
    return Sold(
        card_of(item_id, shelf),
        placed.shown.total() if placed else 0,
        placed.clicked.total() if placed else 0,
        now,
        past,
        form(value),
        form(before),
        f"+{form(change)}" if change > 0 else form(change),
    )


def _unseen(figures: Figures, shelf: Shelf, top: Sequence[str]) -> list[str]:
    """Products in the shop that no list showed: those that sell first, then those that came last."""
    if not figures.found.lists:
        return []
    there = shelf.there.copy()
    there[[shelf.find(item_id) for item_id in figures.found.placed]] = False
    wanted = [item_id for item_id in top if there[shelf.find(item_id)]]
    rest = [shelf.ids[item - 1] for item in np.flatnonzero(there)[::-1][:IN_FILE]]
    return [*dict.fromkeys([*wanted, *rest])]
