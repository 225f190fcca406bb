"""A sequence network: item table and context in, an encoder over packed histories, the question, scores out."""

from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from endcap.data.batch import Batch
from endcap.data.interactions import Histories
from endcap.models.base import Network, Traits
from endcap.models.context import EventContext, Question
from endcap.models.items import ItemTable
from endcap.models.losses import LossConfig
from endcap.models.spectral import spectral_vectors


class SequenceConfig(Protocol):
    """What every sequence network is configured by."""

    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def history(self) -> int: ...  # noqa: D102
    @property
    def dropout(self) -> float: ...  # noqa: D102
    @property
    def start(self) -> Literal["spectral", "random"]: ...  # noqa: D102
    @property
    def loss(self) -> LossConfig: ...  # noqa: D102


class SequenceNetwork(Network):
    """RNN, LSTM, GRU and transformer differ in their encoder alone.

    encoder: a module (tokens, dim), offsets (batch + 1,) -> (tokens, dim), causal.
    """

    def __init__(self, config: SequenceConfig, traits: Traits, encoder: nn.Module) -> None:
        super().__init__()
        self.history = config.history
        self.start = config.start
        self.items = ItemTable(traits.n_items, config.dim, config.loss)
        self.context = EventContext(config.dim, traits)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = encoder
        self.question = Question(config.dim, traits)

    def observe(self, train: Histories) -> None:
        """Item counts for drawing negatives, the statistics of the quantities, and vectors to start from."""
        counts = np.bincount(train.items, minlength=len(self.items.counts))
        self.items.observe(torch.from_numpy(counts).clamp(min=1))
        self.context.observe(train)
        if self.start == "spectral":
            n_items, dim = len(self.items.bias) - 1, self.items.weight.shape[1]
            self.items.start_from(torch.from_numpy(spectral_vectors(train, n_items, dim)))

    def forward(self, batch: Batch) -> Tensor:
        """(tokens, dim) for each position the vector that answers its question."""
        events = self.dropout(self.context(self.items(batch.items), batch))
        return self.question(self.encoder(events, batch.offsets), batch)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the targets, by the full or the sampled softmax."""
        if batch.targets is None:
            raise ValueError("a training batch has targets")
        asked = batch.targets > 0
        return self.items.loss(self(batch)[asked], batch.targets[asked])

    def encode(self, batch: Batch) -> Tensor:
        """(batch, dim) the state after each history; zeros after an empty one, which leaves popularity."""
        result = torch.zeros(len(batch), self.items.weight.shape[1], dtype=self.items.weight.dtype)
        some = batch.lengths > 0
        result[some] = self(batch)[batch.offsets[1:][some] - 1]
        return result

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1)"""
        return self.items.score(self.encode(batch))
