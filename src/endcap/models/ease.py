"""EASE, a linear autoencoder solved in closed form: Steck 2019, arXiv 1905.03375.

Departures: a history's items are weighted by age when asked (not when solved); above `max_items` the most
frequent items only.
"""

import logging
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional as F

from endcap.data.batch import Batch
from endcap.data.interactions import Interactions
from endcap.data.ranges import Count, Portion, Positive
from endcap.models.base import ClosedForm, Traits
from endcap.models.popular import prior
from endcap.models.transitions import ages

LOG = logging.getLogger(__name__)
POPULARITY = 1e-6
"""Weight of the log popularity, which ranks what the items of a history say nothing about."""


@dataclass(frozen=True)
class EaseConfig:
    """Memory while solving: 8 bytes times the square of the number of items."""

    name: Literal["ease"] = "ease"
    penalty: Positive = 100.0  # lambda of the ridge regression
    decay: Portion = 0.7  # the weight of a step of the history against the step after it; 1: the paper's
    history: Count = 200  # events of the history that are looked at
    max_items: Count = 20_000  # of a larger catalogue the most frequent take part


class Ease(ClosedForm):
    """Each item is explained by the others: scores are (decayed) sums of the rows of `weights`."""

    kept: Tensor  # (kept,) int64, the items that take part
    weights: Tensor  # (kept + 1, kept); row 0 is zero and stands for the others
    popularity: Tensor  # (n_items + 1,)

    def __init__(self, config: EaseConfig, traits: Traits):
        super().__init__()
        self.config = config
        self.history = config.history
        self.note = ""
        """What a report must say of this model; empty where there is nothing to say."""
        if traits.n_items > config.max_items:
            self.note = f"solved for the {config.max_items:,} most frequent of {traits.n_items:,} items"
        self.register_buffer("kept", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("weights", torch.zeros(0, 0))
        self.register_buffer("popularity", torch.zeros(traits.n_items + 1))

    def fit(self, train: Interactions) -> Self:
        """Solves B = I - P / diag(P) with P = (X'X + penalty I)^-1, X users by items, whether and not how often."""
        if self.note:
            LOG.warning("EASE: %s", self.note)
        counts = np.bincount(train.items, minlength=train.n_items + 1)[1:]
        kept = np.sort(np.argsort(-counts, kind="stable")[: self.config.max_items]) + 1
        log = sparse.csr_array(
            (np.ones(len(train.items), np.float32), (train.owners, train.items)), shape=(len(train), train.n_items + 1)
        )
        log.data[:] = 1
        log = log[:, kept]
        gram = torch.from_numpy((log.T @ log).toarray())
        gram.diagonal().add_(self.config.penalty)
        torch.linalg.cholesky(gram, out=gram)
        weights = torch.zeros(len(kept) + 1, len(kept))
        solution = weights[1:]
        torch.cholesky_inverse(gram, out=solution)
        del gram
        solution.div_(-solution.diagonal().clone())
        solution.diagonal().zero_()
        self.kept = torch.from_numpy(kept)
        self.weights = weights
        self.popularity.copy_(torch.from_numpy(prior(train)))
        return self

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1) items that do not take part come after all others, by popularity."""
        owners = torch.repeat_interleave(batch.lengths)
        decay = self.config.decay ** ages(batch, owners).to(torch.float32)
        rows = torch.zeros(len(self.popularity), dtype=torch.int64)
        rows[self.kept] = torch.arange(1, len(self.kept) + 1)
        scored = F.embedding_bag(
            rows[batch.items],
            self.weights,
            batch.offsets[:-1],
            mode="sum",
            per_sample_weights=decay * _latest(batch.items, owners, len(self.popularity)),
        )
        result = (POPULARITY * self.popularity).repeat(len(batch), 1)
        if len(self.kept) == len(self.popularity) - 1:
            result[:, 1:] += scored
            return result
        known = result[:, self.kept] + scored
        result += known.min(dim=1, keepdim=True).values - 2 * POPULARITY
        result[:, self.kept] = known
        return result


def _latest(items: Tensor, owners: Tensor, size: int) -> Tensor:
    """(tokens,) 1 at the latest event of each item in a history, 0 at the earlier ones."""
    keys, order = (owners * size + items).sort(stable=True)
    latest = torch.ones(len(items))
    latest[order[:-1][keys[:-1] == keys[1:]]] = 0
    return latest
