"""A warm start: a new network begins where an old one stood, though items have come, gone and changed places."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from endcap.data.errors import InputError
from endcap.data.vocabulary import Vocabulary
from endcap.models.base import Network
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.items import ItemTable
from endcap.models.sequence import SequenceNetwork

ROWS = ("items.weight", "items.bias")
"""Parameters with a row per item: they are taken by the item's id, not by its index."""

TOLD = ("context.", "question.goal.", "question.wait.")
"""Parameters that are there only where the log has what they tell; they are added to what is known without them."""


@dataclass(frozen=True)
class Start:
    """A trained network to go on from, or a hybrid whose networks are gone on from, and what their indices mean."""

    model: Network | Hybrid
    vocabulary: Vocabulary

    def of_parts(self, config: HybridConfig) -> "list[Start | None]":
        """For each part of `config` the network of this hybrid that was made to the same config; None: it has none."""
        if not isinstance(self.model, Hybrid):
            raise InputError("cannot go on from a single network with a hybrid; train it from the start")
        left = [part for part in self.model.members if isinstance(part, SequenceNetwork)]
        found: list[Start | None] = []
        for part in config.parts:
            same = next((each for each in left if each.config == part), None)
            left = [each for each in left if each is not same]
            found.append(None if same is None else Start(same, self.vocabulary))
        return found


@torch.no_grad()
def warm_start(new: Network, old: Network | Hybrid, old_vocabulary: Vocabulary, new_vocabulary: Vocabulary) -> None:
    """Copies into `new` what `old` learned: rows of items by id, everything else where the shapes are equal.

    `new` has observed its training part: its statistics and what it knows of the items stay its own. What `old` was
    not told of an event or a question (kinds, times, prices) begins as nothing, so that before the first step both
    score the items that they share alike. Raises InputError where the two are not of one sort.
    """
    if type(new) is not type(old):
        raise InputError(
            f"cannot go on from a {type(old).__name__} with a {type(new).__name__}; train it from the start"
        )
    before = dict(old.named_parameters())
    for name, parameter in new.named_parameters():
        if name in ROWS:
            continue
        if name in before and before[name].shape == parameter.shape:
            parameter.copy_(before[name])
        elif name not in before and name.startswith(TOLD):
            parameter.zero_()
    if isinstance(new, SequenceNetwork) and isinstance(old, SequenceNetwork):
        if new.items.weight.shape[1] == old.items.weight.shape[1]:
            _rows(new.items, old.items, old_vocabulary.index(new_vocabulary.ids[: new.items.known]))
        new.items.newness.copy_(old.items.newness)


def _rows(new: ItemTable, old: ItemTable, places: np.ndarray) -> None:
    """places: (new known,) where each item with training events stood in the old table, 0 for nowhere."""
    index = torch.from_numpy(np.where(places <= old.known, places, 0))
    shared, arrived = 1 + torch.nonzero(index).squeeze(1), 1 + torch.nonzero(index == 0).squeeze(1)
    index = index[shared - 1]
    if new.content is not None:  # it stands by its content, as before it had events
        new.weight[arrived], new.bias[arrived] = 0.0, 0.0
    elif len(shared):
        new.weight[arrived] = _carried(new.weight[arrived], new.weight[shared], old.weight[index])
        new.bias[arrived] = old.bias[index].mean()
    new.weight[shared], new.bias[shared] = old.weight[index], old.bias[index]


def _carried(vectors: Tensor, known: Tensor, learned: Tensor) -> Tensor:
    """(n, dim) start vectors in the old network's directions.

    Starts are solved anew from the counts, and turned at random against what was learned: the linear map that carries
    those of the items that both have, by least squares, carries the others as well; their length is that of the rest.
    """
    carry = torch.linalg.lstsq(known.double(), learned.double(), driver="gelsd").solution
    return F.normalize(vectors.double() @ carry, dim=1).to(vectors.dtype) * learned.norm(dim=1).mean()
