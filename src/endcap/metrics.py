"""Ranking metrics as pure functions of ranks: (queries,) values from the places of the right answers.

Ranks start at 1; a missed answer has rank infinity. `offsets` groups the ranks of one query
(a basket has several answers).
"""

import numpy as np

from endcap.data.vocabulary import Floats, Ints


def hit_rate(ranks: Floats, offsets: Ints, k: int) -> Floats:
    """1 where any answer is among the first k."""
    return (_sums(ranks <= k, offsets) > 0).astype(np.float64)


def recall(ranks: Floats, offsets: Ints, k: int) -> Floats:
    """The share of the answers that is among the first k."""
    return _sums(ranks <= k, offsets) / np.diff(offsets)


def ndcg(ranks: Floats, offsets: Ints, k: int) -> Floats:
    """Discounted gain 1 / log2(1 + rank) of the answers among the first k, over the best that was possible.

    Jarvelin and Kekalainen, 2002; with binary relevance.
    """
    gains = np.where(ranks <= k, 1 / np.log2(1 + ranks), 0.0)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    return _sums(gains, offsets) / best[np.minimum(np.diff(offsets), k)]


def reciprocal_rank(ranks: Floats, offsets: Ints, k: int) -> Floats:
    """1 / rank of the first right answer, 0 where it is not among the first k; its mean is MRR."""
    first = np.minimum.reduceat(ranks, offsets[:-1]) if len(offsets) > 1 else np.zeros(0)
    return np.where(first <= k, 1 / first, 0.0)


def _sums(values: np.ndarray, offsets: Ints) -> Floats:
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return sums[offsets[1:]] - sums[offsets[:-1]]


def gini(counts: Ints) -> float:
    """How unequally recommendations fall on items: 0 all alike, near 1 all on one."""
    ordered = np.sort(counts).astype(np.float64)
    total = ordered.sum()
    if total == 0:
        return 0.0
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))
