"""What goes with some products: of other categories, from the same baskets (data/complements.py)."""

from collections.abc import Sequence

import numpy as np

from endcap.data.vocabulary import Ints
from endcap.engine.past import Past
from endcap.engine.requests import Reason
from endcap.engine.retrieval import Floats32, Found, Restriction
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version

NAMED = 0.5
"""A second product is named where it counts at least this much of what the first does."""


def in_cart(shelf: Shelf, past: Past) -> list[int]:
    """The products that a visitor put into the cart and neither took out nor bought since."""
    held: dict[int, None] = {}
    for event in past:
        item = shelf.find(event.item_id)
        if event.kind == "cart" and item:
            held[item] = None
        elif event.kind in ("remove", "purchase"):
            held.pop(item, None)
    return list(held)


def scores(version: Version, item: int) -> Floats32:
    """(items + 1,) how each product goes with one; 0 where nothing says that it does."""
    found = np.zeros(len(version.shelf) + 1, np.float32)
    if version.artifact.complements is not None:
        others, own = version.artifact.complements.of(item)
        found[others] = own
    return found


def together(version: Version, beside: Sequence[int], restriction: Restriction, without: Ints, n: int) -> Found:
    """At most n products that go with some; none where nothing is known of them."""
    scored = np.zeros(len(version.shelf) + 1, np.float32)
    for item in beside:
        scored += scores(version, item)
    shown = (scored > 0) & version.shelf.there
    if restriction.allowed is not None:
        shown &= restriction.allowed
    shown[[*without.tolist(), *beside]] = False
    items = np.flatnonzero(shown)
    scored = scored[items]
    if restriction.bonus is not None and len(items):
        scored = scored + restriction.bonus[items] * scored.std()
    order = np.lexsort((items, -scored))[:n]
    return Found(items[order], scored[order])


def reasons(version: Version, beside: Sequence[int], items: Ints) -> list[Reason]:
    """With which products beside it each is bought: the one that counts most, and a second of its weight."""
    shelf = version.shelf
    counts = np.reshape([scores(version, other)[items] for other in beside], (len(beside), len(items)))
    found = []
    for own in counts.T:
        first = np.argsort(-own, kind="stable")[:2]
        named = [beside[place] for place in first if own[place] > 0 and own[place] >= NAMED * own[first[0]]]
        if not named:
            found.append(Reason("many like it"))
            continue
        titles = tuple(str(shelf.shown(other)["title"]) for other in named)
        ids = tuple(shelf.ids[other - 1] for other in named)
        found.append(Reason(f"often in one basket with {' and '.join(titles)}", ids, kind="events", titles=titles))
    return found
