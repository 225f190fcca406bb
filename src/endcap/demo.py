"""`endcap demo`: a real shop from the package registry, or a shop of the user's own, in one go."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from endcap import config as configuration
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.dataset import DataConfig, Dataset
from endcap.data.errors import InputError
from endcap.data.places import write
from endcap.data.sources import simulated
from endcap.demo_rules import NO_PRICE, NO_TITLE, RULES, lacking, offer
from endcap.load import load
from endcap.store.store import Store

ABOUT = """[bold]Complete Journey[/bold] (dunnhumby): real grocery purchases of 2,469 households in 2017.
The whole log is read, checked, cleaned and split by time, and counting models count all of its training part. So that
networks are done in minutes on two cores, an epoch looks at a part of the windows, drawn anew each time
(\\[train] share), and counting models choose their parameters on a sample of households (\\[train] choose_events)."""

MODELS = ("popular", "transitions", "gru", "transformer")
"""For a shop of one's own; a hybrid of the defaults would train both networks once more."""
CONFIGS = ("hybrid", "own", *MODELS)
"""For the Complete Journey, the longest first; its hybrid has one small network."""

EVENTS = ("events.*", "transactions.*", "interactions.*")
ITEMS = ("items.*", "products.*", "catalog.*", "catalogue.*")
"""What a folder may call its files; a folder that is a catalogue as a whole needs none."""

DATABASE = "shop.db"
ABOUT_SHOP = "shop.json"
"""Beside the database: of which data it is."""
MOST_EVENTS = 100_000
"""Events that are put into it, in seconds; pages need those of the households alone."""
HOUSEHOLDS = 3
BUSIEST = 100
"""Users with the most events, of whom households are chosen."""
LATELY = 200
"""Events of a user, the latest, by which it is said what is usual for them."""
USUAL = 3
"""Categories that are usual for a user."""
SHOWN_WITH = "completejourney"
"""The format whose shop comes with rules; nothing is hidden unasked in a shop of one's own."""
SCALED = ("hm",)
"""Formats whose prices are given as multiples of a sum that nobody knows."""


def configs() -> list[Config]:
    """Counting models, networks and a hybrid, sized so that all are done in minutes on two cores."""
    folder = Path(str(resources.files("endcap") / "configs"))
    return [configuration.load(folder / f"demo-{name}.toml") for name in CONFIGS]


def shop(place: Path) -> list[Config]:
    """MODELS for a TOML with [data], or a folder with events.*, items.* and images/ or images.zip.

    Without a log, visits are simulated. Raises InputError where there is neither.
    """
    if place.is_dir():
        document = of_folder(place)
    elif place.suffix == ".toml":
        document = configuration.read(place)
        if "data" not in document:
            raise InputError(f"{place} has no [data]; expected events, and perhaps items and images")
    else:
        raise InputError(f"found {place}; expected a folder with events.* and items.*, or a TOML with [data]")
    document["data"].setdefault("events", simulated.NAME)
    document.setdefault("train", {"epochs": 15, "patience": 3})
    model = document.pop("model", {})  # what it says of its own model; the others are as they are
    chosen = {model.get("name"): model}
    return [configuration.check(document | {"model": chosen.get(name, {"name": name})}, str(place)) for name in MODELS]


def of_folder(folder: Path) -> dict[str, Any]:
    """[data] and [features] of what lies in a folder."""
    events, items = _first(folder, EVENTS), _first(folder, ITEMS)
    data: dict[str, Any] = {"items": str(items or folder)}
    if events:
        data["events"] = str(events)
    photos = [path for path in (folder / "images", folder / "images.zip") if path.exists()]
    if photos or list(folder.glob("*.zip")):
        data["images"] = str(photos[0] if photos else folder)
    return {"data": data, "features": {"use": ["tabular", "text", *["photos"] * ("images" in data)]}}


