"""Lists of unlike products: maximal marginal relevance (Carbonell and Goldstein 1998).

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


def _standardised(scores: Floats | Floats32) -> Floats:
    centred = np.asarray(scores, np.float64) - np.mean(scores, dtype=np.float64)
    deviation = centred.std()
    return centred / deviation if deviation > 0 else centred


def _unit(vectors: Floats32) -> Floats:
    vectors = np.asarray(vectors, np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
