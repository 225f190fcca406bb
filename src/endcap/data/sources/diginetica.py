"""Diginetica (CIKM Cup 2016) click sessions in the standard split: a folder of session lines and test questions.

Sessions have no users and no times; they are numbered, and a test prefix is a session of its own.
"""

from endcap.data.backend import Backend
from endcap.data.sources.duck import count, frame, local, readable, scan_lines, table
from endcap.data.sources.nested import refuse_mapping
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Mapped, Tables

TRAIN, TEST = "train_sessions.txt.gz", "test_prefix_target.tsv.gz"


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """Clicks are views: a training session is `train`; of a question the prefix is `history` and the target `test`."""
    refuse_mapping(given, source, "diginetica")
    connection = local(backend, source, "diginetica")
    with readable(source, "diginetica"):
        train = scan_lines(connection, [source.names[TRAIN]])
        test = scan_lines(connection, [source.names[TEST]])
        events = table(
            connection,
            f"""
            SELECT row_number() OVER () AS row, user_id, item_id, 'view' AS kind, part FROM (
                SELECT 'train-' || row AS user_id, unnest({_words("line")}) AS item_id, 'train' AS part
                FROM {train.name} WHERE trim(line) <> ''
                UNION ALL
                SELECT 'test-' || row, unnest(items), unnest(list_concat(repeat(['history'], len(items) - 1), ['test']))
                FROM (SELECT row, list_concat({_words("line.split(chr(9))[1]")}, [line.split(chr(9))[2]]) AS items
                      FROM {test.name} WHERE contains(line, chr(9)))
            )""",
        )
        problems = table(
            connection,
            f"""
            SELECT row, '{TEST}' AS "column", line AS value, 'expected prefix<TAB>target' AS problem
            FROM {test.name} WHERE NOT contains(line, chr(9))""",
        )
    note = f"read {train.records:,} training sessions and {test.records:,} test questions; there are no times"
    broken = frame(backend, problems) if count(connection, problems) else None
    columns = {"user_id": "number of the session", "item_id": "items of a line", "part": "file; the target is test"}
    return Tables("diginetica", frame(backend, events), None, columns, broken, [note])


def _words(text: str) -> str:
    return f"regexp_split_to_array(trim({text}), '[ ]+')"


def _recognises(source: Source) -> bool:
    return source.path.is_dir() and {TRAIN, TEST} <= source.names.keys()


FORMAT: Format[Tables] = Format("diginetica", f"a folder with {TRAIN} and {TEST}", _recognises, read)
