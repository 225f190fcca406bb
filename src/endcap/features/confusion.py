"""How well classes are told apart, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.data.vocabulary import Floats, Ints


@dataclass(frozen=True)
class Confusion:
    """What was said of what, over the photos whose class is known."""

    counts: Ints  # (classes, classes) row: what it is; column: what was said

    @property
    def accuracy(self) -> float:
        """The share that was told right; NaN without photos."""
        total = self.counts.sum()
        return float(np.trace(self.counts) / total) if total else np.nan

    @property
    def per_class(self) -> Floats:
        """(classes,) of the photos of each class, the share that was told right; NaN where there are none."""
        totals = self.counts.sum(1)
        return np.where(totals > 0, np.diag(self.counts) / np.maximum(totals, 1), np.nan)


def confusion(logits: NDArray[np.float32], codes: Ints) -> Confusion:
    """From (n, classes) logits and (n,) codes, -1 where the class is not known."""
    classes = logits.shape[1]
    known = codes >= 0
    said = logits[known].argmax(1)
    return Confusion(np.bincount(codes[known] * classes + said, minlength=classes**2).reshape(classes, classes))
