"""The shelves of a page together: no product stands on two of them, and none on its own page or beside its own cart.

All lists of a page are asked for at once, each with as many more as the shelves above it may take away; then each takes
what those above have left. So a page costs one batch of the model, and the first shelf is what it would be alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from endcap.data.errors import InputError
from endcap.engine.answering import Given
from endcap.engine.requests import Answer, Ask, Recommended
from endcap.engine.shelf import Shelf

FEWEST = 4
"""Products that make a shelf; one with fewer comes back empty, and what it had is free for those below."""
MOST = 200
"""Products of one list before the shelves above took theirs."""


def asked(asks: Sequence[Ask]) -> list[Ask]:
    """The same shelves, each with room for what those above it take, none with what the page shows already."""
    own = [*dict.fromkeys(item_id for ask in asks for item_id in (*ask.cart, *([ask.item_id] if ask.item_id else [])))]
    above, found = 0, []
    for ask in asks:
        found.append(replace(ask, k=min(ask.k + above, max(MOST, ask.k)), exclude=(*ask.exclude, *own)))
        above += ask.k
    return found


def arranged(
    asks: Sequence[Ask], given: Sequence[Given | InputError], shelf: Shelf, *, fewest: int = FEWEST
) -> list[Given | InputError]:
    """What each shelf shows of its list: at most k, nothing that stands above; nothing at all where that is too little.

    A product that is one with another (`features/groups.py`) counts as that one.
    """
    own = {item_id for ask in asks for item_id in (*ask.cart, *([ask.item_id] if ask.item_id else []))}
    shown = {_code(shelf, item_id) for item_id in own}
    found: list[Given | InputError] = []
    for ask, one in zip(asks, given, strict=True):
        if isinstance(one, InputError):
            found.append(one)
            continue
        left = tuple(item for item in one.answer.items if _code(shelf, item.item_id) not in shown)[: ask.k]
        if len(left) < min(fewest, ask.k):
            left = ()
        shown |= {_code(shelf, item.item_id) for item in left}
        found.append(replace(one, answer=_cut(one.answer, left), explored=_those(one, left)))
    return found


def _code(shelf: Shelf, item_id: str) -> int:
    """Of the product's group; -1 for what is no product."""
    item = shelf.find(item_id)
    return int(shelf.groups[item]) if item else -1


def _cut(answer: Answer, left: tuple[Recommended, ...]) -> Answer:
    return replace(answer, items=left, recommendation_id=answer.recommendation_id if left else "", notes=())


def _those(one: Given, left: tuple[Recommended, ...]) -> tuple[Mapping[str, Any], ...]:
    """What chance chose, where all of it still stands at its place."""
    return one.explored if left == one.answer.items else ()
