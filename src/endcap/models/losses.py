"""Softmax cross-entropy over the catalogue: in full, or over shared negatives with the logQ correction."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from endcap.data.ranges import Chance, Count, NotNegative


@dataclass(frozen=True)
class LossConfig:
    """Which softmax the networks are trained by."""

    name: Literal["auto", "full", "sampled"] = "auto"  # auto: sampled where the catalogue is large, else full
    negatives: Count = 2048  # shared by all positions of a step; `auto` samples a catalogue of over four times this
    power: NotNegative = 0.5  # negatives are drawn by count ** power: 0 uniform, 1 by popularity
    smoothing: Chance = 0.0  # label smoothing of the full softmax

    def samples(self, n_items: int) -> bool:
        """Whether this catalogue is sampled."""
        return self.name == "sampled" or (self.name == "auto" and n_items > 4 * self.negatives)


def full_softmax(hidden: Tensor, table: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy over all items.

    hidden: (positions, dim), scaled; table: (n_items + 1, dim); bias: (n_items + 1,); targets: (positions,) from 1.
    """
    logits = torch.addmm(bias[1:], hidden, table[1:].T)  # (positions, n_items)
    return F.cross_entropy(logits, targets - 1, label_smoothing=smoothing)


def sampled_softmax(
    hidden: Tensor, targets: Tensor, positives: Tensor, negatives: Tensor, drawn: Tensor, log_q: Tensor
) -> Tensor:
    """Mean cross-entropy of each target against shared negatives.

    The expected count of a negative is taken off its logit (Bengio and Senecal, 2008), so that the sum
    estimates the full one; the positive is not corrected (arXiv 2507.09331). A negative that is the
    position's own target is left out.

    positives: (positions,) logits of the targets; negatives: (n, dim) vectors and `drawn` (n,) their items;
    hidden: (positions, dim) scaled; log_q: (n,) log of the expected count of each drawn item, less its bias.
    """
    logits = torch.addmm(-log_q, hidden, negatives.T)  # (positions, n)
    logits = logits.masked_fill(drawn == targets.unsqueeze(1), -torch.inf)
    return (torch.logaddexp(positives, logits.logsumexp(1)) - positives).mean()
