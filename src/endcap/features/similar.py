"""The nearest products by their codes: an exact product, no index."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints
from endcap.features.base import Block


@dataclass(frozen=True)
class Neighbours:
    """For each of n items its nearest others, the nearest first."""

    items: Ints  # (n, k) indices from 1; 0 where there are no more
    cosines: NDArray[np.float32]  # (n, k) from -1 to 1; 0 where there are no more


def similar(codes: Block, items: Ints, *, k: int = 10, among: Ints | None = None) -> Neighbours:
    """The k nearest of each item, itself left out, among all items (or those of `among`) that have a code.

    An item that came after the fit is asked for like any other, by its row. One without a code has no neighbours.
    Raises InputError where an item is not there.
    """
    last = len(codes.vectors) - 1
    if len(items) and (items.min() < 1 or items.max() > last):
        wrong = items[(items < 1) | (items > last)][0]
        raise InputError(f"found item {wrong}; expected an index from 1 to {last:,}")
    pool = np.flatnonzero(codes.present[1:]) + 1 if among is None else among[codes.present[among]]
    unit = _unit(codes.vectors)
    candidates = np.ascontiguousarray(unit[pool].T)  # (dim, pool)
    own = np.full(last + 1, -1)
    own[pool] = np.arange(len(pool))
    found, cosines = np.zeros((len(items), k), np.int64), np.zeros((len(items), k), np.float32)
    shown = min(k, len(pool))
    rows = max(1, CELLS // max(1, len(pool)))
    for start in range(0, len(items) if shown else 0, rows):
        asked = items[start : start + rows]
        scores = unit[asked] @ candidates  # (chunk, pool)
        inside = np.flatnonzero(own[asked] >= 0)
        scores[inside, own[asked[inside]]] = -np.inf
        scores[~codes.present[asked]] = -np.inf
        best = np.argpartition(-scores, shown - 1, axis=1)[:, :shown]
        values = np.take_along_axis(scores, best, axis=1)
        order = np.lexsort((pool[best], -values))  # of equal ones the earlier item, so that it is always the same
        values, best = np.take_along_axis(values, order, axis=1), np.take_along_axis(best, order, axis=1)
        real = np.isfinite(values)
        found[start : start + rows, :shown] = np.where(real, pool[best], 0)
        cosines[start : start + rows, :shown] = np.where(real, values, 0)
    return Neighbours(found, cosines)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


CELLS = 10_000_000
"""Scores that are in memory together: 40 MB, and some four times that while the best of them are looked for."""
