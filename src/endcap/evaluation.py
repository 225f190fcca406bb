"""Evaluation by full ranking: every item is a candidate, ranks are counted, nothing is sampled."""

from dataclasses import dataclass

import numpy as np
import torch

from endcap import metrics
from endcap.data.split import Queries
from endcap.data.vocabulary import Floats, Ints
from endcap.models.base import Recommender
from endcap.ranking import CHUNK, Ranking, scores, top

METRICS = {"hr": metrics.hit_rate, "ndcg": metrics.ndcg, "mrr": metrics.reciprocal_rank, "recall": metrics.recall}


@dataclass(frozen=True)
class Evaluation:
    """Where the answers of each query came, and what was shown."""

    ranks: Floats  # (targets,) from 1; infinity where the answer could not be shown at all
    offsets: Ints  # (queries + 1,) groups the ranks
    shown: Ranking | None  # (queries, k) the lists, where asked for

    def metric(self, name: str) -> Floats:
        """(queries,) one metric by its name, such as `ndcg@10`."""
        function, k = name.split("@")
        return METRICS[function](self.ranks, self.offsets, int(k))


@torch.inference_mode()
def evaluate(model: Recommender, queries: Queries, *, repeat: bool = False, shown: int | None = None) -> Evaluation:
    """Ranks of all answers among all items; with `shown`, also the first that many items of each list.

    An item with the same score as the answer counts before it if its index is lower: the order `recommend` shows.
    """
    ranks, lists = [], []
    for start in range(0, len(queries), CHUNK):
        chunk = queries.take(np.arange(start, min(start + CHUNK, len(queries))))
        scored = scores(model, chunk.histories, chunk.goals, chunk.asked, repeat=repeat)
        rows = torch.from_numpy(np.repeat(np.arange(len(chunk)), np.diff(chunk.target_offsets)))
        targets = torch.from_numpy(chunk.targets)
        ranks.append(_ranks(scored, rows, targets))
        if shown is not None:
            lists.append(top(scored, shown))
    empty = Ranking(np.zeros((0, shown or 0), np.int64), np.zeros((0, shown or 0), np.float32))
    return Evaluation(
        ranks=np.concatenate(ranks) if ranks else np.zeros(0),
        offsets=queries.target_offsets,
        shown=None if shown is None else _joined(lists) if lists else empty,
    )


def _ranks(scored: torch.Tensor, rows: torch.Tensor, targets: torch.Tensor) -> Floats:
    """(targets,) places by counting: those above, and those equal with a lower index."""
    ranks = np.empty(len(targets))
    for start in range(0, len(targets), CHUNK):  # a basket repeats its row: bounded memory
        row, target = rows[start : start + CHUNK], targets[start : start + CHUNK]
        own = scored[row, target].unsqueeze(1)  # (chunk, 1)
        table = scored if len(row) == len(scored) and bool((row == torch.arange(len(row))).all()) else scored[row]
        before = (table > own).sum(1) + _equal_before(table, own, target)
        rank = (before + 1).to(torch.float64)
        rank[(own.squeeze(1) == -torch.inf) | (target == 0)] = torch.inf
        ranks[start : start + CHUNK] = rank.numpy()
    return ranks


def _equal_before(table: torch.Tensor, own: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    equal = table == own
    result = equal.sum(1) - 1
    tied = result > 0
    if tied.any():  # rare for networks: count only where there is a tie at all
        lower = torch.arange(table.shape[1]) < target[tied].unsqueeze(1)
        result[tied] = (equal[tied] & lower).sum(1)
    return result


def _joined(lists: list[Ranking]) -> Ranking:
    return Ranking(np.concatenate([part.items for part in lists]), np.concatenate([part.scores for part in lists]))
