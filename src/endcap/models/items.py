"""The item table: a vector and a bias per item; the score is a scaled cosine plus the bias."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from endcap.models.losses import LossConfig, full_softmax, sampled_softmax


class ItemTable(nn.Module):
    """Vectors of the items, the same ones on the way in and out.

    Cosine with a learned temperature keeps popular items from winning by their length alone
    (NISER, arXiv 1909.04276); what popularity does explain goes into the bias.
    """

    counts: Tensor

    def __init__(self, n_items: int, dim: int, config: LossConfig, temperature: float = 0.05) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.randn(n_items + 1, dim) * dim**-0.5)  # row 0 is never read
        self.bias = nn.Parameter(torch.zeros(n_items + 1))
        self.log_scale = nn.Parameter(torch.tensor(1 / temperature).log())
        self.register_buffer("counts", torch.ones(n_items + 1))

    def observe(self, counts: Tensor) -> None:
        """Takes (n_items + 1,) training counts: negatives are drawn by them."""
        self.counts.copy_(counts)

    @torch.no_grad()
    def start_from(self, vectors: Tensor) -> None:
        """Takes (n_items + 1, dim) vectors as a start; rows of zeros keep their random one."""
        known = vectors.norm(dim=1) > 0
        self.weight[known] = vectors[known]

    def forward(self, items: Tensor) -> Tensor:
        """(tokens,) -> (tokens, dim)"""
        return F.embedding(items, self.weight)

    def score(self, hidden: Tensor) -> Tensor:
        """(batch, dim) -> (batch, n_items + 1)"""
        return torch.addmm(self.bias, self._scaled(hidden), F.normalize(self.weight, dim=1).T)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """hidden: (positions, dim); targets: (positions,) from 1."""
        hidden = self._scaled(hidden)
        n_items = len(self.bias) - 1
        if not self.config.samples(n_items):
            table = F.normalize(self.weight, dim=1)
            return full_softmax(hidden, table, self.bias, targets, self.config.smoothing)
        chances = self.counts[1:].pow(self.config.power)
        chances = chances / chances.sum()
        drawn = 1 + torch.multinomial(chances, self.config.negatives, replacement=True)
        log_q = (chances[drawn - 1] * self.config.negatives).log()
        rows = F.normalize(F.embedding(torch.cat([targets, drawn]), self.weight), dim=1)
        own, others = rows[: len(targets)], rows[len(targets) :]
        positives = (hidden * own).sum(1) + self.bias[targets]
        return sampled_softmax(hidden, targets, positives, others, drawn, log_q - self.bias[drawn])

    def _scaled(self, hidden: Tensor) -> Tensor:
        return F.normalize(hidden, dim=1) * self.log_scale.exp()
