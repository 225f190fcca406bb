"""Which parts of a hybrid are worth having, and how much each counts: chosen on validation.

Every figure that chooses is cross-fitted: a question is judged by weights that were fitted to the other half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from endcap.bootstrap import interval, resampled
from endcap.data.split import Queries
from endcap.data.vocabulary import Floats
from endcap.evaluation import SCORES, Evaluation
from endcap.models.base import Recommender
from endcap.models.blending import Blend, Pool, blend, levels, mixed
from endcap.ranking import CHUNK, scores

BEST = 100
"""Items that each part brings to a question: what none of them puts so high is no candidate for a list."""
FEWEST = 20
"""Questions below which no part is left out."""


@dataclass(frozen=True)
class Selection:
    """What validation says of the parts."""

    kept: tuple[int, ...]  # places of the parts that bring something
    blend: Blend  # of those
    note: str  # in words, for a report


@torch.inference_mode()
def pool(parts: Sequence[Recommender], queries: Queries, *, repeat: bool) -> Pool:
    """Each part's best items for each question, scored by all parts."""
    found, columns, start, size = [], [], 0, 64
    while start < len(queries):
        chunk = queries.take(np.arange(start, min(start + size, len(queries))))
        scored = [scores(part, chunk.histories, chunk.goals, chunk.asked, repeat=repeat) for part in parts]
        inside = torch.zeros_like(scored[0], dtype=torch.bool)
        for each in scored:
            inside.scatter_(1, each.topk(min(BEST, each.shape[1] - 1), dim=1).indices, value=True)
        inside &= scored[0] > -torch.inf  # seen items, where they are not shown
        rows, items = inside.nonzero(as_tuple=True)
        place = inside.cumsum(1) - 1
        packed = torch.full((len(chunk), int(inside.sum(1).max()), len(parts)), -torch.inf)
        packed[rows, place[rows, items]] = torch.stack([each[rows, items] for each in scored], 1)
        owners = torch.from_numpy(np.repeat(np.arange(len(chunk)), np.diff(chunk.target_offsets)))
        targets = torch.from_numpy(chunk.targets)
        columns.append(torch.where(inside[owners, targets], place[owners, targets], -1))
        found.append(packed)
        start, size = start + size, max(1, min(CHUNK, SCORES // (len(parts) * scored[0].shape[1])))
    width = max(each.shape[1] for each in found)
    rows = torch.from_numpy(np.repeat(np.arange(len(queries)), np.diff(queries.target_offsets)))
    wide = [torch.nn.functional.pad(each, (0, 0, 0, width - each.shape[1]), value=-torch.inf) for each in found]
    return Pool(torch.cat(wide), rows, torch.cat(columns))


def judged(pooled: Pool, weighed: Blend, queries: Queries, metric: str) -> Floats:
    """(questions,) a metric of the blended lists; equal scores in the order of their index."""
    scored = mixed(pooled, weighed)
    ranks = np.full(len(pooled.rows), np.inf)
    for start in range(0, len(ranks), CHUNK):
        part = slice(start, start + CHUNK)
        table, column = scored[pooled.rows[part]], pooled.columns[part].unsqueeze(1)
        own = table.gather(1, column.clamp(min=0))
        before = torch.arange(table.shape[1]) < column
        above = ((table > own) | ((table == own) & before)).sum(1)
        shown = (column >= 0) & (own > -torch.inf)  # a score that is not a number is no reason to be shown
        ranks[part] = torch.where(shown[:, 0], above + 1.0, torch.inf).numpy()
    return Evaluation(ranks, queries.target_offsets, None).metric(metric)


def cross_fitted(pooled: Pool, counted: torch.Tensor, queries: Queries, metric: str, epsilons: torch.Tensor) -> Floats:
    """(questions,) a metric, each half of the questions by the weights that the other half says."""
    half = torch.from_numpy(np.random.default_rng(0).permutation(len(queries)) % 2 == 0)
    level, values = levels(pooled, counted), np.zeros(len(queries))
    for other in (half, ~half):
        found = judged(pooled, blend(pooled.take(other), level, epsilons), queries, metric)
        values[~other.numpy()] = found[~other.numpy()]
    return values


def select(
    pooled: Pool, counted: torch.Tensor, names: Sequence[str], queries: Queries, metric: str, worth: float
) -> Selection:
    """Leaves out one part after the other as long as the lists get hardly worse; see the module.

    counted: (parts,) which parts are no networks; names: of the parts, for the note;
    worth: the share of the metric that all that is left out may cost.
    """
    every = tuple(range(len(names)))
    if len(queries) < FEWEST or len(every) == 1:
        return Selection(every, blend(pooled, levels(pooled, counted)), "")
    epsilons = blend(pooled, levels(pooled, counted)).epsilons

    def value(parts: Sequence[int]) -> Floats:
        own = list(parts)
        return cross_fitted(pooled.of(own), counted[own], queries, metric, epsilons[own])

    kept, values = every, value(every)
    best_so_far = values.mean()
    while len(kept) > 1:
        fewer = [tuple(part for part in kept if part != out) for out in kept]
        tried = [value(parts) for parts in fewer]
        best = int(np.argmax([each.mean() for each in tried]))
        best_so_far = max(best_so_far, tried[best].mean())
        if tried[best].mean() < (1 - worth) * best_so_far:  # or many small losses were a large one
            break
        kept, values = fewer[best], tried[best]
    raw = Blend(torch.ones(1), torch.zeros(1), torch.ones(1))
    alone = [judged(pooled.of([part]), raw, queries, metric) for part in every]
    best = max(every, key=lambda part: alone[part].mean())
    if alone[best].mean() > values.mean():  # likelihood is not the metric: never worse than the best part
        kept, values = (best,), alone[best]
    own = list(kept)
    weighed = blend(pooled.of(own), levels(pooled.of(own), counted[own]), epsilons[own])
    enough = bool(counted[own].all() and not counted.all())
    of_counts = value([part for part in every if counted[part]]) if counted.any() and not counted[own].all() else None
    return Selection(kept, weighed, _said(names, kept, weighed, metric, values, alone, of_counts, enough=enough))


def _said(
    names: Sequence[str],
    kept: Sequence[int],
    weighed: Blend,
    metric: str,
    values: Floats,
    alone: Sequence[Floats],
    counts: Floats | None,
    *,
    enough: bool,
) -> str:
    """values: (questions,) of what is kept; alone: of each part; counts: of all that count, where networks are kept.

    enough: networks were tried and none is kept.
    """
    best = max(range(len(names)), key=lambda part: alone[part].mean())
    weights = ", ".join(
        f"{names[part]} {weight:.2f}" for part, weight in zip(kept, weighed.weights.tolist(), strict=True)
    )
    said = (
        f"validation {metric.upper()} {values.mean():.4f}, its best part {names[best]} alone {alone[best].mean():.4f}"
    )
    lines = [f"weights {weights}; {said}"]
    if out := [name for part, name in enumerate(names) if part not in kept]:
        lines.append(f"{', '.join(out)} left out as bringing too little")
    if counts is None:
        lines += ["counts alone are enough"] * enough
    else:
        low, high = interval(resampled((values - counts)[:, None])[:, 0])
        gain = f"{values.mean() - counts.mean():+.4f} (95 % interval {low:+.4f} to {high:+.4f})".replace("-", "−")
        lines.append(f"networks add {gain} to counts" + (": counts alone are enough" if not low > 0 else ""))
    return "; ".join(lines)
