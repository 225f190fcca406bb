import numpy as np
import pyarrow as pa
import pytest

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.features.labels import Labels, LabelsConfig, labels


def catalog(**columns: list[str | None]) -> Catalog:
    ids = [f"i{row}" for row in range(len(next(iter(columns.values()))))]
    return Catalog.from_table(pa.table({"item_id": ids, **columns}), ids)


def of(given: Catalog, *columns: str, photos: int = 2) -> Labels:
    return labels(given, np.array([0] + [1] * len(given)), LabelsConfig(columns, photos=photos))


def test_the_most_frequent_class_comes_first_and_rare_ones_are_not_known() -> None:
    found = of(catalog(colour=["red", "blue", "blue", None, "blue", "red", "pink", ""]))
    assert (found.names, found.classes, found.sizes) == (("colour",), (("blue", "red"),), (2,))
    assert found.codes[:, 0].tolist() == [-1, 1, 0, 0, -1, 0, 1, -1, -1]
    assert "colour: 1 classes of less than 2 photos are not learned" in found.notes
    assert "category is not learned: 0 classes have 2 photos; two are needed" in found.notes


def test_a_category_is_as_deep_as_there_are_photos() -> None:
    found = of(catalog(category=["A > X", "A > X", "A > Y", "A > Z", "B > V > W", "B > V", "C", "C > U"]))
    assert set(found.classes[0]) == {"A > X", "A", "B > V", "C"}
    told = [found.classes[0][code] for code in found.codes[1:, 0]]
    assert told == ["A > X", "A > X", "A", "A", "B > V", "B > V", "C", "C"]


def test_photos_are_counted_and_not_items() -> None:
    given = catalog(category=["a", "b", "c"])
    found = labels(given, np.array([0, 5, 2, 9]), LabelsConfig(photos=5))
    assert found.classes == (("c", "a"),)


def test_columns_are_chosen_that_can_be_learned() -> None:
    found = of(
        catalog(
            category=["a", "a", "b", "b"],
            code=["1", "1", "2", "2"],  # the category again
            colour=["red|blue", "blue", "blue", "red"],  # the first is the main one
            text=["one", "two", "three", "four"],
            season=["dry", "wet", "dry", "wet"],
            colour_code=["1", "2", "2", "1"],
            title=["t", "t", "u", "u"],
        )
    )
    assert found.names == ("category", "colour", "season")
    assert any(note.startswith("code is not learned: it says the same as category") for note in found.notes)
    assert any(note.startswith("text is not learned") for note in found.notes)


def test_names_are_preferred_to_codes() -> None:
    found = of(catalog(code=["7", "7", "8", "8"], name=["shirt", "shirt", "shoe", "shoe"]))
    assert (found.names, found.classes) == (("name",), (("shirt", "shoe"),))


def test_named_columns_are_taken_in_their_order() -> None:
    given = catalog(category=["a", "a", "b", "b"], season=["dry", "wet", "dry", "wet"])
    assert of(given, "season", "category").names == ("season", "category")
    with pytest.raises(InputError, match=r"found no column colour in the catalogue; expected some of item_id"):
        of(given, "colour")
    with pytest.raises(InputError, match=r"column season is no label: 0 classes have 3 photos"):
        of(given, "season", photos=3)
    with pytest.raises(InputError, match=r"column price has numbers"):
        of(given, "price")


def test_a_catalogue_without_classes_is_one_line() -> None:
    with pytest.raises(InputError, match="found no column with two classes of 2 photos each"):
        of(catalog(title=["one", "two"]))
