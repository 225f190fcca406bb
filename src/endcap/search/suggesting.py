"""While a query is typed: what it may become, and the products and categories that it finds already."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from endcap.features import cells
from endcap.features.words import words
from endcap.search.finding import Facts, find
from endcap.search.ranking import Corpus, Ints, Mask
from endcap.search.spelling import Speller
from endcap.search.terms import folded, names, stem

TRIED = 40
"""The commonest words that begin as typed, of which those that stand with the other words are suggested."""
MOST_CATEGORIES = 3


@dataclass(frozen=True, eq=False)
class Suggestions:
    """For a list below the field."""

    queries: tuple[str, ...]
    items: Ints
    categories: tuple[str, ...]  # paths


def suggest(
    corpus: Corpus, speller: Speller, facts: Facts, query: str, k: int, *, allowed: Mask, titles: Sequence[str]
) -> Suggestions:
    """At most k queries and k products; nothing for an empty query."""
    text = " ".join(query.split())
    if not text:
        return Suggestions((), np.zeros(0, np.int64), ())
    found = find(corpus, speller, facts, text, allowed=allowed)
    return Suggestions(_queries(corpus, speller, text, k, titles), found.items[:k], _categories(corpus, text))


def surface(corpus: Corpus, titles: Sequence[str], name: str) -> str:
    """A term as a title writes it: `hoodie` of `hoody`; the term itself where none has it."""
    for part in corpus.parts:
        if (number := part.index.numbers.get(name)) is not None:
            for item in part.index.named[number][0][:3]:
                for word in words(titles[int(part.items[item])]):
                    if stem(folded(word)) == name:
                        return word
    return name


def _queries(corpus: Corpus, speller: Speller, text: str, k: int, titles: Sequence[str]) -> tuple[str, ...]:
    """The text with its last word typed to its end; words that stand with the others in most products first."""
    before, _, last = text.rpartition(" ")
    begun = folded(last)
    start = bisect.bisect_left(speller.words, begun)
    end = bisect.bisect_left(speller.words, begun + "\U0010ffff")
    if not begun or start == end:
        return ()
    order = start + np.argsort(-speller.counts[start:end], kind="stable")[:TRIED]
    others = [name for name in names(before) if corpus.count(name)]
    having = np.logical_and.reduce([corpus.having(name, named=False) for name in others]) if others else None
    scored = [
        (int(speller.counts[n] if having is None else (having & corpus.having(speller.words[n], named=True)).sum()), n)
        for n in order.tolist()
    ]
    best = sorted((-count, n) for count, n in scored if count)[:k]
    found = [f"{before} {surface(corpus, titles, speller.words[n])}".strip() for _, n in best]
    return tuple(dict.fromkeys(found))


def _categories(corpus: Corpus, text: str) -> tuple[str, ...]:
    """Those of which a word begins as each word of the text does; the upper ones first."""
    asked = names(text)
    found = []
    for path in corpus.parts[0].index.categories:
        have = names(path.rpartition(cells.LEVEL)[2])
        if asked and all(any(word.startswith(one) for word in have) for one in asked):
            found.append((path.count(cells.LEVEL.strip()), path))
    return tuple(path for _, path in sorted(found)[:MOST_CATEGORIES])
