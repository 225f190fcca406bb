"""Which parts of a hybrid are worth having, and how much each counts: chosen on validation.

Every figure that chooses is cross-fitted: a question is judged by weights that were fitted to the other half.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from endcap.bootstrap import bounded, resampled
from endcap.data.batch import ask
from endcap.data.split import Queries
from endcap.data.vocabulary import Floats
from endcap.evaluation import SCORES, Evaluation
from endcap.models.blending import Blend, Pool, blend, levels, mixed, said
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.reranking import FACTS, Reranker, fit_reranker, reranked
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
    reranker: Reranker | None  # of those; None: a second look brings nothing
    values: Floats | None  # (questions,) the metric of all that, cross-fitted; None: there are too few questions
    note: str  # in words, for a report


@torch.inference_mode()
def pool(model: Hybrid, queries: Queries, *, repeat: bool) -> Pool:
    """Each part's best items for each question, scored by all parts, and what else is known of them."""
    parts = model.ready().members
    found, known, columns, start, size = [], [], [], 0, 64
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
        candidates = torch.zeros(packed.shape[:2], dtype=torch.int64)
        candidates[rows, place[rows, items]] = items
        batch = ask(chunk.histories, chunk.goals, chunk.asked, last=model.history)
        known.append(model.facts(batch, candidates).half())
        owners = torch.from_numpy(np.repeat(np.arange(len(chunk)), np.diff(chunk.target_offsets)))
        targets = torch.from_numpy(chunk.targets)
        columns.append(torch.where(inside[owners, targets], place[owners, targets], -1))
        found.append(packed)
        start, size = start + size, max(1, min(CHUNK, SCORES // (len(parts) * scored[0].shape[1])))
    rows = torch.from_numpy(np.repeat(np.arange(len(queries)), np.diff(queries.target_offsets)))
    return Pool(_stacked(found, -torch.inf), rows, torch.cat(columns), _stacked(known, 0.0))


def _stacked(chunks: list[torch.Tensor], padding: float) -> torch.Tensor:
    """(questions, candidates, n) out of chunks with different numbers of candidates, given back one by one."""
    shape = sum(len(each) for each in chunks), max(each.shape[1] for each in chunks), chunks[0].shape[2]
    whole = torch.full(shape, padding, dtype=chunks[0].dtype)
    end = len(whole)
    while chunks:
        last = chunks.pop()
        whole[end - len(last) : end, : last.shape[1]] = last
        end -= len(last)
    return whole


def judged(pooled: Pool, scored: torch.Tensor, queries: Queries, metric: str) -> Floats:
    """(questions,) a metric of the lists by (questions, candidates) scores; equal ones in the order of their index."""
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


def cross_fitted(
    pooled: Pool, counted: torch.Tensor, queries: Queries, metric: str, epsilons: torch.Tensor, top: int = 0
) -> Floats:
    """(questions,) a metric, each half of the questions by what the other half says.

    top: candidates that are looked at again.
    """
    half = torch.from_numpy(np.random.default_rng(0).permutation(len(queries)) % 2 == 0)
    level, values = levels(pooled, counted), np.zeros(len(queries))
    for other in (half, ~half):
        some = pooled.take(other)
        weighed = blend(some, level, epsilons)
        scored = twice(pooled, weighed, second_look(some, weighed, top)) if top else mixed(pooled, weighed)
        found = judged(pooled, scored, queries, metric)
        values[~other.numpy()] = found[~other.numpy()]
    return values


def second_look(pooled: Pool, weighed: Blend, top: int) -> Reranker:
    """A reranker of the `top` best candidates by the weighted sum."""
    summed, places, features = _best(pooled, weighed, top)
    reached = pooled.columns >= 0
    rows, columns = pooled.rows[reached], pooled.columns[reached]
    answers = torch.zeros(pooled.scores.shape[:2])
    answers[rows, columns] = 1.0 / torch.bincount(rows)[rows]  # the answers of one basket count one question
    return fit_reranker(features, summed, answers.gather(1, places))


def twice(pooled: Pool, weighed: Blend, reranker: Reranker) -> torch.Tensor:
    """(questions, candidates) scores after a second look."""
    summed, places, features = _best(pooled, weighed, int(reranker.top))
    return mixed(pooled, weighed).scatter(1, places, reranked(reranker, summed, features))


def _best(pooled: Pool, weighed: Blend, top: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(questions, n) the best sums, (questions, n) which candidates they are of, and what is known of those."""
    summed, places = mixed(pooled, weighed).topk(min(top, pooled.scores.shape[1]), dim=1)

    def of_best(each: torch.Tensor) -> torch.Tensor:
        return each.gather(1, places.unsqueeze(2).expand(-1, -1, each.shape[2]))

    best = replace(pooled, scores=of_best(pooled.scores), facts=of_best(pooled.facts))
    return summed, places, torch.cat([said(best, weighed), best.facts.float()], 2)


def select(
    pooled: Pool, counted: torch.Tensor, names: Sequence[str], queries: Queries, metric: str, config: HybridConfig
) -> Selection:
    """Leaves out one part after the other as long as the lists get hardly worse; see the module.

    The best candidates are looked at a second time where that makes lists better beyond doubt.

    counted: (parts,) which parts are no networks; names: of the parts, for the note.
    """
    every = tuple(range(len(names)))
    if len(queries) < FEWEST:
        return Selection(every, blend(pooled, levels(pooled, counted)), None, None, "")
    epsilons = blend(pooled, levels(pooled, counted)).epsilons

    def value(parts: Sequence[int], top: int = 0, told: int = 0) -> Floats:
        own = list(parts)
        return cross_fitted(pooled.of(own).knowing(told), counted[own], queries, metric, epsilons[own], top)

    kept, values = _fewest(value, every, config.worth)
    alone = [judged(pooled, pooled.scores[:, :, part], queries, metric) for part in every]
    best = max(every, key=lambda part: alone[part].mean())
    if alone[best].mean() > values.mean():  # likelihood is not the metric: never worse than the best part
        kept, values = (best,), alone[best]
    own = list(kept)
    mine = pooled.of(own)
    weighed = blend(mine, levels(mine, counted[own]), epsilons[own])
    lines = []
    if len(every) > 1:
        lines += _said(names, kept, weighed, metric, values, alone)
        some = [part for part in every if counted[part]]
        if counted[own].all():
            lines += ["counts alone are enough"] * (len(some) < len(every))
        elif some:
            low, gain = _gain(values - value(some))
            lines.append(f"networks add {gain} to counts" + ("" if low > 0 else ": counts alone are enough"))
    reranker = None
    if config.rerank:
        # Few questions do not teach what likeness is worth, and what is told in vain does harm.
        told = {n: value(kept, config.rerank, n) for n in sorted({FACTS, pooled.facts.shape[2]})}
        best_told = max(told, key=lambda n: told[n].mean())
        low, gain = _gain(told[best_told] - values)
        if low > 0:
            reranker, values = second_look(mine.knowing(best_told), weighed, config.rerank), told[best_told]
        alike = ", told how alike items are," if best_told > FACTS else ""
        left_out = "" if low > 0 else ", left out"
        lines.append(f"a second look at the best {config.rerank}{alike} adds {gain}{left_out}")
    return Selection(kept, weighed, reranker, values, "; ".join(lines))


def _fewest(
    value: Callable[[Sequence[int]], Floats], every: tuple[int, ...], worth: float
) -> tuple[tuple[int, ...], Floats]:
    """The parts that are left, with their (questions,) values: what is left out costs `worth` of the best at most.

    0: all are left; weights say what they bring, and a difference that chance makes drops none.
    """
    kept, values = every, value(every)
    best_so_far = values.mean()
    while worth and len(kept) > 1:
        fewer = [tuple(part for part in kept if part != out) for out in kept]
        tried = [value(parts) for parts in fewer]
        best = int(np.argmax([each.mean() for each in tried]))
        best_so_far = max(best_so_far, tried[best].mean())
        if tried[best].mean() < (1 - worth) * best_so_far:  # or many small losses were a large one
            break
        kept, values = fewer[best], tried[best]
    return kept, values


def _gain(values: Floats) -> tuple[float, str]:
    """The lower end of the interval of a mean gain, and the gain in words."""
    low, high = bounded(resampled(values[:, None])[:, 0], values, -1.0)
    return low, f"{values.mean():+.4f} (95 % interval {low:+.4f} to {high:+.4f})".replace("-", "−")


def _said(
    names: Sequence[str], kept: Sequence[int], weighed: Blend, metric: str, values: Floats, alone: Sequence[Floats]
) -> list[str]:
    """values: (questions,) of what is kept; alone: of each part."""
    best = max(range(len(names)), key=lambda part: alone[part].mean())
    weights = ", ".join(
        f"{names[part]} {weight:.2f}" for part, weight in zip(kept, weighed.weights.tolist(), strict=True)
    )
    said = (
        f"validation {metric.upper()} {values.mean():.4f}, its best part {names[best]} alone {alone[best].mean():.4f}"
    )
    out = [name for part, name in enumerate(names) if part not in kept]
    return [f"weights {weights}", said, *([f"{', '.join(out)} left out as bringing too little"] if out else [])]