def _first(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
    return found[0] if found else None


@dataclass(frozen=True)
class Stocked:
    """The database of a demonstration's shop."""

    db: str
    households: tuple[str, ...]  # whom its visitors may be
    notes: tuple[str, ...]  # what is in it, for people


def check_place(out: Path, data: DataConfig) -> None:
    """Raises InputError where the database in `out` is that of another shop."""
    about = out / ABOUT_SHOP
    if (out / DATABASE).exists() and about.exists() and about.read_bytes() != _about(data).encode():
        raise InputError(f"{out / DATABASE} is the database of another shop; choose another --out, or delete it")


def _about(data: DataConfig) -> str:
    return json.dumps(asdict(data), indent=2)


def stock(
    out: Path, data: DataConfig, *, most: int = MOST_EVENTS, on_step: Callable[[str], None] = lambda step: None
) -> Stocked:
    """Fills the database in `out`, where a comparison of this data was made; a second time adds nothing.

    A catalogue without any price gets what was `paid`. Of a log of more than `most` events only some users' are taken.
    Raises InputError where the database is that of another shop.
    """
    check_place(out, data)
    write(out / ABOUT_SHOP, _about(data))
    on_step("choosing households")
    dataset = Dataset.load(out / "data")
    chosen = households(dataset)
    users = some_users(dataset.table, chosen, most)
    on_step("finding prices")
    prices = paid(dataset)
    db = f"sqlite:///{(out / DATABASE).resolve()}"
    store = Store.open(db)
    try:
        loaded = load(
            store, data, users=users, prices=prices, on_step=on_step,
            on_progress=lambda done, total: on_step(f"writing the events: {done:,} of {total:,} read"),
        )  # fmt: skip
        listed = _listed(dataset, prices)
        offered = offer(store, RULES, listed, now=time.time()) if dataset.facts["format"] == SHOWN_WITH else []
    finally:
        store.close()
    notes = [f"{out / DATABASE}: {loaded.events:,} events ({loaded.new:,} of them new) and {loaded.items:,} products"]
    if users is not None:
        every = pc.count_distinct(dataset.table["user_id"]).as_py()
        notes.append(
            f"the model has learned from the whole log; in the database are {len(users):,} of {every:,} users, since "
            f"writing all {loaded.rows:,} events takes longer: `endcap load` would add the others"
        )
    if prices:
        notes.append("the catalogue has no prices: pages show the median of what was paid for a product in training")
    if offered:
        notes.append(f"what no shop sells is hidden by rules, in the console under Rules: {', '.join(offered)}")
    elif dataset.facts["format"] != SHOWN_WITH:
        notes += [
            f"{n:,} of {len(listed):,} products have no {what}, and are shown all the same; a rule hides them: "
            f"in the console under Rules, hide {rule}"
            for what, rule in {"price": NO_PRICE, "title": NO_TITLE}.items()
            if (n := lacking(listed, rule))
        ]
    return Stocked(db, chosen, tuple(notes))


def _listed(dataset: Dataset, prices: Mapping[str, float]) -> Catalog:
    """The catalogue as pages have it, with what was paid."""
    ids = [] if dataset.items is None else dataset.items["item_id"].to_pylist()
    table = Catalog.from_table(dataset.items, ids).table
    if not prices:
        return Catalog(table)
    paid = pa.array([prices.get(item_id) for item_id in ids], pa.float64())
    return Catalog(table.set_column(table.column_names.index("price"), "price", paid))


def households(dataset: Dataset, most: int = HOUSEHOLDS) -> tuple[str, ...]:
    """Users with long and unlike histories.

    The one with the most events comes first; then, of the busiest, always the one whose usual categories have the
    fewest in common with those of the users before.
    """
    table = dataset.table
    counted = table.group_by("user_id").aggregate([("item_id", "count")])
    counted = counted.sort_by([("item_id_count", "descending"), ("user_id", "ascending")])
    busiest = counted["user_id"][:BUSIEST]
    latest = table.filter(pc.is_in(table["user_id"], busiest)).sort_by([("time", "descending"), ("row", "descending")])
    usual = _usual_categories(dataset, latest)
    chosen: list[str] = []
    left = busiest.to_pylist()
    while left and len(chosen) < most:
        had = set().union(*(usual[user] for user in chosen))
        chosen.append(min(left, key=lambda user: len(usual[user] & had)))  # the busier one of two alike
        left.remove(chosen[-1])
    return tuple(chosen)


def _usual_categories(dataset: Dataset, latest: pa.Table) -> dict[str, set[str]]:
    """For each user of some events, latest first, the categories that they came to the most often of late."""
    ids = latest["item_id"].unique().to_pylist()
    categories = dict(zip(ids, Catalog.from_table(dataset.items, ids).categories[1:], strict=True))
    came: dict[str, list[str]] = defaultdict(list)
    for user, item in zip(latest["user_id"].to_pylist(), latest["item_id"].to_pylist(), strict=True):
        if len(came[user]) < LATELY:
            came[user].append(categories[item])
    return {
        user: {name for name, _ in Counter(filter(None, some)).most_common(USUAL)} for user, some in came.items()
    }  # fmt: skip


def some_users(events: pa.Table, first: Sequence[str], most: int) -> list[str] | None:
    """`first` and others by chance, who together have about `most` events; None where all have no more than that."""
    if len(events) <= most:
        return None
    counts = {row["values"]: row["counts"] for row in pc.value_counts(events["user_id"]).to_pylist()}
    others = sorted(counts.keys() - set(first))
    np.random.default_rng(0).shuffle(others)
    chosen: list[str] = []
    n = 0
    for user in (*first, *others):
        n += counts[user]
        if n > most and len(chosen) >= len(first):
            break
        chosen.append(user)
    return chosen


def paid(dataset: Dataset) -> dict[str, float]:
    """item_id -> the median price of its purchases in the training part, to the cent; none of less than half a cent.

    It is for pages of a shop whose catalogue has no price at all; models are trained without it.
    """
    listed = [] if dataset.items is None else dataset.items["item_id"].to_pylist()
    has_prices = np.isfinite(Catalog.from_table(dataset.items, listed).prices).any()
    if has_prices or not listed or dataset.facts["format"] in SCALED:
        return {}
    bought = dataset.table.filter((pc.field("part") == "train") & (pc.field("kind") == "purchase"))
    priced = bought.filter(pc.field("price") > 0).group_by("item_id").aggregate([("price", "list")])
    medians = zip(priced["item_id"].to_pylist(), map(median, priced["price_list"].to_pylist()), strict=True)
    return {item_id: price for item_id, middle in medians if (price := round(middle, 2)) > 0}
