"""SASRec (arXiv 1808.09781), the causal self-attention recommender, in its present form.

Departures: pre-norm blocks, a learned bias by distance in place of absolute positions, softmax
cross-entropy over the catalogue in place of one negative (arXiv 2309.07602), a cosine head, and
packed histories: only the attention itself works on rows of equal length, which short histories share.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from endcap.data.ranges import Chance, Count
from endcap.models.base import Traits
from endcap.models.dropout import Dropout
from endcap.models.items import ItemsConfig
from endcap.models.losses import LossConfig
from endcap.models.packing import Rows
from endcap.models.sequence import SequenceNetwork


@dataclass(frozen=True)
class TransformerConfig:
    """Causal self-attention over the latest `history` events."""

    name: Literal["transformer"] = "transformer"
    dim: Count = 128  # of item vectors and of every layer; a multiple of heads
    layers: Count = 2  # blocks of attention and feed-forward
    heads: Count = 2  # of attention, dim / heads wide
    dropout: Chance = 0.5  # on the input, on attention and in each block
    history: Count = 50  # latest events looked at
    start: Literal["spectral", "random"] = "spectral"  # where item vectors start from
    loss: LossConfig = field(default_factory=LossConfig)  # which softmax
    items: ItemsConfig = field(default_factory=ItemsConfig)  # what an item's vector is made of

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"dim = {self.dim} is no multiple of heads = {self.heads}")


class Transformer(SequenceNetwork):
    """A causal transformer over the history."""

    def __init__(self, config: TransformerConfig, traits: Traits) -> None:
        super().__init__(config, traits, AttentionEncoder(config))


class AttentionEncoder(nn.Module):
    """Blocks of attention and feed-forward, over packed tokens."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)

    def forward(self, events: Tensor, offsets: Tensor) -> Tensor:
        """events: (tokens, dim), offsets: (batch + 1,) -> (tokens, dim)"""
        if not len(events):
            return events
        rows = Rows.of(offsets)
        for block in self.blocks:
            events = block(events, rows)
        return self.norm(events)


class Block(nn.Module):
    """x + attention(norm x), then x + feed-forward(norm x)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        dim = config.dim
        self.attention = Attention(config)
        self.forward_net = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), Dropout(config.dropout), nn.Linear(2 * dim, dim)
        )
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(config.dropout)

    def forward(self, events: Tensor, rows: Rows) -> Tensor:
        """(tokens, dim) -> (tokens, dim)"""
        events = events + self.dropout(self.attention(self.norm(events), rows))
        return events + self.dropout(self.forward_net(events))


class Attention(nn.Module):
    """Causal multi-head attention with a learned bias by distance (T5, arXiv 1910.10683, one bias per distance)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = Dropout(config.dropout)
        self.inward = nn.Linear(config.dim, 3 * config.dim)
        self.outward = nn.Linear(config.dim, config.dim)
        self.distance = nn.Parameter(torch.zeros(config.heads, config.history))

    def forward(self, events: Tensor, rows: Rows) -> Tensor:
        """(tokens, dim) -> (tokens, dim)"""
        qkv = rows.spread(self.inward(events))  # (rows, length, 3 * dim)
        q, k, v = qkv.view(*rows.places.shape, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        steps = torch.arange(rows.places.shape[1])
        back = (steps.unsqueeze(1) - steps).clamp(0, self.distance.shape[1] - 1)  # (length, length), how far
        near = q @ k.mT * q.shape[-1] ** -0.5 + self.distance[:, back]  # (rows, heads, length, length)
        shares = near.masked_fill(rows.apart.unsqueeze(1), -torch.inf).softmax(3)
        mixed = self.dropout(shares) @ v  # (rows, heads, length, dim / heads)
        return self.outward(rows.gather(mixed.transpose(1, 2).flatten(2)))
