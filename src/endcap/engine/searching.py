"""Search as it is served: the catalogue as it is now without what rules hide, near ties in the visitor's own order."""

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from endcap.data.catalog import NUMBERS, Catalog
from endcap.data.vocabulary import Ints
from endcap.engine.filters import parse
from endcap.engine.past import Past
from endcap.engine.requests import NOBODY, Step
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.features import cells
from endcap.search.fields import UNREAD
from endcap.search.finding import Facts, Found, find
from endcap.search.index import Index
from endcap.search.ranking import Corpus, Part
from endcap.search.spelling import Speller
from endcap.search.suggesting import Suggestions, suggest, surface
from endcap.search.wishes import Sort
from endcap.store.records import Visitor

PERSONAL = 600
"""Products of a search that come in the visitor's own order where they fit alike; who leafs on sees the others."""
ALIKE = 8
"""Steps from the best score to none; products on the same one fit alike."""
LONGEST = 500
"""Characters of a query that are read."""


@dataclass(frozen=True)
class Sought:
    """A search: who, for what, and among what."""

    query: str
    visitor: Visitor = NOBODY
    history: tuple[Step, ...] | None = None  # in place of what the store knows of the visitor
    k: int = 24
    offset: int = 0  # products before the first one shown
    filter: str | None = None  # engine/filters.py
    sort: Sort | None = None  # in place of the one that the query asks for


@dataclass(frozen=True)
class Searchable:
    """A shelf, ready to be searched."""

    corpus: Corpus
    speller: Speller
    facts: Facts


@dataclass(frozen=True)
class Hits:
    """What was found on a shelf, and what was corrected, in words as titles have them."""

    shelf: Shelf
    found: Found
    corrected: dict[str, str]
    model: str  # whose order near ties have


def seek(version: Version, shelf: Shelf, sought: Sought, past: Past) -> Hits:
    """All that fits, best first; raises InputError where the filter cannot be read, or not with this catalogue."""
    ready = searchable(shelf)
    allowed = shelf.there if sought.filter is None else shelf.mask(parse(sought.filter))
    query = sought.query[:LONGEST]
    found = find(ready.corpus, ready.speller, ready.facts, query, allowed=allowed, sort=sought.sort)
    if (sought.sort or found.wishes.sort) == "best":
        found = found.reordered(_own_order(version, found, past))
    titles = shelf.whole.titles
    corrected = {typed: " ".join(surface(ready.corpus, titles, word) for word in meant.split())
                 for typed, meant in found.reading.corrected.items()}  # fmt: skip
    return Hits(shelf, found, corrected, version.name)


def suggestions(shelf: Shelf, query: str, k: int) -> Suggestions:
    """What a query that is being typed may become."""
    ready = searchable(shelf)
    return suggest(ready.corpus, ready.speller, ready.facts, query[:LONGEST], k,
                   allowed=shelf.there, titles=shelf.whole.titles)  # fmt: skip


def look_up(shelf: Shelf, query: str) -> Found:
    """What fits, whoever asks."""
    ready = searchable(shelf)
    return find(ready.corpus, ready.speller, ready.facts, query[:LONGEST], allowed=shelf.there)


@lru_cache(maxsize=4)  # each change of the catalogue makes another shelf, and rules another one of it
def searchable(shelf: Shelf) -> Searchable:
    """A shelf's index: that of its base, made once, beside one of what reads otherwise now."""
    index, speller = _of_base(_Itself(shelf.base))
    changed = _reads_otherwise(shelf)
    items = np.arange(index.size)
    items[[shelf.index[item_id] for item_id in changed if shelf.index[item_id] < index.size]] = 0
    parts = [Part(index, items)]
    if changed:
        others = Index.of(Catalog(shelf.table(changed)), index)
        parts.append(Part(others, np.array([0, *(shelf.index[item_id] for item_id in changed)])))
    whole = shelf.whole
    texts = {text.upper() for text in cells.texts(whole, "currency")}
    currencies = frozenset(texts) if "" not in texts else frozenset()  # a price without one may be in any
    return Searchable(Corpus(tuple(parts), len(shelf) + 1), speller, Facts(whole.prices, whole.ratings, currencies))


def _reads_otherwise(shelf: Shelf) -> list[str]:
    """New products, and those of which more has changed than numbers and what is in stock."""
    silent = {*UNREAD, *NUMBERS}
    read = [name for name in shelf.base.table.column_names if name not in silent]
    known = [item_id for item_id in shelf.rows if shelf.index[item_id] <= len(shelf.base)]
    places = pa.array([shelf.index[item_id] - 1 for item_id in known], pa.int64())
    before = dict(zip(known, shelf.base.table.select(read).take(places).to_pylist(), strict=True))
    return [
        item_id for item_id, row in shelf.rows.items()
        if {name: value for name, value in row.items() if value is not None and name not in silent}
        != {name: value for name, value in before.get(item_id, {}).items() if value is not None}
    ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Itself:
    """A catalogue as a key: two are the same where they are one; comparing tables would take longer than all else."""

    catalog: Catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.catalog is self.catalog

    def __hash__(self) -> int:
        return id(self.catalog)


@lru_cache(maxsize=2)  # the catalogue of an artifact, and of the next one that goes live
def _of_base(base: _Itself) -> tuple[Index, Speller]:
    index = Index.of(base.catalog)
    return index, Speller.of(index)


def _own_order(version: Version, found: Found, past: Past) -> Ints:
    """Places of the first products, those that fit alike by what the served model makes of the visitor."""
    items, scores = found.items[:PERSONAL], found.scores[:PERSONAL]
    if len(items) < 2:
        return np.arange(len(items))
    now = time.time()
    histories, _ = version.memory.histories([past], version.shelf.find, now)
    batch = version.batch(histories, np.array([version.goal]), now)
    own = version.retriever.some(batch, items)[0].numpy().astype(np.float64)
    steps = np.round(ALIKE * scores / max(float(scores.max()), 1e-9))
    keys = np.arange(len(items)), -np.nan_to_num(own, neginf=-1e30), -steps, ~found.complete[:PERSONAL]
    return np.lexsort(keys)
