"""From scores to a ranking: the one path for evaluation and serving."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from endcap.data.batch import ask
from endcap.data.interactions import Histories
from endcap.data.vocabulary import Floats, Ints
from endcap.models.base import Recommender

CHUNK = 512
"""Histories scored at a time: 512 x 12,000 scores stay near the processor (25 MB)."""


@dataclass(frozen=True)
class Ranking:
    """The best items of each history, best first."""

    items: Ints  # (batch, k); 0 where fewer than k items may be shown
    scores: np.ndarray  # (batch, k) float32; -inf where items is 0


@torch.inference_mode()
def scores(
    model: Recommender,
    histories: Histories,
    goals: Ints,
    asked: Floats | None = None,
    *,
    repeat: bool = False,
    allowed: Tensor | None = None,
) -> Tensor:
    """(histories, n_items + 1) scores; -inf for index 0, what must not be shown, and unless `repeat`, seen items.

    Seen means anywhere in the history, also before the window that the model looks at.
    allowed: (n_items + 1,) bool.
    """
    result = model.score(ask(histories, goals, asked, last=model.history))
    result[:, 0] = -torch.inf
    if allowed is not None:
        result[:, ~allowed] = -torch.inf
    if not repeat:
        result[torch.from_numpy(histories.owners), torch.from_numpy(histories.items)] = -torch.inf
    return result


def top(scored: Tensor, k: int) -> Ranking:
    """The k best columns of each row; equal scores in the order of their index, as the metrics count them."""
    k = min(k, scored.shape[1] - 1)
    best, items = scored.topk(k + 1, dim=1)
    # topk breaks ties at random: rows with a tie at the edge or within are ranked by score and index together.
    tied = (best[:, 1:] == best[:, :-1]).any(1)
    best, items = best[:, :k], items[:, :k]
    if tied.any():
        items[tied] = _keys(scored[tied]).topk(k, dim=1).indices
        best = scored.gather(1, items)
    items[best == -torch.inf] = 0
    return Ranking(items=items.numpy(), scores=best.numpy())


def _keys(scored: Tensor) -> Tensor:
    """Whole numbers in the order of the scores, equal scores in the order of their index: no two are alike.

    As bits, floats are ordered like integers, the negative ones backwards; the index goes below them.
    """
    bits = (scored + 0.0).view(torch.int32)  # -0.0 becomes 0.0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(torch.int64)
    return (ordered << 32) + torch.arange(scored.shape[1] - 1, -1, -1)


def recommend(
    model: Recommender,
    histories: Histories,
    k: int,
    *,
    goals: Ints,
    asked: Floats | None = None,
    repeat: bool = False,
    allowed: Tensor | None = None,
) -> Ranking:
    """The k best items for each history; see `scores` for what is left out."""
    parts = []
    for start in range(0, len(histories), CHUNK):
        chosen = np.arange(start, min(start + CHUNK, len(histories)))
        part = scores(
            model,
            histories.take(chosen),
            goals[chosen],
            None if asked is None else asked[chosen],
            repeat=repeat,
            allowed=allowed,
        )
        parts.append(top(part, k))
    return Ranking(
        items=np.concatenate([part.items for part in parts]) if parts else np.zeros((0, k), np.int64),
        scores=np.concatenate([part.scores for part in parts]) if parts else np.zeros((0, k), np.float32),
    )
