"""What a log looks like, before anything is changed: the page that `endcap check` prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from endcap.data.backend import Backend, DataFrame
from endcap.data.bots import BotRule, suspects
from endcap.data.clean import CleanConfig
from endcap.data.repeats import Repeats, repeats
from endcap.data.schema import GOALS, PROBLEM_COLUMNS, Validated, ValidatedItems

SHOWN_PROBLEMS = 20
SHOWN_BOTS = 10
_DAY = 86_400
_TIE_SAMPLE = 1_000_000  # events; in larger logs ties are counted among a sixteenth of the users


@dataclass(frozen=True)
class ProblemSort:
    """How often one thing is wrong with one column."""

    column: str
    problem: str
    rows: int


@dataclass(frozen=True)
class Suspect:
    """A user who is probably a program, and why."""

    user_id: str
    why: str


@dataclass(frozen=True)
class Summary:
    """Everything here is numbers, text, lists and dictionaries: `dataclasses.asdict` makes JSON of it."""

    usable: bool
    reason: str  # why not, or what it can be used for
    rows_read: int
    events: int
    kinds: dict[str, int]
    users: int
    users_with_one_event: int
    items: int
    catalogue: int | None  # items in the catalogue; None where there is none
    unknown_items: int | None  # items with events that the catalogue lacks
    unknown_share: float | None  # share of events on them
    density: float  # share of user-item cells with an event, at most
    first_time: float | None  # seconds since 1970
    last_time: float | None
    without_time: int
    resolution: str  # of the clocks: none, day, seconds or finer
    ties: float  # share of events at the same time as another of their user: baskets, or coarse clocks
    duplicates: int
    near_duplicates: int
    repeat_share: float  # share of events whose user did the same to the same item before
    suspects: tuple[Suspect, ...]  # the busiest
    n_suspects: int
    problem_sorts: tuple[ProblemSort, ...]
    problems: tuple[dict[str, Any], ...]  # the first of them: row, column, value, problem
    notes: tuple[str, ...]


def summarise(
    backend: Backend,
    validated: Validated,
    items: ValidatedItems | None = None,
    *,
    broken: DataFrame | None = None,
    found: Repeats | None = None,
    near_duplicates_seconds: float = CleanConfig.near_duplicates_seconds,
    bot_rule: BotRule | None = None,
) -> Summary:
    """Looks at the events with a handful of aggregates.

    `broken` are the reader's problems (records it could not split); `found` the repeats, where looked for before.
    """
    F = backend.F  # noqa: N806
    events, rule = validated.events, bot_rule or BotRule()
    kinds = _kinds(backend, events)
    n = sum(kind["n"] for kind in kinds)
    users = _users(backend, events)
    n_items, catalogue, unknown, unknown_events = _items(backend, events, items)
    found = found or repeats(backend, events)
    near = ~F.col("copy") & (F.col("gap") <= near_duplicates_seconds) & (F.col("kind") != "purchase")
    again = backend.one(
        found.rows.agg(F.count(F.when(F.col("copy"), 1)).alias("copies"), F.count(F.when(near, 1)).alias("near"))
    )
    bots = backend.materialise(suspects(backend, events, rule))
    busiest = backend.rows(bots.orderBy(F.col("per_day").desc(), "user_id").limit(SHOWN_BOTS))
    sorts, problems = _problems(backend, validated, items, broken)
    times = [kind for kind in kinds if kind["first"] is not None]
    usable, reason = _usable(n, kinds, validated.rows)
    return Summary(
        usable=usable,
        reason=reason,
        rows_read=validated.rows,
        events=n,
        kinds={kind["kind"]: kind["n"] for kind in kinds},
        users=users["n"],
        users_with_one_event=users["once"],
        items=n_items,
        catalogue=catalogue,
        unknown_items=unknown,
        unknown_share=None if unknown_events is None else unknown_events / max(n, 1),
        density=(n - found.again) / max(users["n"] * n_items, 1),
        first_time=min((kind["first"] for kind in times), default=None),
        last_time=max((kind["last"] for kind in times), default=None),
        without_time=sum(kind["n"] - kind["timed"] for kind in kinds),
        resolution=_resolution(kinds),
        ties=_ties(backend, events, n) if times else 0.0,
        duplicates=again["copies"],
        near_duplicates=again["near"],
        repeat_share=found.share,
        suspects=tuple(_suspect(bot, rule) for bot in busiest),
        n_suspects=bots.count(),
        problem_sorts=sorts,
        problems=problems,
        notes=validated.notes,
    )


def _kinds(backend: Backend, events: DataFrame) -> list[dict[str, Any]]:
    F = backend.F  # noqa: N806
    time = F.col("time")
    counted = events.groupBy("kind").agg(
        F.count("*").alias("n"),
        F.count("time").alias("timed"),
        F.min("time").alias("first"),
        F.max("time").alias("last"),
        F.count(F.when(time % _DAY == 0, 1)).alias("midnights"),
        F.count(F.when(time % 1 == 0, 1)).alias("whole"),
    )
    return backend.rows(counted.orderBy(F.col("n").desc(), "kind"))


def _users(backend: Backend, events: DataFrame) -> dict[str, Any]:
    F = backend.F  # noqa: N806
    users = events.groupBy(backend.key("user_id").alias("user")).agg(F.count("*").alias("n"))
    return backend.one(users.agg(F.count("*").alias("n"), F.count(F.when(F.col("n") == 1, 1)).alias("once")))


def _items(
    backend: Backend, events: DataFrame, items: ValidatedItems | None
) -> tuple[int, int | None, int | None, int | None]:
    """Items with events, items in the catalogue, items with events that it lacks, and the events on those."""
    F = backend.F  # noqa: N806
    counted = events.groupBy("item_id").agg(F.count("*").alias("n"))
    if items is None:
        return counted.count(), None, None, None
    listed = backend.materialise(items.items.select("item_id", F.lit(1).alias("listed")))
    joined = counted.join(listed, on="item_id", how="left")
    lacking = F.col("listed").isNull()
    totals = backend.one(
        joined.agg(
            F.count("*").alias("items"),
            F.count(F.when(lacking, 1)).alias("unknown"),
            F.sum(F.when(lacking, F.col("n")).otherwise(F.lit(0))).alias("events"),
        )
    )
    n_listed = listed.count()
    backend.release(listed)
    return totals["items"], n_listed, totals["unknown"], int(totals["events"] or 0)


def _ties(backend: Backend, events: DataFrame, n: int) -> float:
    F = backend.F  # noqa: N806
    timed = events.filter(F.col("time").isNotNull()).select(backend.key("user_id").alias("user"), "time")
    if n > _TIE_SAMPLE:
        timed = timed.filter(F.col("user") % 16 == 0)
    at_once = timed.groupBy("user", "time").agg(F.count("*").alias("n"))
    totals = backend.one(at_once.agg(F.sum("n").alias("all"), F.sum(F.when(F.col("n") > 1, F.col("n"))).alias("tied")))
    return float(totals["tied"] or 0) / float(totals["all"] or 1)


def _resolution(kinds: list[dict[str, Any]]) -> str:
    timed = sum(kind["timed"] for kind in kinds)
    if not timed:
        return "none"
    if sum(kind["midnights"] for kind in kinds) == timed:
        return "day"
    return "seconds" if sum(kind["whole"] for kind in kinds) == timed else "finer"


def all_problems(
    backend: Backend, validated: Validated, items: ValidatedItems | None, broken: DataFrame | None
) -> DataFrame:
    """(row, column, value, problem), every one; a catalogue's columns are named `items.COLUMN`."""
    F = backend.F  # noqa: N806
    every = validated.problems
    if broken is not None:
        every = every.unionByName(broken.select(F.col("row").cast("bigint").alias("row"), *PROBLEM_COLUMNS[1:]))
    if items is not None:
        named = F.concat(F.lit("items."), F.col("column")).alias("column")
        every = every.unionByName(items.problems.select("row", named, "value", "problem"))
    return every


