"""What this user had before: base-level activation of memory (Anderson and Schooler 1991), as for repeated listening
by Reiter-Haas et al. 2021 (arXiv 2108.09996).

Departures: age is counted in steps of the history and not in seconds, and items differ in how often they are bought
again, as in the repeat purchase model of Bhagat et al. 2018.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from endcap.data.batch import Batch
from endcap.data.interactions import Interactions, steps
from endcap.data.ranges import Count, NotNegative, Positive
from endcap.models.base import ClosedForm, Traits
from endcap.models.popular import goals, prior
from endcap.models.transitions import ages

POPULARITY = 1e-6
"""Weight of the log popularity, which ranks what the user never had."""


@dataclass(frozen=True)
class OwnConfig:
    """Only of use where seen items may be shown."""

    name: Literal["own"] = "own"
    power: NotNegative = 0.5  # an event counts (1 + its age in steps) ** -power
    again: NotNegative = 0.5  # the score grows with the item's share of users who had it again, to this power
    other: NotNegative = 0.3  # what an event counts of another kind than the one asked for
    shrink: Positive = 10.0  # users of an item after which its own share counts as much as that of all items
    history: Count = 200  # events of the history that are looked at


class Own(ClosedForm):
    """score(j) = again(j) ** again * sum over the history's events of j of (1 + age) ** -power."""

    grid: Mapping[str, Sequence[float]] = {
        "power": (0.25, 0.5, 1.0, 1.5),
        "again": (0.0, 0.5, 1.0),
        "other": (0.0, 0.1, 0.3, 1.0),
    }
    scoring = ("power", "again", "other")
    again: Tensor  # (n_items + 1,) the share of the users of an item who had it in more than one step
    popularity: Tensor  # (n_items + 1,)

    def __init__(self, config: OwnConfig, traits: Traits):
        super().__init__()
        self.config = config
        self.history = config.history
        if len(traits.kinds) < 2:
            self.settle("other")
        self.register_buffer("again", torch.ones(traits.n_items + 1))
        self.register_buffer("popularity", torch.zeros(traits.n_items + 1))

    def fit(self, train: Interactions) -> Self:
        """Counts who had an item, and who had it again."""
        size = train.n_items + 1
        _, visits = np.unique(steps(train) * size + train.items, return_index=True)  # a basket counts once
        pairs, times = np.unique(train.owners[visits] * size + train.items[visits], return_counts=True)
        users = np.bincount(pairs % size, minlength=size)
        back = np.bincount(pairs[times > 1] % size, minlength=size)
        usual = (back.sum() + 1) / (users.sum() + 2)
        self.again.copy_(torch.from_numpy((back + self.config.shrink * usual) / (users + self.config.shrink)))
        self.popularity.copy_(torch.from_numpy(prior(train)))
        return self

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1) items that the user never had follow by popularity."""
        result = (POPULARITY * self.popularity).repeat(len(batch), 1)
        owners = torch.repeat_interleave(batch.lengths)
        weights = (1 + ages(batch, owners).to(torch.float32)) ** -self.config.power
        asked = goals(batch)[owners]
        weights = torch.where((batch.kinds == asked) | (asked == 0), weights, weights * self.config.other)
        weights = weights * self.again[batch.items] ** self.config.again
        return result.index_put_((owners, batch.items), weights, accumulate=True)
