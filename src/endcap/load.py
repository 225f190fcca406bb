"""A log and a catalogue into the store, read and checked exactly as for training; a second run adds nothing."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from endcap.data import backend as backends
from endcap.data.aliases import resolve
from endcap.data.backend import Backend, DataFrame
from endcap.data.catalog import NUMBERS, Catalog
from endcap.data.check import ProblemSort, all_problems
from endcap.data.dataset import DataConfig
from endcap.data.errors import InputError
from endcap.data.logs import read_logs
from endcap.data.schema import Validated, validate, validate_items
from endcap.features.cells import texts
from endcap.store.checks import identifier
from endcap.store.database import parts
from endcap.store.records import Event, Visitor
from endcap.store.store import Store

CHUNK = 10_000
"""Events of one transaction."""

_ITEMS = 2_000  # of one transaction
_VALUES = ("rating", "price", "quantity")
_CONTENT = ("user_id", "item_id", "kind", "time", *_VALUES)
_DIGITS = 32  # of an event's hash: two of a billion events share them with probability 10⁻²¹
_NO_ID = "not an id that the store can keep (1 to 512 characters, no NUL); row left out"


@dataclass(frozen=True)
class Loaded:
    """What became of the rows that were read."""

    rows: int  # of the log
    events: int  # that can be used
    new: int  # of those, the ones that were not in the store yet
    forgotten: int  # of those, the ones left out: their users asked to be forgotten after they happened
    items: int  # of the catalogue, that can be used
    problems: tuple[ProblemSort, ...]  # why the others cannot, the most frequent first
    notes: tuple[str, ...]  # what was guessed: units of time, kinds


def load(
    store: Store,
    data: DataConfig,
    *,
    users: Collection[str] | None = None,
    prices: Mapping[str, float] | None = None,
    now: float | None = None,
    on_step: Callable[[str], None] = lambda step: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Loaded:
    """Puts `data.events` and `data.items` into the store, some thousand rows at a time, each time all or none.

    An event's id comes from its content, so what an interrupted run has done is not done twice. `users`: only their
    events; `prices`: of products whose row has none. `on_step` hears what is being done, `on_progress` how many
    events of how many. Raises InputError where the log cannot be used.
    """
    now = time.time() if now is None else now
    backend = backends.local()
    on_step("reading")
    log = _read(backend, data, now)
    n_items = 0
    if log.items is not None:
        on_step("writing the catalogue")
        n_items = _put_items(store, log.items.toArrow(), prices or {}, log.refused)
    on_step("writing the events")
    total = log.events.count()
    done = usable = new = forgotten = 0
    wanted = None if users is None else pa.array(users, pa.string())
    for rows in _batches(backend, log.events):
        own = rows if wanted is None else rows.filter(pc.is_in(rows["user_id"], wanted))
        some = _events(own, log.refused)
        added, left_out = store.load(some, now=now)
        done, usable, new, forgotten = done + len(rows), usable + len(some), new + added, forgotten + left_out
        on_progress(done, total)
    return Loaded(
        rows=log.rows,
        events=usable,
        new=new,
        forgotten=forgotten,
        items=n_items,
        problems=tuple(ProblemSort(*sort, n) for sort, n in log.refused.most_common()),
        notes=log.notes,
    )


@dataclass(frozen=True)
class _Log:
    """What was read."""

    events: DataFrame  # canonical, with a time each, and `n`, the number among those of the same content
    items: DataFrame | None
    rows: int
    refused: Counter[tuple[str, str]]  # (column, problem) -> rows
    notes: tuple[str, ...]


def _read(backend: Backend, data: DataConfig, now: float) -> _Log:
    items = Path(data.items) if data.items else None
    tables = read_logs(backend, data.all_logs, items, data.category_separator)
    validated = validate(backend, tables.events, now=now, kinds=data.kinds)
    validated = resolve(backend, validated, tables.aliases)
    catalogue = None if tables.items is None else validate_items(backend, tables.items)
    refused = _sorts(backend, all_problems(backend, validated, catalogue, tables.problems))
    events, untimed = _numbered(backend, validated, data.name)
    if untimed:
        refused["time", "no time; row left out"] += untimed
    return _Log(
        events=events,
        items=None if catalogue is None else catalogue.items,
        rows=validated.rows,
        refused=refused,
        notes=(*tables.notes, *validated.notes),
    )


def _sorts(backend: Backend, problems: DataFrame) -> Counter[tuple[str, str]]:
    """(column, problem) -> rows."""
    counted = problems.groupBy("column", "problem").agg(backend.F.count("*").alias("rows"))
    return Counter({(row["column"], row["problem"]): row["rows"] for row in backend.rows(counted)})


def _numbered(backend: Backend, validated: Validated, path: str) -> tuple[DataFrame, int]:
    """The events with a time, each with `n`, its number among those of the same content; and how many have no time."""
    F = backend.F  # noqa: N806
    same = backend.Window.partitionBy(*_CONTENT).orderBy("row")
    every = backend.materialise(validated.events.withColumn("n", F.row_number().over(same)))
    counts = backend.one(every.agg(F.count("*").alias("all"), F.count("time").alias("timed")))
    if not counts["all"]:
        raise InputError(f"{path}: found no usable event; run `endcap check {path}` to see why")
    if not counts["timed"]:
        raise InputError(
            f"{path}: found no times; the store needs one per event, name its column with --map time=COLUMN"
        )
    return every.filter(F.col("time").isNotNull()), counts["all"] - counts["timed"]


def _batches(backend: Backend, events: DataFrame) -> Iterator[pa.RecordBatch]:
    """The events in the order of the log, some thousand at a time; a log need not fit into memory."""
    ordered = events.select("row", *_CONTENT, "n").orderBy("row")
    assert backend.connection is not None  # `backends.local` has one
    # A cursor of its own: another query on the same one would end the stream.
    query = ordered.sql(dialect="duckdb", pretty=False, optimize=False)
    yield from backend.connection.cursor().sql(query).to_arrow_reader(CHUNK)


def _events(rows: pa.RecordBatch, refused: Counter[tuple[str, str]]) -> list[Event]:
    """Rows as events; those whose ids the store cannot keep are counted in `refused`."""
    events = []
    for user, item, kind, when, rating, price, quantity, n in zip(
        *[rows[name].to_pylist() for name in (*_CONTENT, "n")], strict=True
    ):
        if not (_can_be("user_id", user, refused) and _can_be("item_id", item, refused)):
            continue
        content = ascii((user, item, kind, when, rating, price, quantity, n))  # one text per content, and a quick one
        event_id = f"load-{hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]}"
        events.append(Event(Visitor(user_id=user), item, kind, when, event_id, rating, price, quantity))
    return events


def _put_items(store: Store, items: pa.Table, prices: Mapping[str, float], refused: Counter[tuple[str, str]]) -> int:
    """Merges a catalogue into the store's, empty cells too, but no column that is empty throughout."""
    usable = [each for each in items["item_id"].to_pylist() if _can_be("items.item_id", each, refused)]
    catalog = Catalog.from_table(items, usable)
    columns: dict[str, Sequence[str | float | None]] = {}
    for name in catalog.table.column_names:
        exact = name in NUMBERS or name == "item_id"
        cells = catalog.table[name].to_pylist() if exact else [text or None for text in texts(catalog, name)]
        if name == "price":
            cells = [prices.get(item_id) if cell is None else cell for item_id, cell in zip(usable, cells, strict=True)]
        if any(cell is not None for cell in cells):
            columns[name] = cells
    rows = (dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))
    for some in parts(rows, _ITEMS):
        store.put_items(some)
    return len(usable)


def _can_be(column: str, value: str, refused: Counter[tuple[str, str]]) -> bool:
    try:
        identifier(column, value)
    except InputError:
        refused[column, _NO_ID] += 1
        return False
    return True
