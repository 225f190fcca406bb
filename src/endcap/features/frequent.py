"""The values of a column that enough items have, and which items have them; upper and lower case are alike."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from endcap.data.vocabulary import Ints


@dataclass(frozen=True)
class Values:
    """What is told apart, the most frequent first."""

    names: tuple[str, ...]  # as most items spell them
    counts: tuple[int, ...]  # how many of the known items have each
    rare: int  # values that too few have


@dataclass(frozen=True)
class Found:
    """Which values items have, item by item end to end."""

    items: Ints  # (n,) ascending
    ids: Ints  # (n,) places among `Values.names`
    others: Ints  # items with values of which none is among them


def frequent(cells: Iterable[Sequence[str]], *, min_count: int, most: int) -> Values:
    """The values of at least `min_count` items, at most `most` of them.

    >>> frequent([("red",), ("Red", "blue"), ("red", "green"), ("blue",)], min_count=2, most=9)
    Values(names=('red', 'blue'), counts=(3, 2), rare=1)
    """
    counts: Counter[str] = Counter()
    spellings: Counter[str] = Counter()
    for cell, n in Counter(map(tuple, cells)).items():
        for value in cell:
            spellings[value] += n
        for key in {value.casefold() for value in cell}:
            counts[key] += n
    named: dict[str, str] = {}
    for value, _ in sorted(spellings.items(), key=lambda pair: (-pair[1], pair[0])):
        named.setdefault(value.casefold(), value)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    kept = [(named[value], count) for value, count in ordered[:most] if count >= min_count]
    return Values(tuple(n for n, _ in kept), tuple(c for _, c in kept), len(counts) - len(kept))


def find(cells: Sequence[Sequence[str]], names: Sequence[str]) -> Found:
    """Which of `names` the (items,) cells have; items count from 0 here."""
    places = {name.casefold(): place for place, name in enumerate(names)}
    items: list[int] = []
    ids: list[int] = []
    others: list[int] = []
    known = {cell: sorted({places[key] for value in cell if (key := value.casefold()) in places})
             for cell in {*map(tuple, cells)}}  # fmt: skip
    for item, cell in enumerate(cells):
        found = known[tuple(cell)]
        items += [item] * len(found)
        ids += found
        if cell and not found:
            others.append(item)
    return Found(*(np.array(each, dtype=np.int64) for each in (items, ids, others)))
