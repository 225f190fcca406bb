"""Events that say what was said before: exact copies, and a user doing the same to the same item within seconds."""

from dataclasses import dataclass

from endcap.data.backend import Backend, DataFrame
from endcap.data.schema import EVENT_COLUMNS

_VALUES = ("rating", "price", "quantity", "part")


@dataclass(frozen=True)
class Repeats:
    """The events of every user, item and kind that occur more than once; all others cannot repeat anything."""

    groups: DataFrame  # `pair`: the key of each such user, item and kind
    rows: (
        DataFrame  # EVENT_COLUMNS, `copy` (equal to the row before it in all but `row`), `gap` (seconds since that row)
    )
    events: int  # of all
    again: int  # events whose user did the same to the same item before

    @property
    def share(self) -> float:
        """The share of events that repeat an earlier user, item and kind."""
        return self.again / self.events if self.events else 0.0


def repeats(backend: Backend, events: DataFrame) -> Repeats:
    """Finds what repeats in two passes: keys that occur twice, then their rows side by side.

    Rows without a time have no gap and are no copies: without a clock a repeat cannot be told from a duplicate.
    """
    F = backend.F  # noqa: N806
    pair = backend.key("user_id", "item_id", "kind").alias("pair")
    counted = backend.materialise(events.groupBy(pair).agg(F.count("*").alias("n")).filter(F.col("n") > 1))
    groups = counted.select("pair")
    rows = events.select(*EVENT_COLUMNS, pair).join(groups, on="pair", how="left_semi").select(*EVENT_COLUMNS)
    side_by_side = backend.Window.partitionBy("user_id", "item_id", "kind").orderBy("time", *_VALUES, "row")
    before = {name: F.lag(name).over(side_by_side) for name in ("time", *_VALUES)}
    copy = F.col("time") == before["time"]
    for name in _VALUES:
        copy = copy & F.col(name).eqNullSafe(before[name])
    rows = rows.select(
        *EVENT_COLUMNS, F.coalesce(copy, F.lit(False)).alias("copy"), (F.col("time") - before["time"]).alias("gap")
    )
    totals = backend.one(counted.agg(F.sum("n").alias("rows"), F.count("*").alias("groups")))
    return Repeats(groups, backend.materialise(rows), events.count(), (totals["rows"] or 0) - totals["groups"])
