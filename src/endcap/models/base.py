"""The three interfaces: Recommender, ClosedForm, Network."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from endcap.data.batch import Batch
from endcap.data.interactions import Histories, Interactions
from endcap.features.base import Content

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Traits:
    """What a model must know of the training data before it is built; part of the artifact."""

    n_items: int
    known: int  # of them with training events, the first ones; the others are known by their content alone
    kinds: tuple[int, ...]  # the kinds of event that occur, as places in KINDS from 1
    timed: bool
    valued: tuple[bool, bool, bool]  # whether any rating, price, quantity is given
    content: int = 0  # numbers that describe an item
    attributes: int = 0  # attributes that an item can have

    @classmethod
    def of(cls, train: Interactions, content: Content | None = None) -> Self:
        """The traits of a training log, and of what is known of its items."""
        given = [bool((~np.isnan(train.values[:, column])).any()) for column in range(3)]
        return cls(
            n_items=train.n_items,
            known=int(train.items.max(initial=0)),
            kinds=tuple(int(kind) for kind in np.unique(train.kinds)),
            timed=train.times is not None,
            valued=(given[0], given[1], given[2]),
            content=0 if content is None else content.vectors.shape[1],
            attributes=0 if content is None else len(content.attributes.names),
        )


class Recommender(nn.Module, ABC):
    """Scores every item for a history. `state_dict()` is the whole model, counting models included."""

    history: int
    """How many latest events of a history it looks at."""

    @abstractmethod
    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1) the higher the likelier next; column 0 (padding) means nothing."""

    def ready(self) -> Self:
        """The same model to answer many questions, not to be trained: what is the same for all of them is made once."""
        return self


class ClosedForm(Recommender):
    """A model that is counted or solved, not trained by gradients."""

    grid: Mapping[str, Sequence[float]] = {}
    """Fields of the model's config that validation chooses, each with the values to try (see training.choose)."""
    scoring: tuple[str, ...] = ()
    """Those of them that change scores alone: another value needs no other fit."""
    whole: tuple[str, ...] = ()
    """Those of them whose best value depends on how much there is: chosen on all of a long log, not on a sample."""

    def settle(self, field: str) -> None:
        """Takes a field out of the grid: in this log its value changes nothing."""
        self.grid = {name: values for name, values in self.grid.items() if name != field}

    @abstractmethod
    def fit(self, train: Interactions) -> Self:
        """Fits the buffers to the training log."""

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *args: object) -> None:
        sized_buffers(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


def sharing(module: Module) -> Module:
    """The same module over the same weights, whose parts can be replaced: a new product costs no copy of a model."""
    other = copy.copy(module)
    for parts in ("_parameters", "_buffers", "_modules"):
        other.__dict__[parts] = dict(module.__dict__[parts])
    return other


def sized_buffers(module: nn.Module, state_dict: Mapping[str, Tensor], prefix: str) -> None:
    """Buffers made empty take the size they are loaded with: how many pairs were counted is known after the fit."""
    for name, buffer in list(module.named_buffers(recurse=False)):
        found = state_dict.get(prefix + name)
        if found is not None and not buffer.numel() and found.dim() == buffer.dim():
            module.register_buffer(name, buffer.new_empty(found.shape))


class Network(Recommender):
    """A model trained by gradients: a vector per position, a vector per item, their product the score."""

    made: tuple[Tensor, Tensor] | None = None
    """The table, where it was made once; see `ready`."""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """(tokens, dim) for each position the vector that answers its question."""

    @abstractmethod
    def encode(self, batch: Batch) -> Tensor:
        """(batch, width) the query after each history; `score` is its product with `table`, plus the bias."""

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1)"""
        vectors, bias = self.made or self.table()
        return torch.addmm(bias, self.encode(batch), vectors.T)

    def ready(self, made: tuple[Tensor, Tensor] | None = None) -> Self:
        """See Recommender; made: its `table`, where somebody has it."""
        other = sharing(self)
        other.made = made or self.table()
        return other

    @abstractmethod
    def table(self, items: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n_items + 1, width) what queries are multiplied with, and (n_items + 1,) biases: made once to serve often.

        items: (n,) those wanted; None: all.
        """

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """A scalar: how badly the targets are predicted, averaged over the positions that have one."""

    @abstractmethod
    def observe(self, train: Histories, content: Content | None = None) -> None:
        """Takes the statistics of the training part, and what is known of the items, into buffers."""

    @abstractmethod
    def alike(self, n: int) -> NDArray[np.int64]:
        """(known + 1, at most n) for each item with training events the others most alike, best first; row 0 is 0."""

    @abstractmethod
    def extend(self, content: Content) -> Self:
        """A copy that also scores new items: `content` has a row for every item, the new ones after the others.

        Raises InputError where the model was trained without content.
        """
