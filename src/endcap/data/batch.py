"""What every model sees: histories packed end to end as tensors, and the question at each position."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from endcap.data.interactions import Histories
from endcap.data.vocabulary import Floats, Ints


@dataclass(frozen=True)
class Batch:
    """Histories end to end, oldest first; no padding.

    The question at position t is asked of the events up to t: which item comes next, by an event of
    kind `goals[t]`, at time `asked[t]`. It is not "seconds before now": that would tell early positions
    about the future.
    """

    items: Tensor  # (tokens,) int64, 1..n_items
    offsets: Tensor  # (batch + 1,) int64
    kinds: Tensor  # (tokens,) int64
    times: Tensor | None  # (tokens,) float64 seconds; None where the source has none
    values: Tensor  # (tokens, 3) float32 rating, price, quantity; NaN where not given
    goals: Tensor  # (tokens,) int64, the kind asked for
    asked: Tensor | None  # (tokens,) float64, NaN where unknown
    targets: Tensor | None = None  # (tokens,) int64, the answer; 0: no question here. Only in training

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        """(batch,)"""
        return self.offsets.diff()


def ask(histories: Histories, goals: Ints, asked: Floats | None = None, *, last: int | None = None) -> Batch:
    """A batch that asks one question per history, after its latest event.

    goals: (histories,) kinds; asked: (histories,) seconds; `last` cuts histories to that many latest events.
    """
    cut = histories if last is None else histories.take(np.arange(len(histories)), last)
    return Batch(
        items=torch.from_numpy(cut.items),
        offsets=torch.from_numpy(cut.offsets),
        kinds=torch.from_numpy(cut.kinds),
        times=None if cut.times is None else torch.from_numpy(cut.times),
        values=torch.from_numpy(cut.values),
        goals=torch.from_numpy(np.repeat(goals, cut.lengths)),
        asked=None if cut.times is None or asked is None else torch.from_numpy(np.repeat(asked, cut.lengths)),
    )
