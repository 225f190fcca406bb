"""The order of the catalogue for some terms: BM25F, then what the first products say of the kind that is meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.search.index import Index, Scores

KIND_MEANT = 0.4
"""What a product gains whose categories are all those of the first ones, as a part of the highest score."""
FIRST = 30
"""Products whose categories say which kind is meant."""
BESIDE = 0.8
"""What is left of the score of a product that is for, with, or a part of what was asked for."""
LACKS = 1.2
"""What becomes of the score of a product whose title says that it lacks what was not wanted."""

SAYS_WHAT = 2.0
"""How much more the word that says what it is counts where not all can be had: of red wine, rather wine than red."""

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """What is looked for. Each wanted one is a few terms of which one is enough."""

    wanted: tuple[tuple[str, ...], ...]
    pairs: tuple[str, ...] = ()
    unwanted: tuple[tuple[str, ...], ...] = ()  # items with all terms of one are not wanted
    kind: str = ""  # the one of them that says what it is


@dataclass(frozen=True, eq=False)
class Part:
    """An index, and which items of the whole catalogue its own ones are."""

    index: Index
    items: Ints  # (index.size,) 0 for padding and for what is found elsewhere


@dataclass(frozen=True, eq=False)
class Corpus:
    """A catalogue that is searched: what an artifact has, and what has changed since."""

    parts: tuple[Part, ...]
    size: int  # items + 1

    @classmethod
    def of(cls, index: Index) -> "Corpus":
        """A catalogue of which nothing has changed."""
        return cls((Part(index, np.arange(index.size)),), index.size)

    def count(self, name: str) -> int:
        """Items that have a term."""
        return sum(part.index.count(name) for part in self.parts)

    def rarity(self, name: str) -> float:
        """Of a term, in the largest part that has it; 0 where none has."""
        for part in self.parts:
            if (number := part.index.numbers.get(name)) is not None:
                return float(part.index.rarity[number])
        return 0.0

    def are_values(self, alternatives: Sequence[str]) -> bool:
        """Whether these are values of attributes: a colour that a description speaks of is not the product's."""
        return all(any(name in part.index.values for part in self.parts) for name in alternatives)

    def having(self, name: str, *, named: bool) -> Mask:
        """(items + 1,) items that have a term; named: in their title or attributes."""
        found = np.zeros(self.size, dtype=bool)
        for part in self.parts:
            if (number := part.index.numbers.get(name)) is not None:
                found[part.items[(part.index.named if named else part.index.text)[number][0]]] = True
        found[0] = False
        return found


@dataclass(frozen=True)
class Ranked:
    """How well all items fit."""

    scores: Scores  # (items + 1,) 0 where nothing fits
    fitting: Scores  # (items + 1,) the share of what was looked for that is there, rare terms counting more


def rank(corpus: Corpus, words: Words) -> Ranked:
    """Scores of all items."""
    scores, fitting, whole = np.zeros(corpus.size, np.float32), np.zeros(corpus.size, np.float32), 0.0
    for alternatives in words.wanted:
        own = np.zeros(corpus.size, np.float32)
        rarity = min((found for name in alternatives if (found := corpus.rarity(name))), default=0.0)
        for name in alternatives:
            for items, weights in _postings(corpus, name):
                own[items] = np.maximum(own[items], rarity * weights)
        if (alternatives[0],) not in words.unwanted:
            own[_denied(corpus, alternatives)] = 0.0
        weight = rarity * (SAYS_WHAT if words.kind in alternatives else 1.0)
        scores += own
        fitting += weight * (_said(corpus, alternatives) if corpus.are_values(alternatives) else own > 0)
        whole += weight
    has = scores > 0
    for name in words.pairs:
        for items, weights in _postings(corpus, name):
            scores[items] += corpus.rarity(name) * weights
    scores[0] = 0.0
    if has.any():
        _prefer_kind(corpus, scores, has)
        scores *= np.where(_beside(corpus, words.kind), BESIDE, 1.0)
    for terms in words.unwanted:
        scores *= np.where(_lacking(corpus, terms), LACKS, 1.0)
    return Ranked(np.where(has, scores, 0.0).astype(np.float32), fitting / max(whole, 1e-9))


def _denied(corpus: Corpus, alternatives: Sequence[str]) -> Mask:
    """Items whose title says that they lack it, and nothing that they have it: sugar free is no sugar."""
    return _lacking(corpus, alternatives) & ~_said(corpus, alternatives)


def _said(corpus: Corpus, alternatives: Sequence[str]) -> Mask:
    return np.logical_or.reduce([corpus.having(name, named=True) for name in alternatives])


def unwanted(corpus: Corpus, words: Words) -> Mask:
    """(items + 1,) items that are said to be or to have what is not wanted; descriptions say too much to count."""
    found = np.zeros(corpus.size, dtype=bool)
    for terms in words.unwanted:
        found |= np.logical_and.reduce([corpus.having(term, named=True) for term in terms])
    return found


def best_first(scores: Scores, items: Ints) -> Ints:
    """Items by score; of the same score the earlier ones."""
    return items[np.lexsort((items, -scores[items]))]


def _postings(corpus: Corpus, name: str) -> Iterator[tuple[Ints, Scores]]:
    for part in corpus.parts:
        if (number := part.index.numbers.get(name)) is not None:
            items, weights = part.index.text[number]
            own = part.items[items]
            yield own[own > 0], weights[own > 0]


def _prefer_kind(corpus: Corpus, scores: Scores, has: Mask) -> None:
    """Products gain by the share that their categories have among the first ones."""
    first = np.argpartition(-scores, min(FIRST, len(scores) - 1))[:FIRST]
    first = first[scores[first] > 0]
    share: dict[str, float] = {}
    total, highest = float(scores[first].sum()), float(scores.max())
    for part in corpus.parts:
        own = np.flatnonzero(np.isin(part.items, first))
        sums = scores[part.items[own]] @ part.index.levels[own]
        for name, number in part.index.categories.items():
            if sums[number]:
                share[name] = share.get(name, 0.0) + float(sums[number]) / total
    for part in corpus.parts:
        weights = np.zeros(part.index.levels.shape[1], np.float32)
        known = {part.index.categories[name]: value for name, value in share.items() if name in part.index.categories}
        weights[list(known)] = list(known.values())
        gain, here = part.index.levels @ weights, part.items > 0
        whole = part.items[here]
        scores[whole] += KIND_MEANT * highest * gain[here] * has[whole]


def _beside(corpus: Corpus, kind: str) -> Mask:
    found = np.zeros(corpus.size, dtype=bool)
    for part in corpus.parts:
        if (number := part.index.numbers.get(kind)) is not None:
            found[part.items[part.index.beside[number][0]]] = True
    return found


def _lacking(corpus: Corpus, terms: Sequence[str]) -> Mask:
    return np.logical_or.reduce([corpus.having(f"-{term}", named=True) for term in terms])
