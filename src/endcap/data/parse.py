"""A source's values as ours: ids, numbers and times from text or native types, each with what is wrong with it.

Everything is a column expression: nothing is computed here. `Parsed.fault` is null where the value is fine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from endcap.data.backend import Backend, Column

EARLIEST = 631_152_000.0
"""1990-01-01: shops had no logs before it, so an earlier time is an error of the clock or of the unit."""

UNITS = ("none", "seconds", "milliseconds", "microseconds", "nanoseconds", "text", "timestamps")
"""How times can be written; `unit` is a place in this list."""

NUMBERS = {"rating": None, "price": 0.0, "quantity": 0.0, "rating_count": 0.0}
"""Columns of real numbers and the least value of each."""

NOTHING = ("null", "nan", "none", "undefined", "(not set)", r"\n", "n/a", "#n/a", "<na>", "<null>", "(null)", "[null]")
"""What programs write for nothing, in small letters: no id."""

_EXACT = 2.0**53  # whole numbers above it are no longer told apart
_FARTHEST = 14 * 3600.0  # how far the clocks of the east are before UTC
_MAYBE_LOCAL = (
    "time in the future; row left out: the times name no zone and may be local, --timezone says which, such as"
    " Asia/Shanghai"
)
_SHOWN = 200  # characters of a wrong value that a problem quotes
FIELD, FAULT = "\x1e", "\x1f"  # separate the parts of one fault, and the faults of one row


@dataclass(frozen=True)
class Parsed:
    """A column's values, null where they cannot be used, and the faults as text."""

    value: Column
    fault: Column


def fault(backend: Backend, name: str, value: Column, problem: Column) -> Column:
    """`name`, the wrong value and the problem in one text; null where the problem is null."""
    F = backend.F  # noqa: N806
    shown = F.translate(F.substring(F.coalesce(value.cast("string"), F.lit("")), 1, _SHOWN), FIELD + FAULT, "  ")
    return F.when(problem.isNotNull(), F.concat(F.lit(name + FIELD), shown, F.lit(FIELD), problem))


def identifier(backend: Backend, name: str, kind: str) -> Parsed:
    """An id exactly as given, as text; blank ones and words for nothing are null. `kind` is the column's type.

    Whole numbers of a column of real ones, which pandas makes of ids where one is missing, are ids without `.0`.
    """
    F = backend.F  # noqa: N806
    given = F.col(name)
    text = given.cast("string")
    if kind.startswith(("double", "float", "decimal")):
        number = given.cast("double")
        whole = (F.abs(number) < _EXACT) & (F.floor(number) == number)
        text = F.when(whole, F.expr(f"TRY_CAST({name} AS BIGINT)").cast("string")).otherwise(text)  # NaN has none
    blank = text.isNull() | F.lower(F.trim(text)).isin(["", *NOTHING])
    value = F.when(~blank, text)
    return Parsed(value, fault(backend, name, text, F.when(blank, F.lit(f"no {name}; row left out"))))


def casts(backend: Backend, types: Mapping[str, str]) -> list[Column]:
    """`NAME_number` for every column of numbers, and `seconds` and `unit` for `time`: a first select.

    The second refers to them by name. Written out in place they would be repeated a hundred times over.
    """
    F = backend.F  # noqa: N806
    made = [_number(backend, name, types[name]).alias(f"{name}_number") for name in NUMBERS if name in types]
    if "time" in types:
        seconds, unit = _seconds(backend, types["time"])
        made += [seconds.alias("seconds"), unit.alias("unit")]
    else:
        made.append(F.lit(0).alias("unit"))
    return made


def number(backend: Backend, name: str, kind: str) -> Parsed:
    """A real number, null where it is not finite or below its least value; `kind` is the column's type."""
    F = backend.F  # noqa: N806
    given, parsed, least = F.col(name), F.col(f"{name}_number"), NUMBERS[name]
    problem = F.when(F.isnan(parsed), F.lit("not a number; value left empty"))
    problem = problem.when(F.abs(parsed) == F.lit("Infinity").cast("double"), F.lit("infinite; value left empty"))
    if least is not None:
        below = (
            "below 0, a return or a correction; row left out"
            if name == "quantity"
            else f"below {least:g}; value left empty"
        )
        problem = problem.when(parsed < least, F.lit(below))
    if kind == "string":
        missing = parsed.isNull() & given.isNotNull() & (F.trim(given) != "")
        problem = problem.when(missing, F.lit("not a number; value left empty"))
    return Parsed(F.when(problem.isNull(), parsed), fault(backend, name, given, problem))


def time(backend: Backend, kind: str, *, now: float, optional: Column) -> Parsed:
    """Seconds since 1970 of the column `time`, whose type is `kind`; `optional` says which rows may be without."""
    F = backend.F  # noqa: N806
    given, seconds = F.col("time"), F.col("seconds")
    empty = given.isNull() if kind != "string" else given.isNull() | (F.trim(given) == "")
    problem = F.when(empty, F.when(~optional, F.lit("no time; row left out")))
    problem = problem.when(seconds.isNull() | F.isnan(seconds), F.lit("not a time; row left out"))
    problem = problem.when(seconds < 0, F.lit("negative time; row left out"))
    problem = problem.when(seconds < EARLIEST, F.lit("time before 1990; row left out"))
    if kind == "string":
        zoned = F.trim(given).rlike(r"(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$")
        local = (F.col("unit") == UNITS.index("text")) & ~zoned & (seconds > now) & (seconds <= now + _FARTHEST)
        problem = problem.when(local, F.lit(_MAYBE_LOCAL))
    problem = problem.when(seconds > now, F.lit("time in the future; row left out"))
    value = F.when((seconds >= EARLIEST) & (seconds <= now), seconds)
    return Parsed(value, fault(backend, "time", given, problem))


def choice(backend: Backend, name: str, allowed: Sequence[str]) -> Parsed:
    """One of a few words, or nothing."""
    F = backend.F  # noqa: N806
    given = F.col(name).cast("string")
    wrong = F.when(~given.isin(list(allowed)), F.lit(f"expected {', '.join(allowed)}; row left out"))
    return Parsed(F.when(wrong.isNull(), given), fault(backend, name, given, wrong))


def _number(backend: Backend, name: str, kind: str) -> Column:
    F = backend.F  # noqa: N806
    return F.expr(f"TRY_CAST({name} AS DOUBLE)") if kind == "string" else F.col(name).cast("double")


def _seconds(backend: Backend, kind: str) -> tuple[Column, Column]:
    """Seconds and the unit they were written in, told by their size.

    Seconds reach 10¹¹ in the year 5138, milliseconds had passed it in 1973.
    """
    F = backend.F  # noqa: N806
    given = F.col("time")
    if kind.startswith(("timestamp", "date")):
        return F.unix_micros(given.cast("timestamp")) / 1e6, F.lit(UNITS.index("timestamps"))
    number = _number(backend, "time", kind)
    size = F.abs(number)
    seconds = F.when(size < 1e11, number).when(size < 1e14, number / 1e3).when(size < 1e17, number / 1e6)
    seconds = seconds.when(size >= 1e17, number / 1e9)
    unit = F.when(size < 1e11, F.lit(1)).when(size < 1e14, F.lit(2)).when(size < 1e17, F.lit(3))
    unit = unit.when(size >= 1e17, F.lit(4))
    if kind == "string":
        seconds = F.coalesce(seconds, F.unix_micros(F.expr("TRY_CAST(TRIM(time) AS TIMESTAMP)")) / 1e6)
        unit = unit.when(given.isNotNull(), F.lit(UNITS.index("text")))
    return seconds, unit
