"""The nouns of the store: what is written into it and what is read from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Visitor:
    """Who asks or acts: a user, an anonymous session, or a session that has logged in (both: the two are merged)."""

    user_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True)
class Event:
    """What a visitor did to an item."""

    visitor: Visitor
    item_id: str
    kind: str  # one of data.schema.KINDS
    time: float | None = None  # seconds since 1970; None: when it arrives
    event_id: str | None = None  # the same id twice counts once
    rating: float | None = None
    price: float | None = None  # of one piece
    quantity: float | None = None
    recommendation_id: str | None = None  # the list in which the item was shown, clicked or found
    attributes: Mapping[str, Any] = field(default_factory=dict)


class Happened(NamedTuple):
    """An event as a history holds it; a tuple, since ten thousands of them are made in a second."""

    item_id: str
    kind: str
    time: float
    rating: float | None
    price: float | None
    quantity: float | None


@dataclass(frozen=True)
class Revisions:
    """Numbers that grow with every change, in the order of commit: a server reads what is newer than it has."""

    items: int = 0
    rules: int = 0
    models: int = 0


@dataclass(frozen=True)
class ItemChange:
    """A row of the catalogue as it is now; what is not in `row` is as the artifact has it."""

    item_id: str
    row: Mapping[str, Any] | None  # columns of the catalogue (data.schema); None: taken out of the shop
    revision: int


@dataclass(frozen=True)
class Shown:
    """A list as it was given, for measuring: what was shown to whom, by which model, by what chance."""

    recommendation_id: str
    visitor: Visitor
    time: float
    slot: str
    model: str  # the version of the model that answered
    items: tuple[str, ...]
    experiment: str | None = None  # an A/B test that was running
    arm: str | None = None
    # Of each explored place: {"place": from 0, "pool": [item ids that could have stood there], "chance": of the shown}
    explored: tuple[Mapping[str, Any], ...] = ()


class OddRow(NamedTuple):
    """A row of the catalogue that looks wrong, as features/oddities.py found it."""

    item_id: str
    column: str  # where to look
    value: str  # what stands there, for people
    title: str
    expected: str
    why: str
    score: float  # from 0 to 1: how sure
    right_by: str | None = None  # who called it right
    right_at: float | None = None
