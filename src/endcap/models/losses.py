"""Softmax cross-entropy over the catalogue: in full, or over shared negatives with the logQ correction."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from endcap.data.ranges import Chance, Count, NotNegative

CHUNK = 1_000_000
"""Logits at a time: 4 MB, which stay near the processor."""


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
    """Mean cross-entropy over all items, without ever holding all the logits.

    hidden: (positions, dim), scaled; table: (n_items + 1, dim); bias: (n_items + 1,); targets: (positions,) from 1.
    """
    loss: Tensor = _ChunkedSoftmax.apply(hidden, table[1:], bias[1:], targets - 1, smoothing)  # type: ignore[no-untyped-call]  # torch's own
    return loss


class _ChunkedSoftmax(torch.autograd.Function):
    """Loss and gradients in one pass over chunks of positions: each chunk's logits become its gradient in place.

    A chunk stays below the size from which the allocator would fetch, and clear, new pages every time.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        n, items = len(targets), len(table)
        d_hidden, d_table, d_bias = torch.empty_like(hidden), torch.zeros_like(table), torch.zeros_like(bias)
        total = hidden.new_zeros(())
        rows = max(1, CHUNK // items)
        for start in range(0, n, rows):
            own, goal = hidden[start : start + rows], targets[start : start + rows].unsqueeze(1)
            logits = torch.addmm(bias, own, table.T)  # (rows, items)
            normaliser = logits.logsumexp(1, keepdim=True)
            total += (normaliser - (1 - smoothing) * logits.gather(1, goal)).sum()
            if smoothing:
                total -= smoothing * logits.mean(1).sum()
            # d loss / d logits = softmax - (1 - smoothing) at the target - smoothing / items everywhere
            slope = logits.sub_(normaliser).exp_()
            slope.scatter_add_(1, goal, torch.full_like(goal, smoothing - 1, dtype=slope.dtype))
            if smoothing:
                slope -= smoothing / items
            torch.mm(slope, table, out=d_hidden[start : start + rows])
            d_table.addmm_(slope.T, own)
            d_bias += slope.sum(0)
        ctx.save_for_backward(d_hidden.div_(n), d_table.div_(n), d_bias.div_(n))
        return total / n

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_table, d_bias = ctx.saved_tensors
        (slope,) = slopes
        return d_hidden * slope, d_table * slope, d_bias * slope, None, None


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
