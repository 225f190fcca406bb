"""Odd rows, found beside requests, and what is made of them."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.filters import parse
from endcap.engine.oddrows import OddRows, hide, look_through, odd_rows, set_right, watch
from tests.engine.artifacts import trained


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("gru", tmp_path_factory.mktemp("odd") / "gru", use=("tabular", "text"))


@pytest.fixture
def engine(told: Path, tmp_path: Path) -> Iterator[Engine]:
    """A shop in which i1 costs a hundred thousand, and a product is nothing but an id."""
    opened = Engine.open(told, f"sqlite:///{tmp_path / 'shop.db'}")
    opened.put_items([{"item_id": "i1", "price": 99_999.0}, {"item_id": "bare"}])
    yield opened
    opened.close()


def found(engine: Engine) -> set[tuple[str, str]]:
    return {(row.item_id, row.column) for row in odd_rows(engine).rows}


def test_they_are_found_once_for_a_catalogue(engine: Engine) -> None:
    assert odd_rows(engine) == OddRows("waiting")
    assert look_through(engine, now=1000.0)
    assert odd_rows(engine).state == "ready"
    assert odd_rows(engine).at == 1000.0
    assert {("i1", "price"), ("bare", "title")} <= found(engine)
    assert not look_through(engine, now=1e6)
    engine.put_items([{"item_id": "i2", "price": 11.0}])
    assert not look_through(engine, now=1010.0)
    assert look_through(engine, now=1e6)


def test_what_is_right_corrected_or_gone_is_shown_no_more(engine: Engine) -> None:
    look_through(engine)
    (price,) = [row for row in odd_rows(engine).rows if row.item_id == "i1"]
    set_right(engine, "i1", "price", price.value, by="ann")
    assert ("i1", "price") not in found(engine)
    engine.put_items([{"item_id": "bare", "title": "Blue thing"}])
    assert ("bare", "title") not in found(engine)
    look_through(engine, now=time.time() + 1e5)
    assert ("i1", "price") not in found(engine)
    engine.put_items([{"item_id": "i5", "price": 88_888.0}])
    look_through(engine, now=time.time() + 2e5)
    assert ("i5", "price") in found(engine)
    engine.delete_items(["i5"])
    assert ("i5", "price") not in found(engine)
    with pytest.raises(InputError, match="no odd row of item 'i7'"):
        set_right(engine, "i7", "price", "1", by="ann")


def test_hiding_is_a_rule(engine: Engine) -> None:
    look_through(engine)
    (row,) = [each for each in odd_rows(engine).rows if each.item_id == "bare"]
    rule = hide(row)
    engine.put_rule("odd", {"action": "hide", "filter": rule.filter}, by="ann")
    assert rule.note == row.why
    assert engine.live.shelf.mask(parse(rule.filter)).sum() == 1


def test_a_server_finds_them_by_itself(engine: Engine) -> None:
    ended = threading.Event()
    thread = watch(engine, ended, start=0.0, every=0.05)
    for _ in range(400):
        if odd_rows(engine).state == "ready":
            break
        time.sleep(0.05)
    ended.set()
    thread.join(20)
    assert not thread.is_alive()
    assert ("i1", "price") in found(engine)


def test_a_model_that_knows_nothing_of_products_finds_none(tmp_path: Path) -> None:
    engine = Engine.open(trained("popular", tmp_path / "popular"), f"sqlite:///{tmp_path / 'shop.db'}")
    assert odd_rows(engine) == OddRows("no_features")
    assert not look_through(engine)
    engine.close()
