"""Sequences: a user a line, then the items in time order, `user item item …`; there are no times."""

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.duck import count, frame, local, readable, scan_lines, table, view
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Mapped, Tables


def _is_text(source: Source) -> bool:
    return not (source.is_parquet or source.is_json or source.path.is_dir()) and bool(source.head.strip())


def _recognises(source: Source) -> bool:
    """Whether the first lines could be sequences: several words each, no word of prose, no user twice."""
    if not _is_text(source):
        return False
    words = [line.split() for line in source.head.split("\n")[:1000] if line.strip()]
    prose = any(word[-1] in ".,:;!?" for line in words for word in line)
    return not prose and len({line[0] for line in words}) == len(words) and any(len(line) > 1 for line in words)


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """The row of an event is its number in the whole file, because it alone tells the order."""
    if given:
        raise InputError(f"{source.path}: sequences have no columns to --map; leave it out")
    connection = local(backend, source, "sequences")
    with readable(source, "sequences"):
        lines = scan_lines(connection, source.files)
        words = view(
            connection,
            f"SELECT row, line, regexp_split_to_array(trim(line, ' \t\r'), '[ \t]+') AS words FROM {lines.name}"
            " WHERE trim(line, ' \t\r') <> ''",
        )
        alone = f"""
            SELECT row, 'line' AS "column", line[:200] AS value, 'a user without items' AS problem
            FROM {words} WHERE len(words) < 2"""
        if lines.problems:
            alone += f' UNION ALL SELECT row, "column", value, problem FROM {lines.problems}'
        problems = table(connection, alone)
        events = table(
            connection,
            "SELECT row_number() OVER () AS row, user_id, item_id FROM "
            f"(SELECT words[1] AS user_id, unnest(words[2:]) AS item_id FROM {words} WHERE len(words) > 1)",
        )
        users, found = count(connection, words), count(connection, events)
    if not found:
        raise InputError(f"{source.path} has no sequences; expected `user item item …` on each line")
    broken = count(connection, problems)
    note = f"read {found:,} events from {users:,} lines of {source.files[0].name}; there are no times, only an order"
    columns = {"user_id": "first word of a line", "item_id": "the other words"}
    return Tables(
        "sequences", frame(backend, events), None, columns, frame(backend, problems) if broken else None, [note]
    )


FORMAT: Format[Tables] = Format("sequences", "lines of `user item item …`", _recognises, read, accepts=_is_text)
