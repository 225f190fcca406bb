"""Events as arrays: `Interactions`, sorted by user and time, and `Histories`, packed end to end."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.data.schema import KINDS
from endcap.data.vocabulary import Floats, Ints, Vocabulary

VALUES = ("rating", "price", "quantity")
"""The columns of `values`: the real quantities of an event, as given."""

KIND_INDEX = {kind: index for index, kind in enumerate(KINDS, start=1)}
"""Kinds as numbers; 0 is padding."""


@dataclass(frozen=True)
class Histories:
    """Many histories end to end, oldest event first; history i is `offsets[i]:offsets[i + 1]`.

    ```
    items    [ 5 2 9 | 7 | 2 2 ]      offsets [0 3 4 6]
    ```
    """

    items: Ints  # (events,)
    kinds: Ints  # (events,) 1-based places in KINDS
    times: Floats | None  # (events,) seconds; None where the source has none; NaN where one event has none
    values: NDArray[np.float32]  # (events, 3) rating, price, quantity; NaN where not given
    offsets: Ints  # (histories + 1,)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """(histories,)"""
        return np.diff(self.offsets)

    @property
    def owners(self) -> Ints:
        """(events,) which history each event belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def ranges(self, starts: Ints, ends: Ints) -> "Histories":
        """Histories made of the events `starts[i]:ends[i]`, in the order given; ranges may overlap."""
        places, offsets = spans(starts, ends)
        return self._select(places, offsets)

    def take(self, indices: Ints, last: int | None = None) -> "Histories":
        """The histories `indices`, cut to their `last` latest events."""
        starts, ends = self.offsets[:-1][indices], self.offsets[1:][indices]
        return self.ranges(starts if last is None else np.maximum(starts, ends - last), ends)

    def known(self, n_items: int | None = None) -> "Histories":
        """The same histories without the items that have no index, or one above `n_items`."""
        keep = (self.items > 0) & (n_items is None or self.items <= n_items)
        return self._select(np.flatnonzero(keep), np.concatenate([[0], np.cumsum(keep)])[self.offsets])

    def _select(self, places: Ints, offsets: Ints) -> "Histories":
        return Histories(
            items=self.items[places],
            kinds=self.kinds[places],
            times=None if self.times is None else self.times[places],
            values=self.values[places],
            offsets=offsets,
        )


def spans(starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Places starts[0]..ends[0]-1, starts[1].., and the offsets of each span among them."""
    lengths = ends - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths), offsets


@dataclass(frozen=True)
class Interactions(Histories):
    """A log: one history per user, with the names of users and items."""

    user_ids: tuple[str, ...]  # (users,)
    vocabulary: Vocabulary

    @property
    def n_items(self) -> int:
        """How many items have an index; tables have one row more, for index 0."""
        return len(self.vocabulary)


def from_table(table: pa.Table, vocabulary: Vocabulary | None = None) -> Interactions:
    """The canonical events table as arrays, sorted by user, time and row; users in order of appearance.

    Without a vocabulary, one is made of the items in the order they first appear in the table.
    Events without a time come last among their user's, in the order of the source.
    """
    table = table.sort_by("row")
    users = table["user_id"].combine_chunks().dictionary_encode()
    item_codes = table["item_id"].combine_chunks().dictionary_encode()
    if vocabulary is None:
        vocabulary = Vocabulary(tuple(item_codes.dictionary.to_pylist()))
    codes = vocabulary.index(item_codes.dictionary.to_pylist())
    items = codes[item_codes.indices.to_numpy(zero_copy_only=False)] if len(table) else np.zeros(0, np.int64)
    user = users.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    times = _numbers(table["time"])
    kinds = pc.index_in(table["kind"], pa.array(KINDS)).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    values = np.stack([_numbers(table[name]).astype(np.float32) for name in VALUES], axis=1)

    order = np.lexsort((np.arange(len(user)), times, user))
    n_users = len(users.dictionary)
    return Interactions(
        items=items[order].astype(np.int64),
        kinds=kinds[order],
        times=None if np.isnan(times).all() else times[order],
        values=values[order],
        offsets=np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))]),
        user_ids=tuple(users.dictionary.to_pylist()),
        vocabulary=vocabulary,
    )


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(pc.fill_null(pc.cast(column, pa.float64()), np.nan).to_numpy(), dtype=np.float64)


def steps(histories: Histories) -> Ints:
    """(events,) numbers that grow with every step; events of one history at the same time are one step (a basket).

    Without times each event is a step of its own.
    """
    owners = histories.owners
    new = np.ones(len(owners), dtype=bool)
    if histories.times is not None and len(owners):
        new[1:] = (owners[1:] != owners[:-1]) | (histories.times[1:] != histories.times[:-1])  # NaN: always new
    return np.cumsum(new) - 1


def seconds_ago(log: Histories) -> Floats:
    """(events,) before the newest; events without a time are as old as the oldest. 0 for all of a log without times."""
    if log.times is None or not np.isfinite(log.times).any():
        return np.zeros(len(log.items))
    ago = np.nanmax(log.times) - log.times
    return np.where(np.isnan(ago), np.nanmax(ago), ago)


def staleness(log: Histories) -> Floats:
    """(events,) how old each is, from 0, the newest, to 1: by time, or in a log without times by the order of users.

    Sources without times list users (or sessions) as they came, if in any order at all.
    """
    if log.times is None:
        return (1 - (log.owners + 1) / max(1, len(log))).astype(np.float64)
    ago = seconds_ago(log)
    return ago / max(ago.max(initial=0), 1e-9)


def waits(histories: Histories) -> tuple[float, float] | None:
    """The median and the longest time from one step of a history to the next, in seconds; None where there is none."""
    if histories.times is None:
        return None
    gaps = np.diff(histories.times)[np.diff(histories.owners) == 0]
    gaps = gaps[gaps > 0]  # NaN is not
    return (float(np.median(gaps)), float(gaps.max())) if len(gaps) else None
