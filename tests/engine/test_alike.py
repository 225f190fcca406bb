"""Products by likeness, not by history."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from endcap.data.errors import InputError
from endcap.engine.alike import like_these, similar
from endcap.engine.engine import Engine
from endcap.engine.requests import Answer
from endcap.engine.version import Version
from endcap.features.base import Block
from endcap.store.records import ItemChange
from tests.engine.artifacts import N, trained


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("gru", tmp_path_factory.mktemp("alike") / "gru", use=("tabular", "text"))


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def seen_as(version: Version, angles: dict[str, float]) -> Version:
    """The version with products as points of a circle, by hand; those without an angle are not known at all."""
    assert version.products is not None
    vectors, present = np.zeros((N + 1, 2), np.float32), np.zeros(N + 1, np.bool_)
    for item_id, angle in angles.items():
        item = version.shelf.find(item_id)
        vectors[item], present[item] = (np.cos(angle), np.sin(angle)), True
    code = Block(vectors, present, ("x", "y"))
    return replace(version, products=replace(version.products, code=code))


def test_other_departments_of_the_same_title_come_first_and_what_is_matched_never(told: Path, tmp_path: Path) -> None:
    engine = Engine.open(told, f"sqlite:///{tmp_path / 'shop.db'}")
    engine.put_items(
        [
            {"item_id": "pump 1", "title": "Gasoline", "category": "Fuel > Pumps"},
            {"item_id": "pump 2", "title": "Gasoline", "category": "Fuel > Pumps"},
            {"item_id": "lost", "title": "GASOLINE ", "category": "Miscellaneous"},
            {"item_id": "sold out", "title": "Gasoline", "category": "Miscellaneous"},
        ]
    )
    engine.delete_items(["sold out"])
    found = ids(engine.like_these('category:"Fuel"', 50))
    assert found[0] == "lost"
    assert not {"pump 1", "pump 2", "sold out"} & {*found}
    engine.close()


def test_as_near_as_the_matched_are_to_one_another(told: Path) -> None:
    """Six steps of a tenth: the next one is as near as they are, the one three steps on is not."""
    row = {f"i{number}": 0.1 * number for number in range(6)}
    version = seen_as(Version.load(told), row | {"i12": 0.59, "i13": 0.8, "i14": 3.0})
    found = like_these(version, [f"i{number}" for number in range(6)])
    by_vector = [item for item in found.items if item.item_id in ("i12", "i13", "i14", "i15")]
    assert [item.item_id for item in by_vector] == ["i12"]
    assert by_vector[0].score == pytest.approx(np.cos(0.09), abs=1e-3)


def test_a_single_product_is_like_those_that_are_very_near(told: Path) -> None:
    version = seen_as(Version.load(told), {"i0": 0.0, "i12": 0.3, "i13": 0.2, "i14": 0.4})
    found = [item_id for item_id in ids(like_these(version, ["i0"])) if item_id in ("i12", "i13", "i14")]
    assert found == ["i13", "i12"]


def photographed(version: Version, angles: dict[str, float]) -> Version:
    """As `seen_as`, by photo."""
    by_hand = seen_as(version, angles).products
    assert by_hand is not None
    assert version.products is not None
    return replace(version, products=replace(version.products, photos=by_hand.code))


def test_what_looks_alike_is_of_other_groups_one_of_each(told: Path) -> None:
    angles = {"i0": 0.0, "i1": 0.01, "i4": 0.3, "i5": 0.2, "i8": 0.4, "i12": 3.0}
    version = photographed(Version.load(told), angles)
    codes = {"i0": "first", "i1": "first", "i4": "second", "i5": "second"}
    changes = [ItemChange(item_id, {"product_code": code}, 0) for item_id, code in codes.items()]
    version = replace(version, shelf=version.shelf.with_changes(changes))
    found = similar(version, "i0", 5, by="photo")
    assert ids(found) == ["i5", "i8", "i12"]
    assert found.items[0].score == pytest.approx(np.cos(0.2), abs=1e-3)
    assert ids(similar(version, "i0", 5, "colour:blue", by="photo")) == ["i8"]
    with pytest.raises(InputError, match="no photo was looked at of item 'i9'"):
        similar(version, "i9", 5, by="photo")
    with pytest.raises(InputError, match="no photo was looked at"):
        similar(Version.load(told), "i0", 5, by="photo")


def test_no_more_than_are_asked_for(told: Path) -> None:
    assert len(like_these(Version.load(told), ["i0"], 2).items) == 2


def test_where_nothing_is_known_of_products_their_titles_count(tmp_path: Path) -> None:
    version = Version.load(trained("popular", tmp_path / "popular"))
    found = like_these(version, ["i0"])
    assert ids(found) == ["i1", "i2", "i3"]
    assert {item.score for item in found.items} == {None}


def test_what_cannot_be_looked_for_is_said(told: Path) -> None:
    version = Version.load(told)
    assert not like_these(version, "brand:nobody").items
    assert not like_these(version, []).items
    with pytest.raises(InputError, match="found no item 'nothing'"):
        like_these(version, ["nothing"])
    with pytest.raises(InputError, match="expected"):
        like_these(version, "brand:")
