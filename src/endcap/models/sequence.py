"""A sequence network: item table and context in, an encoder over packed histories, the question, scores out."""

from typing import Literal, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.data.batch import Batch
from endcap.data.errors import InputError
from endcap.data.interactions import Histories
from endcap.features.base import Content
from endcap.models.base import Network, Traits, sharing
from endcap.models.context import EventContext, Question
from endcap.models.dropout import Dropout
from endcap.models.items import ItemsConfig, ItemTable
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
    @property
    def items(self) -> ItemsConfig: ...  # noqa: D102


class SequenceNetwork(Network):
    """RNN, LSTM, GRU and transformer differ in their encoder alone.

    encoder: a module (tokens, dim), offsets (batch + 1,) -> (tokens, dim), causal.
    """

    def __init__(self, config: SequenceConfig, traits: Traits, encoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.history = config.history
        self.start = config.start
        self.items = ItemTable(traits, config.dim, config.loss, config.items)
        self.context = EventContext(config.dim, traits)
        self.dropout = Dropout(config.dropout)
        self.encoder = encoder
        self.question = Question(config.dim, traits)

    def observe(self, train: Histories, content: Content | None = None) -> None:
        """Item counts, what is known of the items, the statistics of the quantities, and vectors to start from."""
        counts = np.bincount(train.items, minlength=len(self.items.counts))
        self.items.observe(torch.from_numpy(counts).clamp(min=1), content)
        self.context.observe(train)
        if self.start == "spectral":
            known, dim = self.items.known, self.items.weight.shape[1]
            self.items.start_from(torch.from_numpy(spectral_vectors(train, known, dim)))

    def alike(self, n: int) -> NDArray[np.int64]:
        """(known + 1, at most n) by the cosine of the item vectors as they are now."""
        return self.items.alike(n)

    def extend(self, content: Content) -> Self:
        """A copy whose item table has a row for every row of `content`; what was learned is the same."""
        if self.items.content is None:
            raise InputError("the model knows items by their number alone; train it with a [features] section")
        other = sharing(self)
        other.made = None
        other.items = sharing(self.items)
        other.items.content = self.items.content.of(content)
        return other

    def forward(self, batch: Batch) -> Tensor:
        """(tokens, width) for each position what is multiplied with every item to answer its question."""
        events = self.dropout(self.context(self.items(batch.items), batch))
        hidden = self.question(self.encoder(events, batch.offsets), batch)
        return self.items.query(hidden, batch.items, batch.offsets)

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of the targets, by the full or the sampled softmax."""
        if batch.targets is None:
            raise ValueError("a training batch has targets")
        asked = batch.targets > 0
        return self.items.loss(self(batch)[asked], batch.targets[asked])

    def encode(self, batch: Batch) -> Tensor:
        """(batch, width) the query after each history; zeros after an empty one, which leaves popularity."""
        queries = self(batch)
        result = queries.new_zeros(len(batch), queries.shape[1])
        some = batch.lengths > 0
        result[some] = queries[batch.offsets[1:][some] - 1]
        return result

    def table(self, items: Tensor | None = None, content: Content | None = None) -> tuple[Tensor, Tensor]:
        """(n_items + 1, width) vectors and (n_items + 1,) biases, or those of (n,) some items.

        content: of n rows, taken for what is known of those items.
        """
        return self.items.table(items, content)
