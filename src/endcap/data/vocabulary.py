"""External ids and dense indices: the only place where one becomes the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Vocabulary:
    """Ids in the order they were first seen; `ids[i - 1]` has index i, and 0 is padding or unknown.

    It only grows: an index never changes its item, so that weights stay aligned when products arrive.

    >>> vocabulary = Vocabulary(("milk", "bread"))
    >>> vocabulary.index(["bread", "caviar"]).tolist()
    [2, 0]
    >>> vocabulary.extend(["caviar", "milk"]).ids
    ('milk', 'bread', 'caviar')
    """

    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {item_id: index for index, item_id in enumerate(self.ids, start=1)}

    def index(self, ids: Iterable[str]) -> Ints:
        """(n,) dense indices, 0 for ids never seen."""
        return np.fromiter((self._positions.get(item_id, 0) for item_id in ids), dtype=np.int64)

    def id(self, index: int) -> str:
        """The external id of one index; index 0 has none."""
        if not 1 <= index <= len(self.ids):
            raise IndexError(f"index {index} is outside 1..{len(self.ids)}")
        return self.ids[index - 1]

    def extend(self, ids: Sequence[str]) -> Self:
        """A vocabulary with the new ones of `ids` appended."""
        new = dict.fromkeys(item_id for item_id in ids if item_id not in self._positions)
        return type(self)((*self.ids, *new))
