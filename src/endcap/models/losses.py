"""Softmax cross-entropy over the catalogue: in full, or over shared negatives with the logQ correction."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from endcap.data.ranges import Chance, Count, NotNegative

CHUNK = 1_000_000
"""Logits at a time: 4 MB, which stay near the processor."""
STEP = 16
"""Of short factors, rows are filled up to a multiple: the library keeps a program for each shape that it has met."""
SPAN = 80.0
"""Logits that differ by less have exponentials within single precision (e ** -87); wider ones need their maxima."""


@dataclass(frozen=True)
class LossConfig:
    """Which softmax the networks are trained by."""

    name: Literal["auto", "full", "sampled"] = "auto"  # auto: sampled where the catalogue is large, else full
    negatives: Count = 2048  # shared by all positions of a step; `auto` samples a catalogue of over four times this
    power: NotNegative = 0.5  # negatives are drawn by count ** power: 0 uniform, 1 by popularity
    smoothing: Chance = 0.0  # label smoothing of the full softmax
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of factors; auto: bfloat16 where it is the faster one

    def samples(self, n_items: int) -> bool:
        """Whether this catalogue is sampled."""
        return self.name == "sampled" or (self.name == "auto" and n_items > 4 * self.negatives)

    @property
    def factors(self) -> torch.dtype:
        """In what the factors of the three products are rounded; sums, exponentials and the target stay as they are."""
        faster = torch.cpu.get_capabilities().get("avx512_bf16", False) and torch.get_default_device().type == "cpu"
        short = self.precision == "bfloat16" or (self.precision == "auto" and faster)
        return torch.bfloat16 if short else torch.float32


def full_softmax(
    hidden: Tensor,
    table: Tensor,
    bias: Tensor,
    targets: Tensor,
    smoothing: float = 0.0,
    factors: torch.dtype | None = None,
) -> Tensor:
    """Mean cross-entropy over all items, without ever holding all the logits.

    hidden: (positions, dim), scaled; table: (n_items + 1, dim); bias: (n_items + 1,); targets: (positions,) from 1;
    factors: of the products with `table`; None: as they are.
    """
    positives = (hidden * F.embedding(targets, table)).sum(1) + bias[targets]
    loss = _normaliser(hidden, table[1:], bias[1:], factors) - (1 - smoothing) * positives.mean()
    if smoothing:
        loss = loss - smoothing * (hidden.mean(0) @ table[1:].mean(0) + bias[1:].mean())
    return loss


def sampled_softmax(
    hidden: Tensor,
    targets: Tensor,
    positives: Tensor,
    negatives: Tensor,
    drawn: Tensor,
    log_q: Tensor,
    factors: torch.dtype | None = None,
) -> Tensor:
    """Mean cross-entropy of each target against shared negatives.

    The expected count of a negative is taken off its logit (Bengio and Senecal, 2008), so that the sum
    estimates the full one; the positive is not corrected (arXiv 2507.09331). A negative that is the
    position's own target is left out.

    positives: (positions,) logits of the targets; negatives: (n, dim) vectors and `drawn` (n,) their items;
    hidden: (positions, dim) scaled; log_q: (n,) log of the expected count of each drawn item, less its bias;
    factors: of the products with `negatives`; None: as they are.
    """
    return _normaliser(hidden, negatives, -log_q, factors, positives, (targets, drawn)) - positives.mean()


def _normaliser(
    hidden: Tensor,
    table: Tensor,
    bias: Tensor,
    factors: torch.dtype | None,
    beside: Tensor | None = None,
    without: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The mean over positions of log sum exp of hidden @ table.T + bias.

    factors: the type that products are of; None: that of `hidden`.
    beside: (positions,) one more logit each; without: (positions,) targets and (n,) which items the rows of `table`
    are: those of a position's own target are left out.
    """
    mean: Tensor = _Normaliser.apply(hidden, table, bias, factors or hidden.dtype, beside, without)  # type: ignore[no-untyped-call]  # torch's own
    return mean


def _same(targets: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Where (positions,) targets and (n,) drawn items are the same: (pairs,) positions and (pairs,) places."""
    wanted = torch.zeros(int(torch.maximum(targets.max(), drawn.max())) + 1, dtype=torch.bool)
    wanted[drawn] = True
    some = wanted[targets].nonzero().squeeze(1)
    pairs = (targets[some].unsqueeze(1) == drawn).nonzero()
    return some[pairs[:, 0]], pairs[:, 1]


class _Normaliser(torch.autograd.Function):
    """Value and gradients in one pass over chunks of positions: three products, and one exponential per logit.

    The largest possible logit (Cauchy and Schwarz) is taken off the bias beforehand, so that no chunk needs its maxima.
    Exponentials are never divided by their sums: the states are, which are a hundred times fewer.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        bias: Tensor,
        factors: torch.dtype,
        beside: Tensor | None,
        without: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        n, width = len(hidden), len(table)
        d_hidden, d_table, d_bias = torch.empty_like(hidden), torch.zeros_like(table), torch.zeros_like(bias)
        d_beside = None if beside is None else torch.empty_like(beside)
        reach = hidden.norm(dim=1).amax() * table.norm(dim=1).amax()
        highest, lowest = reach + bias.amax(), bias.amin() - reach
        if beside is not None:
            highest, lowest = torch.maximum(highest, beside.amax()), torch.minimum(lowest, beside.amin())
        safe = bool(highest - lowest < SPAN)
        shifted = bias - highest if safe else bias
        same = None if without is None else _same(*without)
        total = hidden.new_zeros(())
        step = 1 if factors == hidden.dtype else STEP
        rows = max(1, CHUNK // width // step) * step
        states, items = F.pad(hidden, (0, 0, 0, -n % step)).to(factors), table.to(factors)
        logits = hidden.new_empty(min(rows, len(states)), width)
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            own, filled = states[part], logits[: len(states[part])]  # (rows, width)
            if factors == hidden.dtype:
                torch.addmm(shifted, own, items.T, out=filled)
            else:
                torch.add(own @ items.T, shifted, out=filled)
            powers = filled[: n - start]
            filled[n - start :] = 0.0
            largest = highest
            if not safe:
                largest = powers.amax(1) if beside is None else torch.maximum(powers.amax(1), beside[part])
                powers.sub_(largest.unsqueeze(1))
            powers.exp_()
            if same is not None:
                positions, places = same
                inside = (positions >= start) & (positions < start + rows)
                powers[positions[inside] - start, places[inside]] = 0.0
            sums = powers.sum(1)
            if beside is not None and d_beside is not None:
                alone = (beside[part] - largest).exp()
                sums += alone
                d_beside[part] = alone / sums
            total += (sums.log() + largest).sum()
            d_bias.addmv_(powers.T, 1 / sums)
            short = filled.to(factors)
            torch.div((short @ items)[: len(powers)], sums.unsqueeze(1), out=d_hidden[part])
            scaled = F.pad(hidden[part] / sums.unsqueeze(1), (0, 0, 0, len(filled) - len(powers)))
            if factors == hidden.dtype:
                d_table.addmm_(short.T, scaled)
            else:
                d_table += short.T @ scaled.to(factors)
        ctx.save_for_backward(d_hidden, d_table, d_bias, *([] if d_beside is None else [d_beside]))
        return total / n

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        found = ctx.saved_tensors
        (slope,) = slopes
        scaled = [each * (slope / len(found[0])) for each in found]
        return (*scaled[:3], None, *scaled[3:], *[None] * (5 - len(scaled)))
