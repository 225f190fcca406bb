"""Users who act faster and longer than people do."""

from dataclasses import dataclass

from endcap.data.backend import Backend, DataFrame
from endcap.data.ranges import Count


@dataclass(frozen=True)
class BotRule:
    """More than this many different moments with an event; a basket is one moment, impressions are none."""

    per_hour: Count = 600  # one every six seconds for an hour
    per_day: Count = 2000  # UTC days


def suspects(backend: Backend, events: DataFrame, rule: BotRule) -> DataFrame:
    """(user_id, per_hour, per_day) of the users above the rule, with their busiest hour and day (UTC).

    Events without a time say nothing about haste, and are not counted.
    """
    F = backend.F  # noqa: N806
    acts = events.filter((F.col("kind") != "impression") & F.col("time").isNotNull()).select("user_id", "time")
    fewest = min(rule.per_hour, rule.per_day)
    busy = acts.groupBy("user_id").agg(F.count("*").alias("n")).filter(F.col("n") > fewest).select("user_id")
    hour = F.floor(F.col("time") / 3600).alias("hour")
    hours = (
        acts.join(busy, on="user_id", how="left_semi")
        .groupBy("user_id", hour)
        .agg(F.countDistinct("time").alias("moments"))
    )
    days = hours.groupBy("user_id", F.floor(F.col("hour") / 24).alias("day")).agg(
        F.sum("moments").alias("moments"), F.max("moments").alias("in_hour")
    )
    users = days.groupBy("user_id").agg(F.max("in_hour").alias("per_hour"), F.max("moments").alias("per_day"))
    return users.filter((F.col("per_hour") > rule.per_hour) | (F.col("per_day") > rule.per_day))
