"""The canonical tables: what every source is turned into, and what everything later reads.

`events`, one row per event:

| column   | type          | meaning                                                                      |
|----------|---------------|------------------------------------------------------------------------------|
| row      | bigint        | the record's number in its file, from 1; breaks ties of time                 |
| user_id  | string        | who (a visitor, or an anonymous session)                                     |
| item_id  | string        | what                                                                         |
| kind     | string        | one of KINDS                                                                 |
| time     | double, null  | seconds since 1970 UTC; null throughout where the source has none            |
| rating   | double, null  | as given                                                                     |
| price    | double, null  | of one piece                                                                 |
| quantity | double, null  | pieces                                                                       |
| part     | string, null  | `train`, `history` (context of a test question) or `test`, where a source has a split |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from endcap.data import parse
from endcap.data.backend import Backend, Column, DataFrame
from endcap.data.errors import InputError
from endcap.data.kinds import kinds_of

KINDS = ("view", "cart", "purchase", "review", "impression", "click", "remove")
"""What a user can do to an item. Index 0 is kept for padding: kind `view` is 1 in arrays."""

GOALS = ("view", "cart", "purchase", "review")
"""Kinds that can be predicted; the others are never training targets."""

EVENT_COLUMNS = ("row", "user_id", "item_id", "kind", "time", "rating", "price", "quantity", "part")

ITEM_COLUMNS = (
    "item_id",
    "title",
    "category",
    "brand",
    "price",
    "rating",
    "rating_count",
    "stock",
    "description",
    "image",
)
"""The catalogue's canonical columns; all but item_id may be missing. Other columns of a source are kept as they are."""

EXTRA_COLUMNS = (
    "price_max",
    "currency",
    "categories",
    "colour",
    "size",
    "material",
    "gender",
    "tags",
    "attributes",
    "product_code",
    "created",
)
"""Columns of a catalogue that mean the same in every source that has them; text, but for price_max."""

LISTS = ("image", "categories", "colour", "size", "material", "tags", "attributes")
"""Columns that can hold several values, joined by SEPARATOR."""

SEPARATOR = "|"
"""Between the values of a list, as Amazon Personalize has it; inside a value it is written / (in an address %7C)."""

PARTS = ("train", "history", "test")
"""The parts that a source with a split of its own can give."""

PROBLEM_COLUMNS = ("row", "column", "value", "problem")

_MOST_KINDS = 1000


@dataclass(frozen=True)
class Validated:
    """A source that passed the door: what can be used, and why the rest cannot."""

    events: DataFrame  # exactly EVENT_COLUMNS
    problems: DataFrame  # (row, column, value, problem), every one
    notes: tuple[str, ...]  # what was guessed: units of time, kinds
    rows: int  # records read


@dataclass(frozen=True)
class ValidatedItems:
    """A catalogue without duplicated ids, and what was wrong with it."""

    items: DataFrame  # ITEM_COLUMNS, then the source's own
    problems: DataFrame  # (row, column, value, problem), every one


