"""RNN (Elman, 1990), LSTM (Hochreiter and Schmidhuber, 1997) and GRU for sessions (GRU4Rec, arXiv 1511.06939).

h_t = tanh(W_hh h_{t-1} + W_xh x_t + b_h), and its gated descendants, over packed histories.
Departures from GRU4Rec: the input is the item's vector and not one-hot, the loss is softmax
cross-entropy at every position, histories are whole users and not sessions in parallel.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from endcap.data.ranges import Chance, Count
from endcap.models.base import Traits
from endcap.models.dropout import Dropout
from endcap.models.items import ItemsConfig
from endcap.models.losses import LossConfig
from endcap.models.sequence import SequenceNetwork

CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


@dataclass(frozen=True)
class RecurrentConfig:
    """RNN, LSTM or GRU."""

    name: Literal["rnn", "lstm", "gru"] = "gru"
    dim: Count = 128  # of item vectors
    hidden: Count = 128  # of the recurrent state
    layers: Count = 1  # recurrent layers, one on the other
    dropout: Chance = 0.5  # on the input, between layers and on the output
    history: Count = 50  # latest events looked at
    start: Literal["spectral", "random"] = "spectral"  # where item vectors start from
    loss: LossConfig = field(default_factory=LossConfig)  # which softmax
    items: ItemsConfig = field(default_factory=ItemsConfig)  # what an item's vector is made of


class Recurrent(SequenceNetwork):
    """A recurrent network over the history."""

    def __init__(self, config: RecurrentConfig, traits: Traits) -> None:
        super().__init__(config, traits, RecurrentEncoder(config))


class RecurrentEncoder(nn.Module):
    """Runs the cell along histories, all of one step at once, and comes back to the dimension of the items."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.cell = CELLS[config.name](
            config.dim, config.hidden, config.layers, dropout=config.dropout if config.layers > 1 else 0.0
        )
        self.out = nn.Sequential(Dropout(config.dropout), nn.Linear(config.hidden, config.dim))

    def forward(self, events: Tensor, offsets: Tensor) -> Tensor:
        """events: (tokens, dim), offsets: (batch + 1,) -> (tokens, dim)"""
        if not len(events):
            return events
        lengths = offsets.diff()
        rank = lengths.argsort(descending=True, stable=True).argsort()  # longest history first, as packing wants
        position = torch.arange(len(events)) - offsets[:-1].repeat_interleave(lengths)
        order = (position * len(lengths) + rank.repeat_interleave(lengths)).argsort()
        states, _ = self.cell(PackedSequence(events[order], position.bincount()))
        hidden = torch.empty_like(states.data).index_copy(0, order, states.data)  # (tokens, hidden)
        return events + self.out(hidden)
