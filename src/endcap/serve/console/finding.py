"""Products by their titles or ids, for forms; a word that no product has is taken for the nearest that some have."""

import difflib
from dataclasses import dataclass

from endcap.engine.shelf import Shelf
from endcap.features.words import words
from endcap.serve.storefront.search import search, vocabulary

MOST = 8
"""Products that are found."""

ALIKE = 0.7
"""How alike a mistyped word is to the one that was meant, by difflib: `wacth` and `watch` are 0.8."""

SHORTEST = 3
"""Letters of a word that may be mistyped."""


@dataclass(frozen=True)
class Found:
    """What was found, and for which words where it was not for those that were asked."""

    items: tuple[int, ...]
    instead: str = ""


def find_products(shelf: Shelf, text: str) -> Found:
    """The product with that id first, then those with all words, then those whose id begins so."""
    asked = text.strip()
    own = [shelf.find(asked), *search(shelf, asked)[:MOST].tolist()]
    if len(own) <= MOST:
        begun = asked.casefold()
        own += [
            place for place, item_id in enumerate(shelf.ids, start=1) if begun and item_id.casefold().startswith(begun)
        ]
    items = tuple(item for item in dict.fromkeys(own) if item and shelf.there[item])[:MOST]
    if items:
        return Found(items)
    instead = " ".join(_nearest(word, vocabulary(shelf)) for word in words(asked))
    return Found(tuple(search(shelf, instead)[:MOST].tolist()), instead)


def _nearest(word: str, known: tuple[str, ...]) -> str:
    if len(word) < SHORTEST or word in known:
        return word
    near = [each for each in known if abs(len(each) - len(word)) <= 2]
    return "".join(difflib.get_close_matches(word, near, n=1, cutoff=ALIKE)) or word