def validate(
    backend: Backend,
    raw: DataFrame,
    *,
    now: float,
    kinds: Mapping[str, str] | None = None,
    default_kind: str = "view",
) -> Validated:
    """A raw table (`row` and any of EVENT_COLUMNS, text or native types) as the canonical events.

    `kinds` says what the source's kinds mean where its names are unusual; `default_kind` is for sources without kinds
    (`review` where there are ratings). Times after `now` (seconds) are problems. The raw table is read once.
    Raises InputError when the table is empty, lacks user_id or item_id, or its kinds are no kinds.
    """
    F = backend.F  # noqa: N806
    types = _types(raw)
    _require(types, ("user_id", "item_id"), EVENT_COLUMNS)
    parsed = _parse(backend, types, now)
    unusable = [name for name in ("user_id", "item_id", "time", "part") if name in parsed]
    columns = [F.col("row").cast("bigint").alias("row")]
    columns += [column.value.alias(name) for name, column in parsed.items()]
    if "kind" in types:
        columns.append(F.col("kind").cast("string").alias("kind"))
    usable = F.concat_ws("", *[parsed[name].fault for name in unusable]) == ""
    if "quantity" in parsed:
        usable = usable & F.coalesce(F.col("quantity_number") >= 0, F.lit(True))
    columns += [
        F.concat_ws(parse.FAULT, *[column.fault for column in parsed.values()]).alias("faults"),
        usable.alias("usable"),
        F.coalesce(F.when(usable, F.col("unit")), F.lit(0)).alias("unit"),
    ]
    table = backend.materialise(raw.select("*", *parse.casts(backend, types)).select(*columns))

    groups = table.groupBy(*(["unit", "kind"] if "kind" in types else ["unit"])).agg(F.count("*").alias("n"))
    counts = backend.rows(groups.limit(_MOST_KINDS + 1))
    if not counts:
        raise InputError("found no rows (an empty table, or a header alone); expected one row per event")
    if len(counts) > _MOST_KINDS:
        some = ", ".join(repr(group["kind"]) for group in counts[:3])
        raise InputError(
            f"the column of kinds holds over {_MOST_KINDS} different values ({some}, …), so it is another column;"
            " name the right one with --map kind=COLUMN, or leave it out"
        )
    problems = _problems(backend, table)
    notes = _unit_notes(counts)
    if "kind" in types:
        names = sorted({group["kind"] for group in counts if group["kind"] is not None})
        known = kinds_of(names, kinds or {})
        kind, wrong = _kind(backend, known)
        notes += [f"kind: {name!r} is read as {kind}" for name, kind in known.items() if name != kind]
        problems = problems.unionByName(_unknown_kinds(backend, table, wrong))
        table = table.filter(~wrong)
    else:
        name = "review" if "rating" in types else default_kind
        notes.append(f"kind: the source has none, every event is read as {name}; --kind purchase says otherwise")
        kind = F.lit(name)
    events = table.filter(F.col("usable")).select(
        *[
            kind.alias(name) if name == "kind"
            else F.col(name) if name in parsed or name == "row"
            else F.lit(None).cast("string" if name == "part" else "double").alias(name)
            for name in EVENT_COLUMNS
        ]
    )  # fmt: skip
    return Validated(backend.view(events), backend.view(problems), tuple(notes), sum(group["n"] for group in counts))


def validate_items(backend: Backend, raw: DataFrame) -> ValidatedItems:
    """A raw catalogue (`item_id`, any of ITEM_COLUMNS, anything else) with one row per item: the first.

    Raises InputError when the table is empty or lacks item_id.
    """
    F = backend.F  # noqa: N806
    types = _types(raw)
    _require(types, ("item_id",), ITEM_COLUMNS)
    if "row" not in types:
        raw = raw.select(F.row_number().over(backend.Window.orderBy(F.lit(1))).alias("row"), *raw.columns)
    parsed = {"item_id": parse.identifier(backend, "item_id", types["item_id"])}
    numbers = ("price", "rating", "rating_count")
    parsed |= {name: parse.number(backend, name, types[name]) for name in numbers if name in types}
    place = F.row_number().over(backend.Window.partitionBy("item_id").orderBy("row"))
    others = [name for name in types if name not in (*ITEM_COLUMNS, "row")]
    columns = [
        parsed[name].value.alias(name) if name in parsed
        else F.col(name).cast("string").alias(name) if name in types
        else F.lit(None).cast("double" if name in numbers else "string").alias(name)
        for name in ITEM_COLUMNS
    ]  # fmt: skip
    faults = F.concat_ws(parse.FAULT, *[column.fault for column in parsed.values()]).alias("faults")
    casts = parse.casts(backend, {name: types[name] for name in numbers if name in types})
    kept = [F.col(f"`{name}`") for name in others]
    table = raw.select("*", *casts).select(F.col("row").cast("bigint").alias("row"), *columns, *kept, faults)
    first_price = F.first("price").over(backend.Window.partitionBy("item_id").orderBy("row"))
    table = table.withColumn("place", place).withColumn("first_price", first_price)
    if table.isEmpty():
        raise InputError("the catalogue has no rows (an empty table, or a header alone); expected one row per item")
    repeated = table.filter((F.col("place") > 1) & F.col("item_id").isNotNull()).select(
        "row",
        F.lit("item_id").alias("column"),
        F.substring("item_id", 1, 200).alias("value"),
        F.when(F.col("price") != F.col("first_price"), F.lit("item_id was there before at another price; row left out"))
        .otherwise(F.lit("item_id was there before; row left out"))
        .alias("problem"),
    )
    items = table.filter((F.col("place") == 1) & F.col("item_id").isNotNull())
    return ValidatedItems(items.select(*ITEM_COLUMNS, *kept), _problems(backend, table).unionByName(repeated))


