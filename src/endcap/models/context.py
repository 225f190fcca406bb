"""What a network is told besides the item: kind, time since the last event, quantities, and the question."""

import torch
from torch import Tensor, nn

from endcap.data.batch import Batch
from endcap.data.interactions import Histories
from endcap.data.schema import KINDS
from endcap.models.base import Traits

GAPS = 32
"""Time gaps in powers of two seconds: bucket 1 is the same second, 31 is 34 years; 0 is unknown."""


def gap_bucket(seconds: Tensor) -> Tensor:
    """(n,) float64 seconds -> (n,) bucket; NaN and the first event of a history -> 0."""
    bucket = seconds.clamp(min=0).add(1).log2().floor().add(1).clamp(1, GAPS - 1)
    return torch.where(seconds.isnan(), 0.0, bucket).long()


class EventContext(nn.Module):
    """Adds kind, time gap and quantities to an event's item vector; each only where the data has it."""

    mean: Tensor
    spread: Tensor

    def __init__(self, dim: int, traits: Traits) -> None:
        super().__init__()
        self.kind = _table(len(KINDS) + 1, dim) if len(traits.kinds) > 1 else None
        self.gap = _table(GAPS, dim) if traits.timed else None
        self.values = nn.Linear(3, dim, bias=False) if any(traits.valued) else None
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("spread", torch.ones(3))

    def observe(self, train: Histories) -> None:
        """Mean and spread of rating, log price and log quantity, of the training part alone."""
        values = _logs(torch.from_numpy(train.values).double())
        given = ~values.isnan()
        n = given.sum(0).clamp(min=1)
        mean = values.nan_to_num().sum(0) / n
        variance = ((values - mean).nan_to_num() ** 2).sum(0) / n
        self.mean.copy_(mean)
        self.spread.copy_(variance.sqrt().clamp(min=1e-6))

    def forward(self, items: Tensor, batch: Batch) -> Tensor:
        """items: (tokens, dim) vectors -> (tokens, dim)"""
        if self.kind is not None:
            items = items + self.kind(batch.kinds)
        if self.gap is not None and batch.times is not None:
            gaps = batch.times.diff(prepend=batch.times[:1])
            gaps[batch.offsets[:-1][batch.lengths > 0]] = torch.nan
            items = items + self.gap(gap_bucket(gaps))
        if self.values is not None:
            standard = (_logs(batch.values) - self.mean) / self.spread
            items = items + self.values(standard.nan_to_num())  # not given: as the average
        return items


class Question(nn.Module):
    """Bends the state at a position to what is asked there: the kind of the next event, and when.

    It acts on the output alone, so that no position learns of a later question through attention.
    """

    def __init__(self, dim: int, traits: Traits) -> None:
        super().__init__()
        self.goal = _table(len(KINDS) + 1, dim) if len(traits.kinds) > 1 else None
        self.wait = _table(GAPS, dim) if traits.timed else None
        if self.goal is not None or self.wait is not None:
            out = nn.Linear(dim, dim)
            nn.init.zeros_(out.weight)  # starts as no question at all
            nn.init.zeros_(out.bias)
            self.mix = nn.Sequential(nn.Linear(2 * dim, dim), nn.GELU(), out)

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """hidden: (tokens, dim) -> (tokens, dim)"""
        if self.goal is None and self.wait is None:
            return hidden
        question = torch.zeros_like(hidden)
        if self.goal is not None:
            question = question + self.goal(batch.goals)
        if self.wait is not None and batch.times is not None and batch.asked is not None:
            question = question + self.wait(gap_bucket(batch.asked - batch.times))
        return hidden + self.mix(torch.cat([hidden, question], dim=1))


def _table(rows: int, dim: int) -> nn.Embedding:
    table = nn.Embedding(rows, dim)
    nn.init.normal_(table.weight, std=dim**-0.5)  # like the items: the default of 1 would drown them
    return table


def _logs(values: Tensor) -> Tensor:
    """Rating as it is; price and quantity as log1p."""
    return torch.cat([values[:, :1], values[:, 1:].clamp(min=0).log1p()], dim=1)
