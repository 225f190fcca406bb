"""The index of a catalogue: how much each term says of each product, by BM25 over fields of different weight (BM25F).

Robertson, Zaragoza and Taylor, "Simple BM25 extension to multiple weighted fields", CIKM 2004. What a term says of a
product does not depend on the query, so it is worked out here, and a query only adds up columns.

Departures: a term says more at the beginning of a title, before what a product is for, with or made of (`lead`); and
two terms that stand side by side in a title are a term of their own.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from endcap.data.catalog import Catalog
from endcap.search.fields import FOR, NEGATORS, WEIGHTS, Fields, fields_of, kinds_of

SATURATION = 0.6
"""BM25's k1."""
LENGTH = 0.75
"""BM25's b."""
SIDE_BY_SIDE = 0.3
"""What a pair of terms counts, as a part of its commoner one's weight."""

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Postings:
    """Of each term the items that have it, and how much it says of them."""

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: Scores

    @classmethod
    def of(cls, entries: "_Entries", shape: tuple[int, int]) -> "Postings":
        """What stands there twice is added up."""
        matrix = csc_array((entries.weights, (entries.items, entries.terms)), shape=shape, dtype=np.float32)
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)

    def __getitem__(self, number: int) -> tuple[NDArray[np.int32], Scores]:
        """The items of a term, and its weight in each."""
        own = slice(self.starts[number], self.starts[number + 1])
        return self.items[own], self.weights[own]


@dataclass(frozen=True, eq=False)
class Index:
    """Row i of the catalogue is item i + 1, as everywhere; 0 is padding."""

    size: int  # items + 1
    numbers: Mapping[str, int]  # term -> its number; `a b` is a pair, `-a` that an item lacks it
    rarity: Scores  # (terms,) BM25's idf
    text: Postings  # all fields: what a term adds to an item's score, but for its rarity
    named: Postings  # titles and attributes: what an item is said to be, to have or to lack
    beside: Postings  # titles: what an item is for, with, or a part of
    categories: Mapping[str, int]  # path -> its column in `levels`
    levels: csr_array  # (items + 1, categories) each item's category and all above it; rows add up to 1
    kinds: frozenset[str]  # words that name kinds of products
    values: frozenset[str]  # terms that are values of attributes, such as colours
    lengths: Mapping[str, float]  # field -> terms an item has there

    @classmethod
    def of(cls, catalog: Catalog, like: "Index | None" = None) -> "Index":
        """Of all rows; where these are a few products of many, `like` knows what is rare, and how long texts are."""
        fields = fields_of(catalog)
        kinds = kinds_of(fields.categories) if like is None else like.kinds
        lengths = {name: _length(rows) for name, rows in fields.names.items()} if like is None else like.lengths
        numbers: dict[str, int] = {}
        words, pairs, named, beside = _words(fields, numbers, lengths), *_titles(fields, numbers, kinds)
        shape = len(catalog) + 1, len(numbers)
        text = Postings.of(words, shape)
        rarity = _rarity(np.diff(text.starts), len(catalog))
        if like is not None:
            most = _rarity(np.ones(1), like.size - 1)[0]
            rarity = np.array([like.rarity[like.numbers[name]] if name in like.numbers else most for name in numbers],
                              np.float32)  # fmt: skip
        np.divide(text.weights * (SATURATION + 1), text.weights + SATURATION, out=text.weights)
        _weigh_pairs(rarity, numbers)
        both = Postings.of(_joined(text, pairs), shape)
        categories: dict[str, int] = {}
        return cls(
            size=shape[0],
            numbers=numbers,
            rarity=rarity,
            text=both,
            named=_once(Postings.of(named, shape)),
            beside=_once(Postings.of(beside, shape)),
            levels=_levels(fields.categories, categories),
            categories=categories,
            kinds=kinds,
            values=fields.values if like is None else like.values,
            lengths=lengths,
        )

    def count(self, name: str) -> int:
        """Items that have a term."""
        number = self.numbers.get(name)
        return 0 if number is None else int(self.text.starts[number + 1] - self.text.starts[number])