def _types(frame: DataFrame) -> dict[str, str]:
    """Column -> type, as Spark writes it."""
    return {field.name: field.dataType.simpleString() for field in frame.schema.fields}


def _require(found: Mapping[str, str], needed: Sequence[str], known: Sequence[str]) -> None:
    missing = [name for name in needed if name not in found]
    if missing:
        names = ", ".join(name for name in found if name != "row")
        raise InputError(
            f"found the columns {names or 'none'}, but no {' and no '.join(missing)}; expected {' and '.join(needed)}"
            f" (and any of {', '.join(name for name in known if name not in (*needed, 'row'))});"
            f" say which column it is with --map {missing[0]}=COLUMN"
        )


def _parse(backend: Backend, types: Mapping[str, str], now: float) -> dict[str, parse.Parsed]:
    """The columns that are there, parsed; `kind` is left to `kinds_of`, which wants to see all its names first."""
    F = backend.F  # noqa: N806
    parsed = {name: parse.identifier(backend, name, types[name]) for name in ("user_id", "item_id")}
    if "time" in types:
        # A source's own test questions may come without a time.
        optional = (
            F.coalesce(F.col("part").isin(["test", "history"]), F.lit(False)) if "part" in types else F.lit(False)
        )
        parsed["time"] = parse.time(backend, types["time"], now=now, optional=optional)
    parsed |= {
        name: parse.number(backend, name, types[name]) for name in ("rating", "price", "quantity") if name in types
    }
    if "part" in types:
        parsed["part"] = parse.choice(backend, "part", PARTS)
    return parsed


def _problems(backend: Backend, table: DataFrame) -> DataFrame:
    """The column `faults` taken apart: one row per fault."""
    F = backend.F  # noqa: N806
    faults = table.filter(F.col("faults") != "").select("row", F.explode(F.split("faults", parse.FAULT)).alias("fault"))
    parts = [F.split_part("fault", F.lit(parse.FIELD), F.lit(place)) for place in (1, 2, 3)]
    return faults.select("row", *[part.alias(name) for part, name in zip(parts, PROBLEM_COLUMNS[1:], strict=True)])


def _kind(backend: Backend, known: Mapping[str, str]) -> tuple[Column, Column]:
    """Our kind for the column `kind`, and whether it has none."""
    F = backend.F  # noqa: N806
    wrong = F.col("kind").isNull() | ~F.col("kind").isin(sorted(known))
    if not known:  # every row is left out
        return F.col("kind"), F.lit(True)
    kind: Any = F  # F.when(...) and column.when(...) alike
    for ours in dict.fromkeys(known.values()):
        kind = kind.when(F.col("kind").isin([name for name, its in known.items() if its == ours]), F.lit(ours))
    return kind, wrong


def _unknown_kinds(backend: Backend, table: DataFrame, wrong: Column) -> DataFrame:
    F = backend.F  # noqa: N806
    missing = F.trim(F.coalesce(F.col("kind"), F.lit(""))) == ""
    return table.filter(wrong).select(
        "row",
        F.lit("kind").alias("column"),
        F.substring(F.coalesce(F.col("kind"), F.lit("")), 1, 200).alias("value"),
        F.when(missing, F.lit("no kind; row left out")).otherwise(F.lit("unknown kind; row left out")).alias("problem"),
    )


def _unit_notes(counts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which units the times were read in; more than one is worth a warning."""
    units: dict[int, int] = {}
    for group in counts:
        units[group["unit"]] = units.get(group["unit"], 0) + group["n"]
    units.pop(0, None)
    read = [f"{n:,} in {parse.UNITS[unit]}" for unit, n in sorted(units.items())]
    if not read:
        return []
    note = f"time: {', '.join(read)}" + ("; the column mixes units" if len(read) > 1 else "")
    return [note + ("; UTC where the text names no zone" if parse.UNITS.index("text") in units else "")]
