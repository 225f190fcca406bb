"""The nouns of a request: what is asked, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from endcap.store.records import Visitor

Slot = Literal["home", "popular", "again", "new", "similar", "product", "cart", "purchased", "email"]
"""Where the list stands, and what it is for.

| slot | what |
|---|---|
| home | for the visitor |
| popular | what many like, whoever asks |
| again | what the visitor bought before |
| new | what the visitor never had, near what they looked at last |
| similar | like one product, whoever asks |
| product | beside one product: what is often next |
| cart | of other categories, from the same baskets as what lies in the cart |
| purchased | after a purchase |
| email | in a message: nothing that the visitor had |
"""

NEEDS_ITEM: frozenset[Slot] = frozenset(["product", "similar"])
"""Slots that stand beside a product."""

Goal = Literal["view", "cart", "purchase", "review"]


NOBODY = Visitor()
"""Who asks without a name."""


@dataclass(frozen=True)
class Step:
    """An event of a history that comes with the request."""

    item_id: str
    kind: str = "view"
    time: float | None = None  # seconds since 1970
    rating: float | None = None
    price: float | None = None
    quantity: float | None = None


@dataclass(frozen=True)
class Ask:
    """A request for recommendations."""

    visitor: Visitor = NOBODY
    history: tuple[Step, ...] | None = None  # in place of what the store knows of the visitor, oldest first
    item_id: str | None = None  # the product that is looked at; slot product
    cart: tuple[str, ...] = ()  # what lies in the cart or was just bought
    goal: Goal | None = None  # the kind of event to predict; None: the one the model was trained for
    slot: Slot = "home"
    k: int = 10
    filter: str | None = None  # engine/filters.py
    exclude: tuple[str, ...] = ()
    diversity: float = 0.0  # 0 to 1: how much unlikeness counts against the score
    explain: bool = False
    one_per_group: bool = True  # of products that are one for people (features/groups.py), at most one


@dataclass(frozen=True)
class Had:
    """What the visitor did with the product before, or with one that reads alike."""

    kind: Literal["purchase", "cart", "view"]  # the weightiest of what they did
    times: int  # so many events
    days: int | None = None  # since the last of them; None where that is not known, or longer ago than a year
    every: int | None = None  # days from one purchase to the next, where they come regularly
    same: bool = True  # the very product, not one that reads alike


@dataclass(frozen=True)
class Reason:
    """Why a product stands in a list; without the events that are named its score is lower."""

    text: str  # for people, in English
    events: tuple[str, ...] = ()  # ids of other items of the history
    features: tuple[str, ...] = ()  # such as `colour = red`
    kind: Literal["rule", "had", "events", "taste", "popular"] = "popular"
    rule: str | None = None  # the id of the rule that placed it
    had: Had | None = None
    titles: tuple[str, ...] = ()  # of the events


@dataclass(frozen=True)
class Recommended:
    """A place of a list."""

    item_id: str
    score: float | None  # None: a rule put it there
    reason: Reason | None
    shown: Mapping[str, Any]  # title, category, brand, price, currency, image: as far as known


@dataclass(frozen=True)
class Answer:
    """A list, best first."""

    recommendation_id: str
    items: tuple[Recommended, ...]
    model: str  # the version that answered
    unknown: tuple[str, ...] = ()  # ids of the request that are no products; they were ignored
    notes: tuple[str, ...] = ()  # such as that fewer than k items may be shown
