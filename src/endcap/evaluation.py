"""Evaluation by full ranking: every item is a candidate, ranks are counted, nothing is sampled."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from endcap import metrics
from endcap.data.interactions import Interactions
from endcap.data.schema import KINDS
from endcap.data.split import Queries
from endcap.data.vocabulary import Floats, Ints
from endcap.models.base import Recommender
from endcap.ranking import CHUNK, Ranking, scores, top

METRICS = {"hr": metrics.hit_rate, "ndcg": metrics.ndcg, "mrr": metrics.reciprocal_rank, "recall": metrics.recall}

ACCURACY = ("hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr@20", "recall@10", "recall@20")
"""The metrics of ranks in every result."""

LISTED = 10
"""How many items of each list the metrics of lists look at."""

Intent = Literal["again", "new"]
"""What a visitor may want: what they had before, or what they never had."""
INTENTS: tuple[Intent, ...] = get_args(Intent)

SCORES = 12_500_000
"""Scores held at a time, 50 MB; how many questions that is, the first chunk tells."""


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
    start, size, model = 0, CHUNK, model.ready()
    while start < len(queries):
        chunk = queries.take(np.arange(start, min(start + size, len(queries))))
        scored = scores(model, chunk.histories, chunk.goals, chunk.asked, repeat=repeat)
        rows = torch.from_numpy(np.repeat(np.arange(len(chunk)), np.diff(chunk.target_offsets)))
        targets = torch.from_numpy(chunk.targets)
        ranks.append(_ranks(scored, rows, targets))
        if shown is not None:
            lists.append(top(scored, shown))
        start, size = start + size, max(1, SCORES // scored.shape[1])
    empty = Ranking(np.zeros((0, shown or 0), np.int64), np.zeros((0, shown or 0), np.float32))
    return Evaluation(
        ranks=np.concatenate(ranks) if ranks else np.zeros(0),
        offsets=queries.target_offsets,
        shown=None if shown is None else _joined(lists) if lists else empty,
    )


@torch.inference_mode()
def by_intent(model: Recommender, queries: Queries) -> dict[Intent, Evaluation]:
    """The ranks of answers that were had before, among what was had; and of answers that are new, among what is new.

    Had is what the history has with an event of the kind asked for; new is what it has no event of at all. A question
    without an answer of an intent is not in its evaluation, one with answers of both is in both. Scores are made once.
    """
    again, new, start, size, model = [], [], 0, CHUNK, model.ready()
    while start < len(queries):
        chunk = queries.take(np.arange(start, min(start + size, len(queries))))
        scored = scores(model, chunk.histories, chunk.goals, chunk.asked, repeat=True)
        owners, items = chunk.histories.owners, chunk.histories.items
        had = chunk.histories.kinds == chunk.goals[owners]
        rows = np.repeat(np.arange(len(chunk)), np.diff(chunk.target_offsets))
        keys, wanted = owners * scored.shape[1] + items, rows * scored.shape[1] + chunk.targets
        again.append(_kept(_ranks_among(scored, np.unique(keys[had]), wanted), rows, np.isin(wanted, keys[had])))
        scored[owners, items] = -torch.inf
        ranks = _ranks(scored, torch.from_numpy(rows), torch.from_numpy(chunk.targets))
        new.append(_kept(ranks, rows, ~np.isin(wanted, keys)))
        start, size = start + size, max(1, SCORES // scored.shape[1])
    return {"again": _together(again), "new": _together(new)}


def _ranks_among(scored: torch.Tensor, keys: Ints, wanted: Ints) -> Floats:
    """(targets,) places among some items of each row; keys, wanted: row * columns + item, keys each once in order."""
    values = scored.reshape(-1)[torch.from_numpy(keys)].numpy()
    row = keys // scored.shape[1]
    order = np.lexsort((keys, -values, row))
    ranks = np.full(len(keys) + 1, np.inf)  # the last for what is not among them
    ranks[order] = np.arange(len(keys)) - np.searchsorted(row, row[order]) + 1.0
    ranks[:-1][~(values > -np.inf)] = np.inf
    place = np.searchsorted(keys, wanted)
    is_there = np.append(keys, -1)[place] == wanted
    return ranks[np.where(is_there, place, len(keys))]


def _kept(ranks: Floats, rows: Ints, chosen: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """The ranks of some answers, and how many of them each question has that has any."""
    return ranks[chosen], np.unique(rows[chosen], return_counts=True)[1]


def _together(parts: list[tuple[Floats, Ints]]) -> Evaluation:
    ranks = np.concatenate([np.zeros(0), *(ranks for ranks, _ in parts)])
    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *(lengths for _, lengths in parts)]))
    return Evaluation(ranks, ends, None)


def _ranks(scored: torch.Tensor, rows: torch.Tensor, targets: torch.Tensor) -> Floats:
    """(targets,) places by counting: those above, and those equal with a lower index."""
    scores, row, target = scored.numpy(), rows.numpy(), targets.numpy()
    single = len(row) == len(scores) and bool((np.diff(row) == 1).all())
    ranks = _ranks_of_one(scores, target) if single else _ranks_of_many(scores, row, target)
    # A score that is not a number is no reason to be shown: without this it would count as the best.
    ranks[~(scores[row, target] > -np.inf) | (target == 0)] = np.inf
    return ranks


def _ranks_of_one(scores: np.ndarray, target: Ints) -> Floats:
    """One answer a row: no row is sorted, which takes longer than to count once."""
    own = scores[np.arange(len(scores)), target][:, None]  # (targets, 1)
    ranks = np.empty(len(target))
    for start in range(0, len(target), _BLOCK):
        part = slice(start, start + _BLOCK)
        table, mine = scores[part], own[part]
        above, equal = _count(np.greater, table, mine), _count(np.equal, table, mine)
        tied = np.flatnonzero(equal > 1)  # rare for networks: looked at only where there is a tie at all
        if len(tied):
            above[tied] += _count(np.equal, table[tied], mine[tied], before=target[part][tied])
        ranks[part] = above + 1
    return ranks


def _ranks_of_many(scores: np.ndarray, row: Ints, target: Ints) -> Floats:
    """A basket of answers a row: each row is sorted once, and its answers are looked up."""
    ranks = np.empty(len(target))
    starts = np.searchsorted(row, np.arange(len(scores) + 1))
    for one, (start, end) in enumerate(itertools.pairwise(starts)):
        if start == end:
            continue
        table, wanted = scores[one], target[start:end]
        ordered, own = np.sort(table), table[wanted]  # what is not a number comes last
        last = np.searchsorted(ordered, own, side="right")
        ranks[start:end] = len(table) - int(np.isnan(table).sum()) - last + 1
        tied = np.flatnonzero(last - np.searchsorted(ordered, own) > 1)
        for value in np.unique(own[tied]):
            some = start + tied[own[tied] == value]
            ranks[some] += np.searchsorted(np.flatnonzero(table == value), target[some])
    return ranks


_BLOCK = 64
"""Rows counted at a time: 64 x 12,000 scores stay in the processor's cache."""


