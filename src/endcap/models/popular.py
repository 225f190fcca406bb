"""Popularity that forgets: events counted with an exponential half-life, for each kind of question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from endcap.data.batch import Batch
from endcap.data.interactions import KIND_INDEX, Interactions, seconds_ago
from endcap.data.ranges import NotNegative
from endcap.data.schema import GOALS, KINDS
from endcap.data.vocabulary import Floats
from endcap.models.base import ClosedForm, Traits

DAY = 86400.0
ASKABLE = tuple(KIND_INDEX[goal] for goal in GOALS)
"""The kinds that can be an answer, and so are counted."""


@dataclass(frozen=True)
class PopularConfig:
    """Without times neither `half_life` nor `window` does anything."""

    name: Literal["popular"] = "popular"
    half_life: NotNegative = 0.0  # days after which an event counts half; 0: never
    window: NotNegative = 0.0  # days before the end of the log that are counted; 0: all
    backoff: NotNegative = 0.01  # what an event of another kind than the asked one counts


class Popular(ClosedForm):
    """The same row for every history; `counts[0]` answers when the asked kind never occurred."""

    grid: Mapping[str, Sequence[float]] = {"half_life": (0.0, 3.0, 14.0, 60.0, 240.0)}
    history = 1
    counts: Tensor  # (kinds + 1, n_items + 1)

    def __init__(self, config: PopularConfig, traits: Traits):
        super().__init__()
        self.config = config
        self.register_buffer("counts", torch.zeros(len(KINDS) + 1, traits.n_items + 1))

    def fit(self, train: Interactions) -> Self:
        """Counts the log, each event by its age at the end of the log."""
        weights = self._weights(train)
        by_kind = np.zeros((len(KINDS) + 1, train.n_items + 1))
        for kind in ASKABLE:
            chosen = (train.kinds == kind) & (train.items > 0)
            by_kind[kind] = np.bincount(train.items[chosen], weights[chosen], minlength=train.n_items + 1)
        total = by_kind.sum(axis=0)
        blended = np.where(by_kind.any(axis=1, keepdims=True), by_kind + self.config.backoff * (total - by_kind), total)
        self.counts.copy_(torch.from_numpy(blended / max(total.sum(), 1e-30)))
        return self

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1) the decayed share of events, of the kind asked for."""
        return self.counts[goals(batch)]

    def _weights(self, train: Interactions) -> Floats:
        ages = seconds_ago(train) / DAY
        weights = 0.5 ** (ages / self.config.half_life) if self.config.half_life > 0 else np.ones(len(ages))
        return np.where(ages <= self.config.window, weights, 0.0) if self.config.window > 0 else weights


def goals(batch: Batch) -> Tensor:
    """(batch,) the kind each history's last position asks for; 0 for an empty history, which has no position."""
    result = torch.zeros(len(batch), dtype=torch.int64)
    filled = batch.lengths > 0
    result[filled] = batch.goals[batch.offsets[1:][filled] - 1]
    return result


def prior(train: Interactions) -> NDArray[np.float32]:
    """(n_items + 1,) log popularity from 0 to 1: it breaks the ties of models that score most items alike."""
    logs = np.log1p(np.bincount(train.items, minlength=train.n_items + 1))
    logs[0] = 0  # items that the vocabulary does not know
    return (logs / max(logs.max(), 1.0)).astype(np.float32)