class _Entries:
    """Items, terms and weights, as they are found."""

    def __init__(self) -> None:
        self.items, self.terms, self.weights = array("i"), array("i"), array("f")

    def add(self, item: int, terms: Sequence[int], weight: float) -> None:
        self.items.extend([item] * len(terms))
        self.terms.extend(terms)
        self.weights.extend([weight] * len(terms))


def _words(fields: Fields, numbers: dict[str, int], lengths: Mapping[str, float]) -> _Entries:
    """All terms of all fields; each counts less the longer its text is."""
    found = _Entries()
    for name, rows in fields.names.items():
        usual = lengths[name] or 1.0
        for item, row in enumerate(rows, start=1):
            if row:
                own = [numbers.setdefault(term, len(numbers)) for term in row]
                found.add(item, own, WEIGHTS[name] / (1 - LENGTH + LENGTH * len(row) / usual))
    return found


def _titles(fields: Fields, numbers: dict[str, int], kinds: frozenset[str]) -> tuple[_Entries, _Entries, _Entries]:
    """Of titles: pairs; what items are named, which attributes do too; what they stand beside."""
    pairs, named, beside = _Entries(), _Entries(), _Entries()

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    for item, row in enumerate(fields.titles, start=1):
        name = [term.name for term in row]
        pairs.add(item, [number(f"{a} {b}") for a, b in dict.fromkeys(pairwise(name))], 1.0)
        said = [f"-{each}" if _is_lacked(name, place) else each for place, each in enumerate(name)]
        parts = [part for term in row for part in term.parts]
        rest = [each for field in ("brand", "category", "attributes") for each in fields.names[field][item - 1]]
        attributes = [f"-{each}" if _is_lacked(rest, place) else each for place, each in enumerate(rest)]
        named.add(item, [number(each) for each in (*said, *parts, *attributes)], 1.0)
        alone = {each for place, each in enumerate(name) if not _is_beside(name, place, kinds)}
        beside.add(item, [number(each) for each in name if each not in alone], 1.0)
    return pairs, named, beside


def _is_lacked(title: Sequence[str], place: int) -> bool:
    before, after = title[max(0, place - 2) : place], title[place + 1 : place + 2]
    return not NEGATORS.isdisjoint(before) or "free" in after


def _is_beside(title: Sequence[str], place: int, kinds: frozenset[str]) -> bool:
    return not kinds.isdisjoint(title[place + 1 : place + 2]) or not FOR.isdisjoint(title[max(0, place - 1) : place])


def _length(rows: Sequence[Sequence[str]]) -> float:
    return sum(map(len, rows)) / max(1, len(rows))


def _rarity(counts: NDArray[np.generic], size: int) -> Scores:
    found = counts.astype(np.float64)
    return np.log1p((size - found + 0.5) / (found + 0.5)).astype(np.float32)


def _weigh_pairs(rarity: Scores, numbers: Mapping[str, int]) -> None:
    for name, number in numbers.items():
        if " " in name:
            rarity[number] = SIDE_BY_SIDE * min(rarity[numbers[each]] for each in name.split(" "))


def _joined(text: Postings, pairs: _Entries) -> _Entries:
    found = _Entries()
    terms = np.repeat(np.arange(len(text.starts) - 1), np.diff(text.starts))
    found.items = array("i", np.concatenate([text.items, np.asarray(pairs.items, np.int32)]).tobytes())
    found.terms = array("i", np.concatenate([terms, np.asarray(pairs.terms)]).astype(np.int32).tobytes())
    found.weights = array("f", np.concatenate([text.weights, np.asarray(pairs.weights, np.float32)]).tobytes())
    return found


def _once(postings: Postings) -> Postings:
    postings.weights[:] = 1.0
    return postings


def _levels(categories: Iterable[tuple[str, ...]], numbers: dict[str, int]) -> csr_array:
    rows, columns, weights = array("i"), array("i"), array("f")
    size = 1
    for item, paths in enumerate(categories, start=1):
        rows.extend([item] * len(paths))
        columns.extend(numbers.setdefault(path, len(numbers)) for path in paths)
        weights.extend([1 / max(1, len(paths))] * len(paths))
        size = item + 1
    found = np.asarray(weights, np.float32), (np.asarray(rows), np.asarray(columns))
    return csr_array(found, shape=(size, max(1, len(numbers))), dtype=np.float32)