def _count(compare: np.ufunc, table: np.ndarray, own: np.ndarray, before: Ints | None = None) -> Ints:
    """(rows,) in how many columns `compare(table, own)` holds; with `before`, of those left of that column.

    Adding up booleans one by one costs more than all the rest of an evaluation. Eight of them are one 64-bit word:
    words are added, at most 255 at a time so that no byte overflows into the next, then their bytes.
    """
    rows, columns = table.shape
    words = -(-columns // 8)
    holds = np.zeros((rows, words * 8), dtype=np.bool_)
    compare(table, own, out=holds[:, :columns])
    if before is not None:
        holds[:, :columns] &= np.arange(columns) < before[:, None]
    sums = np.add.reduceat(holds.view(np.uint64), np.arange(0, words, 255), axis=1)
    return np.ascontiguousarray(sums).view(np.uint8).sum(axis=1, dtype=np.int64)


def _joined(lists: list[Ranking]) -> Ranking:
    return Ranking(np.concatenate([part.items for part in lists]), np.concatenate([part.scores for part in lists]))


def measure(
    model: Recommender,
    queries: Queries,
    train: Interactions,
    *,
    categories: Sequence[str] | None = None,
    vectors: NDArray[np.float32] | None = None,
    groups: Ints | None = None,
    repeat: bool = False,
) -> tuple[dict[str, float], Evaluation]:
    """All metrics of one model by name, and the evaluation they come from.

    Popularity is counted in `train`. categories: (items + 1,) as the Catalog has them, vectors: (items + 1, dim) what
    products are like, groups: (items + 1,) the same number for those that are one for people (features/groups.py);
    without them, what needs them is NaN. `missed_never_in_training` is the share of answers that no
    model could have shown.
    """
    evaluation = evaluate(model, queries, repeat=repeat, shown=LISTED)
    assert evaluation.shown is not None
    shown, counts = evaluation.shown.items, np.bincount(train.items, minlength=train.n_items + 1)
    codes = _codes(categories, train.n_items)
    values = {name: _nanmean(evaluation.metric(name)) for name in ACCURACY} | {
        f"coverage@{LISTED}": metrics.coverage(shown, train.n_items),
        f"group_coverage@{LISTED}": math.nan if groups is None else _group_coverage(shown, groups),
        f"group_diversity@{LISTED}": math.nan if groups is None else _nanmean(metrics.diversity(shown, groups)),
        f"novelty@{LISTED}": _nanmean(metrics.novelty(shown, counts)),
        f"diversity@{LISTED}": _nanmean(metrics.diversity(shown, codes)),
        f"spread@{LISTED}": math.nan if vectors is None else _nanmean(metrics.spread(shown, vectors)),
        f"popularity_bias@{LISTED}": metrics.popularity_bias(shown, queries.histories, counts),
        f"calibration@{LISTED}": _nanmean(metrics.calibration(shown, queries.histories, codes)),
        f"gini@{LISTED}": metrics.gini(metrics.exposure(shown, train.n_items)),
        "missed_never_in_training": _nanmean(queries.targets == 0),
    }
    return values, evaluation


def slices(evaluation: Evaluation, queries: Queries, train: Interactions) -> list[dict[str, str | int | float]]:
    """Where a model is good: {by, name, n, hr@10, ndcg@10} for every slice that has a question.

    By history length, by kind asked for and by day, questions are counted. By popularity of the answer, answers are
    counted, each as a question of its own (a basket may hold both head and tail). Head are the items with the most
    training events that together make up the first third of them, middle and tail the next two thirds.
    """
    single = Evaluation(evaluation.ranks, np.arange(len(evaluation.ranks) + 1), None)
    found = _sliced("history length", evaluation, *_lengths(queries))
    found += _sliced("popularity of the answer", single, *_popularity(queries, train))
    found += _sliced("kind asked for", evaluation, queries.goals, ("none", *KINDS))
    if queries.asked is not None and np.isfinite(queries.asked).any():
        found += _sliced(*_days(evaluation, queries.asked))
    return found


def _sliced(by: str, evaluation: Evaluation, place: Ints, names: Sequence[str]) -> list[dict[str, str | int | float]]:
    """One line per name that occurs; place: (queries,) into names, -1 for none."""
    chosen = place >= 0
    n = np.bincount(place[chosen], minlength=len(names))
    values = {
        metric: np.bincount(place[chosen], evaluation.metric(metric)[chosen], minlength=len(names))
        for metric in ("hr@10", "ndcg@10")
    }
    return [
        {
            "by": by,
            "name": names[i],
            "n": int(n[i]),
            **{metric: float(sums[i] / n[i]) for metric, sums in values.items()},
        }
        for i in np.flatnonzero(n).tolist()
    ]


def _lengths(queries: Queries) -> tuple[Ints, Sequence[str]]:
    names = ("0", "1-2", "3-5", "6-10", "11-20", "21-50", "51+")
    return np.searchsorted([1, 3, 6, 11, 21, 51], queries.histories.lengths, side="right"), names


def _popularity(queries: Queries, train: Interactions) -> tuple[Ints, Sequence[str]]:
    """(targets,) by the share of the training events that more popular items take."""
    counts = np.bincount(train.items, minlength=train.n_items + 1)
    counts[0] = 0
    order = np.argsort(-counts, kind="stable")
    before = np.empty(len(counts))
    before[order] = np.cumsum(counts[order]) - counts[order]
    third = np.minimum(3 * before / max(1, counts.sum()), 2).astype(np.int64)  # 0 head, 1 middle, 2 tail
    place = np.where(counts > 0, 3 - third, 0)
    return place[queries.targets], ("never in training", "tail", "middle", "head")


def _days(evaluation: Evaluation, asked: Floats) -> tuple[str, Evaluation, Ints, Sequence[str]]:
    """Days in UTC; months or years where there would be more than 40 lines."""
    known = np.isfinite(asked)
    days, place = np.unique(np.floor(asked[known] / 86400), return_inverse=True)
    texts = [datetime.fromtimestamp(day * 86400, UTC).date().isoformat() for day in days]
    by, names = "day", texts
    for by, width in (("day", 10), ("month", 7), ("year", 4)):  # noqa: B007
        names = sorted({text[:width] for text in texts})
        if len(names) <= 40:
            break
    index = {name: i for i, name in enumerate(names)}
    of_day = np.array([index[text[: len(names[0])]] for text in texts])
    result = np.full(len(asked), -1)
    result[known] = of_day[place]
    return by, evaluation, result, names


def _group_coverage(shown: Ints, groups: Ints) -> float:
    """The share of products for people that are shown to anyone, in one of their kinds."""
    return metrics.coverage(groups[shown], len(np.unique(groups[1:])))


def _codes(categories: Sequence[str] | None, n_items: int) -> Ints:
    """(items + 1,) a number per category, 0 where none is known."""
    if categories is None:
        return np.zeros(n_items + 1, dtype=np.int64)
    names = np.unique([*categories, ""])  # the empty name sorts first
    return np.searchsorted(names, np.asarray(categories))


def _nanmean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