def _problems(
    backend: Backend, validated: Validated, items: ValidatedItems | None, broken: DataFrame | None
) -> tuple[tuple[ProblemSort, ...], tuple[dict[str, Any], ...]]:
    """Counts by sort, and the first rows."""
    F = backend.F  # noqa: N806
    every = backend.materialise(all_problems(backend, validated, items, broken))
    sorts = every.groupBy("column", "problem").agg(F.count("*").alias("rows"))
    sorts = backend.rows(sorts.orderBy(F.col("rows").desc(), "column", "problem").limit(100))
    first = backend.rows(every.orderBy("row", "column").limit(SHOWN_PROBLEMS))
    backend.release(every)
    return tuple(ProblemSort(**sort) for sort in sorts), tuple(first)


def _suspect(bot: Mapping[str, Any], rule: BotRule) -> Suspect:
    hourly = f"{int(bot['per_hour']):,} different moments in an hour (over {rule.per_hour:,})"
    daily = f"{int(bot['per_day']):,} in a day (over {rule.per_day:,})"
    too_much = [
        text
        for text, n, most in ((hourly, bot["per_hour"], rule.per_hour), (daily, bot["per_day"], rule.per_day))
        if n > most
    ]
    return Suspect(bot["user_id"], " and ".join(too_much))


def _usable(n: int, kinds: list[dict[str, Any]], rows: int) -> tuple[bool, str]:
    if not n:
        return False, f"none of the {rows:,} rows can be used; see the problems"
    if not any(kind["kind"] in GOALS for kind in kinds):
        found = ", ".join(kind["kind"] for kind in kinds)
        return (
            False,
            f"found only events of kind {found}; expected some of {', '.join(GOALS)} to predict: map the kinds",
        )
    if not any(kind["timed"] for kind in kinds):
        return True, "no times: use --split leave-one-out (or given, where the source has its own test part)"
    return True, "events, users and times are there"
