"""RetailRocket, several behaviours: a folder of user,item,value files, one per behaviour, value being unix seconds."""

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.duck import frame, local, readable, scan_delimited, view
from endcap.data.sources.nested import refuse_mapping
from endcap.data.sources.source import Source, fields, head
from endcap.data.sources.tables import Format, Mapped, Tables

# In the order in which one visit does them: it breaks ties of time.
TRAIN = {"train_mat_view.csv.gz": "view", "train_mat_cart.csv.gz": "cart", "train_mat_buy.csv.gz": "purchase"}
TEST = "test_mat.csv.gz"
COLUMNS = ["user", "item", "value"]


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """The three behaviours are `train`; `test` is the held-out purchase of each user, which has no time."""
    refuse_mapping(given, source, "retailrocket")
    connection = local(backend, source, "retailrocket")
    selects, problems, notes = [], [], []
    for file, kind in [*TRAIN.items(), (TEST, "purchase")]:
        if fields(head(source.names[file]), ",") != COLUMNS:
            raise InputError(f"{source.names[file]}: expected the header {','.join(COLUMNS)}")
        with readable(source, "retailrocket"):
            scan = scan_delimited(connection, [source.names[file]], COLUMNS, COLUMNS, delimiter=",")
        part, time = ("test", "NULL") if file == TEST else ("train", "value")
        selects.append(
            f"SELECT \"user\" AS user_id, item AS item_id, '{kind}' AS kind, {time} AS time, '{part}' AS part "
            f"FROM {scan.name}"
        )
        notes.append(f"read {scan.records:,} rows ({kind}, {part}) from {file}")
        problems += (
            [f"SELECT row, '{file}' AS \"column\", value, problem FROM {scan.problems}"] if scan.problems else []
        )
    events = view(connection, f"SELECT row_number() OVER () AS row, * FROM ({' UNION ALL '.join(selects)})")
    broken = frame(backend, view(connection, " UNION ALL ".join(problems))) if problems else None
    columns = {
        "user_id": "user",
        "item_id": "item",
        "kind": "the file's name",
        "time": "value",
        "part": "the file's name",
    }
    return Tables("retailrocket", frame(backend, events), None, columns, broken, notes)


def _recognises(source: Source) -> bool:
    return source.path.is_dir() and {*TRAIN, TEST} <= source.names.keys()


FORMAT: Format[Tables] = Format("retailrocket", f"a folder with {', '.join(TRAIN)} and {TEST}", _recognises, read)
