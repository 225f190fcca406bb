"""Times as shops write them, brought into one form: what a column itself decides is read, everything else is asked.

Text that is no ISO time is looked at: a form counts where it reads what the column has. `01/05/2024` can have its day
or its month first; a value with a number over 12 in one of the two places decides it for the column.
"""

from dataclasses import dataclass

import duckdb

from endcap.data.errors import InputError
from endcap.data.sources.duck import literal

SAMPLE = 10_000
"""Rows that are looked at before a whole column is."""

DATES = {
    "year-first": ("%Y-%m-%d",),
    "day-first": ("%d-%m-%Y",),
    "month-first": ("%m-%d-%Y",),
    "day-first, two digits": ("%d-%m-%y",),
    "month-first, two digits": ("%m-%d-%y",),
    "named month": ("%d-%b-%Y", "%d-%B-%Y", "%Y-%b-%d"),
    "YYYYMMDD": ("%Y%m%d",),
}
"""Forms of a date once its parts are joined by `-`."""
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I %p")
_COMPACT = ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%d %H:%M", "%Y%m%d %H:%M:%S", "%Y%m%d %H%M", "%Y%m%d %H%M%S")
_ZONE = r" [+-]\d{2}(\d{2})?$"
_EXCEL = 25_569  # the day number of 1970-01-01 in spreadsheets
_COMPACT_LOOKS = r"^(19[7-9]|20\d)\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([ T]?([01]\d|2[0-3]):?[0-5]\d(:?[0-5]\d)?)?$"

