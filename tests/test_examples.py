from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.config import check
from endcap.data.dataset import Dataset
from endcap.data.split import split
from endcap.describe import describe
from endcap.examples import examples, history_of, top_items
from endcap.experiment import run
from tests.engine.artifacts import products
from tests.worlds import circle_table, table

N_ITEMS = 8


def world() -> pa.Table:
    """The circle without prices, which would give an item away; all waits are of a minute, in 1970."""
    return table([event | {"price": None} for event in circle_table(N_ITEMS, 120).to_pylist()])


@pytest.fixture(scope="module")
def gru() -> Artifact:
    """A network that has learned the circle."""
    document = {
        "data": {"events": "circle.csv", "repeats": "allow"},
        "model": {"name": "gru", "dropout": 0.0, "dim": 32},
        "train": {"epochs": 15, "patience": 0, "batch_tokens": 64, "learning_rate": 0.01, "warmup": 5},
    }
    return run(check(document, "test"), Dataset("circle", world(), None, {}, {})).artifact


@pytest.mark.parametrize("length", [1, 3])
def test_bare_ids_are_answered_at_the_pace_of_the_log(gru: Artifact, length: int) -> None:
    for start in range(N_ITEMS):
        ids = [f"i{(start + step) % N_ITEMS}" for step in range(length)]
        history, unknown = history_of([*ids, "caviar"], gru)
        assert unknown == ["caviar"]
        assert top_items(gru, history, 1)[0].id == f"i{(start + length) % N_ITEMS}"


def test_an_old_log_is_not_asked_about_a_wait_of_decades(gru: Artifact) -> None:
    queries = split(world()).test
    assert queries.asked is not None
    for index in range(20):
        history = queries.histories.take(np.array([index]))
        now, then = (top_items(gru, history, N_ITEMS, asked=asked) for asked in (None, float(queries.asked[index])))
        assert now == then


def test_a_newcomer_without_history_is_answered(gru: Artifact) -> None:
    history, _ = history_of([], gru)
    assert len(top_items(gru, history, N_ITEMS)) == N_ITEMS


def test_products_are_shown_with_their_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the models were told of photos; those of i0 to i3 are there."""
    monkeypatch.setenv("ENDCAP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 60), (50 * number, 0, 0)).save(tmp_path / "photos" / f"i{number}.png")
    small = {"size": 32, "width": 8, "dim": 8, "labels": {"photos": 1}, "train": {"epochs": 1}}
    document = {
        "data": {"events": "circle.csv", "repeats": "allow", "images": str(tmp_path / "photos")},
        "model": {"name": "popular"},
        "features": {"photos": small, "autoencoder": {"epochs": 1}},
    }
    dataset = Dataset("circle", world(), products(N_ITEMS), {}, {})
    for use in (["photos"], []):
        config = check(document | {"features": document["features"] | {"use": use}}, "test")
        models = tmp_path / f"models-{len(use)}"
        artifacts.save(run(config, dataset, describe(config, dataset)).artifact, models / "popular")
        shown = examples(dataset, models, n=4, k=N_ITEMS)
        lines = [line for user in shown for own in (user["history"], *user["models"].values()) for line in own]
        assert {line["id"] for line in lines} == {f"i{number}" for number in range(N_ITEMS)}
        photos = {(line["id"], line["photo"]) for line in lines if line["photo"]}
        assert sorted(item_id for item_id, _ in photos) == (["i0", "i1", "i2", "i3"] if use else [])
        assert len({photo for _, photo in photos}) == len(photos)  # everyone's own
        assert all(photo.startswith("data:image/jpeg;base64,") for _, photo in photos)


def test_a_product_without_a_title_is_said_by_its_category(tmp_path: Path) -> None:
    listed = products(N_ITEMS)
    titles = pa.array([None, *listed["title"].to_pylist()[1:]], pa.string())
    untitled = listed.set_column(listed.column_names.index("title"), "title", titles)
    settings = check({"data": {"events": "circle.csv", "repeats": "allow"}, "model": {"name": "popular"}}, "test")
    dataset = Dataset("circle", world(), untitled, {}, {})
    artifacts.save(run(settings, dataset).artifact, tmp_path / "models" / "popular")
    [example, *_] = examples(dataset, tmp_path / "models", k=N_ITEMS)
    said = {line["id"]: line["title"] for line in example["models"]["popular"]}
    category = listed["category"].to_pylist()[0]
    assert said["i0"] == f"{category} (i0, no title)"
    assert said["i1"] == listed["title"].to_pylist()[1]
