"""Odd rows of the catalogue, looked for beside requests, kept in the store, and what a merchandiser makes of them.

`odd_rows` gives what is still to be judged. `set_right` keeps that a row is as it should be; a correction is
`engine.put_items`, hiding is a rule (`hide`).
"""

import logging
import os
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.rules import Hide
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.features.oddities import Oddity, oddest, price_text
from endcap.store.errors import Unavailable
from endcap.store.records import OddRow

log = logging.getLogger(__name__)

LARGEST = 150_000
"""Products up to which they are looked for beside requests; of more, `endcap look` does it."""
MOST = 50
"""Rows that are kept."""
PAUSE = 3_600.0
"""Seconds between two looks: a catalogue whose prices change all day is not looked through all day."""
_LONGEST = 500  # characters of a value
_NICE = 15  # of the thread on Linux, where each has its own

State = Literal["no_features", "too_large", "waiting", "ready"]


@dataclass(frozen=True)
class OddRows:
    """What is still to be judged, the surest first, or why there is nothing."""

    state: State
    rows: tuple[OddRow, ...] = ()
    at: float | None = None  # seconds since 1970, when the look began


def odd_rows(engine: Engine) -> OddRows:
    """The rows that nobody has called right, corrected, or taken out of the shop since they were found."""
    store, version = engine.store, engine.live
    if version.artifact.described is None:
        return OddRows("no_features")
    if len(version.shelf) > LARGEST:
        return OddRows("too_large")
    if store is None or not (state := store.odd_state()):
        return OddRows("waiting")
    rows = tuple(row for row in store.odd_rows() if row.right_by is None and _stands(version.shelf, row))
    return OddRows("ready" if state["done"] or rows else "waiting", rows, state["at"])


def set_right(engine: Engine, item_id: str, column: str, value: str, *, by: str) -> None:
    """Keeps that a row is as it should be, also when it is found again; raises InputError where there is no such."""
    if engine.store is None or not engine.store.set_right(item_id, column, value, by=by, now=time.time()):
        raise InputError(f"found no odd row of item {item_id!r} with {column} {value!r}; it may have changed since")


def hide(row: OddRow) -> Hide:
    """The rule that hides its product."""
    escaped = row.item_id.replace("\\", "\\\\").replace('"', '\\"')
    return Hide(filter=f'item_id:"{escaped}"', note=row.why[:1000])


def look_through(engine: Engine, *, now: float | None = None, pause: float = PAUSE) -> bool:
    """Looks for odd rows where the catalogue is another one since the last look; whether it did.

    One process of all that share a store does it. Minutes for 100,000 products.
    """
    store, version = engine.store, engine.live
    if store is None or version.artifact.described is None or len(version.shelf) > LARGEST:
        return False
    now = time.time() if now is None else now
    of = f"{version.encoders} {store.revisions().items}"
    if not store.claim_odd(of, now=now, pause=pause):
        return False
    store.put_odd(of, [_row(each) for each in find(version)], now=now)
    return True


def find(version: Version, k: int = MOST) -> list[Oddity]:
    """The surest first, of the products in the shop; photos are not at hand."""
    assert version.artifact.described is not None
    encoders, shelf = version.artifact.described.encoders, version.shelf
    catalog = Catalog(shelf.whole.table.filter(shelf.there[1:]))
    seen = replace(encoders, photos=None)
    return oddest(catalog, seen.blocks(catalog, None), seen.autoencoder, k=k)


def watch(engine: Engine, ended: threading.Event, *, start: float = 20.0, every: float = 60.0) -> threading.Thread:
    """Starts a thread that looks again and again, at the lowest priority that the system gives, until `ended`."""

    def run() -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        wait = start
        while not ended.wait(wait):
            wait = every
            try:
                look_through(engine)
            except Unavailable:
                log.warning("the database is away: odd rows are not looked for")
            except Exception:
                log.exception("odd rows could not be looked for")
                return

    thread = threading.Thread(target=run, name="endcap-odd", daemon=True)
    thread.start()
    return thread


def _row(oddity: Oddity) -> OddRow:
    return OddRow(
        oddity.item_id, oddity.column, oddity.found[:_LONGEST], oddity.title, oddity.expected, oddity.reason,
        oddity.score,
    )  # fmt: skip


def _stands(shelf: Shelf, row: OddRow) -> bool:
    """Whether the product is in the shop and its column as it was found."""
    item = shelf.find(row.item_id)
    if not item or not shelf.there[item]:
        return False
    known = shelf.row(row.item_id)
    match row.column:
        case "price":
            price = known.get("price")
            return price is not None and price_text(float(price)) == row.value
        case "category":
            return str(known.get("category") or "")[:_LONGEST] == row.value
        case "title":
            empty = not any(known.get(name) for name in ("title", "category", "brand", "description"))
            return empty and np.isnan(known.get("price") or np.nan)
    return True
