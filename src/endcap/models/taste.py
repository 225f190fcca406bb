"""What the history so far looks like, by content: a decayed mean that is compared with every item's content."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from endcap.models.packing import rectangles


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
        keep = 1 - self.forgetting.sigmoid()
        mixed, places = [content.new_zeros(0, content.shape[1])], [offsets.new_zeros(0)]
        for group in rectangles(offsets):
            steps = torch.arange(group.places.shape[1])
            distance = steps[:, None] - steps  # (length, length), how far back
            weights = torch.where(distance >= 0, keep ** distance.clamp(min=0), 0.0)
            mixed.append((weights @ content[group.places])[group.inside])
            places.append(group.places[group.inside])
        taste = torch.empty_like(content).index_copy(0, torch.cat(places), torch.cat(mixed))
        return self.of_items(taste) * self.log_strength.exp()

    def of_items(self, content: Tensor) -> Tensor:
        """(n, width) -> (n, width) of length 1, each number weighed by how much it matters."""
        return F.normalize(content * self.log_matter.exp(), dim=1)
