"""Products by their titles or ids, for forms: what the search of the shop finds."""

from dataclasses import dataclass

from endcap.engine.searching import look_up
from endcap.engine.shelf import Shelf

MOST = 8
"""Products that are found."""


@dataclass(frozen=True)
class Found:
    """What was found, and for which words where it was not for those that were asked."""

    items: tuple[int, ...]
    instead: str = ""


def find_products(shelf: Shelf, text: str) -> Found:
    """The product with that id first, then those with all words, then those whose id begins so."""
    asked = text.strip()
    found = look_up(shelf, asked)
    corrected = found.reading.corrected
    fitting = found.items[: found.exact] if found.exact else found.items
    own = [shelf.find(asked), *([] if corrected else fitting[:MOST].tolist())]
    if len(own) <= MOST:
        begun = asked.casefold()
        own += [
            place for place, item_id in enumerate(shelf.ids, start=1) if begun and item_id.casefold().startswith(begun)
        ]
    items = tuple(item for item in dict.fromkeys(own) if item and shelf.there[item])[:MOST]
    if items or not corrected:
        return Found(items)
    instead = " ".join(corrected.get(word, word) for word in found.reading.typed)
    return Found(tuple(fitting[:MOST].tolist()), instead)
