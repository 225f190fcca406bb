"""What is seen first among equals, and how often what was just seen comes back."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from endcap import artifact as artifacts
from endcap.config import check
from endcap.data.dataset import Dataset
from endcap.engine.engine import Engine
from endcap.engine.order import FEW
from endcap.engine.requests import Answer, Ask, Step
from endcap.experiment import run
from endcap.store.records import Event, Visitor
from tests.worlds import table

N = 20
EQUAL = ("p4", "p5", "p6", "p7")
"""Bought equally often; the others p0, p1 ... each less often than the one before."""


def log() -> pa.Table:
    """Everybody comes back for what they had."""
    often = {f"p{n}": 400 - 20 * n for n in range(N)} | dict.fromkeys(EQUAL, 300)
    rows = []
    for n, (item, count) in enumerate(often.items()):
        for time in range(count):
            part = "test" if time == 0 else "valid" if time == 1 else "train"
            user = f"{n}-{time // 4}" if part == "train" else f"{n}-1"
            when = {"train": 1000.0, "valid": 2000.0, "test": 3000.0}[part] + time % 4
            rows.append({"user_id": user, "item_id": item, "kind": "purchase", "time": when, "part": part})
    return table(rows)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("order") / "shop"
    config = check({"data": {"events": "x", "repeats": "allow"}, "model": {"name": "popular"}}, "test")
    items = pa.table(
        {"item_id": [f"p{n}" for n in range(N)], "image": [None if n != 6 else "p6.jpg" for n in range(N)]}
    )
    artifacts.save(run(config, Dataset("x", log(), items, {}, {}, {})).artifact, folder)
    return folder


@pytest.fixture
def engine(place: Path, tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(place, f"sqlite:///{tmp_path / 'shop.db'}")
    yield opened
    opened.close()


def listed(engine: Engine, **ask: object) -> list[str]:
    (found,) = engine.recommend([Ask(**ask)])  # type: ignore[arg-type]
    assert isinstance(found, Answer), found
    return [item.item_id for item in found.items]


def test_of_equals_the_one_with_a_photo_comes_first_and_no_better_one_is_passed(engine: Engine) -> None:
    assert listed(engine, k=8, slot="popular") == ["p0", "p1", "p2", "p3", "p6", "p4", "p5", "p7"]
    engine.put_items([{"item_id": "p7", "image": "p7.jpg"}, {"item_id": "p19", "image": "p19.jpg"}])
    assert listed(engine, k=8, slot="popular") == ["p0", "p1", "p2", "p3", "p6", "p7", "p4", "p5"]


def test_for_a_visitor_are_at_most_two_that_they_just_looked_at(engine: Engine) -> None:
    history = tuple(Step(f"p{n}") for n in range(4))
    found = listed(engine, k=10, history=history)
    assert found[:FEW] == ["p0", "p1"]
    assert {"p2", "p3"}.isdisjoint(found)
    assert len(found) == 10
    assert listed(engine, k=4, history=history, slot="popular") == ["p0", "p1", "p2", "p3"]


def test_what_was_bought_or_lies_in_the_cart_is_not_just_looked_at(engine: Engine) -> None:
    ann = Visitor("ann")
    engine.record([Event(ann, f"p{n}", "view", time=1e9 + n) for n in range(5)])
    engine.record([Event(ann, "p3", "purchase", time=1e9 + 9), Event(ann, "p4", "cart", time=1e9 + 9)])
    assert [each for each in listed(engine, k=10, visitor=ann) if each in {f"p{n}" for n in range(5)}] == [
        "p0", "p1", "p3", "p4",
    ]  # fmt: skip
