"""Item-to-item transition counts, decayed by distance and scaled by popularity.

After the sequential rules of Ludewig and Jannach 2018 (arXiv 1803.09587), with pairs counted in both directions
and scaled by the totals of both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from endcap.data.batch import Batch
from endcap.data.interactions import Interactions, spans, staleness, steps
from endcap.data.ranges import Count, NotNegative, Portion, Positive
from endcap.data.schema import KINDS
from endcap.data.vocabulary import Ints
from endcap.models.base import ClosedForm, Traits
from endcap.models.popular import ASKABLE, goals, prior

PAIRS = 2_000_000
"""Pairs counted at a time: some 300 MB while they are sorted."""
ENTRIES = 30_000_000
"""Above this many different pairs (some 3 GB at the peak) the rarest are forgotten while counting."""
NEGLIGIBLE = 1e-3
"""Steps of the history with less weight than this are not looked up."""


@dataclass(frozen=True)
class TransitionsConfig:
    """Distances are steps: events of one user at the same time are one step."""

    name: Literal["transitions"] = "transitions"
    window: Count = 50  # events after an event that are paired with it
    power: NotNegative = 0.5  # a pair counts distance ** -power
    backward: NotNegative = 0.25  # what the way back from the later to the earlier item counts
    decay: Portion = 0.5  # the weight of a step of the history against the step after it
    last: Count = 50  # events of the history that are looked at
    row_power: NotNegative = 0.5  # scaling by (row total + shrink) ** -row_power
    column_power: NotNegative = 0.1  # and by (column total + shrink) ** -column_power
    shrink: Positive = 20.0  # keeps the small totals of rare items from counting too much
    other: NotNegative = 0.1  # what a pair counts that leads to another kind of event than the one asked for
    half_life: NotNegative = 0.0  # share of the log's span after which a pair counts half as much; 0: all alike
    popularity: NotNegative = 1e-4  # weight of the log popularity that ranks what was never seen together
    neighbours: Count = 500  # kept per item


class Transitions(ClosedForm):
    """A sparse matrix with a block of rows for each goal; a history's score is the decayed sum of its items' rows.

    ```
    rows 0 .. n_items                 pairs that lead to any kind
    rows n_items + 1 .. 2 n_items + 1 pairs that lead to the first kind of `targets`, others at a discount
    ...                               only where more than one kind occurs
    ```
    """

    grid: Mapping[str, Sequence[float]] = {
        "decay": (0.3, 0.5, 0.7, 0.85, 0.95, 0.98),
        "column_power": (0.0, 0.1, 0.3, 0.5),
        "row_power": (0.25, 0.5, 0.75),
        "power": (0.25, 0.5, 1.0),
        "backward": (0.1, 0.25, 0.5, 1.0),
        "other": (0.03, 0.1, 0.3, 1.0),
        "half_life": (0.0, 1.0, 0.5, 0.25),
    }
    scoring = ("decay",)
    whole = ("half_life",)  # what is forgotten is missed less where there is much
    offsets: Tensor  # (rows + 1,) int32, where each row starts
    columns: Tensor  # (entries,) int32
    weights: Tensor  # (entries,) float32
    popularity: Tensor  # (n_items + 1,)

    def __init__(self, config: TransitionsConfig, traits: Traits):
        super().__init__()
        self.config = config
        self.history = config.last
        self.n_items = traits.n_items
        targets = [kind for kind in traits.kinds if kind in ASKABLE]
        self.targets = targets if len(targets) > 1 else []
        if not self.targets:
            self.settle("other")
        rows = (len(self.targets) + 1) * (traits.n_items + 1)
        self.register_buffer("offsets", torch.zeros(rows + 1, dtype=torch.int32))
        self.register_buffer("columns", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("weights", torch.zeros(0))
        self.register_buffer("popularity", torch.zeros(traits.n_items + 1))

    def fit(self, train: Interactions) -> Self:
        """Counts pairs, then scales each goal's block and keeps the strongest neighbours."""
        counts = self._counts(train)
        total = sum(counts[1:], start=counts[0])
        blocks = [total]
        if self.targets:
            blocks += [count + self.config.other * (total - count) for count in counts]
        matrix = sparse.vstack([_strongest(self._scaled(block), self.config.neighbours) for block in blocks], "csr")
        self.offsets = torch.from_numpy(matrix.indptr.astype(np.int32))
        self.columns = torch.from_numpy(matrix.indices.astype(np.int32))
        self.weights = torch.from_numpy(matrix.data.astype(np.float32))
        self.popularity.copy_(torch.from_numpy(prior(train)))
        return self

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1) the sum over the history of decay ** age times the item's row."""
        result = (self.config.popularity * self.popularity).repeat(len(batch), 1)
        if not len(batch.items):
            return result
        owners = torch.repeat_interleave(batch.lengths)
        weights = self.config.decay ** ages(batch, owners).to(torch.float32)
        rows = self._rows(goals(batch))[owners] + batch.items
        heard = (weights >= NEGLIGIBLE).numpy()
        size = (len(self.offsets) - 1, self.n_items + 1)
        matrix = sparse.csr_array((self.weights.numpy(), self.columns.numpy(), self.offsets.numpy()), shape=size)
        # 32 bits like `matrix`: scipy would copy all of its columns to 64 at each call.
        places = owners.numpy()[heard].astype(np.int32), rows.numpy()[heard].astype(np.int32)
        queries = sparse.csr_array((weights.numpy()[heard], places), shape=(len(batch), size[0]))
        found = queries @ matrix
        # Not `+= found`: scipy would make a dense copy first.
        flat = np.repeat(np.arange(len(batch)) * size[1], np.diff(found.indptr)) + found.indices
        result.numpy().reshape(-1)[flat] += found.data
        return result

    def _rows(self, asked: Tensor) -> Tensor:
        """(batch,) the first row of each goal's block."""
        block = torch.zeros_like(asked)
        for place, kind in enumerate(self.targets, start=1):
            block[asked == kind] = place
        return block * (self.n_items + 1)

    def _counts(self, train: Interactions) -> list[sparse.csr_array]:
        """Pairs that lead to each kind of `targets` (all kinds together where there is one)."""
        size = train.n_items + 1
        slots = np.full(len(KINDS) + 1, -1)
        slots[list(self.targets or ASKABLE)] = np.arange(len(self.targets)) if self.targets else 0
        slot = slots[train.kinds]
        n_slots = max(len(self.targets), 1)
        total = sparse.csr_array((n_slots * size, size), dtype=np.float32)
        waiting: list[sparse.csr_array] = []
        step = steps(train)
        half_life = self.config.half_life
        lasting = 0.5 ** (staleness(train) / half_life) if half_life else np.ones(len(step))
        lasting = lasting.astype(np.float32)
        ends = np.repeat(train.offsets[1:], train.lengths)
        reach = np.minimum(ends - np.arange(len(ends)) - 1, self.config.window)
        bounds = np.concatenate([[0], np.cumsum(reach)])
        for low in range(0, int(bounds[-1]), PAIRS):
            first, last = np.searchsorted(bounds, [low, low + PAIRS], side="left")
            earlier, later = _pairs(np.arange(first, min(last, len(ends))), reach)
            distance = step[later] - step[earlier]
            weight = np.maximum(distance, 1).astype(np.float32) ** -self.config.power * lasting[later]
            # Neither direction leads within a basket: both count the mean of forward and backward.
            mean = (1 + self.config.backward) / 2
            forward = weight * np.where(distance == 0, mean, 1).astype(np.float32)
            backward = weight * np.where(distance == 0, mean, self.config.backward).astype(np.float32)
            sources, targets = np.concatenate([earlier, later]), np.concatenate([later, earlier])
            weight = np.concatenate([forward, backward])
            keep = (slot[targets] >= 0) & (train.items[sources] > 0) & (train.items[targets] > 0)
            sources, targets, weight = sources[keep], targets[keep], weight[keep]
            rows = slot[targets] * size + train.items[sources]
            waiting.append(sparse.coo_array((weight, (rows, train.items[targets])), shape=total.shape).tocsr())
            # Each sum reads the whole total: wait until it pays.
            if 4 * sum(part.nnz for part in waiting) > total.nnz:
                total = sum(waiting, start=total)
                waiting = []
            if total.nnz > ENTRIES:
                total = _strongest(total, self.config.neighbours)
        total = sum(waiting, start=total)
        return [total[slot * size : (slot + 1) * size] for slot in range(n_slots)]

    def _scaled(self, counts: sparse.csr_array) -> sparse.csr_array:
        """Each count times (row total + shrink) ** -row_power times (column total + shrink) ** -column_power."""
        config = self.config
        row = (counts.sum(axis=1) + config.shrink) ** -config.row_power
        column = (counts.sum(axis=0) + config.shrink) ** -config.column_power
        data = counts.data * np.repeat(row, np.diff(counts.indptr)) * column[counts.indices]
        return sparse.csr_array((data, counts.indices, counts.indptr), shape=counts.shape)


