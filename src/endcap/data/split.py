"""From the marked events table to a `Split`: the training log and two sets of held-out questions.

The protocol, in one place (docs/protocol.md says it for readers):

- weights, vocabulary and statistics see rows of part `train` alone;
- a user's last step in a period is the question, everything strictly earlier is its history;
- events of one user at the same time are one step: no item of it is in its own question's history;
- what was never in training has index 0: it counts as missed, and is reported apart; unless the items of a catalogue
  are candidates too: those come after the training items in the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Histories, Interactions, from_table, spans, steps
from endcap.data.schema import GOALS
from endcap.data.vocabulary import Floats, Ints, Vocabulary

Part = Literal["train", "valid", "test"]
_PARTS = {"train": 0, "history": 1, "valid": 2, "test": 3}


@dataclass(frozen=True)
class Queries:
    """Held-out questions: given this history, which items come next, by which kind of event?"""

    histories: Histories  # (queries,) everything before the question, items of the vocabulary only
    targets: Ints  # (targets,) the items of the answer; 0: never in training
    target_offsets: Ints  # (queries + 1,)
    goals: Ints  # (queries,) the kind asked for
    asked: Floats | None  # (queries,) when; NaN where the source does not say
    user_ids: tuple[str, ...]  # (queries,)

    def __len__(self) -> int:
        return len(self.goals)

    def take(self, indices: Ints) -> "Queries":
        """The questions `indices`."""
        places, offsets = spans(self.target_offsets[:-1][indices], self.target_offsets[1:][indices])
        return Queries(
            histories=self.histories.take(indices),
            targets=self.targets[places],
            target_offsets=offsets,
            goals=self.goals[indices],
            asked=None if self.asked is None else self.asked[indices],
            user_ids=tuple(self.user_ids[i] for i in indices),
        )


@dataclass(frozen=True)
class Split:
    """What weights may see, what choices may see, and what is looked at once."""

    train: Interactions
    valid: Queries
    test: Queries


def split(
    table: pa.Table, goal: str | None = None, min_rating: float | None = None, *, catalog_ids: Sequence[str] = ()
) -> Split:
    """Splits an events table whose `part` says train, history, valid or test.

    The vocabulary is the training items, then those of `catalog_ids` that training never saw. `goal` keeps the
    questions to one kind; `min_rating` takes reviews below it out of the answers (a one-star review is not love), while
    they stay in histories.
    Raises InputError when a part is empty.
    """
    if goal is not None and goal not in GOALS:
        raise InputError(f"found goal {goal!r}; expected one of {', '.join(GOALS)}")
    part = table["part"]
    is_train = pc.equal(part, "train")
    train = from_table(table.filter(is_train))
    if not len(train.items):
        raise InputError("found no training events after the split; use another --split or more data")
    train = replace(train, vocabulary=train.vocabulary.extend(catalog_ids))
    everything = from_table(table, train.vocabulary.extend(pc.unique(table["item_id"]).to_pylist()))
    parts = _in_order(table)
    return Split(
        train=train,
        valid=_queries(everything, parts, "valid", train.n_items, goal, min_rating),
        test=_queries(everything, parts, "test", train.n_items, goal, min_rating),
    )


def merged(table: pa.Table) -> pa.Table:
    """The table with its validation part given to training: for the `refit` protocol."""
    part = pc.if_else(pc.equal(table["part"], "valid"), "train", table["part"])
    return table.set_column(table.column_names.index("part"), "part", part)


def _in_order(table: pa.Table) -> Ints:
    """(events,) the part of each event, in the order of `from_table`."""
    table = table.sort_by("row")
    codes = np.array([_PARTS.get(name, 0) for name in ("train", "history", "valid", "test")])
    places = pc.index_in(table["part"], pa.array(["train", "history", "valid", "test"])).to_numpy(zero_copy_only=False)
    users = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    times = np.asarray(pc.fill_null(pc.cast(table["time"], pa.float64()), np.nan).to_numpy(), dtype=np.float64)
    return codes[places][np.lexsort((np.arange(len(users)), times, users))]


def positive(histories: Histories, min_rating: float | None) -> np.ndarray:
    """(events,) which events may be an answer: kinds that can be predicted, and no review below `min_rating`."""
    allowed = np.isin(histories.kinds, [KIND_INDEX[kind] for kind in GOALS])
    if min_rating is not None:
        ratings = histories.values[:, 0]
        poor = (histories.kinds == KIND_INDEX["review"]) & (ratings < min_rating)  # NaN is not below
        allowed &= ~poor
    return allowed


def _queries(
    log: Interactions, parts: Ints, part: Part, n_items: int, goal: str | None, min_rating: float | None
) -> Queries:
    """One question per user: the last step of the period that holds an answer.

    Indices of the log above `n_items` are items that training never saw.
    """
    answers = (parts == _PARTS[part]) & positive(log, min_rating)
    if goal is not None:
        answers &= log.kinds == KIND_INDEX[goal]
    owners, step = log.owners, steps(log)
    # The last answer of each user tells the step and the kind that is asked for.
    places = np.flatnonzero(answers)
    last = places[np.append(owners[places][1:] != owners[places][:-1], True)] if len(places) else places
    starts = log.offsets[:-1][owners[last]]
    first_of_step = np.searchsorted(step, step[last], side="left")
    usable = first_of_step > starts  # a question needs a history
    last, starts, first_of_step = last[usable], starts[usable], first_of_step[usable]

    asked_step = np.full(len(log), -1)
    asked_step[owners[last]] = step[last]
    asked_kind = np.zeros(len(log), dtype=np.int64)
    asked_kind[owners[last]] = log.kinds[last]
    chosen = answers & (step == asked_step[owners]) & (log.kinds == asked_kind[owners])
    pairs = np.unique(np.stack([owners[chosen], log.items[chosen]]), axis=1)  # an item counts once in a basket
    lengths = np.bincount(pairs[0], minlength=len(log))[owners[last]]
    return Queries(
        histories=log.ranges(starts, first_of_step).known(n_items),
        targets=np.where(pairs[1] <= n_items, pairs[1], 0),
        target_offsets=np.concatenate([[0], np.cumsum(lengths)]),
        goals=log.kinds[last],
        asked=None if log.times is None else log.times[last],
        user_ids=tuple(log.user_ids[owner] for owner in owners[last]),
    )


def questions(
    table: pa.Table, vocabulary: Vocabulary, *, since: float | None, goal: str | None, min_rating: float | None
) -> Queries:
    """One question per user from a log that a trained model has not seen, or not after `since` (seconds).

    Only events from `since` on are asked for; everything earlier is history.
    """
    log = from_table(table, vocabulary.extend(pc.unique(table["item_id"]).to_pylist()))
    recent = np.ones(len(log.items), dtype=bool)
    if since is not None and log.times is not None:
        recent = log.times >= since
    parts = np.where(recent, _PARTS["test"], _PARTS["history"])
    return _queries(log, parts, "test", len(vocabulary), goal, min_rating)


def repeat_rate(log: Histories, min_rating: float | None = None) -> float:
    """The share of answers whose item the user already had in an earlier step."""
    allowed = positive(log, min_rating)
    owners, step = log.owners, steps(log)
    order = np.lexsort((step, log.items, owners))
    same = (owners[order][1:] == owners[order][:-1]) & (log.items[order][1:] == log.items[order][:-1])
    repeated = np.zeros(len(owners), dtype=bool)
    repeated[order[1:]] = same & (step[order][1:] > step[order][:-1])
    first = step[np.minimum(log.offsets[:-1], len(step) - 1)] if len(step) else step  # (users,)
    asked = allowed & (step > first[owners])  # a first step has no past to repeat
    return float(repeated[asked].mean()) if asked.any() else 0.0


def seen_rate(queries: Queries) -> float:
    """The share of answers that stand in their own history."""
    n = int(max(queries.histories.items.max(initial=0), queries.targets.max(initial=0))) + 1
    seen = np.unique(queries.histories.owners * n + queries.histories.items)
    owners = np.repeat(np.arange(len(queries)), np.diff(queries.target_offsets))
    wanted = owners * n + queries.targets
    return float(np.isin(wanted, seen).mean()) if len(wanted) else 0.0
