"""Metrics as pure functions: of ranks (where the right answers came), and of the lists that were shown.

Ranks start at 1; a missed answer has rank infinity. `offsets` groups the ranks of one query
(a basket has several answers).
"""

import numpy as np
from numpy.typing import NDArray

from endcap.data.interactions import Histories
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


def coverage(shown: Ints, n_items: int) -> float:
    """The share of the catalogue that is shown to anyone. shown: (queries, k), 0 where a list is shorter."""
    return len(np.unique(shown[shown > 0])) / n_items if n_items else 0.0


def exposure(shown: Ints, n_items: int) -> Ints:
    """(items,) how many lists each item is in, without padding: what `gini` is taken of."""
    return np.bincount(shown.ravel(), minlength=n_items + 1)[1:]


def novelty(shown: Ints, counts: Ints) -> Floats:
    """(queries,) the mean self-information -log2 p of the items shown, in bits; NaN for an empty list.

    p is an item's share of the training events, `counts` (items + 1,); one without events counts as if it had one.
    Zhou et al., 2010.
    """
    share = np.maximum(counts, 1) / max(1, counts[1:].sum())
    return _mean(-np.log2(share)[shown], shown > 0)


def diversity(shown: Ints, categories: Ints) -> Floats:
    """(queries,) the share of a list's pairs whose categories differ; NaN where no pair has both categories.

    categories: (items + 1,) a number per item, 0 where it is unknown.
    """
    listed = categories[shown]  # (queries, k)
    first, second = np.triu_indices(shown.shape[1], 1)
    return _mean(listed[:, first] != listed[:, second], (listed[:, first] > 0) & (listed[:, second] > 0))


def spread(items: Ints, vectors: NDArray[np.float32]) -> Floats:
    """(batch,) the mean of 1 − cosine over all pairs of a list: 0 are copies, 1 have nothing in common.

    items: (batch, k), 0 where a list is shorter; vectors: (items + 1, dim) of any length. NaN below two items.
    """
    return np.concatenate([_spread(items[start : start + CHUNK], vectors) for start in range(0, len(items), CHUNK)]
                          or [np.zeros(0)])  # fmt: skip


def _spread(items: Ints, vectors: NDArray[np.float32]) -> Floats:
    unit = vectors[items].astype(np.float64)  # (chunk, k, dim)
    unit /= np.maximum(np.linalg.norm(unit, axis=-1, keepdims=True), TINY)
    unit *= (items > 0)[..., None]
    n = (items > 0).sum(axis=1)
    # The squared length of a sum has every pair twice, and each vector with itself once.
    pairs = (unit.sum(axis=1) ** 2).sum(axis=1) - (unit**2).sum(axis=(1, 2))
    return np.where(n > 1, 1 - pairs / np.maximum(n * (n - 1), 1), np.nan)


def popularity_bias(shown: Ints, histories: Histories, counts: Ints) -> float:
    """How much more popular the items shown are than those in the same users' histories: 0 alike, 1 twice as popular.

    Both are averaged within each user first; users without history or list are left out.
    Abdollahpouri et al., 2019 (there: the change of the group's average popularity); counts: (items + 1,).
    """
    lists = _mean(counts[shown], shown > 0)
    sums = np.concatenate([[0.0], np.cumsum(counts[histories.items], dtype=np.float64)])
    lengths = histories.lengths
    own = (sums[histories.offsets[1:]] - sums[histories.offsets[:-1]]) / np.where(lengths > 0, lengths, np.nan)
    both = ~np.isnan(lists) & ~np.isnan(own)
    return float(lists[both].mean() / own[both].mean() - 1) if both.any() else float("nan")


def calibration(shown: Ints, histories: Histories, categories: Ints, smoothing: float = 0.01) -> Floats:
    """(queries,) how far a list's categories are from its history's: Kullback-Leibler divergence in nats, 0 the same.

    The list's shares q are mixed with `smoothing` of the history's p, so that a missing category costs a finite
    amount: sum p ln(p / ((1 - smoothing) q + smoothing p)). Steck, 2018. NaN where either has no known category.
    """
    n_categories = int(categories.max(initial=0)) + 1
    wanted, p = _shares(histories.owners, categories[histories.items], len(histories), n_categories)
    rows = np.repeat(np.arange(len(shown)), shown.shape[1])
    offered, q = _shares(rows, categories[shown.ravel()], len(shown), n_categories)
    # The list's share of each category of the history: both are sorted by query, then category.
    places = np.minimum(np.searchsorted(offered, wanted), max(0, len(offered) - 1))
    of_list = np.where(offered[places] == wanted, q[places], 0.0) if len(offered) else np.zeros(len(wanted))
    terms = p * np.log(p / ((1 - smoothing) * of_list + smoothing * p))
    result = np.bincount(wanted // n_categories, terms, minlength=len(shown))
    either = np.zeros((2, len(shown)), dtype=bool)
    either[0, wanted // n_categories] = either[1, offered // n_categories] = True
    return np.where(either.all(axis=0), result, np.nan)


def _shares(rows: Ints, categories: Ints, n_rows: int, n_categories: int) -> tuple[Ints, Floats]:
    """Sorted keys row * n_categories + category of what occurs, and each one's share of its row."""
    known = categories > 0
    keys, counts = np.unique(rows[known] * n_categories + categories[known], return_counts=True)
    totals = np.bincount(keys // n_categories, counts, minlength=n_rows)
    return keys, counts / totals[keys // n_categories]


def _mean(values: np.ndarray, where: np.ndarray) -> Floats:
    """(rows,) the mean of the values that count; NaN where none does."""
    n = where.sum(axis=1)
    return np.where(where, values, 0.0).sum(axis=1) / np.where(n > 0, n, np.nan)


CHUNK = 4096
"""Lists whose vectors are compared at a time: with 20 items of 64 numbers 42 MB."""
TINY = 1e-12
