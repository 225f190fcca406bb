"""Which part of the protocol each event belongs to: the column `part` of the events table.

- `temporal`: before the first cut train, before the second valid, then test; cuts are quantiles of time.
- `leave-one-out`: each user's last step is test, the one before valid. Events at one time are one step (a basket).
- `given`: the source's own test part; the validation part is made from its training part in the same way.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from endcap.data.backend import Backend, Column, DataFrame
from endcap.data.errors import InputError
from endcap.data.ranges import Portion
from endcap.data.schema import EVENT_COLUMNS, GOALS

Method = Literal["temporal", "leave-one-out", "given"]

NEWEST_SESSIONS = 0.9
"""Where test users are new, the validation users are those of the training part above this quantile of row order."""


@dataclass(frozen=True)
class SplitConfig:
    """How events are divided into train, valid and test."""

    method: Method = "temporal"  # docs/protocol.md says what each does
    valid_quantile: Portion = 0.8  # of the times of events that can be predicted: where training ends
    test_quantile: Portion = 0.9  # where validation ends and the test part begins
    cuts: tuple[float, float] | None = None  # seconds since 1970, instead of the quantiles

    def __post_init__(self) -> None:
        first, second = self.cuts or (self.valid_quantile, self.test_quantile)
        if first >= second:
            raise ValueError(f"training ends at {first:g} and validation at {second:g}; the second must be later")


@dataclass(frozen=True)
class Marked:
    """Events with their part."""

    events: DataFrame  # EVENT_COLUMNS; part is train, valid, test or history
    cuts: tuple[float, float] | None  # seconds since 1970, of the temporal split
    dropped: int = 0  # training events of a validation target's item, as the source did it for its test targets


def mark(backend: Backend, events: DataFrame, config: SplitConfig) -> Marked:
    """Sets `part` on every event; rows that the source calls `history` stay so.

    Raises InputError when the events do not fit the method, and names one that does.
    """
    if config.method == "temporal":
        return _temporal(backend, events, config)
    if config.method == "leave-one-out":
        return _leave_one_out(backend, events)
    if config.method == "given":
        return _given(backend, events)
    raise InputError(f"found split {config.method!r}; expected temporal, leave-one-out or given")


def _temporal(backend: Backend, events: DataFrame, config: SplitConfig) -> Marked:
    F = backend.F  # noqa: N806
    goals = F.when(F.col("kind").isin(list(GOALS)), F.col("time"))
    found = backend.one(
        events.agg(
            F.count("*").alias("n"),
            F.count("time").alias("timed"),
            F.min(goals).alias("first"),
            F.max(goals).alias("last"),
            F.percentile(goals, config.valid_quantile).alias("valid"),
            F.percentile(goals, config.test_quantile).alias("test"),
        )
    )
    if found["timed"] < found["n"]:
        untimed = found["n"] - found["timed"]
        raise InputError(
            f"found {untimed:,} of {found['n']:,} events without a time; a temporal split needs all times:"
            " use --split leave-one-out, or --split given where the source has its own test part"
        )
    if found["first"] is None:
        raise InputError(
            f"found no events that can be predicted ({', '.join(GOALS)}); map the kinds with --kind WORD=KIND"
        )
    if found["first"] == found["last"]:
        raise InputError(
            f"all events to predict are at {_date(found['first'])}, so no split is possible; name the column of"
            " their times with --map time=COLUMN"
        )
    # Engines interpolate with different rounding; milliseconds are the same in all.
    valid, test = config.cuts or (round(found["valid"], 3), round(found["test"], 3))
    if not found["first"] < valid < test <= found["last"]:
        raise InputError(
            f"cannot cut the times {_date(found['first'])} to {_date(found['last'])} at {_date(valid)} and"
            f" {_date(test)}: a part would be empty; give other cuts or quantiles, or use --split leave-one-out"
        )
    part = (
        F.when(F.col("time") < valid, F.lit("train"))
        .when(F.col("time") < test, F.lit("valid"))
        .otherwise(F.lit("test"))
    )
    return Marked(backend.view(_with_part(backend, events, part)), (valid, test))


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _leave_one_out(backend: Backend, events: DataFrame) -> Marked:
    F = backend.F  # noqa: N806
    user = backend.Window.partitionBy("user_id")
    goal = F.col("kind").isin(list(GOALS)) & F.coalesce(F.col("part") != "history", F.lit(True))
    steps = _steps(backend, events).select("*", goal.alias("goal"))
    ends = steps.select(
        "*",
        F.min(F.when(F.col("goal"), F.col("step"))).over(user).alias("first"),
        F.max(F.when(F.col("goal"), F.col("step"))).over(user).alias("last"),
    )
    before = F.max(F.when(F.col("goal") & (F.col("step") < F.col("last")), F.col("step"))).over(user)
    both = ends.select("*", before.alias("before"))
    enough = F.col("first") < F.col("before")  # three steps: one to learn from, one to choose on, one to test
    part = F.when(enough & (F.col("step") >= F.col("last")), F.lit("test"))
    part = part.when(enough & (F.col("step") >= F.col("before")), F.lit("valid")).otherwise(F.lit("train"))
    return Marked(backend.materialise(_with_part(backend, both, part)), None)


def _given(backend: Backend, events: DataFrame) -> Marked:
    F = backend.F  # noqa: N806
    parts = {row["part"]: row["n"] for row in backend.rows(events.groupBy("part").agg(F.count("*").alias("n")))}
    if not parts.get("test") or not parts.get("train"):
        found = ", ".join(f"{n:,} rows of {part or 'no part'}" for part, n in parts.items())
        raise InputError(
            f"found {found}, but --split given needs a source with its own train and test rows;"
            " use --split temporal or --split leave-one-out"
        )
    train, test = events.filter(F.col("part") == "train"), events.filter(F.col("part") == "test")
    asked = test.select("user_id").distinct()
    known = not train.join(asked, on="user_id", how="left_semi").limit(1).isEmpty()
    steps = _steps(backend, train)
    marked = _valid_of_users(backend, steps, test) if known else _valid_of_sessions(backend, steps)
    whole = marked.select(*EVENT_COLUMNS).unionByName(events.filter(F.col("part") != "train").select(*EVENT_COLUMNS))
    whole = backend.materialise(whole)
    dropped = whole.filter(F.col("part") == "dropped").count()
    return Marked(whole.filter(F.col("part") != "dropped"), None, dropped)


def _valid_of_sessions(backend: Backend, steps: DataFrame) -> DataFrame:
    """The newest users, whole: like those of the test part, nothing of them is trained on; their last step is asked."""
    F = backend.F  # noqa: N806
    user = backend.Window.partitionBy("user_id")
    ends = steps.select("*", F.max("step").over(user).alias("last"), F.min("row").over(user).alias("start"))
    ends = backend.materialise(ends)
    starts = ends.groupBy("user_id").agg(F.min("start").alias("start"))
    newest = backend.one(starts.agg(F.percentile("start", NEWEST_SESSIONS).alias("start")))["start"]
    valid = (F.col("start") > newest) & (F.col("last") > 1)
    return _with_part(backend, ends, F.when(valid, F.lit("valid")).otherwise(F.lit("train")))


def _valid_of_users(backend: Backend, steps: DataFrame, test: DataFrame) -> DataFrame:
    """The last step with a goal of every user; where the source took a target's earlier events out, so do we."""
    F = backend.F  # noqa: N806
    goals = sorted(row["kind"] for row in backend.rows(test.select("kind").distinct()))
    goal = F.col("kind").isin(goals)
    user = backend.Window.partitionBy("user_id")
    last = F.max(F.when(goal, F.col("step"))).over(user)
    ends = steps.select("*", last.alias("last"))
    valid = F.coalesce((F.col("step") == F.col("last")) & (F.col("last") > 1), F.lit(False))
    pairs = test.select("user_id", "item_id").distinct()
    repeats = steps.join(pairs, on=["user_id", "item_id"], how="left_semi").limit(1)
    if not repeats.isEmpty():
        return _with_part(backend, ends, F.when(valid, F.lit("valid")).otherwise(F.lit("train")))
    same_item = backend.Window.partitionBy("user_id", "item_id")
    target = F.max(F.when(valid & goal, F.lit(1))).over(same_item)
    ends = ends.select("*", valid.alias("valid"), target.alias("target"))
    part = F.when(F.col("valid"), F.lit("valid")).when(F.col("target") == 1, F.lit("dropped")).otherwise(F.lit("train"))
    return _with_part(backend, ends, part)


def _steps(backend: Backend, events: DataFrame) -> DataFrame:
    """The events with `step`: 1, 2, … per user in order of time.

    Events at one time share a step; those without a time come last, in order of row, each a step of its own.
    """
    F = backend.F  # noqa: N806
    alone = F.when(F.col("time").isNull(), F.col("row")).otherwise(F.lit(0)).alias("alone")
    order = backend.Window.partitionBy("user_id").orderBy(F.col("time").asc_nulls_last(), "alone")
    return events.select(*EVENT_COLUMNS, alone).select(*EVENT_COLUMNS, F.dense_rank().over(order).alias("step"))


def _with_part(backend: Backend, events: DataFrame, part: Column) -> DataFrame:
    F = backend.F  # noqa: N806
    kept = F.when(F.col("part") == "history", F.lit("history")).otherwise(part).alias("part")
    return events.select(*EVENT_COLUMNS[:-1], kept)
