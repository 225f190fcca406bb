"""A shop that is open: a circle of products on which visitors walk, an artifact of its past, a store of its present."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from endcap import artifact as artifacts
from endcap.config import Config, check
from endcap.data import backend as backends
from endcap.data.dataset import Dataset
from endcap.data.prepare import prepare_tables
from endcap.data.schema import validate
from endcap.data.sources import duck
from endcap.describe import Described
from endcap.experiment import run
from endcap.store.records import Event, Visitor
from endcap.store.store import Store
from tests.worlds import table

OPENED = 1_750_000_000.0
DAY = 86_400.0
ITEMS = tuple(f"i{number}" for number in range(12))
TRAINED_UNTIL = OPENED + 20 * DAY


def config(name: str = "gru", **sections: dict) -> Config:
    small = {} if name in ("popular", "transitions", "ease") else {"dim": 16, "dropout": 0.1}
    if name == "gru":
        small["hidden"] = 16
    document = {
        "data": {"events": "shop.csv", "repeats": "allow"},
        "split": {"cuts": (OPENED + 17 * DAY, TRAINED_UNTIL)},
        "train": {"epochs": 6, "patience": 2, "batch_tokens": 128, "learning_rate": 0.01, "warmup": 5},
        "model": {"name": name, **small},
    }
    for section, values in sections.items():
        document[section] = {**document.get(section, {}), **values}
    return check(document, "test")


def walk(first_day: float, last_day: float, seed: int, *, a_day: int = 20, new: bool = False) -> list[Event]:
    """Visits of new users: after product i comes i + 1; where there are `new` ones, i5, new, i6."""
    random = np.random.default_rng(seed)
    ring = [*ITEMS]
    if new:
        ring.insert(6, "new")
    events = []
    for visit in range(round((last_day - first_day) * a_day)):
        start, time = int(random.integers(len(ring))), OPENED + DAY * random.uniform(first_day, last_day - 0.01)
        for step in range(int(random.integers(3, 7))):
            item_id = ring[(start + step) % len(ring)]
            visitor = Visitor(user_id=f"u{seed}-{visit}")
            event_id = f"{seed}-{visit}-{step}"
            events.append(Event(visitor, item_id, "view", time + 60 * step, event_id, price=5.0))
    return events


def dataset(events: list[Event], settings: Config) -> Dataset:
    """The events as `endcap train` would have read them from a file."""
    rows = [
        {"user_id": each.visitor.user_id, "item_id": each.item_id, "kind": each.kind, "time": each.time,
         "price": each.price}
        for each in events
    ]  # fmt: skip
    backend = backends.local()
    assert backend.connection is not None
    raw = duck.frame(backend, duck.store(backend.connection, table(rows).drop_columns("part")))
    validated = validate(backend, raw, now=OPENED + 1000 * DAY)
    prepared = prepare_tables(backend, validated, settings.clean, settings.split)
    return Dataset("shop", prepared.events.toArrow(), None, {}, {"cuts": prepared.cuts})


PAST = walk(0, 21, seed=1)


def trained(folder: Path, settings: Config, described: Described | None = None, *, data: Dataset | None = None) -> Path:
    """The artifact of a model that knows the first twenty days and was tested on the next."""
    made = run(settings, data or dataset(PAST, settings), described).artifact
    artifacts.save(replace(made, files={}), folder)
    return folder


def opened(folder: Path, *events: list[Event]) -> Store:
    store = Store.open(f"sqlite:///{folder / 'shop.db'}")
    for some in events:
        store.record(some, now=OPENED + 100 * DAY)
    return store
