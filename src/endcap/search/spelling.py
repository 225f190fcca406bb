"""Misspelt words corrected against the catalogue's own vocabulary, by Damerau's distance and what stands together.

Candidates share pairs of letters with the word; of those within reach the nearest counts, and of several as near the
one that the other words of the query stand with most often. Codes and sizes are never corrected.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.search.index import Index

SHORTEST = 3
"""Letters of a word that may be misspelt."""
LONG = 8
"""Letters from which two errors are looked past."""
CANDIDATES = 40
RARE = 100
"""How much commoner a word is that is meant by one which the catalogue has, but hardly ever."""


@dataclass(frozen=True, eq=False)
class Speller:
    """The words of a catalogue, by the pairs of letters in them."""

    words: tuple[str, ...]  # sorted
    counts: NDArray[np.int64]  # (words,) items that have each
    lengths: NDArray[np.int64]  # (words,)
    grams: dict[str, NDArray[np.int32]]  # pair of letters -> the words that have it

    @classmethod
    def of(cls, index: Index) -> "Speller":
        """Of words of letters alone; pairs of words are none."""
        known = sorted((name, number) for name, number in index.numbers.items() if name.isalpha() and len(name) > 1)
        sizes = np.diff(index.text.starts)
        grams: dict[str, array[int]] = {}
        for place, (name, _) in enumerate(known):
            for gram in _grams(name):
                grams.setdefault(gram, array("i")).append(place)
        return cls(
            words=tuple(name for name, _ in known),
            counts=np.array([sizes[number] for _, number in known], np.int64),
            lengths=np.array([len(name) for name, _ in known], np.int64),
            grams={gram: np.frombuffer(places, np.int32) for gram, places in grams.items()},
        )

    def near(self, word: str, count: int = 0) -> list[tuple[int, str, int]]:
        """Distance, word and items of those that may be meant by a word which `count` items have; nearest first."""
        if len(word) < SHORTEST or not word.isalpha():
            return []
        reach = 1 if len(word) < LONG else 2
        shared = np.zeros(len(self.words), np.int16)
        for gram in _grams(word):
            shared[self.grams.get(gram, _NONE)] += 1
        usable = (abs(self.lengths - len(word)) <= reach) & (shared > 0) & (self.counts > RARE * count)
        places = np.flatnonzero(usable)
        likeness = 2 * shared[places] / (self.lengths[places] + len(word) + 2)
        order = np.lexsort((-self.counts[places], -likeness))[:CANDIDATES]
        found = [(distance(word, self.words[n], reach), self.words[n], int(self.counts[n])) for n in places[order]]
        return sorted((each for each in found if 0 < each[0] <= reach), key=lambda each: (each[0], -each[2]))


_NONE = np.zeros(0, np.int32)


def _grams(word: str) -> set[str]:
    framed = f"^{word}$"
    return {framed[place : place + 2] for place in range(len(framed) - 1)}


def distance(a: str, b: str, most: int) -> int:
    """Letters put in, left out, changed, or swapped with the next one; `most` + 1 where there are more.

    >>> distance("choclate", "chocolate", 2), distance("wacth", "watch", 2), distance("cat", "horse", 2)
    (1, 1, 3)
    """
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(b, start=1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                least = min(least, earlier[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def likeliest(candidates: Sequence[tuple[int, str, int]], together: Sequence[int]) -> str:
    """Of candidates the one nearest; of those as near the one found `together` with the rest of the query most."""
    nearest = candidates[0][0]
    scored = [(math.log1p(both) + math.log1p(count) / 4, word)
              for (away, word, count), both in zip(candidates, together, strict=True) if away == nearest]  # fmt: skip
    return max(scored)[1]
