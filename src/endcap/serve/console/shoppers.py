"""Visitors whose shelves a preview shows: some that are unlike each other, and somebody new."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.engine.shelf import Shelf
from endcap.serve.console.page import Desk
from endcap.serve.console.persons import find, id_of, line_of
from endcap.serve.console.texts import Words
from endcap.serve.storefront.catalogue import product
from endcap.store.records import Happened, Visitor

TYPICAL = 3
FEWEST = 2
"""Events of a visitor of whom something can be said."""

LAST = 200
"""Events of a visitor that are looked at."""


@dataclass(frozen=True)
class Shopper:
    """Whose shelf it is, and a line that says who they are."""

    visitor: Visitor
    line: str

    @property
    def name(self) -> str:
        """An id as it is looked for; empty for somebody new."""
        return id_of(self.visitor)


def shoppers(
    desk: Desk, pool: Sequence[Visitor], asked: Visitor | None, touched: Collection[Visitor], words: Words
) -> list[Shopper]:
    """Who was asked for, then some who are unlike each other, then somebody new.

    touched: visitors of the pool whose shelves change; they are taken before others.
    """
    shelf = desk.engine.live.shelf
    people = [*([asked] if asked is not None else []), *pool]
    pasts = dict(zip(people, desk.store.histories(people, last=LAST), strict=True)) if people else {}
    known = [each for each in pool if each != asked and len(pasts[each]) >= FEWEST]
    chosen: list[Visitor] = []
    for some in ([each for each in known if each in touched], [each for each in known if each not in touched]):
        places = unlike([_tastes(shelf, pasts[each]) for each in some], TYPICAL - len(chosen))
        chosen += [some[place] for place in places]
    chosen = chosen if asked is None else [asked, *chosen]
    return [
        *(Shopper(each, line_of(shelf, pasts[each], words)) for each in chosen),
        Shopper(Visitor(), words("who.new")),
    ]


def unlike(tastes: Sequence[Counter[str]], n: int) -> list[int]:
    """Places of so many that are unlike each other: the busiest, then each the farthest from those before (cosine)."""
    if not tastes or n < 1:
        return []
    names = {name: place for place, name in enumerate(sorted({name for each in tastes for name in each}))}
    vectors = np.zeros((len(tastes), len(names) + 1))
    for row, each in enumerate(tastes):
        for name, count in each.items():
            vectors[row, names[name]] = np.sqrt(count)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    chosen = [int(np.argmax([each.total() for each in tastes]))]
    while len(chosen) < min(n, len(tastes)):
        nearest: NDArray[np.float64] = (vectors @ vectors[chosen].T).max(axis=1)
        nearest[chosen] = np.inf
        chosen.append(int(np.argmin(nearest)))
    return chosen


def asked_for(desk: Desk, text: str) -> Visitor | None:
    """The visitor of that id; None where there is none."""
    return find(desk, text) if text else None


def _tastes(shelf: Shelf, past: Sequence[Happened]) -> Counter[str]:
    """How often they had to do with each category; without categories with each product."""
    counts: Counter[str] = Counter()
    for event in past:
        if item := shelf.find(event.item_id):
            counts[" > ".join(product(shelf, item).category) or event.item_id] += 1
    return counts
