"""How much each of several scores counts: a conditional logit over the items that any of them puts first.

A logarithmic opinion pool (Genest and Zidek 1986) whose weights maximise the likelihood of held-out answers. The loss
is convex in the weights, so that they are found in moments and without a search.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

EPSILONS = (0.3, 1.0, 0.1, 0.01, 0.001)
"""What a count of nothing is worth, against the usual best score of a part; the likelihood chooses, from the first."""
FIRST = 0.3
"""The weight that a part starts with; its logarithm has a normal prior around it, or one always right had no end."""


@dataclass(frozen=True)
class Pool:
    """The best items of each part together, question by question.

    ```
    scores[q, c, p]   what part p gives candidate c of question q; -inf past the last candidate
    ```
    """

    scores: Tensor  # (questions, candidates, parts) candidates by their index
    rows: Tensor  # (answers,) the question of each answer
    columns: Tensor  # (answers,) which candidate it is; -1 where no part puts it among its best
    facts: Tensor  # (questions, candidates, n) half precision: what else is known of them; see reranking.py

    def take(self, questions: Tensor) -> "Pool":
        """The questions that a (questions,) mask says."""
        inside = questions[self.rows]
        rows = (questions.cumsum(0) - 1)[self.rows[inside]]
        return Pool(self.scores[questions], rows, self.columns[inside], self.facts[questions])

    def of(self, parts: Sequence[int]) -> "Pool":
        """The same candidates, scored by some of the parts."""
        return replace(self, scores=self.scores[:, :, list(parts)])

    def knowing(self, n: int) -> "Pool":
        """The same candidates with the first n of what is known of them."""
        return replace(self, facts=self.facts[:, :, :n])


@dataclass(frozen=True)
class Blend:
    """score = sum over the parts of weight * log-score; see `log_scores`."""

    weights: Tensor  # (parts,)
    levels: Tensor  # (parts,)
    epsilons: Tensor  # (parts,)


def levels(pool: Pool, counted: Tensor) -> Tensor:
    """(parts,) the mean over questions of a part's best score; 0 for networks, whose scores are logarithms already.

    counted: (parts,) which parts count.
    """
    some = pool.scores[:, 0, 0] > -torch.inf
    best = pool.scores[some].clamp(min=0).amax(1).mean(0) if some.any() else torch.ones(len(counted))
    return torch.where(counted, best.clamp(min=1e-12), 0.0)


def log_scores(scores: Tensor, level: float, epsilon: float) -> Tensor:
    """Scores as logarithms: those of a counting part as log(score / level + epsilon), a network's as they are."""
    return scores if not level else (scores.clamp(min=0) / level + epsilon).log()


def mixed(pool: Pool, blend: Blend) -> Tensor:
    """(questions, candidates) the blended scores; -inf past the last candidate."""
    scored = said(pool, blend) @ blend.weights
    return scored.masked_fill(pool.scores[:, :, 0] == -torch.inf, -torch.inf)


def blend(pool: Pool, level: Tensor, epsilons: Tensor | None = None) -> Blend:
    """The weights by which the answers of `pool` are likeliest among their candidates.

    epsilons: (parts,); None: those of EPSILONS by which they are likeliest, one part after the other.
    """
    reached = pool.columns >= 0
    asked = torch.zeros(len(pool.scores), dtype=torch.bool)
    asked[pool.rows[reached]] = True
    start = torch.full((len(level),), EPSILONS[0]) if epsilons is None else epsilons
    if not asked.any():
        return Blend(torch.full((len(level),), FIRST), level, start)
    some = pool.take(asked)
    best = _fitted(some, Blend(torch.full((len(level),), FIRST), level, start))
    for part in torch.nonzero(level)[:, 0].tolist() if epsilons is None else []:
        for epsilon in EPSILONS[1:]:
            tried = best[1].epsilons.clone()
            tried[part] = epsilon
            best = min(best, _fitted(some, Blend(best[1].weights, level, tried)), key=lambda each: each[0])
    return best[1]


def _fitted(pool: Pool, start: Blend) -> tuple[float, Blend]:
    """(the mean surprise, the blend) of the best weights, with the levels and epsilons of `start`."""
    features = said(pool, start)
    outside = pool.scores[:, :, 0] == -torch.inf
    rows, columns = pool.rows[pool.columns >= 0], pool.columns[pool.columns >= 0]
    shares = 1.0 / torch.bincount(rows)[rows]  # the answers of one basket count one question
    first = torch.full_like(start.levels, FIRST).log()
    heights = first.clone().requires_grad_()  # logarithms of the weights: no part counts backwards
    optimizer = torch.optim.LBFGS([heights], max_iter=30, line_search_fn="strong_wolfe")

    def surprise() -> Tensor:
        optimizer.zero_grad()
        scored = (features @ heights.clamp(-10, 5).exp()).masked_fill(outside, -torch.inf)
        losses = scored.logsumexp(1)[rows] - scored[rows, columns]
        value = ((shares * losses).sum() + (heights - first).square().sum() / 2) / shares.sum()
        value.backward()
        return value

    optimizer.step(surprise)
    return float(surprise().detach()), Blend(heights.detach().clamp(-10, 5).exp(), start.levels, start.epsilons)


def said(pool: Pool, blend: Blend) -> Tensor:
    """(questions, candidates, parts) log-scores; 0 past the last candidate."""
    outside = pool.scores[:, :, 0] == -torch.inf
    pairs = enumerate(zip(blend.levels.tolist(), blend.epsilons.tolist(), strict=True))
    logs = [log_scores(pool.scores[:, :, part], each, epsilon) for part, (each, epsilon) in pairs]
    return torch.stack(logs, 2).masked_fill(outside.unsqueeze(2), 0.0)
