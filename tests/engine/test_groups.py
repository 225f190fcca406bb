"""What is one product for people is one place of a list."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from endcap.data.catalog import Catalog
from endcap.engine.engine import Engine
from endcap.engine.requests import Answer, Ask, Step
from endcap.features.groups import groups, keys
from tests.engine.artifacts import trained


def codes(rows: list[dict[str, str | None]]) -> list[int]:
    table = pa.Table.from_pylist(rows)
    return groups(keys(Catalog.from_table(table, table["item_id"].to_pylist()))).tolist()


def test_titles_that_read_alike_and_one_product_code_make_a_group() -> None:
    found = codes([
        {"item_id": "a", "title": "Fluid  Milk", "brand": "Private", "product_code": None},
        {"item_id": "b", "title": "fluid milk", "brand": "private", "product_code": "7"},
        {"item_id": "c", "title": "Milk, red cap", "brand": "Private", "product_code": "7"},
        {"item_id": "d", "title": "Fluid Milk", "brand": "National", "product_code": None},
        {"item_id": "e", "title": None, "brand": None, "product_code": None},
        {"item_id": "f", "title": None, "brand": None, "product_code": None},
        {"item_id": "g", "title": "g", "brand": None, "product_code": None},
    ])  # fmt: skip
    assert found[0] == 0
    assert found[1] == found[2] == found[3]  # a and b read alike, b and c are one product's colours
    assert len(set(found)) == 6  # all others are for themselves


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("groups")
    made = Engine.open(trained("transitions", folder / "shop"), f"sqlite:///{folder / 'shop.db'}")
    made.put_items([{"item_id": f"i{n}", "title": "Milk", "brand": "Dairy"} for n in (4, 5, 6)])
    return made


def ids(answer: object) -> list[str]:
    assert isinstance(answer, Answer), answer
    return [item.item_id for item in answer.items]


def test_a_list_has_one_of_a_group_unless_all_are_asked_for(engine: Engine) -> None:
    milk = {"i4", "i5", "i6"}
    one, every = engine.recommend([
        Ask(history=(Step("i3"),), k=10), Ask(history=(Step("i3"),), k=10, one_per_group=False)
    ])  # fmt: skip
    assert ids(one)[0] == "i4"  # the best of them stands for all
    assert len(milk & {*ids(one)}) == 1
    assert milk <= {*ids(every)}
    assert len(ids(one)) == 10


def test_a_group_follows_the_catalogue(engine: Engine) -> None:
    shelf = engine.live.shelf
    assert {shelf.ids[item - 1] for item in shelf.members(shelf.find("i5"))} == {"i4", "i5", "i6"}
    engine.put_items([{"item_id": "i6", "title": "Oat drink"}, {"item_id": "fresh", "title": "MILK", "brand": "dairy"}])
    now = engine.live.shelf
    assert {now.ids[item - 1] for item in now.members(now.find("i5"))} == {"i4", "i5", "fresh"}
    engine.put_items([{"item_id": "i6", "title": "Milk"}])
    engine.delete_items(["fresh"])
    now = engine.live.shelf
    assert {now.ids[item - 1] for item in now.members(now.find("i5"))} == {"i4", "i5", "i6"}


def test_a_pinned_product_stands_for_its_group(engine: Engine) -> None:
    engine.put_rule("pin", {"action": "pin", "item_ids": ["i6"], "position": 2}, by="test")
    (found,) = engine.recommend([Ask(history=(Step("i3"),), k=8)])
    engine.store.delete_rule("pin", by="test", now=0)  # type: ignore[union-attr]
    engine.refresh()
    assert ids(found)[1] == "i6"
    assert len({"i4", "i5", "i6"} & {*ids(found)}) == 1


def test_what_is_excluded_takes_its_group_with_it(engine: Engine) -> None:
    (found,) = engine.recommend([Ask(history=(Step("i3"),), k=12, exclude=("i5",))])
    assert not {"i4", "i5", "i6"} & {*ids(found)}


def test_nothing_beside_a_product_is_of_its_own_group(engine: Engine, tmp_path: Path) -> None:
    (found,) = engine.recommend([Ask(slot="product", item_id="i5", history=(), k=12)])
    assert not {"i4", "i5", "i6"} & {*ids(found)}
    assert np.array_equal(np.sort(engine.live.shelf.members(1)), engine.live.shelf.members(1))
