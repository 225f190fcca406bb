"""How a product fares: what was done with it, where it was shown, which rules touch it, what is like it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.filters import parse
from endcap.engine.oddrows import odd_rows
from endcap.engine.preview import published
from endcap.engine.rules import Boost, Bury, Complement, Floor, Hide, Only, Pin, Rule
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.serve.console import movers
from endcap.serve.console.cards import Card, card_of
from endcap.serve.console.finding import find_products
from endcap.serve.console.measures import rate
from endcap.serve.console.money import Money, money_of
from endcap.serve.console.overview import read
from endcap.serve.console.page import PAGES, SLOTS, Page, Reading
from endcap.serve.console.periods import Period, choice, span_of
from endcap.serve.console.plots import Form, Sheet
from endcap.serve.console.render import number
from endcap.serve.console.rule_views import Published, told_rule
from endcap.serve.console.summary import Figures, Read
from endcap.serve.console.texts import Words
from endcap.serve.console.tiles import change
from endcap.store.sales import Traded

router = APIRouter()

PLACE = PAGES["products"]
NEIGHBOURS = 8

Text = Annotated[str, Query(max_length=512)]


@router.get(PLACE)
def show(
    page: Reading,
    q: Text = "",
    id: Text = "",  # noqa: A002
    period: Period = "month",
    until: Annotated[float | None, Query(ge=0, le=4e9, allow_inf_nan=False)] = None,
) -> Response:
    """The product with that id; else those that some words find, else those that sold most."""
    span, desk = span_of(period, until, page.words.zone), page.desk
    figures = read(page, span)
    alike = page.figure(("alike", id, desk.engine.live.name), partial(_alike, desk.engine, id))
    if figures is None or alike is None:
        return page("waiting.html", active="products", title=page.words("products.title"))
    shown = _product(page, id, figures, alike) if id else _listed(page, q.strip(), figures)
    template = "product.html" if id else "products.html"
    return page(template, active="products", q=q, **shown, **choice(span, period, until))


def _listed(page: Page, q: str, figures: Read) -> dict[str, Any]:
    """What some words find, else what sold most."""
    words, shelf = page.words, page.desk.engine.live.shelf
    money, found = money_of(words, shelf, page.desk.shop), find_products(shelf, q) if q else None
    top = movers.products(words, figures, shelf, money)
    ids = [] if found is None else [shelf.ids[item - 1] for item in found.items]
    listed = top.top if found is None else movers.fares(ids, figures, shelf, money)
    files = [*top.sheets, movers.sheet(words, "found", listed)]
    return {"files": files, "found": found, "listed": listed, "money": money}


def _product(page: Page, asked: str, figures: Read, alike: Sequence[Card]) -> dict[str, Any]:
    """All that is known of one."""
    words, engine = page.words, page.desk.engine
    version, shelf = engine.live, engine.live.shelf
    item = shelf.find(asked)
    item_id = shelf.ids[item - 1] if item else asked
    money, places = money_of(words, shelf, page.desk.shop), _places(item_id, figures)
    return {
        "files": [_sheet(words, places)],
        "card": card_of(item_id, shelf),
        "state": _state(version, item),
        "hidden": bool(item) and bool(shelf.there[item]) and not engine.listed(version).there[item],
        "facts": _facts(words, item_id, figures, money),
        "places": places,
        "sampled": figures.now.found.share,
        "rules": _rules(page, item_id, item, shelf),
        "neighbours": alike,
        "odd": [each for each in odd_rows(engine).rows if each.item_id == item_id],
        "money": money,
    }


def _alike(engine: Engine, item_id: str) -> tuple[Card, ...]:
    """Products like it; none where nothing is known of it. The first look takes seconds: vectors are made for it."""
    if not item_id:
        return ()
    try:
        answer = engine.similar(item_id, NEIGHBOURS)
    except InputError:
        return ()
    return tuple(card_of(each.item_id, engine.live.shelf) for each in answer.items)


def _state(version: Version, item: int) -> str:
    """Whether the live model knows it: `unknown` is no product, `gone` out of the shop, `cold` came after training."""
    if not item:
        return "unknown"
    if not version.shelf.there[item]:
        return "gone"
    if item <= version.artifact.traits.n_items:
        return "known"
    return "described" if version.knows_content else "cold"


@dataclass(frozen=True)
class Fact:
    """A figure of the product, and what it was before."""

    name: str
    value: str
    change: str
    up: bool | None


def _facts(words: Words, item_id: str, figures: Read, money: Money) -> list[Fact]:
    """Seen, clicked, looked at, into the cart, sold, revenue."""

    def counted(each: Figures) -> dict[str, float]:
        placed, traded = each.found.placed.get(item_id), each.traded.get(item_id, Traded())
        lists = (placed.shown.total(), placed.clicked.total()) if placed else (0, 0)
        whole = each.found.share or 1.0
        return {"lists": round(lists[0] / whole), "clicked": round(lists[1] / whole), "looked": traded.looked,
                "carted": traded.carted, "pieces": traded.pieces, "revenue": traded.revenue}  # fmt: skip

    now, past = counted(figures.now), counted(figures.past)
    result = []
    for name, value in now.items():
        form: Form = money if name == "revenue" else number
        text, up = change(words, (value, past[name]), form)
        result.append(Fact(words(f"sold.{name}"), form(value), text, up))
    return result


@dataclass(frozen=True)
class Place:
    """A slot that the product was shown in."""

    slot: str
    shown: int
    clicked: int
    rate: float | None
    before: int  # shown


def _places(item_id: str, figures: Read) -> list[Place]:
    """In the lists that were read."""
    now, past = (each.found.placed.get(item_id) for each in (figures.now, figures.past))
    slots = [slot for slot in SLOTS if (now and now.shown[slot]) or (past and past.shown[slot])]
    return [
        Place(
            slot,
            now.shown[slot] if now else 0,
            now.clicked[slot] if now else 0,
            rate(now.clicked[slot], now.shown[slot]) if now else None,
            past.shown[slot] if past else 0,
        )
        for slot in slots
    ]


def _sheet(words: Words, places: Sequence[Place]) -> Sheet:
    head = ("table.slot", "sold.lists", "sold.clicked", "products.shown_before")
    rows = [(words(f"slot.{each.slot}"), each.shown, each.clicked, each.before) for each in places]
    return Sheet("places", tuple(words(name) for name in head), rows)


def _rules(page: Page, item_id: str, item: int, shelf: Shelf) -> list[Published]:
    """Those that move, hide or place it; what is said of all products alike is none."""
    rules = published(page.desk.engine).items()
    return [told_rule(page, rule_id, rule, None) for rule_id, rule in rules if touches(rule, item_id, item, shelf)]


def touches(rule: Rule, item_id: str, item: int, shelf: Shelf) -> bool:
    """Whether a rule is about a product: names it, lets it through its filter, or has its price below its floor."""
    match rule:
        case Pin():
            return any(each == item_id or (item and shelf.find(each) == item) for each in rule.item_ids)
        case Complement():
            named = (*rule.beside, *rule.item_ids)
            return any(each == item_id or (item and shelf.find(each) == item) for each in named)
        case Boost() | Bury() | Hide() | Only():
            try:
                return bool(item) and bool(shelf.mask(parse(rule.filter))[item]) != isinstance(rule, Only)
            except InputError:  # of a column that the catalogue no longer has
                return False
        case Floor():
            return bool(item) and not shelf.whole.prices[item] >= rule.price
    return False
