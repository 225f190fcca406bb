"""A rule before it is published: the shelves of unlike visitors as they are and as they would be."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from endcap.data.errors import InputError
from endcap.engine.filters import parse
from endcap.engine.preview import preview, published
from endcap.engine.requests import Answer, Ask, Slot
from endcap.engine.rules import BESIDE, Boost, Bury, Complement, Hide, Pin, Rule, dump_rule
from endcap.engine.shelf import Shelf
from endcap.serve.console.cards import Card, List, card_of, list_of
from endcap.serve.console.form import Form
from endcap.serve.console.page import SLOTS, Desk, Page
from endcap.serve.console.persons import id_of
from endcap.serve.console.rule_forms import told
from endcap.serve.console.rule_views import reach, state
from endcap.serve.console.shoppers import Shopper, asked_for, shoppers
from endcap.store import figures
from endcap.store.records import Visitor

K = 8
"""Places of a shelf that is previewed."""

VISITORS = 12
"""Whose lists are counted in a preview."""

POOL = 36
"""The latest visitors, among whom are those whose shelves are shown."""

DEEP = 200
"""Places among which it is measured how far a rule moves its products."""

ITEM_SLOTS: frozenset[str] = frozenset({"product", "similar"})
"""Slots beside the product that is looked at."""

CART_SLOTS: frozenset[str] = frozenset({"cart", "purchased"})
"""Slots beside what is bought."""

ALIKE = 50
"""Products like those that are hidden, at most."""


@dataclass(frozen=True)
class Before:
    """The shelf of a visitor twice."""

    shopper: Shopper
    before: List
    after: List

    @property
    def same(self) -> bool:
        """Whether the rule leaves it as it is."""
        return [each.item_id for each in self.before.cards] == [each.item_id for each in self.after.cards]


@dataclass(frozen=True)
class Moves:
    """How far the products of a rule come, in the lists of the latest visitors."""

    places: int  # median, upwards
    entered: int  # into the first K places
    left: int  # out of them


def previewed(page: Page, form: Form, rule_id: str, rule: Rule, *, unsure: bool = False) -> dict[str, Any]:
    """What the page of a preview shows; unsure: it was to be published although no product matches."""
    desk, engine = page.desk, page.desk.engine
    latest, own = list(figures.recent(desk.store, 2_000))[:POOL], asked_for(desk, form["visitor"])
    people = [*dict.fromkeys([*latest, *([own] if own is not None else []), Visitor()])]
    slots = BESIDE if isinstance(rule, Complement) else SLOTS
    slot: Slot = next((each for each in slots if each == form["slot"]), (rule.slots or slots)[0])
    item = form["item"] or _item(desk, rule, own or people[0])
    rules = dict(sorted({**published(engine), rule_id: rule}.items()))
    pairs = dict(zip(people, preview(engine, rules, [_ask(each, slot, item) for each in people]), strict=True))
    touched = {each for each, (before, after) in pairs.items() if _ids(before) != _ids(after)}
    counted, shelf = latest[:VISITORS] or [Visitor()], engine.live.shelf
    return {
        "rule_id": rule_id,
        "told": told(rule, page.words),
        "rule": rule,
        "state": state(rule, time.time()),
        "reach": reach(rule, shelf),
        "of": int(shelf.there.sum()),
        "body": json.dumps(dump_rule(rule), ensure_ascii=False),
        "is_new": form["new"] == "yes",
        "shelves": [
            _shelf(page, rule, each, pairs[each.visitor]) for each in shoppers(desk, latest, own, touched, page.words)
        ],
        "lists": sum(each in touched for each in counted),
        "asked_lists": len(counted),
        "k": K,
        "moves": _moves(desk, rules, rule, [_ask(each, slot, item, DEEP) for each in counted]),
        "alike": _alike(desk, rule),
        "slot": slot,
        "slots": slots,
        "beside": slot in ITEM_SLOTS | CART_SLOTS,
        "visitor": form["visitor"],
        "unknown": bool(form["visitor"]) and own is None,
        "latest": [id_of(each) for each in latest[:VISITORS]],
        "item": item,
        "card": card_of(item, shelf) if item else None,
        "unsure": unsure,
    }


def _shelf(page: Page, rule: Rule, shopper: Shopper, pair: tuple[Answer | InputError, Answer | InputError]) -> Before:
    before, after = pair
    shelf = page.desk.engine.live.shelf
    was, now = list_of(before, page.words, shelf), list_of(after, page.words, shelf, against=before)
    named = rule.item_ids if isinstance(rule, Pin | Complement) else ()
    ruled = tuple(replace(card, ruled=card.ruled or card.item_id in named) for card in now.cards)
    return Before(shopper, was, replace(now, cards=ruled))


def _moves(desk: Desk, rules: Mapping[str, Rule], rule: Rule, asks: Sequence[Ask]) -> Moves | None:
    """None where the rule moves nothing, or moves it altogether."""
    if not isinstance(rule, Boost | Bury):
        return None
    shelf = desk.engine.live.shelf
    meant = shelf.mask(parse(rule.filter))
    places: list[int] = []
    entered = left = 0
    for before, after in preview(desk.engine, rules, asks):
        was, now = _places(before), _places(after)
        for item_id in {*was, *now}:
            if meant[shelf.find(item_id)]:
                old, new = was.get(item_id, DEEP), now.get(item_id, DEEP)
                places.append(old - new)
                entered, left = entered + (new < K <= old), left + (old < K <= new)
    return Moves(round(float(np.median(places))), entered, left) if places else None


def _places(answer: Answer | InputError) -> dict[str, int]:
    return {item_id: place for place, item_id in enumerate(_ids(answer))}


def _alike(desk: Desk, rule: Rule) -> list[Card]:
    """What a rule that hides leaves although it is like what it hides."""
    if not isinstance(rule, Hide):
        return []
    try:
        found = desk.engine.like_these(rule.filter, ALIKE)
    except InputError:  # of the products nothing is known that they could be compared by
        return []
    shelf = desk.engine.live.shelf
    return [card_of(each.item_id, shelf) for each in found.items]


def _ids(answer: Answer | InputError) -> Sequence[str]:
    return [] if isinstance(answer, InputError) else [each.item_id for each in answer.items]


def _ask(visitor: Visitor, slot: Slot, item: str, k: int = K) -> Ask:
    cart = (item,) if item and slot in CART_SLOTS else ()
    return Ask(visitor, item_id=item if slot in ITEM_SLOTS else None, cart=cart, slot=slot, k=k)


def _item(desk: Desk, rule: Rule, visitor: Visitor) -> str:
    """A product for lists beside one: one that the rule names, the last that the visitor had to do with, else any."""
    shelf = desk.engine.live.shelf
    if isinstance(rule, Complement):
        return next((each for each in rule.beside if shelf.find(each)), "")
    past = desk.store.histories([visitor], last=20)[0] if visitor != Visitor() else []
    known = [event.item_id for event in reversed(past) if shelf.find(event.item_id)]
    return known[0] if known else _any(shelf)


def _any(shelf: Shelf) -> str:
    return next((each for each in shelf.ids if shelf.there[shelf.find(each)]), "")
