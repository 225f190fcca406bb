"""What the encoders of products share: a block of numbers per modality."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.vocabulary import Ints


@dataclass(frozen=True)
class Block:
    """One modality's numbers, a row per item by its index; row 0 is padding."""

    vectors: NDArray[np.float32]  # (items + 1, dim); zeros where the item has none
    present: NDArray[np.bool_]  # (items + 1,) whether the item has anything of it
    names: tuple[str, ...]  # (dim,) what each number is, for people: `log price`, `category = Dairy`, `text 12`

    @property
    def dim(self) -> int:
        """Numbers per item."""
        return self.vectors.shape[1]


@dataclass(frozen=True)
class Packed:
    """Attributes such as `colour = red` per item, end to end; row 0 has none."""

    offsets: Ints  # (items + 2,) item i has `ids[offsets[i]:offsets[i + 1]]`
    ids: Ints  # (n,) from 0
    names: tuple[str, ...]  # what each id is


@dataclass(frozen=True)
class Content:
    """What the sequence models are told of every item."""

    vectors: NDArray[np.float32]  # (items + 1, dim)
    attributes: Packed


class Encoder(Protocol):
    """One modality of a catalogue as numbers: fitted on some items, applied to any, new ones included."""

    def fit(self, catalog: Catalog, known: Ints) -> Self:
        """Learns from the items `known` (indices from 1) alone."""

    def transform(self, catalog: Catalog) -> Block:
        """The numbers of every item of a catalogue, which may be another one; never fails on unseen values."""

    def save(self, folder: Path) -> None:
        """Writes what was fitted, without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