def _pairs(places: Ints, reach: Ints) -> tuple[Ints, Ints]:
    """Each place with each of the `reach[place]` places after it."""
    lengths = reach[places]
    later, _ = spans(places + 1, places + 1 + lengths)
    return np.repeat(places, lengths), later


def _strongest(matrix: sparse.csr_array, keep: int) -> sparse.csr_array:
    """The `keep` largest entries of each row, none of them negative; equal ones by column."""
    lengths = np.diff(matrix.indptr)
    if lengths.max(initial=0) <= keep:
        return matrix
    rows = np.repeat(np.arange(len(lengths)), lengths)
    # Positive floats sort like their bits; one key sorts ten times faster than lexsort.
    bits = matrix.data.astype(np.float32).view(np.uint32).astype(np.int64)
    order = np.argsort(rows << 32 | 0xFFFFFFFF - bits, kind="stable")
    chosen = np.sort(order[np.arange(len(order)) - matrix.indptr[rows] < keep])
    indptr = np.concatenate([[0], np.cumsum(np.minimum(lengths, keep))])
    return sparse.csr_array((matrix.data[chosen], matrix.indices[chosen], indptr), shape=matrix.shape)


def ages(batch: Batch, owners: Tensor) -> Tensor:
    """(tokens,) how many steps before its history's last step each event is."""
    new = torch.ones(len(owners), dtype=torch.int64)
    if batch.times is not None:
        new[1:] = ((owners[1:] != owners[:-1]) | (batch.times[1:] != batch.times[:-1])).to(torch.int64)
    step = new.cumsum(0)
    return step[(batch.offsets[1:] - 1)[owners]] - step
