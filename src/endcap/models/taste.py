"""What the history so far looks like, by content: a decayed mean that is compared with every item's content."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from endcap.models.packing import Rows


class Taste(nn.Module):
    """A content kNN with few parameters: how fast it forgets, how much each number matters, how much it counts.

    A network needs many events to learn that like goes with like; this knows it from the start, and learns how much.
    """

    def __init__(self, width: int, strength: float) -> None:
        super().__init__()
        self.forgetting = nn.Parameter(torch.tensor(-1.4))  # as a logit: an event counts 0.8 of the next
        self.log_matter = nn.Parameter(torch.zeros(width))
        self.log_strength = nn.Parameter(torch.tensor(strength).log())

    def forward(self, content: Tensor, offsets: Tensor) -> Tensor:
        """content: (tokens, width) of the events -> (tokens, width) of length `strength`; none sees a later one."""
        if not len(content):
            return content
        rows = Rows.of(offsets)
        steps = torch.arange(rows.places.shape[1])
        distance = (steps[:, None] - steps).clamp(min=0)  # (length, length), how far back
        weights = ((1 - self.forgetting.sigmoid()) ** distance).masked_fill(rows.apart, 0.0)
        return self.of_items(rows.gather(weights @ rows.spread(content))) * self.log_strength.exp()

    def of_items(self, content: Tensor) -> Tensor:
        """(n, width) -> (n, width) of length 1, each number weighed by how much it matters."""
        return F.normalize(content * self.log_matter.exp(), dim=1)
