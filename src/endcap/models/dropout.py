"""Dropout (Srivastava et al., JMLR 2014) by one random byte a number.

torch's own draws a random float for each, one after the other, which takes as long as the products of a small network.
"""

import torch
from torch import Tensor, nn

LEVELS = 256
"""Values of a byte: chances are known as closely."""


class Dropout(nn.Module):
    """In training each number is lost with a chance of `p`, and the others grow by as much; p in steps of 1 / 256."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.lost = min(round(p * LEVELS), LEVELS - 1)

    def forward(self, numbers: Tensor) -> Tensor:
        """Any shape -> the same."""
        if not self.training or not self.lost:
            return numbers
        eights = torch.empty(-(-numbers.numel() // 8), dtype=torch.int64, device=numbers.device)
        drawn = eights.random_(-(2**63), None).view(torch.uint8)[: numbers.numel()].view(numbers.shape)
        return numbers * ((drawn >= self.lost) * (LEVELS / (LEVELS - self.lost)))
