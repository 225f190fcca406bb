"""The leakage audit: does anything that training saw, or a question holds, come from its own future?"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from endcap.data.split import Queries, Split


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    check: str
    ok: bool | None  # None: the source does not say enough to look
    detail: str


def audit(table: pa.Table, parts: Split, method: str) -> list[Check]:
    """Looks at times, copies and the vocabulary across the cut. `table` has `part`."""
    return [
        _order(table, method),
        _copies(table),
        _vocabulary(parts),
        _questions(parts.valid, "validation"),
        _questions(parts.test, "test"),
    ]


def _order(table: pa.Table, method: str) -> Check:
    name = "every training event is earlier than every test event"
    train = pc.min_max(table.filter(pc.equal(table["part"], "train"))["time"]).as_py()
    test = pc.min_max(table.filter(pc.equal(table["part"], "test"))["time"]).as_py()
    if train["max"] is None or test["min"] is None:
        return Check(name, None, "the source has no times: only the order within a user is kept")
    ok = train["max"] < test["min"]
    if method == "leave-one-out" and not ok:
        later = table.filter(pc.and_(pc.equal(table["part"], "train"), pc.greater(table["time"], test["min"])))
        share = len(later) / max(1, pc.sum(pc.equal(table["part"], "train")).as_py())
        return Check(
            name,
            False,
            f"leave-one-out: {share:.0%} of the training events are later than the earliest test event; "
            "figures flatter, compare with the temporal split",
        )
    return Check(name, ok, f"latest training event {_date(train['max'])}, earliest test event {_date(test['min'])}")


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):  # a clock that only counts
        return f"{seconds:,.0f}"


def _copies(table: pa.Table) -> Check:
    """The same user, item, kind and time on both sides."""
    keys = ["user_id", "item_id", "kind", "time"]
    if table["time"].null_count == len(table):
        return Check("no event is on both sides of the cut", None, "without times a copy cannot be told from a repeat")
    sides = [
        table.filter(pc.equal(table["part"], part)).select(keys).group_by(keys).aggregate([])
        for part in ("train", "test")
    ]
    n = len(sides[0].join(sides[1], keys=keys, join_type="inner"))
    return Check("no event is on both sides of the cut", n == 0, f"{n} copies")


def _vocabulary(parts: Split) -> Check:
    n = int((np.bincount(parts.train.items, minlength=parts.train.n_items + 1)[1:] == 0).sum())
    return Check("every known item occurs in the training part", n == 0, f"{n} items known from elsewhere")


def _questions(queries: Queries, name: str) -> Check:
    """No event of a history is at or after the time of its question."""
    check = f"every {name} history is earlier than its question"
    if queries.asked is None or queries.histories.times is None:
        return Check(check, None, "by the order of the source, which has no times")
    late = queries.histories.times >= queries.asked[queries.histories.owners]
    return Check(check, not late.any(), f"{int(late.sum())} events too late")
