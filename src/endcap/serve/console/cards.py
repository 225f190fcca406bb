"""Lists of products as pages show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from endcap.data.errors import InputError
from endcap.data.schema import SEPARATOR
from endcap.engine.columns import TEXTS
from endcap.engine.requests import Answer, Had, Reason, Recommended
from endcap.engine.shelf import Shelf
from endcap.serve.console.texts import Words


@dataclass(frozen=True)
class Card:
    """A product at a place of a list."""

    item_id: str
    title: str
    category: str
    price: float | None = None
    currency: str = ""  # as the catalogue names it
    brand: str = ""
    score: float | None = None
    reason: str = ""
    moved: int | None = 0  # places upwards against another list; None: it was not there
    ruled: bool = False  # a rule put it there
    rule: str = ""  # its id, where it is known


@dataclass(frozen=True)
class List:
    """What was answered, or why nothing was."""

    cards: tuple[Card, ...]
    model: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    gone: tuple[Card, ...] = ()  # what another list has and this one does not


def list_of(
    answer: Answer | InputError, words: Words, shelf: Shelf, against: Answer | InputError | None = None
) -> List:
    """The cards of a list; `against` says what moved."""
    if isinstance(answer, InputError):
        return List((), problem=str(answer))
    before = {each.item_id: place for place, each in enumerate(against.items)} if isinstance(against, Answer) else None
    cards = []
    for place, each in enumerate(answer.items):
        moved = 0 if before is None else before[each.item_id] - place if each.item_id in before else None
        cards.append(_card(each, words, shelf, moved))
    ids = {each.item_id for each in answer.items}
    gone = [each for each in against.items if each.item_id not in ids] if isinstance(against, Answer) else []
    return List(tuple(cards), answer.model, answer.notes, gone=tuple(_card(each, words, shelf, None) for each in gone))


def card_of(item_id: str, shelf: Shelf) -> Card:
    """A product by its id; one that is unknown has nothing else."""
    item = shelf.find(item_id)
    return _dressed(item_id, shelf.shown(item) if item else {})


def said(reason: Reason | None, words: Words, shelf: Shelf) -> str:
    """Why, in the language of the page."""
    if reason is None:
        return ""
    if reason.rule is not None:
        return words("why.rule", rule=reason.rule)
    if reason.had is not None:
        return _had(reason.had, words)
    titles = [card_of(item_id, shelf).title for item_id in reason.events]
    parts = [words("why.events", titles=words("why.and").join(titles))] if titles else []
    if reason.kind == "taste":
        parts.append(words("why.taste"))
    for feature in reason.features:
        column, _, value = feature.partition(" = ")
        if column in TEXTS:
            parts.append(words("why.words"))
        else:
            known = value.replace(SEPARATOR, ", ")
            parts.append(words("why.feature", column=words.known("column", column), value=known))
    return words("why.then").join(parts) or words("why.many")


def _had(had: Had, words: Words) -> str:
    """What the visitor did with it before."""
    this = words("why.this" if had.same else "why.alike")
    when = {None: "why.before", 0: "why.today", 1: "why.yesterday"}.get(had.days, "why.ago")
    ago = words(when, n=had.days)
    if had.every is None:
        return words(f"why.had.{had.kind}", this=this, ago=ago)
    often = words("why.daily" if had.every == 1 else "why.every", this=this, n=had.every)
    return often if had.days is None else words("why.every.last", often=often, ago=ago)


def _card(each: Recommended, words: Words, shelf: Shelf, moved: int | None) -> Card:
    found = _dressed(each.item_id, each.shown)
    return Card(
        found.item_id, found.title, found.category, found.price, found.currency, found.brand, each.score,
        said(each.reason, words, shelf), moved, each.score is None,
        "" if each.reason is None else each.reason.rule or "",
    )  # fmt: skip


def _dressed(item_id: str, shown: Mapping[str, Any]) -> Card:
    price = shown.get("price")
    return Card(
        item_id,
        str(shown.get("title") or item_id),
        str(shown.get("category") or ""),
        None if price is None else float(price),
        str(shown.get("currency") or ""),
        str(shown.get("brand") or ""),
    )
