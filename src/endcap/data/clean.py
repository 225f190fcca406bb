"""Cleaning: each a named step with counts, each can be switched off.

Rows first (clocks, copies), before the split; then users and items of the training part (bots, rare ones), after it:
what happened later must not decide what is trained on, and no test row is ever taken out for being rare.
"""

from dataclasses import dataclass, field
from functools import reduce

from endcap.data.backend import Backend, DataFrame
from endcap.data.bots import BotRule, suspects
from endcap.data.ranges import CountOrNone, NotNegative
from endcap.data.repeats import Repeats, repeats
from endcap.data.schema import EVENT_COLUMNS


@dataclass(frozen=True)
class CleanConfig:
    """Which steps are taken, and how far they go."""

    duplicates: bool = True  # exact copies of an event are left out
    near_duplicates_seconds: NotNegative = 1.0  # a reload or a double click, not of purchases; 0: off
    earliest: float | None = None  # seconds since 1970; events before it are left out
    latest: float | None = None  # seconds since 1970; events after it are left out
    bots: bool = True  # users above bot_rule in the training part are left out wholly
    bot_rule: BotRule = field(default_factory=BotRule)  # how fast is too fast
    min_user_events: CountOrNone = 0  # k-core, counted in training events
    min_item_events: CountOrNone = 0  # likewise; test events always stay


@dataclass(frozen=True)
class Step:
    """What one step did, for the report."""

    name: str
    before: int
    after: int
    note: str


@dataclass(frozen=True)
class Cleaned:
    """The events that are left, and how they came to be."""

    events: DataFrame  # EVENT_COLUMNS
    steps: tuple[Step, ...]


def clean_rows(backend: Backend, events: DataFrame, config: CleanConfig, found: Repeats | None = None) -> Cleaned:
    """Leaves out events outside the clocks, exact copies and near copies.

    `found` are the repeats of exactly these events, where they were looked for before.
    """
    F = backend.F  # noqa: N806
    steps: list[Step] = []
    if config.earliest is not None or config.latest is not None:
        outside = F.lit(False)
        if config.earliest is not None:
            outside = outside | (F.col("time") < config.earliest)
        if config.latest is not None:
            outside = outside | (F.col("time") > config.latest)
        before = events.count()
        events, found = events.filter(~F.coalesce(outside, F.lit(False))), None
        steps.append(Step("clocks", before, events.count(), "events outside the time that was asked for"))
    if not config.duplicates and not config.near_duplicates_seconds:
        return Cleaned(events, tuple(steps))
    if events.filter(F.col("time").isNotNull()).limit(1).isEmpty():
        n = events.count()
        note = "skipped: without times a copy cannot be told from a second visit"
        return Cleaned(events, (*steps, Step("duplicates", n, n, note)))
    found = found or repeats(backend, events)
    near = ~F.col("copy") & (F.col("gap") <= config.near_duplicates_seconds) & (F.col("kind") != "purchase")
    near = F.coalesce(near, F.lit(False))
    counts = backend.one(
        found.rows.agg(
            F.count(F.when(F.col("copy"), 1)).alias("copies"),
            F.count(F.when(near, 1)).alias("near"),
        )
    )
    gone, left = F.lit(False), found.events
    if config.duplicates:
        gone = gone | F.col("copy")
        left -= counts["copies"]
        steps.append(Step("duplicates", found.events, left, "exact copies of another event; the first is kept"))
    if config.near_duplicates_seconds:
        gone = gone | near
        seconds = config.near_duplicates_seconds
        note = f"same user, item and kind within {seconds:g} s of the one before (not purchases)"
        steps.append(Step("near duplicates", left, left - counts["near"], note))
        left -= counts["near"]
    if left < found.events:
        pair = backend.key("user_id", "item_id", "kind").alias("pair")
        alone = events.select(*EVENT_COLUMNS, pair).join(found.groups, on="pair", how="left_anti")
        events = alone.select(*EVENT_COLUMNS).unionByName(found.rows.filter(~gone).select(*EVENT_COLUMNS))
        events = backend.materialise(events)
    return Cleaned(events, tuple(steps))


def clean_training(backend: Backend, events: DataFrame, config: CleanConfig) -> Cleaned:
    """Takes bots out wholly, and training events of rare users and items; looks at rows of part `train` alone."""
    steps: list[Step] = []
    if config.bots:
        events, step = _without_bots(backend, events, config.bot_rule)
        steps.append(step)
    if config.min_user_events > 1 or config.min_item_events > 1:
        events, step = _core(backend, events, config.min_user_events, config.min_item_events)
        steps.append(step)
    return Cleaned(backend.view(events) if steps else events, tuple(steps))


def _without_bots(backend: Backend, events: DataFrame, rule: BotRule) -> tuple[DataFrame, Step]:
    F = backend.F  # noqa: N806
    bots = backend.materialise(suspects(backend, events.filter(F.col("part") == "train"), rule).select("user_id"))
    n_bots, before = bots.count(), events.count()
    note = f"{n_bots:,} users with over {rule.per_hour:,} moments in an hour or {rule.per_day:,} in a day of training"
    if not n_bots:
        return events, Step("bots", before, before, note)
    after = before - events.join(bots, on="user_id", how="left_semi").count()
    return backend.view(events.join(bots, on="user_id", how="left_anti")), Step("bots", before, after, note)


def _core(backend: Backend, events: DataFrame, user_events: int, item_events: int) -> tuple[DataFrame, Step]:
    """The largest training part in which every user has `user_events` and every item `item_events` training events."""
    F = backend.F  # noqa: N806
    user, item = backend.key("user_id").alias("user"), backend.key("item_id").alias("item")
    is_train = F.col("part") == "train"
    core = backend.materialise(events.filter(is_train).select(user, item))
    before = core.count()
    rare: dict[str, list[DataFrame]] = {"user": [], "item": []}
    rounds = 0
    while True:
        found = {}
        for name, least in (("user", user_events), ("item", item_events)):
            few = core.groupBy(name).agg(F.count("*").alias("n")).filter(F.col("n") < least).select(name)
            found[name] = backend.materialise(few)
        if not any(few.count() for few in found.values()):
            break
        kept = core
        for name, few in found.items():
            kept = kept.join(few, on=name, how="left_anti")
            rare[name].append(few)
        kept = backend.materialise(kept)
        backend.release(core)
        core = kept
        rounds += 1
    step = Step(
        "rare",
        before,
        core.count(),
        f"training events of users with under {user_events} or items with under {item_events} of them, "
        f"in {rounds} rounds; test events stay",
    )
    backend.release(core)
    if not rounds:
        return events, step
    train = events.filter(is_train).select(*EVENT_COLUMNS, user, item)
    for name, sets in rare.items():
        train = train.join(reduce(lambda one, more: one.unionByName(more), sets), on=name, how="left_anti")
    others = events.filter(F.col("part") != "train").select(*EVENT_COLUMNS)
    return train.select(*EVENT_COLUMNS).unionByName(others), step
