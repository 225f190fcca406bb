"""The search box: products whose title, brand or category has all the words, those with them in the title first."""

import bisect
from array import array
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from endcap.data.catalog import Catalog
from endcap.engine.shelf import Shelf
from endcap.features.words import words

FIELDS = {"title": 4.0, "brand": 2.0, "category": 1.0}
"""What a word counts that stands there."""
BEGUN = 0.5
"""What a word counts of which only the beginning was asked for."""
SHORTEST = 2
"""Letters of a beginning."""
MOST_WORDS = 8


@dataclass(frozen=True)
class Index:
    """How much each word says of each product."""

    words: tuple[str, ...]  # sorted
    weights: csc_array  # (items + 1, words)

    def scores(self, asked: list[str]) -> NDArray[np.float32]:
        """(items + 1,) 0 for products that lack one of the words."""
        found = np.stack([self._of(word) for word in asked])
        return found.sum(axis=0) * (found > 0).all(axis=0)

    def _of(self, word: str) -> NDArray[np.float32]:
        """(items + 1,) of one word, whole or begun."""
        found = np.zeros(self.weights.shape[0], np.float32)
        start = bisect.bisect_left(self.words, word)
        end = bisect.bisect_left(self.words, word + "\U0010ffff")
        if start < end and len(word) >= SHORTEST:
            found = BEGUN * self.weights[:, start:end].max(axis=1).toarray().ravel()
        if start < end and self.words[start] == word:
            found = np.maximum(found, self.weights[:, [start]].toarray().ravel())
        return found


def search(shelf: Shelf, text: str) -> NDArray[np.int64]:
    """Indices of the products in the shop that fit, best first; of two alike the one with the shorter title."""
    asked = list(dict.fromkeys(words(text)))[:MOST_WORDS]
    if not asked:
        return np.zeros(0, np.int64)
    scores = np.zeros(len(shelf) + 1, np.float32)
    base = _of_base(_Itself(shelf.base)).scores(asked)
    scores[: len(base)] = base
    if shelf.rows:
        scores[[shelf.index[item_id] for item_id in shelf.rows]] = _of_changes(shelf).scores(asked)[1:]
    found = np.flatnonzero((scores > 0) & shelf.there)
    lengths = np.array([len(str(shelf.shown(int(item))["title"])) for item in found], np.int64)
    return found[np.lexsort((found, lengths, -scores[found]))]


def vocabulary(shelf: Shelf) -> tuple[str, ...]:
    """All words that can be found."""
    found = _of_base(_Itself(shelf.base)).words
    return (*found, *_of_changes(shelf).words) if shelf.rows else found


@dataclass(frozen=True, eq=False)
class _Itself:
    """A catalogue as a key: two are the same where they are one; comparing tables would take longer than all else."""

    catalog: Catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.catalog is self.catalog

    def __hash__(self) -> int:
        return id(self.catalog)


@lru_cache(maxsize=2)  # the catalogue of an artifact, and of the next one that goes live
def _of_base(base: _Itself) -> Index:
    return index(base.catalog)


@lru_cache(maxsize=1)
def _of_changes(shelf: Shelf) -> Index:
    return index(Catalog(shelf.table(list(shelf.rows))))


def index(catalog: Catalog) -> Index:
    """Of all rows; row i has place i + 1, as items have."""
    places: dict[str, int] = {}
    rows, columns, weights = array("i"), array("i"), array("f")  # of plain lists, a catalogue takes ten times as much
    for name, weight in FIELDS.items():
        known: dict[str, list[int]] = {}  # brands and categories repeat
        for row, text in enumerate(catalog.texts(name)):
            if text not in known:
                known[text] = [places.setdefault(word, len(places)) for word in dict.fromkeys(words(text))]
            rows.extend([row] * len(known[text]))
            columns.extend(known[text])
            weights.extend([weight] * len(known[text]))
    found = np.asarray(weights), (np.asarray(rows), np.asarray(columns))
    matrix = csc_array(found, shape=(len(catalog) + 1, len(places)))
    order = sorted(places)
    return Index(tuple(order), matrix[:, [places[word] for word in order]])
