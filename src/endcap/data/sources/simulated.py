"""Visits to a shop that has a catalogue and no log yet, made up: to look at a shop with, never to measure by."""

import numpy as np
import pyarrow as pa

from endcap.data.backend import Backend
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.schema import validate_items
from endcap.data.sources.duck import frame, store
from endcap.data.sources.tables import Items, Tables

NAME = "simulated"
"""What stands for the log's path."""

VISITORS = 600
SESSIONS = 6  # of a visitor on average
DAYS = 90
START = 1_735_689_600.0  # 1 January 2025: the same catalogue has the same visits, whenever they are made
STAY = 0.7  # chance that the next product is of the same category
CHANCES = {"view": 1.0, "cart": 0.25, "purchase": 0.1}
"""Each view may be followed by the others."""


def read(backend: Backend, items: Items) -> Tables:
    """A log of views, carts and purchases: visitors have favourite categories and a price they like.

    Raises InputError where the catalogue has no item.
    """
    if backend.connection is None:
        raise InputError("visits are simulated on the local backend; expected a log on Spark")
    table = validate_items(backend, items.frame).items.toArrow().sort_by("item_id")  # chance is by place
    ids = table["item_id"].to_pylist()
    if not ids:
        raise InputError("found no item in the catalogue; expected some to simulate visits to")
    events = visits(Catalog.from_table(table, ids), np.random.default_rng(0), START)
    note = (
        f"THE VISITS ARE SIMULATED: {VISITORS:,} made-up visitors of {len(ids):,} products, to look at a shop without "
        "a log; figures on them say nothing about real shoppers"
    )
    return Tables(NAME, frame(backend, store(backend.connection, events)), notes=[note])


def visits(catalog: Catalog, random: np.random.Generator, start: float) -> pa.Table:
    """The raw events table from `start` (seconds) on."""
    n = len(catalog)
    _, category = np.unique([text.split(" > ")[0] for text in catalog.categories[1:]], return_inverse=True)
    prices = catalog.prices[1:]
    price = np.log1p(np.nan_to_num(prices, nan=float(np.nanmedian(prices)) if np.isfinite(prices).any() else 0.0))
    spread = price.std() or 1.0
    liked = random.zipf(1.3, n).clip(max=50).astype(float)  # some products are looked at more than others
    rows: list[tuple[str, str, str, float]] = []
    for visitor in range(VISITORS):
        taste = liked * np.exp(-0.5 * ((price - random.choice(price)) / spread) ** 2)
        for _ in range(1 + random.poisson(SESSIONS - 1)):
            when = start + random.uniform(0, 86400 * (DAYS - 1))
            item = int(random.choice(n, p=taste / taste.sum()))
            for _ in range(1 + random.geometric(0.25)):
                for kind, chance in CHANCES.items():
                    if random.random() >= chance:
                        break
                    rows.append((f"visitor-{visitor + 1}", catalog.item_ids[item], kind, when))
                    when += random.exponential(40.0)
                near = taste * np.where(category == category[item], STAY, 1 - STAY)
                item = int(random.choice(n, p=near / near.sum()))
    users, items, kinds, times = zip(*rows, strict=True)
    return pa.table({"row": range(1, len(rows) + 1), "user_id": users, "item_id": items, "kind": kinds, "time": times})
