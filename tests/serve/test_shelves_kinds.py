"""Of what kind the products of shelves are: like the one beside them, and new ones of what was looked at."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from endcap import artifact as artifacts
from endcap.config import check
from endcap.data.dataset import Dataset
from endcap.describe import describe
from endcap.engine.engine import Engine
from endcap.experiment import run
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from tests.worlds import table

MIXED = ("beer", "wine", "tea", "coffee")
TREE = {
    "Drinks": ("Beer", "Wine", "Tea", "Coffee"),
    "Kitchen": ("Mugs", "Glasses", "Pots", "Knives"),
    "Sports": ("Balls", "Shoes", "Tents", "Bikes"),
}
SIZE = 40
"""Products of a category."""
STAPLES = 12
"""Products that have nearly all of the sales, three in each of the first categories."""
K = 12


def catalogue() -> pa.Table:
    """Every category has words of its own, but drinks and what one drinks from share theirs: `beer mug`, `beer`."""
    rows = []
    for department, names in TREE.items():
        for name in names:
            for n in range(SIZE):
                shared = MIXED[n % 4] if department != "Sports" else "sturdy"
                title = f"{shared} {name.lower()} {'abcdefghijklmnopqrst'[n % 20] * 3}"
                rows.append((f"{name}-{n}", title, f"{department} > {name}", 5.0 + n))
    return pa.table([list(each) for each in zip(*rows, strict=True)], ["item_id", "title", "category", "price"])


def log() -> pa.Table:
    """Of a hundred purchases 98 are of a few products."""
    random, ids = np.random.default_rng(0), catalogue()["item_id"].to_pylist()
    staples = [f"{name}-{n}" for name in TREE["Drinks"] for n in range(STAPLES // 4)]
    rows = []
    for user in range(400):
        for step, part in enumerate(("train", "train", "train", "valid", "test")):
            item = str(random.choice(staples if random.random() < 0.98 else ids))
            when = 1e9 + 10 * user + 1000 * step
            rows.append({"user_id": f"u{user}", "item_id": item, "kind": "purchase", "time": when, "part": part})
    return table(rows)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("kinds")
    config = check(
        {
            "data": {"events": "sales"},
            "model": {"name": "popular"},
            "features": {"use": ["tabular", "text"], "autoencoder": {"epochs": 5}, "text": {"dim": 16}},
        },
        "test",
    )
    dataset = Dataset("sales", log(), catalogue(), {}, {}, {})
    artifacts.save(run(config, dataset, describe(config, dataset)).artifact, folder / "shop")
    engine = Engine.open(folder / "shop", f"sqlite:///{folder / 'shop.db'}")
    with TestClient(create_app(engine, ServeConfig(out=folder / "shop")), base_url="http://localhost:8000") as opened:
        yield opened


def kind(item_id: str) -> str:
    return item_id.partition("-")[0]


def test_nine_tenths_of_what_is_similar_are_of_the_category_or_a_sister(client: TestClient) -> None:
    department = {name: names for names in TREE.values() for name in names}
    own, sister = [], []
    for item_id in catalogue()["item_id"].to_pylist():
        body = {"slot": "similar", "item_id": item_id, "k": 8}
        found = client.post("/v1/recommendations", json=body).json()["items"]
        assert len(found) == 8
        own += [kind(each["id"]) == kind(item_id) for each in found]
        sister += [kind(each["id"]) in department[kind(item_id)] for each in found]
    assert np.mean(sister) >= 0.9
    assert np.mean(own) >= 0.75


@pytest.mark.parametrize("name", [name for names in TREE.values() for name in names])
def test_after_three_looks_four_of_twelve_are_new_ones_of_the_category(client: TestClient, name: str) -> None:
    seen = [f"{name}-{n}" for n in (1, 5, 9)]
    for item_id in seen:
        event = {"session_id": name, "item_id": item_id, "kind": "view"}
        assert client.post("/v1/events", json=event).is_success
    body = {"session_id": name, "exclude": seen, "shelves": [{"slot": "new", "k": K}, {"slot": "home", "k": K}]}
    new, _ = client.post("/v1/pages", json=body).json()["shelves"]
    shown = [each["id"] for each in new["items"]]
    assert len(shown) == K
    assert not {*shown} & {*seen}
    assert sum(kind(each) == name for each in shown) >= 4
    assert len({kind(each) for each in shown}) > 1 or name in TREE["Drinks"]  # and not of it alone


def test_without_a_look_what_is_new_is_what_many_like(client: TestClient) -> None:
    found = client.post("/v1/recommendations", json={"slot": "new", "session_id": "nobody", "k": 4}).json()["items"]
    assert {kind(each["id"]) for each in found} <= {*TREE["Drinks"]}
