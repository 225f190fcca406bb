"""What is known of the items besides their number, as vectors of the model: content projected, attributes summed."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from endcap.features.base import Content
from endcap.models.base import Traits, sharing, sized_buffers


class ItemContent(nn.Module):
    """A linear map of the content vectors, and a vector and a bias per attribute, averaged over an item's own.

    Feature-based item embeddings with a sum of attribute vectors: DIF-SR (arXiv 2204.11046), NOVA, and for the bias
    VBPR (arXiv 1510.01784). The same map serves an item that nobody has bought yet.
    """

    vectors: Tensor  # (items + 1, width)
    offsets: Tensor  # (items + 2,) item i has the attributes `attributes[offsets[i]:offsets[i + 1]]`
    attributes: Tensor

    def __init__(self, dim: int, traits: Traits) -> None:
        super().__init__()
        self.project = nn.Linear(traits.content, dim + 1, bias=False)  # the last number is the item's bias
        nn.init.normal_(self.project.weight, std=0.1 * max(1, traits.content) ** -0.5)
        self.of_attribute = nn.Parameter(torch.randn(traits.attributes, dim + 1) * 0.1 * dim**-0.5)
        self.register_buffer("vectors", torch.zeros(0, traits.content))
        self.register_buffer("offsets", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("attributes", torch.zeros(0, dtype=torch.int64))

    def observe(self, content: Content) -> None:
        """Takes what is known of all items; a new item is one more row."""
        self.vectors = torch.from_numpy(content.vectors)
        self.offsets = torch.from_numpy(content.attributes.offsets)
        self.attributes = torch.from_numpy(content.attributes.ids)

    def of(self, content: Content) -> "ItemContent":
        """The same map, for other items."""
        other = sharing(self)
        other.observe(content)
        return other

    @torch.no_grad()
    def start(self, known: int) -> None:
        """The projection starts as the principal axes of the first `known` items, so that like items begin alike."""
        rows = self.vectors[1 : known + 1].double()
        _, axes = torch.linalg.eigh(rows.T @ rows)  # by ascending strength
        axes = axes.flip(1)[:, : self.project.out_features - 1].T.to(self.vectors.dtype)  # (at most dim, width)
        length = (rows @ axes.T.double()).norm(dim=1).mean().clamp(min=1e-6)
        self.project.weight[: len(axes)] = axes / length.to(axes.dtype)

    def __len__(self) -> int:
        """Rows: items + 1."""
        return len(self.vectors)

    def forward(self, items: Tensor) -> Tensor:
        """(n,) -> (n, dim + 1) vectors, and the biases as the last column."""
        found = self.project(F.embedding(items, self.vectors))
        if len(self.of_attribute):
            own, _, starts = attributes_of(items, self.offsets, self.attributes)
            found = found + F.embedding_bag(own, self.of_attribute, starts, mode="mean")
        return found

    def attribute_loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """How badly (n, dim) states say the attributes of their (n,) target items: cross-entropy, averaged."""
        ids, owners, _ = attributes_of(targets, self.offsets, self.attributes)
        logits = hidden @ self.of_attribute[:, :-1].T + self.of_attribute[:, -1]  # (n, attributes)
        return -logits.log_softmax(1)[owners, ids].mean() if len(ids) else hidden.new_zeros(())

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        sized_buffers(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


def attributes_of(items: Tensor, offsets: Tensor, attributes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The attributes of (n,) items end to end, which item each is of, and where each item's start: (n,).

    offsets, attributes: of all items, as in `features.base.Packed`.
    """
    lengths = offsets[items + 1] - offsets[items]
    owners = torch.repeat_interleave(lengths)
    begins = lengths.cumsum(0) - lengths
    places = torch.arange(len(owners)) + (offsets[items] - begins)[owners]
    return attributes[places], owners, begins