# pattern -> what it becomes: each text is brought nearer to `date clock zone`
_STEPS = (
    (r"\s+", " "),
    (r"^ | $", ""),
    (r" ?\([^)]*\)$", ""),  # (Central European Summer Time)
    (r"(?i) ?(uhr|hrs)\.?$", ""),
    (r"^(?i:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so)[a-z]*\.?,? ", ""),
    (r"^(\p{L}{3,9})\.?[ -](\d{1,2})(?:st|nd|rd|th)?,? (\d{4})", r"\2-\1-\3"),
    (r"^(\p{L}{3,9})\.? (\d{1,2}) (\d{1,2}:\d{2}:\d{2}) (?:[A-Z]{3,4} )?(\d{4})$", r"\2-\1-\4 \3"),  # date(1)
    (
        r"^(\d{1,4})(?:st|nd|rd|th|\.)?(?: de )?[./ 年-]*(\d{1,2}|\p{L}{3,9})(?: de )?[., /月-]+(\d{1,4})日?",
        r"\1-\2-\3",
    ),
    (r"^(\d{1,2}-\p{L}+)-(\d{2})\b", r"\1-20\2"),
    (r"^([0-9]+-(?:\d+|\p{L}+)-\d+)(?:T|[:,]? ?)(\d{1,2})[:.h](\d{2})", r"\1 \2:\3"),
    (r"^(\S+ \d{1,2}:\d{2})\.(\d{2})\b", r"\1:\2"),
    (r"(:\d{2}),(\d+)", r"\1.\2"),
    (r"(\.\d{6})\d+", r"\1"),
    (r" ?([AaPp])\.? ?[Mm]\.?", r" \1M"),
    (r" ?(?:Z|UTC|GMT)$", " +0000"),
    (r"(:\d{2}(?:\.\d+)?(?: [AP]M)?) ?(?:UTC|GMT)?([+-]\d{2}):?(\d{2})?$", r"\1 \2\3"),
)
_MONTHS = {
    "Jan": "janv?(ier|uar)?|ene(ro)?", "Feb": "f[eé]vr?(ier)?|febr?(uar|ero)?", "Mar": "m[aä]rz?|mars|marzo",
    "Apr": "avr(il)?|abr(il)?|april?", "May": "mai|mayo", "Jun": "juin|juni(o)?", "Jul": "juil(let)?|juli(o)?",
    "Aug": "ao[uû]t|ago(sto)?|august", "Sep": "sept(embre|iembre|ember)?", "Oct": "okt(ober)?|octubre|octobre",
    "Nov": "novembre|noviembre", "Dec": "dez(ember)?|d[eé]c(embre)?|dic(iembre)?",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """How a column of times is read: SQL that gives ISO text, and a line that says so."""

    sql: str
    note: str


def reading(
    connection: duckdb.DuckDBPyConnection, relation: str, kind: str, *, given: str | None, zone: str | None
) -> Reading | None:
    """How the column `time` (of SQL type `kind`) of a relation is read; None where it is read as it is.

    `given` is the form that the user names, `zone` the time zone of times without one.
    Raises InputError where two forms fit, and where the given one reads nothing.
    """
    text = "time::VARCHAR" if kind != "VARCHAR" else "time"
    if given:
        return _given(connection, relation, text, given, zone)
    could_be = kind in ("VARCHAR", "BIGINT", "INTEGER", "DOUBLE")
    if could_be and (found := _guess(connection, relation, text, zone)):
        return found
    if zone and kind in ("VARCHAR", "TIMESTAMP", "DATE"):
        return Reading(_plain(text, zone), f"time: in {zone} where no zone is named")
    return None


_NAMES_ZONE = r"(Z|UTC|GMT|:\d{2}(\.\d+)?\s*[+-]\d{2}(:?\d{2})?|\d [A-Z][A-Za-z]+/[A-Z][A-Za-z_]+)$"


def _given(connection: duckdb.DuckDBPyConnection, relation: str, text: str, given: str, zone: str | None) -> Reading:
    if given == "excel":
        days = f"TRY_CAST(replace({text}, ',', '.') AS DOUBLE)"
        made = f"make_timestamp((({days} - {_EXCEL}) * 86400000000)::BIGINT)"
        sql = _local(f"CASE WHEN {days} BETWEEN 1 AND 2900000 THEN {made} END", zone)
    elif "%" in given:
        moment = f"try_strptime(trim({text}), {literal(given)})"
        sql = _utc(moment) if "%z" in given.lower() else _local(moment, zone)
    else:
        forms = [name for name in DATES if name.split(",")[0] == given]
        if not forms:
            raise InputError(
                f"found --time-format {given!r}; expected day-first, month-first, year-first, excel,"
                " or a form such as '%d.%m.%Y %H:%M'"
            )
        sql = f"coalesce({', '.join(_form(text, name, zone) for name in forms)})"
    try:
        first, read = connection.execute(
            f"SELECT any_value({text}), count({sql}) FROM (FROM {relation} LIMIT {SAMPLE})"
        ).fetchall()[0]
    except duckdb.Error as error:
        raise InputError(f"found --time-format {given!r}: {str(error).splitlines()[0]}") from None
    if not read and first is not None:
        raise InputError(f"--time-format {given} reads no time of the log, such as {first!r}; expected another form")
    return Reading(f"coalesce({sql}, {text})", f"time: read as {given}" + f", in {zone}" * bool(zone))


def _guess(connection: duckdb.DuckDBPyConnection, relation: str, text: str, zone: str | None) -> Reading | None:
    """The one form that reads what is no ISO time and no number of seconds."""
    usual = f"TRY_CAST({text} AS DOUBLE) IS NOT NULL OR TRY_CAST(trim({text}) AS TIMESTAMPTZ) IS NOT NULL"
    compact = f"regexp_matches(trim({text}), {literal(_COMPACT_LOOKS)})"
    strange = f"trim({text}) <> '' AND (NOT ({usual}) OR {compact})"
    sample = f"(SELECT time FROM {relation} LIMIT {SAMPLE})"
    if not connection.execute(f"SELECT count(*) FROM {sample} WHERE {strange}").fetchall()[0][0]:
        return None  # before the forms are written out, which are long
    forms = {name: _form(text, name, zone) for name in DATES if "two digits" not in name}
    if not _counts(connection, sample, strange, forms)[1]:
        return None
    example, counts, only = _counts(connection, relation, strange, forms)
    best = max(counts.values())
    form = next(name for name, n in counts.items() if n == best)
    numeric = form in ("day-first", "month-first")
    if numeric and (min(only) > 0 or not max(only)):
        split = f"{only[0]:,} rows fit only the first and {only[1]:,} only the second"
        raise InputError(
            f"the times such as {example!r} can have their day or their month first, and"
            f" {split if max(only) else 'every value fits both'};"
            " say it with --time-format day-first or --time-format month-first"
        )
    why = f", since {max(only):,} rows have a number over 12 there" if numeric else ""
    how = f"with the {form.replace('-', ' ')}" if form.endswith("first") else f"as {form}"
    note = f"time: {example!r} and the like are read {how}{why}; --time-format says otherwise"
    return Reading(f"CASE WHEN {strange} THEN coalesce({forms[form]}, {text}) ELSE {_plain(text, zone)} END", note)


def _counts(
    connection: duckdb.DuckDBPyConnection, relation: str, strange: str, forms: dict[str, str]
) -> tuple[str, dict[str, int], tuple[int, int]]:
    """A strange text, the rows that each form reads, and those that only day-first and only month-first do."""
    reads = ", ".join(f"{sql} IS NOT NULL AS form_{n}" for n, sql in enumerate(forms.values()))
    day, month = (f"form_{[*forms].index(name)}" for name in ("day-first", "month-first"))
    sums = ", ".join(f"count(*) FILTER (form_{n})" for n in range(len(forms)))
    any_form = " OR ".join(f"form_{n}" for n in range(len(forms)))
    row = connection.execute(
        f"SELECT first(time::VARCHAR) FILTER ({any_form}), {sums},"
        f" count(*) FILTER ({day} AND NOT {month}), count(*) FILTER ({month} AND NOT {day})"
        f" FROM (SELECT time, {reads} FROM {relation} WHERE {strange})"
    ).fetchall()[0]
    example, *counts, only_day, only_month = row
    return example, {name: n for name, n in zip(forms, counts, strict=True) if n}, (only_day, only_month)


def _form(text: str, name: str, zone: str | None) -> str:
    """SQL: the text read in a form, as ISO text in UTC."""
    if name == "YYYYMMDD":
        looks = f"regexp_matches(trim({text}), {literal(_COMPACT_LOOKS)})"
        formats = ", ".join(map(literal, _COMPACT))
        return _local(f"CASE WHEN {looks} THEN try_strptime(replace(trim({text}), 'T', ' '), [{formats}]) END", zone)
    parts = f"regexp_replace({text}, {literal(_STEPS[0][0])}, ' ', 'g')"
    for pattern, becomes in _STEPS[1:]:
        parts = f"regexp_replace({parts}, {literal(pattern)}, {literal(becomes)})"
    if name == "named month":
        for month, words in _MONTHS.items():
            parts = f"regexp_replace({parts}, {literal(f'-(?i:{words})[.]?-')}, '-{month}-')"
    naive = ", ".join(literal(date + clock) for date in DATES[name] for clock in _CLOCKS)
    zoned = ", ".join(literal(date + clock + " %z") for date in DATES[name] for clock in _CLOCKS[1:])
    with_zone = f"regexp_matches({parts}, {literal(_ZONE)})"
    clear = rf"regexp_matches({parts}, '^\d{{4}}-|-\d{{4}}( |$)')" if "two digits" not in name else "true"
    local = _at(f"try_strptime({parts}, [{naive}])", zone)
    zoned_time = f"try_strptime({parts}, [{zoned}])"
    moment = f"CASE WHEN NOT {clear} THEN NULL WHEN {with_zone} THEN {zoned_time} ELSE {local} END"
    return _utc(moment)


def _plain(text: str, zone: str | None) -> str:
    if zone is None:
        return text
    local = f"TRY_CAST({text} AS DOUBLE) IS NULL AND NOT regexp_matches(trim({text}), {literal(_NAMES_ZONE)})"
    return f"CASE WHEN {local} THEN coalesce({_local(f'TRY_CAST({text} AS TIMESTAMP)', zone)}, {text}) ELSE {text} END"


def _at(moment: str, zone: str | None) -> str:
    return f"timezone({literal(zone or 'UTC')}, {moment})"


def _local(moment: str, zone: str | None) -> str:
    return _utc(_at(moment, zone))


def _utc(moment: str) -> str:
    """ISO text of a moment; the session's zone is UTC."""
    return f"strftime(({moment})::TIMESTAMPTZ, '%Y-%m-%d %H:%M:%S.%f+00')"
