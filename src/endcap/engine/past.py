"""What visitors did, as the histories that a model was trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.artifact import Artifact
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.schema import GOALS
from endcap.data.vocabulary import Floats, Ints
from endcap.engine.requests import NOBODY, Ask, Step
from endcap.store.records import Happened
from endcap.store.store import Store

Past = Sequence[Happened | Step]
"""The events of one visitor, oldest first."""


@dataclass(frozen=True)
class Memory:
    """What is read of the artifact once: which kinds the model has learned of, and at what pace its log went."""

    kinds: Mapping[str, int]  # kind -> the one it is heard as, from 1; others are not heard
    timed: bool
    pace: float  # median seconds from one step to the next
    longest: float  # seconds between two steps, at most; of longer waits the model has learned nothing

    @classmethod
    def of(cls, artifact: Artifact) -> "Memory":
        """For the log that a model was trained on."""
        waits = artifact.facts.get("waits")
        pace, longest = (float(waits[0]), float(waits[1])) if waits else (np.nan, np.inf)
        return cls(heard(artifact.traits.kinds), artifact.traits.timed, pace, longest)

    @property
    def hears_shown(self) -> bool:
        """Whether the model has learned of impressions."""
        return "impression" in self.kinds

    def histories(
        self, pasts: Sequence[Past], find: Callable[[str], int], now: float
    ) -> tuple[Histories, list[tuple[str, ...]]]:
        """Packed histories, and for each the ids that are no products (they are left out).

        find: an item's index, 0 where there is none.
        """
        items: list[int] = []
        kinds: list[int] = []
        times: list[float] = []
        values: list[tuple[float | None, ...]] = []
        ends, unknown = [0], []
        for past in pasts:
            missing: dict[str, None] = {}
            own: list[float] = []
            for event in past:
                kind, item = self.kinds.get(event.kind, 0), find(event.item_id)
                if not item:
                    missing[event.item_id] = None
                elif kind:
                    items.append(item)
                    kinds.append(kind)
                    own.append(np.nan if event.time is None else event.time)
                    values.append((event.rating, event.price, event.quantity))
            times += self._within(self._paced(own, now))
            ends.append(len(items))
            unknown.append(tuple(missing))
        histories = Histories(
            items=np.array(items, np.int64),
            kinds=np.array(kinds, np.int64),
            times=np.array(times, np.float64) if self.timed else None,
            values=np.array(values, np.float32).reshape(-1, 3),
            offsets=np.array(ends, np.int64),
        )
        return histories, unknown

    def asked(self, histories: Histories, now: float | Floats) -> Floats:
        """(histories,) when each is asked: now, or after the longest wait of the log where the last event is older."""
        result, some = np.full(len(histories), now, np.float64), histories.lengths > 0
        if histories.times is not None:
            result[some] = np.fmin(result[some], histories.times[histories.offsets[1:][some] - 1] + self.longest)
        return result

    def kept(self, history: Histories, keep: NDArray[np.bool_]) -> Histories:
        """One history with (events,) some of its events, as it had been if no others had happened."""
        times = None if history.times is None else np.array(self._within(history.times[keep].tolist()), np.float64)
        offsets = np.array([0, int(keep.sum())])
        return Histories(history.items[keep], history.kinds[keep], times, history.values[keep], offsets)

    def _paced(self, times: list[float], now: float) -> list[float]:
        """Events without a time came one after another at the pace of the log, until the next that has one."""
        if not any(time != time for time in times):
            return times
        paced, following = [], now
        for time in reversed(times):
            following = following - self.pace if time != time else time
            paced.append(following)
        return paced[::-1]

    def _within(self, times: list[float]) -> list[float]:
        """Waits longer than any of the log are taken as the longest: of others the model has learned nothing."""
        waits = np.diff(times)
        if not len(waits) or not waits.max() > self.longest:
            return times
        before = np.minimum(waits, self.longest)[::-1].cumsum()[::-1]
        return [*(times[-1] - before).tolist(), times[-1]]


def heard(known: Sequence[int]) -> dict[str, int]:
    """Kind -> the kind of the training log that says the most like it.

    A click on a list is a look at a product. Where the log had purchases alone, a look still is a sign: it counts as
    the kind next to it in the order view, cart, purchase, review. What was merely shown or taken out again says
    nothing, unless the log had it.
    """
    places = {KIND_INDEX[kind]: place for place, kind in enumerate(GOALS)}
    goals = [kind for kind in known if kind in places]
    nearest = {
        goal: min(goals, key=lambda kind, at=place: (abs(places[kind] - at), kind))  # type: ignore[misc]
        for place, goal in enumerate(GOALS)
        if goals
    }
    if goals:
        nearest["click"] = nearest["view"]
    return nearest | {name: kind for name, kind in KIND_INDEX.items() if kind in known}


def pasts_of(store: Store | None, asks: Sequence[Ask], last: int, *, shown: bool) -> list[Past]:
    """What each visitor did: as the request says, else the `last` events that the store knows.

    shown: with the impressions.
    """
    pasts: list[Past] = [ask.history or () for ask in asks]
    asked = [n for n, ask in enumerate(asks) if ask.history is None and ask.visitor != NOBODY]
    if store is not None and asked:
        known = store.histories([asks[n].visitor for n in asked], last=last, shown=shown)
        for n, past in zip(asked, known, strict=True):
            pasts[n] = past
    return pasts


def joined(parts: Sequence[Histories]) -> Histories:
    """Several packed histories as one."""
    lengths: Ints = np.concatenate([part.lengths for part in parts])
    return Histories(
        items=np.concatenate([part.items for part in parts]),
        kinds=np.concatenate([part.kinds for part in parts]),
        times=None
        if parts[0].times is None
        else np.concatenate([part.times for part in parts if part.times is not None]),
        values=np.concatenate([part.values for part in parts]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )
