"""What the encoders of products share: a block of numbers per modality."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
