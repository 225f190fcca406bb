"""Item vectors to start from: the spectrum of the positive mutual information of items in one history.

Levy and Goldberg 2014 (Neural word embedding as implicit matrix factorization), on shop histories as in
item2vec (arXiv 1603.04259). What a network otherwise spends its first twenty epochs on is solved in seconds.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from endcap.data.interactions import Histories


def spectral_vectors(
    train: Histories, n_items: int, dim: int, *, window: int = 5, power: float = 0.75
) -> NDArray[np.float32]:
    """(n_items + 1, dim) vectors of length 1; zeros for items without a neighbour.

    Pairs within `window` events count 1 / distance; `power` dampens frequent neighbours (Levy et al. 2015).
    The singular values enter by their square root: the product of two vectors approximates the information.
    """
    vectors = np.zeros((n_items + 1, dim), dtype=np.float32)
    information = _information(_pairs(train, n_items, window), power)
    rank = min(dim, n_items, int((np.diff(information.indptr) > 0).sum()) - 1)
    if rank < 1:
        return vectors
    # A fixed start makes the iteration, and so training, the same every time.
    left, strength, _ = svds(information, k=rank, v0=np.ones(n_items + 1))
    vectors[:, :rank] = left * np.sqrt(strength)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), 0).astype(np.float32)


def _pairs(train: Histories, n_items: int, window: int) -> sparse.csr_array:
    """(n_items + 1, n_items + 1) symmetric counts of neighbours in a history, by 1 / distance."""
    owners = train.owners
    size = (n_items + 1, n_items + 1)
    counts = sparse.csr_array(size, dtype=np.float64)
    for distance in range(1, window + 1):
        same = owners[distance:] == owners[:-distance]
        earlier, later = train.items[:-distance][same], train.items[distance:][same]
        counts = counts + sparse.coo_array((np.full(len(earlier), 1 / distance), (earlier, later)), shape=size).tocsr()
    return counts + counts.T


def _information(counts: sparse.csr_array, power: float) -> sparse.csr_array:
    """log of how much more often two items meet than by chance, where that is positive."""
    pairs = counts.tocoo()
    totals = np.asarray(counts.sum(axis=1)).ravel()
    damped = totals**power
    row, column = pairs.coords
    values = np.log(pairs.data * damped.sum() / (totals[row] * damped[column]))
    keep = values > 0
    information = sparse.coo_array((values[keep], (row[keep], column[keep])), shape=counts.shape).tocsr()
    return (information + information.T) / 2
