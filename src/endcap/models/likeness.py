"""How like two items are by what a catalogue says of them: the attributes that they share, and their content vectors.

Networks know items by vectors of a few hundred numbers, in which what is rare, such as a small brand, has hardly a
place. Here attributes are compared one by one, a rare one counting more than a common one (inverse document frequency,
Spärck Jones 1972).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from endcap.features.base import Content
from endcap.models.base import sized_buffers
from endcap.models.content import attributes_of

WAYS = 2
"""By which two items are compared: attributes and vectors."""
AT_A_TIME = 2**23
"""Numbers that stand for items in full while questions are compared."""


class Likeness(nn.Module):
    """Cosines between items; it knows nothing until it has observed content."""

    vectors: Tensor  # (items + 1, width) content vectors of length 1, in half precision
    offsets: Tensor  # (items + 2,) item i has the attributes `attributes[offsets[i]:offsets[i + 1]]`
    attributes: Tensor
    rarity: Tensor  # (attributes,) the logarithm of how many items there are to one that has it
    lengths: Tensor  # (items + 1,) of the vector of an item's attributes

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(0, 0, dtype=torch.float16))
        self.register_buffer("offsets", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("attributes", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("rarity", torch.zeros(0))
        self.register_buffer("lengths", torch.zeros(0))

    def __len__(self) -> int:
        """Rows: items + 1; 0 before `observe`."""
        return len(self.vectors)

    def observe(self, content: Content) -> None:
        """Takes what is known of all items."""
        self.vectors = F.normalize(torch.from_numpy(content.vectors), dim=1).half()
        self.offsets = torch.from_numpy(content.attributes.offsets)
        self.attributes = torch.from_numpy(content.attributes.ids)
        counts = torch.bincount(self.attributes, minlength=len(content.attributes.names))
        self.rarity = (max(1, len(self) - 1) / counts.clamp(min=1)).log()
        owners = torch.repeat_interleave(self.offsets.diff())
        squares = torch.zeros(len(self)).index_add(0, owners, self.rarity[self.attributes].square())
        self.lengths = squares.sqrt()

    def forward(self, items: Tensor, past: Tensor) -> Tensor:
        """(questions, n) items and (questions, back) others -> (questions, n, back, WAYS) cosines.

        0 for what nothing is known of: item 0, and items that came after `observe`.
        """
        items, past = (torch.where(each < len(self), each, 0) for each in (items, past))
        width = max(1, self.vectors.shape[1], len(self.rarity))
        size = max(1, AT_A_TIME // (width * (items.shape[1] + past.shape[1])))
        pairs = zip(items.split(size), past.split(size), strict=True)
        return torch.cat([torch.stack([self._by_attributes(*each), self._by_vectors(*each)], 3) for each in pairs])

    def _by_vectors(self, items: Tensor, past: Tensor) -> Tensor:
        return self.vectors[items].float() @ self.vectors[past].float().transpose(1, 2)

    def _by_attributes(self, items: Tensor, past: Tensor) -> Tensor:
        some = attributes_of(past.flatten(), self.offsets, self.attributes)[0].unique()
        of_past = torch.full((len(self.rarity),), -1)
        of_past[some] = torch.arange(len(some))  # what no item of the past has is no likeness
        return self._full(items, of_past, len(some)) @ self._full(past, of_past, len(some)).transpose(1, 2)

    def _full(self, items: Tensor, columns: Tensor, width: int) -> Tensor:
        """(questions, n) items -> (questions, n, width) how much of each is every attribute that has a column."""
        ids, owners, _ = attributes_of(items.flatten(), self.offsets, self.attributes)
        told = columns[ids] >= 0
        ids, owners = ids[told], owners[told]
        full = torch.zeros(items.numel(), width)
        full[owners, columns[ids]] = self.rarity[ids] / self.lengths[items.flatten()[owners]].clamp(min=1e-9)
        return full.view(*items.shape, width)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        sized_buffers(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)
