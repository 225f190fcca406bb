"""The whole path, as a newcomer walks it: check, compare, train, evaluate, recommend."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from endcap import artifact as artifacts
from endcap.config import check
from endcap.data import backend
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.interactions import KIND_INDEX
from endcap.data.mark import SplitConfig
from endcap.data.schema import KINDS
from endcap.data.split import split
from endcap.evaluation import evaluate
from endcap.examples import top_items
from endcap.experiment import run
from endcap.fitting import fit
from endcap.models.popular import PopularConfig
from endcap.training import Task, TrainConfig

DAY = 86_400
N_ITEMS = 15


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with sales.csv and products.csv: who looks at a product looks at the next one a day later."""
    random = np.random.default_rng(0)
    rows = ["visitor,sku,action,created_at,unit_price"]
    for user in range(60):
        start, first = int(random.integers(N_ITEMS)), 1_700_000_000 + 3_600 * user
        for step in range(int(random.integers(4, 10))):
            item = (start + step) % N_ITEMS
            rows.append(f"v{user},{item:03},{('view', 'buy')[step % 2]},{first + step * DAY},{1 + item}")
    (tmp_path / "sales.csv").write_text("\n".join(rows))
    products = [f'{item:03},"Product, number {item}",{"abc"[item % 3]}' for item in range(N_ITEMS)]
    (tmp_path / "products.csv").write_text("\n".join(["sku,name,category", *products]))
    return tmp_path


def test_from_a_log_to_recommendations(shop: Path, endcap: Callable[..., str]) -> None:
    sales, products = shop / "sales.csv", shop / "products.csv"
    reading = ["--items", products, "--map", "kind=action", "--kind", "buy=purchase"]

    about = json.loads(endcap("check", sales, *reading, "--json"))
    assert about["usable"]
    assert (about["users"], about["items"], about["unknown_items"]) == (60, N_ITEMS, 0)
    assert about["columns"] | {"user_id": "visitor", "item_id": "sku", "time": "created_at"} == about["columns"]

    out = shop / "first"
    models = ["--models", "popular,transitions,gru", "--set", "train.epochs=1"]
    said = endcap("compare", sales, *reading, *models, "--out", out)
    assert "report.html" in said
    summary = json.loads((out / "summary.json").read_text())["strict"]
    assert summary["chosen"] == "transitions"
    assert summary["verdict"][0].startswith("Use transitions")
    assert summary["verdict"][0].split(":")[0] in " ".join(said.split())
    page = (out / "report.html").read_text()
    assert "Product, number" in page
    assert "<svg" in page

    config = out / "models" / "transitions" / "config.toml"  # an artifact carries its TOML
    endcap("train", config, shop / "model")
    trained = json.loads(endcap("evaluate", shop / "model", "--json"))["metrics"]
    compared = json.loads(endcap("evaluate", out / "models" / "transitions", "--json"))["metrics"]
    assert trained == compared == summary["standings"][0]["metrics"]

    options = ["--history", "003", "--history", "004", "-k", 3]
    lines = json.loads(endcap("recommend", shop / "model", *options, "--json"))["items"]
    assert (lines[0]["id"], lines[0]["title"]) == ("005", "Product, number 5")
    assert "Product, number 5" in endcap("recommend", shop / "model", *options)


@pytest.mark.parametrize("model", ["popular", "transitions", "ease", "gru", "transformer"])
def test_what_is_measured_is_what_is_shown(shop: Path, model: str) -> None:
    """The ranks of the evaluation are the places in the lists that a loaded artifact gives for the same histories."""
    data = DataConfig(str(shop / "sales.csv"), columns={"kind": "action"}, kinds={"buy": "purchase"})
    dataset = prepare(backend.local(threads=1), data, CleanConfig(), SplitConfig())
    config = check({"data": {"events": data.events}, "model": {"name": model}, "train": {"epochs": 1}}, "test")
    artifacts.save(run(config, dataset).artifact, shop / "a")
    artifact = artifacts.load(shop / "a")
    queries = split(dataset.table).test
    found = evaluate(artifact.model, queries, repeat=artifact.facts["repeat"])
    assert queries.asked is not None
    assert len(queries) > 5
    for index in range(len(queries)):
        history = queries.histories.take(np.array([index]))
        goal = KINDS[queries.goals[index] - 1]
        lines = top_items(artifact, history, N_ITEMS, goal, float(queries.asked[index]))
        [target] = queries.targets[queries.target_offsets[index] : queries.target_offsets[index + 1]]
        [rank] = found.ranks[found.offsets[index] : found.offsets[index + 1]]
        places = {line.id: place for place, line in enumerate(lines, start=1)}
        assert places.get(artifact.vocabulary.id(int(target)), np.inf) == rank


def real(name: str) -> Path:
    given = os.environ.get("ENDCAP_DATA")
    path = (Path(given) if given else Path(__file__).parents[2] / "shared" / "data") / name
    if not path.exists():
        pytest.skip(f"{name} is neither in $ENDCAP_DATA nor in ../shared/data")
    return path


@pytest.mark.parametrize(
    ("name", "questions", "goal"),
    [("sessions_diginetica", 60_858, "view"), ("retailrocket_multibehaviour", 2_174, "purchase")],
)
def test_real_data_with_its_own_test_part(name: str, questions: int, goal: str) -> None:
    data = DataConfig(str(real(name)))
    dataset = prepare(backend.local(), data, CleanConfig(), SplitConfig("given"))
    parts = split(dataset.table)
    assert len(parts.test) == questions
    assert set(parts.test.goals.tolist()) == {KIND_INDEX[goal]}
    assert len(parts.valid) > 1_000
    popular = fit(PopularConfig(), parts.train, None, TrainConfig(), Task()).model
    some = np.random.default_rng(0).choice(questions, 1_000, replace=False)
    assert 0.001 < evaluate(popular, parts.test.take(some)).metric("hr@20").mean() < 0.5
