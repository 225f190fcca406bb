"""Training questions: at each event of a history, what comes in the next step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from endcap.data.batch import Batch
from endcap.data.interactions import KIND_INDEX, Histories, seconds_ago, spans, steps
from endcap.data.split import positive
from endcap.data.vocabulary import Floats, Ints


@dataclass(frozen=True)
class Questions:
    """For each event, the events that may answer the question asked after it.

    The answer is drawn from the next step of the same user: one item of the next basket, never of the
    same one, just as the held-out questions ask. Where a goal is given, a share of the questions asks for
    the next step of that kind instead, however many other events lie between.
    """

    log: Histories
    nexts: "Answers"
    goals: "Answers | None"
    weights: Floats | None = None  # (events,) how often an answer is asked for; None: always

    @classmethod
    def of(
        cls, log: Histories, goal: str | None = None, min_rating: float | None = None, *, half_life: float = 0.0
    ) -> "Questions":
        """The questions of a training log; answers `half_life` days old are asked for half as often, 0: all alike."""
        allowed = positive(log, min_rating)
        wanted = None if goal is None else Answers.of(log, allowed & (log.kinds == KIND_INDEX[goal]))
        return cls(log, Answers.of(log, allowed), wanted, fading(log, half_life) if half_life else None)

    def draw(self, random: np.random.Generator, goal_share: float) -> Ints:
        """(events,) the place of one answer per event, -1 where there is none."""
        places = self.nexts.draw(random)
        if self.goals is not None:
            wanted = self.goals.draw(random)
            ask_goal = (random.random(len(places)) < goal_share) & (wanted >= 0)
            places = np.where(ask_goal, wanted, places)
        if self.weights is not None:
            places[random.random(len(places)) >= self.weights[places]] = -1
        return places

    def batches(
        self,
        random: np.random.Generator,
        *,
        history: int,
        tokens: int,
        goal_share: float = 0.5,
        share: float = 1.0,
        look: Callable[[Ints], Ints] = lambda items: items,
    ) -> Iterator[Batch]:
        """One epoch: windows of at most `history` events in random order, about `tokens` a batch.

        Longer histories are cut at places that change with every epoch. `share` of the windows is used. `look` says
        what is seen in place of the (events,) items of a batch.
        """
        answers = self.draw(random, goal_share)
        starts, ends = self._windows(random, history, answers)
        order = random.permutation(len(starts))
        order = order[: max(1, round(len(order) * share))] if len(order) else order
        filled = np.cumsum((ends - starts)[order])
        for chosen in np.split(order, np.flatnonzero(np.diff(filled // tokens)) + 1):
            if len(chosen):
                yield self._batch(starts[chosen], ends[chosen], answers, look)

    def _windows(self, random: np.random.Generator, history: int, answers: Ints) -> tuple[Ints, Ints]:
        """The windows that cover all events that have an answer."""
        asks = np.flatnonzero(answers >= 0)
        owners = self.log.owners
        starts = self.log.offsets[:-1]
        # Nothing is asked after a user's last step: cut it off.
        ends = starts.copy()
        ends[owners[asks]] = asks + 1  # asks grow, so the last assignment per user wins
        lengths = ends - starts
        long = lengths > history
        first = np.where(long, random.integers(1, history + 1, len(lengths)), np.minimum(lengths, history))
        rest = np.maximum(lengths - first, 0)
        n_windows = np.where(lengths > 0, 1 + -(-rest // history), 0)
        user = np.repeat(np.arange(len(lengths)), n_windows)
        nth, _ = spans(np.zeros_like(n_windows), n_windows)
        start = starts[user] + np.where(nth > 0, first[user] + (nth - 1) * history, 0)
        end = np.minimum(starts[user] + first[user] + nth * history, ends[user])
        return start, end

    def _batch(self, starts: Ints, ends: Ints, answers: Ints, look: Callable[[Ints], Ints]) -> Batch:
        places, offsets = spans(starts, ends)
        answer = answers[places]
        asks = answer >= 0
        log = self.log
        return Batch(
            items=torch.from_numpy(look(log.items[places])),
            offsets=torch.from_numpy(offsets),
            kinds=torch.from_numpy(log.kinds[places]),
            times=None if log.times is None else torch.from_numpy(log.times[places]),
            values=torch.from_numpy(log.values[places]),
            goals=torch.from_numpy(np.where(asks, log.kinds[answer], 0)),
            asked=None if log.times is None else torch.from_numpy(np.where(asks, log.times[answer], np.nan)),
            targets=torch.from_numpy(np.where(asks, log.items[answer], 0)),
        )


def fading(log: Histories, half_life: float) -> Floats:
    """(events,) 1 for the newest event of the log, half per `half_life` days; events without a time as the oldest."""
    return 0.5 ** (seconds_ago(log) / (86400 * half_life))


@dataclass(frozen=True)
class Answers:
    """The candidates `places[first[i]:last[i]]` for the question after event i."""

    places: Ints  # (answers,) events that may be an answer, in order
    first: Ints  # (events,)
    last: Ints  # (events,) equal to first where the user has no later answer

    @classmethod
    def of(cls, log: Histories, allowed: np.ndarray) -> "Answers":
        """allowed: (events,) which events may be an answer."""
        places = np.flatnonzero(allowed)
        step, owners = steps(log), log.owners
        answer_steps = step[places]
        first = np.searchsorted(answer_steps, step, side="right")  # the first answer in a later step
        inside = first < len(places)
        inside[inside] = owners[places[first[inside]]] == owners[inside]
        last = first.copy()
        last[inside] = np.searchsorted(answer_steps, answer_steps[first[inside]], side="right")
        return cls(places, first, last)

    def draw(self, random: np.random.Generator) -> Ints:
        """(events,) one place per event, uniformly among its candidates; -1 where there is none."""
        width = self.last - self.first
        chosen = np.full(len(width), -1)
        some = width > 0
        chosen[some] = self.places[self.first[some] + (random.random(some.sum()) * width[some]).astype(np.int64)]
        return chosen
