"""The item table: a vector and a bias per item; the score is a scaled cosine plus the bias."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.data.ranges import Chance, NotNegative, Positive
from endcap.features.base import Content
from endcap.models.base import Traits
from endcap.models.content import ItemContent
from endcap.models.losses import LossConfig, full_softmax, sampled_softmax
from endcap.models.taste import Taste


@dataclass(frozen=True)
class ItemsConfig:
    """What an item's vector is made of, where there is a [features] section."""

    content: bool = True  # whether content and attributes are part of it; false: the item's number alone
    id_dropout: Chance = 0.2  # of the items lose their own vector at each step, so that content learns to stand alone
    taste: NotNegative = 1.0  # what likeness to the content of the history counts at the start; 0: it is not there
    scale: Positive = 20.0  # what the network's own cosine counts at the start
    attribute_loss: NotNegative = 0.0  # weight of predicting the next item's attributes beside the item


class ItemTable(nn.Module):
    """Vectors of the items, the same ones on the way in and out: each item's own, plus what its content says.

    Cosine with a learned temperature keeps popular items from winning by their length alone
    (NISER, arXiv 1909.04276); what popularity does explain goes into the bias.
    An item without training events has no vector of its own: it is scored by its content, on the same path. For that
    the others lose their own now and then (DropoutNet, Volkovs et al. 2017).
    """

    counts: Tensor
    newness: Tensor  # () what is added to the scores of items without training events; validation tells, see training

    def __init__(self, traits: Traits, dim: int, loss: LossConfig, config: ItemsConfig) -> None:
        super().__init__()
        self.loss_config, self.config = loss, config
        self.n_items, self.known = traits.n_items, traits.known
        weight = torch.randn(traits.known + 1, dim) * dim**-0.5
        weight[0] = 0  # stands for every item without a vector of its own
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(traits.known + 1))
        self.log_scale = nn.Parameter(torch.tensor(config.scale).log())
        described = config.content and traits.content + traits.attributes > 0
        self.content = ItemContent(dim, traits) if described else None
        self.taste = Taste(traits.content, config.taste) if described and config.taste and traits.content else None
        self.register_buffer("counts", torch.ones(traits.known + 1))
        self.register_buffer("newness", torch.zeros(()))

    @property
    def has_new(self) -> bool:
        """Whether there are items that are known by their content alone."""
        return self.content is not None and len(self.content) - 1 > self.known

    def observe(self, counts: Tensor, content: Content | None) -> None:
        """Takes (known + 1,) training counts, by which negatives are drawn, and what is known of all items."""
        self.counts.copy_(counts)
        if self.content is not None and content is not None:
            self.content.observe(content)

    @torch.no_grad()
    def start_from(self, vectors: Tensor) -> None:
        """Takes (known + 1, dim) vectors as a start; rows of zeros keep their random one.

        With content, an item begins as what its content says plus a vector of its own that counts the more, the more
        events it has.
        """
        started = vectors.norm(dim=1) > 0
        self.weight[started] = vectors[started]
        if self.content is not None:
            self.content.start(self.known)
            self.weight.mul_((self.counts / (self.counts + PRIOR_EVENTS)).unsqueeze(1))

    def forward(self, items: Tensor) -> Tensor:
        """(tokens,) -> (tokens, dim)"""
        return self._vectors(items)[0]

    @torch.no_grad()
    def alike(self, n: int) -> NDArray[np.int64]:
        """(known + 1, at most n) the nearest of the items with training events, without the item itself."""
        vectors = F.normalize(self.eval()._vectors(torch.arange(self.known + 1))[0], dim=1)  # noqa: SLF001  its own
        n = min(n, max(1, self.known - 1))
        found = []
        for start in range(0, len(vectors), ALIKE_ROWS):
            likeness = vectors[start : start + ALIKE_ROWS] @ vectors.T
            likeness[:, 0] = -2.0
            likeness.diagonal(start).fill_(-1.5 if self.known > 1 else 2.0)
            found.append(likeness.topk(n, dim=1).indices)
        near = torch.cat(found)
        near[0] = 0
        return near.numpy()

    def query(self, hidden: Tensor, items: Tensor, offsets: Tensor) -> Tensor:
        """(tokens, dim) states -> (tokens, dim, and the taste's width) what is multiplied with every item.

        items, offsets: the packed histories.
        """
        scaled = F.normalize(hidden, dim=1) * self.log_scale.exp()
        if self.taste is None or self.content is None:
            return scaled
        return torch.cat([scaled, self.taste(F.embedding(items, self.content.vectors), offsets)], dim=1)

    def loss(self, queries: Tensor, targets: Tensor) -> Tensor:
        """(positions, dim, and the taste's width); targets: (positions,) from 1, all with training events.

        Items without do not compete: they would learn that they are never the answer.
        """
        if self.loss_config.samples(self.known):
            loss = self._sampled(queries, targets)
        else:
            vectors, bias = self._rows(torch.arange(self.known + 1))
            loss = full_softmax(queries, vectors, bias, targets, self.loss_config.smoothing, self.loss_config.factors)
        if self.content is not None and self.config.attribute_loss:
            own = queries[:, : self.weight.shape[1]]
            loss = loss + self.config.attribute_loss * self.content.attribute_loss(own, targets)
        return loss

    def _sampled(self, queries: Tensor, targets: Tensor) -> Tensor:
        config = self.loss_config
        chances = self.counts[1:].pow(config.power)
        chances = chances / chances.sum()
        drawn = 1 + torch.multinomial(chances, config.negatives, replacement=True)
        log_q = (chances[drawn - 1] * config.negatives).log()
        vectors, bias = self._rows(torch.cat([targets, drawn]))
        n = len(targets)
        positives = (queries * vectors[:n]).sum(1) + bias[:n]
        return sampled_softmax(queries, targets, positives, vectors[n:], drawn, log_q - bias[n:], config.factors)

    def _rows(self, items: Tensor, content: Content | None = None) -> tuple[Tensor, Tensor]:
        """(n,) items -> (n, dim, and the taste's width), what a query is multiplied with, and (n,) biases."""
        vectors, bias = self._vectors(items, content)
        vectors = F.normalize(vectors, dim=1)
        if self.taste is None or self.content is None:
            return vectors, bias
        told = F.embedding(items, self.content.vectors) if content is None else torch.from_numpy(content.vectors[1:])
        return torch.cat([vectors, self.taste.of_items(told)], dim=1), bias

    def _vectors(self, items: Tensor, content: Content | None = None) -> tuple[Tensor, Tensor]:
        """(n,) items -> (n, dim) vectors and (n,) biases."""
        if self.content is None:
            own = torch.where(items <= self.known, items, 0)
            return F.embedding(own, self.weight, padding_idx=0), self.bias[own]
        keeps = items <= self.known
        if self.training and self.config.id_dropout:
            keeps = keeps & (torch.rand(len(items)) >= self.config.id_dropout)
        own = torch.where(keeps, items, 0)
        described = (
            self.content(items) if content is None else self.content.of(content)(torch.arange(1, len(items) + 1))
        )
        vectors = F.embedding(own, self.weight, padding_idx=0) + described[:, :-1]
        return vectors, torch.where(keeps, self.bias[own], 0) + described[:, -1]

    def table(self, items: Tensor | None = None, content: Content | None = None) -> tuple[Tensor, Tensor]:
        """(n_items + 1, dim, and the taste's width) vectors and (n_items + 1,) biases, for queries.

        Of all items, or of (n,) some. Without content, items without training events come after all others.
        content: of n rows, taken for what is known of those items.
        """
        if items is None:
            items = torch.arange(self.n_items + 1 if self.content is None else len(self.content))
        vectors, bias = self._rows(items, content)
        if self.content is not None:
            arrived = items > self.n_items  # after training, which says nothing against them
            return vectors, bias + torch.where(arrived, self.newness.clamp(min=0), self.newness) * (items > self.known)
        last = self.bias.min() - 2 * self.log_scale.exp()
        return vectors, torch.where(items > self.known, last, bias)


ALIKE_ROWS = 1024
"""Items compared with all others at a time."""

PRIOR_EVENTS = 5.0
"""With as many events, what is known of an item by its events and by its content counts alike at the start."""
