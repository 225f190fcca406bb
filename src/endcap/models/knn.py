"""Nearest neighbours: what users (or sessions) with a like history had, V-SKNN of Ludewig and Jannach 2018
(arXiv 1803.09587), with the recency of the neighbour as in STAN (Garg et al. 2019, arXiv 1910.12781).

Departures: an event counts by its age in steps and by how rare its item is, and the length of a neighbour's history is
discounted by a power; which powers is chosen on validation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from endcap.data.batch import Batch
from endcap.data.interactions import Interactions, spans, staleness
from endcap.data.ranges import Count, NotNegative, Portion
from endcap.data.vocabulary import Floats, Ints
from endcap.models.base import ClosedForm, Traits
from endcap.models.popular import ASKABLE, goals, prior
from endcap.models.transitions import ages

POPULARITY = 1e-6
"""Weight of the log popularity, which ranks what no neighbour had."""
NEGLIGIBLE = 1e-3
"""Events of the history with less weight than this are not looked up."""
ENTRIES = 4_000_000
"""Pairs of an event and a neighbour that are looked at together: some 100 MB."""
ANSWERS = sum(1 << (kind - 1) for kind in ASKABLE)
"""The bits of the kinds that can be an answer: what a neighbour was only shown, or took out again, it did not have."""


@dataclass(frozen=True)
class KnnConfig:
    """Distances are steps: events of one user at the same time are one step."""

    name: Literal["knn"] = "knn"
    neighbours: Count = 500  # histories that are listened to
    decay: Portion = 0.5  # the weight of a step of the history against the step after it
    rare: NotNegative = 1.0  # an event counts log(users / users of its item) to this power
    length: NotNegative = 0.5  # a neighbour with n items counts n ** -length
    half_life: NotNegative = 0.0  # share of the log's span after which a neighbour counts half as much; 0: all alike
    other: NotNegative = 0.1  # what an item counts that a neighbour only had by another kind of event than asked for
    last: Count = 50  # events of the history that are looked at
    latest: Count = 2_000  # newest users of an item that may be neighbours


class Knn(ClosedForm):
    """score(j) = sum over the neighbours that had j of likeness, likeness = sum over shared items of weight."""

    grid: Mapping[str, Sequence[float]] = {
        "decay": (0.3, 0.5, 0.7, 0.85, 0.95, 1.0),
        "rare": (0.0, 1.0, 2.0),
        "length": (0.0, 0.25, 0.5, 1.0),
        "half_life": (0.0, 1.0, 0.5, 0.25),
        "other": (0.0, 0.1, 0.3, 1.0),
    }
    scoring = ("decay", "rare", "length", "half_life", "other")
    whole = ("half_life",)  # what is forgotten is missed less where there is much
    item_offsets: Tensor  # (n_items + 2,) where the users of each item start
    users: Tensor  # (entries,) int32 of each item, the newest `latest` of them
    user_offsets: Tensor  # (users + 1,) where the items of each user start
    items: Tensor  # (entries,) int32 of each user, each once
    kinds: Tensor  # (entries,) uint8: bit k - 1 for an event of kind k
    age: Tensor  # (users,) of the latest event, from 0, the newest of the log, to 1
    popularity: Tensor  # (n_items + 1,)

    def __init__(self, config: KnnConfig, traits: Traits):
        super().__init__()
        self.config = config
        self.history = config.last
        self.n_items = traits.n_items
        if len(traits.kinds) < 2:
            self.settle("other")
        self.register_buffer("item_offsets", torch.zeros(traits.n_items + 2, dtype=torch.int64))
        self.register_buffer("users", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("user_offsets", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("items", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("kinds", torch.zeros(0, dtype=torch.uint8))
        self.register_buffer("age", torch.zeros(0))
        self.register_buffer("popularity", torch.zeros(traits.n_items + 1))

    def fit(self, train: Interactions) -> Self:
        """Keeps who had what, and what each had; names are not kept."""
        size = train.n_items + 1
        some = train.items > 0
        keys, where = np.unique((train.owners * size + train.items)[some], return_inverse=True)
        kinds = np.zeros(len(keys), np.uint8)
        np.bitwise_or.at(kinds, where, (1 << np.maximum(train.kinds[some] - 1, 0)).astype(np.uint8))
        users, items = keys // size, keys % size
        age = np.ones(len(train))
        np.minimum.at(age, train.owners, staleness(train))
        order = np.lexsort((age[users], items))  # of each item, who had something last comes first
        starts = np.searchsorted(items[order], np.arange(size + 1))
        order = order[np.arange(len(order)) - starts[items[order]] < self.config.latest]
        self.item_offsets = torch.from_numpy(np.searchsorted(items[order], np.arange(size + 1)))
        self.users = torch.from_numpy(users[order].astype(np.int32))
        self.user_offsets = torch.from_numpy(np.searchsorted(users, np.arange(len(train) + 1)))
        self.items = torch.from_numpy(items.astype(np.int32))
        self.kinds = torch.from_numpy(kinds)
        self.age = torch.from_numpy(age.astype(np.float32))
        self.popularity.copy_(torch.from_numpy(prior(train)))
        return self

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1) items that no neighbour had follow by popularity."""
        result = (POPULARITY * self.popularity).repeat(len(batch), 1)
        owners = torch.repeat_interleave(batch.lengths)
        decay = self.config.decay ** ages(batch, owners).to(torch.float64)
        weights = decay.numpy() * self._rarity(batch.items.numpy())
        asked = goals(batch).numpy()
        for first, last in self._groups(batch):
            part = slice(int(batch.offsets[first]), int(batch.offsets[last]))
            likeness = self._likeness(
                owners.numpy()[part] - first, batch.items.numpy()[part], weights[part], last - first
            )
            for goal in np.unique(asked[first:last]):
                rows = np.flatnonzero(asked[first:last] == goal)
                found = self._had(likeness[rows], int(goal))
                places = np.repeat(first + rows, np.diff(found.indptr)), found.indices
                result[places] += torch.from_numpy(found.data)
        return result

    def _rarity(self, items: Ints) -> Floats:
        offsets = self.item_offsets.numpy()
        users = offsets[items + 1] - offsets[items]
        return np.maximum(np.log(len(self.age) / np.maximum(users, 1)), 0.01) ** self.config.rare

    def _groups(self, batch: Batch) -> Iterator[tuple[int, int]]:
        """The batch in pieces that look at about ENTRIES pairs each."""
        users = self.item_offsets[batch.items + 1] - self.item_offsets[batch.items]
        looked_at = torch.nn.functional.pad(users.cumsum(0), (1, 0))[batch.offsets[1:]].numpy()
        cuts = np.flatnonzero(np.diff(looked_at // ENTRIES)) + 1
        yield from zip([0, *cuts.tolist()], [*cuts.tolist(), len(batch)], strict=True)

    def _likeness(self, owners: Ints, items: Ints, weights: Floats, n: int) -> sparse.csr_array:
        """(n, users) how alike the neighbours of each history are to it."""
        heard = weights >= NEGLIGIBLE
        owners, items, weights = owners[heard], items[heard], weights[heard]
        offsets = self.item_offsets.numpy()
        places, found = spans(offsets[items], offsets[items + 1])
        users = self.users.numpy()[places]
        each = np.repeat(np.arange(len(items)), np.diff(found))
        own = self.user_offsets.numpy()
        lengths = own[users + 1] - own[users]
        values = weights[each] * lengths.astype(np.float64) ** -self.config.length
        if self.config.half_life:
            values *= 0.5 ** (self.age.numpy()[users] / self.config.half_life)
        likeness = sparse.coo_array((values, (owners[each], users)), shape=(n, len(self.age))).tocsr()
        return _nearest(likeness, self.config.neighbours)

    def _had(self, likeness: sparse.csr_array, goal: int) -> sparse.csr_array:
        """(n, n_items + 1) what the neighbours had, by an event of the kind asked for or of another that can be one."""
        users, columns = np.unique(likeness.indices, return_inverse=True)
        offsets = self.user_offsets.numpy()
        places, starts = spans(offsets[users], offsets[users + 1])
        kinds = self.kinds.numpy()[places]
        asked = kinds & (1 << (goal - 1) if goal else ANSWERS)
        counts = np.where(asked, 1.0, np.where(kinds & ANSWERS, self.config.other, 0.0))
        had = sparse.csr_array((counts, self.items.numpy()[places], starts), shape=(len(users), self.n_items + 1))
        near = sparse.csr_array((likeness.data, columns, likeness.indptr), shape=(likeness.shape[0], len(users)))
        return (near @ had).astype(np.float32)


def _nearest(likeness: sparse.csr_array, keep: int) -> sparse.csr_array:
    """The `keep` largest entries of each row; equal ones by column, the newest users being the last."""
    lengths = np.diff(likeness.indptr)
    if lengths.max(initial=0) <= keep:
        return likeness
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-likeness.indices, -likeness.data, rows))
    order = order[np.arange(len(order)) - likeness.indptr[rows[order]] < keep]
    kept = np.sort(order)
    indptr = np.concatenate([[0], np.cumsum(np.minimum(lengths, keep))])
    return sparse.csr_array((likeness.data[kept], likeness.indices[kept], indptr), shape=likeness.shape)
