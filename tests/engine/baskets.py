"""An artifact of a shop whose baskets are known: two dishes, each with what goes with it, and a lamp."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from endcap import artifact as artifacts
from endcap.config import check
from endcap.data.dataset import Dataset
from endcap.experiment import run
from tests.worlds import table

DAY = 86_400.0
SETS = {"fish": ("lemon", "rice", "dill", "wine"), "tacos": ("salsa", "beans", "corn", "beer")}
LONE = "lamp"


def items() -> pa.Table:
    """Everything is a category of its own, but wine and beer."""
    names = [*SETS, *(each for those in SETS.values() for each in those), LONE, "haddock"]
    drinks = {"wine": "Drinks", "beer": "Drinks", "haddock": "fish"}
    return pa.table({"item_id": names, "title": names, "category": [drinks.get(each, each) for each in names]})


def bought() -> pa.Table:
    """Two users in three buy one of the sets, what goes with it the oftener the earlier it stands; the rest a lamp."""
    random, rows = np.random.default_rng(0), []
    for user in range(300):
        for visit, part in enumerate(("train", "train", "valid", "test")):
            main = [*SETS, LONE][int(random.integers(3))]
            sides = [each for n, each in enumerate(SETS.get(main, ())) if random.random() < 0.9 - 0.15 * n]
            when = DAY * (1000 + 10 * visit) + user
            rows += [
                {"user_id": f"u{user}", "item_id": item, "kind": "purchase", "time": when, "part": part}
                for item in [main, *sides]
            ]
    return table(rows)


def trained(folder: Path) -> Path:
    """Its artifact."""
    config = check({"data": {"events": "baskets"}, "model": {"name": "popular"}}, "test")
    artifacts.save(run(config, Dataset("baskets", bought(), items(), {}, {}, {})).artifact, folder)
    return folder
