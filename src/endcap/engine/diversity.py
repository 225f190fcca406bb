"""Lists of unlike products: maximal marginal relevance (Carbonell and Goldstein 1998), and how unlike a list is.

It comes between scores and rules: candidates, best first, are put into a new order here, and `rules.arrange` takes the
places from that order, so that pins stand where they were put and at_most holds. A rule may drop some, so ask for an
order of all candidates:

```
order = diversify(scores, vectors[items], strength=0.3, k=len(items))
shown = arrange(items[order], policy, k)
```
"""

import numpy as np
from numpy.typing import NDArray

from endcap.data.vocabulary import Floats, Ints

Floats32 = NDArray[np.float32]


def diversify(scores: Floats | Floats32, vectors: Floats32, *, strength: float, k: int) -> Ints:
    """(k,) places among the candidates in their new order; fewer where there are fewer.

    scores: (candidates,) best first, finite. vectors: (candidates, dim) of any length; one of zeros is like none.

    The best stays first. Each next one has the highest

        (1 − strength) · (score in standard deviations) − strength · (cosine with the likest of those before it)

    so that strength 0 leaves the order as it is, and 1 asks for unlikeness alone. Of equal ones the earlier wins.
    """
    k = min(k, len(scores))
    if strength == 0 or k < 2:
        return np.arange(k)
    unit = _unit(vectors)
    worth = (1 - strength) * _standardised(scores)
    likest = np.full(len(scores), -np.inf)  # the cosine with the likest of those chosen
    chosen = np.zeros(k, np.int64)
    for place in range(1, k):
        last = chosen[place - 1]
        worth[last] = -np.inf
        np.maximum(likest, unit @ unit[last], out=likest)
        chosen[place] = np.argmax(worth - strength * likest)
    return chosen


def spread(items: Ints, vectors: Floats32) -> Floats:
    """(batch,) the mean of 1 − cosine over all pairs of a list: 0 are copies, 1 have nothing in common.

    items: (batch, k), 0 where a list is shorter; vectors: (items + 1, dim). NaN for lists of fewer than two.
    """
    return np.concatenate([_spread(items[start : start + CHUNK], vectors) for start in range(0, len(items), CHUNK)]
                          or [np.zeros(0)])  # fmt: skip


def _spread(items: Ints, vectors: Floats32) -> Floats:
    unit = _unit(vectors[items]) * (items > 0)[..., None]  # (chunk, k, dim)
    n = (items > 0).sum(axis=1)
    # The squared length of a sum has every pair twice, and each vector with itself once.
    pairs = (unit.sum(axis=1) ** 2).sum(axis=1) - (unit**2).sum(axis=(1, 2))
    return np.where(n > 1, 1 - pairs / np.maximum(n * (n - 1), 1), np.nan)


def _standardised(scores: Floats | Floats32) -> Floats:
    centred = np.asarray(scores, np.float64) - np.mean(scores, dtype=np.float64)
    deviation = centred.std()
    return centred / deviation if deviation > 0 else centred


def _unit(vectors: Floats32) -> Floats:
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


CHUNK = 4096
"""Lists measured at a time: with 20 items of 64 numbers 42 MB."""
