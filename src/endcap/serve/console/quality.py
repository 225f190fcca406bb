"""What is wrong with the data: events as `endcap check` sees them, products that nobody knows, the catalogue's gaps."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter
from starlette.responses import Response

from endcap.data import backend as backends
from endcap.data.check import Summary, summarise
from endcap.data.schema import validate
from endcap.data.sources import duck
from endcap.engine.columns import Mask
from endcap.engine.shelf import Shelf
from endcap.serve.console.page import Reading
from endcap.serve.console.plots import Sheet
from endcap.serve.console.render import moment
from endcap.serve.console.texts import Words
from endcap.store import figures
from endcap.store.store import Store

router = APIRouter()

EVENTS = 50_000
"""Of the newest events that are looked at."""

EXAMPLES = 8
"""Products that are named of each sort."""


@dataclass(frozen=True)
class Unknown:
    """An id in events that no product has."""

    item_id: str
    events: int
    last: float


@dataclass(frozen=True)
class Gap:
    """Products of which something is not known."""

    column: str
    items: int
    share: float
    examples: tuple[tuple[str, str], ...]  # id and title


@dataclass(frozen=True)
class Quality:
    """Of the newest events, and of the catalogue as it is."""

    summary: Summary | None  # None: there are no events
    unknown: tuple[Unknown, ...]
    n_unknown: int
    unknown_share: float  # of events
    items: int
    gaps: tuple[Gap, ...]
    oldest: float | None


@router.get("/console/quality")
def show(page: Reading) -> Response:
    """Looks at most once a minute."""
    desk = page.desk
    live = desk.engine.live
    key = ("quality", live.name, desk.store.revisions().items)
    found = page.figure(key, partial(look, desk.store, live.shelf))
    if found is None:
        return page("waiting.html", active="quality", title=page.words("quality.title"))
    return page("quality.html", active="quality", files=_sheets(page.words, found), found=found, events=EVENTS)


def _sheets(words: Words, found: Quality) -> list[Sheet]:
    column, problem, value = words("quality.column"), words("quality.problem"), words("quality.value")
    summary = found.summary
    sorts = [] if summary is None else [(each.column, each.problem, each.rows) for each in summary.problem_sorts]
    columns = ("column", "value", "problem")
    first = [] if summary is None else [tuple(each[name] for name in columns) for each in summary.problems]
    unknown = [(each.item_id, each.events, moment(each.last)) for each in found.unknown]
    return [
        Sheet("problems", (column, problem, words("quality.rows")), sorts),
        Sheet("first", (column, value, problem), first),
        Sheet("unknown", (words("quality.id"), words("overview.events"), words("quality.last")), unknown),
    ]


def look(store: Store, shelf: Shelf) -> Quality:
    """Reads the newest events and the whole catalogue."""
    table = figures.newest_events(store, EVENTS)
    unknown = _unknown(table, shelf)
    return Quality(
        summary=_checked(table) if len(table) else None,
        unknown=tuple(unknown[:20]),
        n_unknown=len(unknown),
        unknown_share=sum(each.events for each in unknown) / max(1, len(table)),
        items=int(shelf.there.sum()),
        gaps=tuple(gaps(shelf, figures.with_photo(store))),
        oldest=pc.min(table["time"]).as_py(),
    )


def _checked(table: pa.Table) -> Summary:
    """In a database of its own, which goes with it."""
    backend = backends.local(memory="512MB", threads=1)
    assert backend.connection is not None
    try:
        frame = duck.frame(backend, duck.store(backend.connection, table))
        validated = validate(backend, frame, now=time.time())
        return summarise(backend, replace(validated, notes=()))  # how times are read is no question here
    finally:
        backend.connection.close()


def _unknown(table: pa.Table, shelf: Shelf) -> list[Unknown]:
    """The most frequent first."""
    ids, times = table["item_id"].to_pylist(), table["time"].to_pylist()
    strange = {item_id for item_id in set(ids) if not shelf.find(item_id)}
    counts: Counter[str] = Counter()
    last: dict[str, float] = {}
    for item_id, at in zip(ids, times, strict=True):
        if item_id in strange:
            counts[item_id] += 1
            last[item_id] = max(at, last.get(item_id, at))
    return [Unknown(item_id, n, last[item_id]) for item_id, n in counts.most_common()]


def gaps(shelf: Shelf, photographed: set[str]) -> list[Gap]:
    """Columns that shoppers see, by the number of products that lack them."""
    catalog, there = shelf.whole, shelf.there
    photo = np.array([False, *(item_id in photographed for item_id in shelf.ids)])
    lacking: Mapping[str, Mask] = {
        "price": np.isnan(catalog.prices),
        "photo": _empty(catalog.images) & ~photo,
        "title": _empty(catalog.texts("title")),
        "category": _empty(catalog.categories),
        "brand": _empty(catalog.brands),
        "description": _empty(catalog.descriptions),
    }
    found = []
    for column, mask in lacking.items():
        items = np.flatnonzero(mask & there)
        examples = tuple((shelf.ids[item - 1], catalog.titles[item]) for item in items[:EXAMPLES].tolist())
        found.append(Gap(column, len(items), len(items) / max(1, int(there.sum())), examples))
    return found


def _empty(texts: tuple[str, ...]) -> Mask:
    return np.array([not text.strip() for text in texts])
