import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from endcap.data import schema
from endcap.data.backend import local
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.sources import read_items
from endcap.features.attributes import Attributes, AttributesConfig
from endcap.features.base import Packed


def shop(**columns: list[object]) -> Catalog:
    [length] = {len(column) for column in columns.values()}
    ids = [f"item{number}" for number in range(length)]
    return Catalog.from_table(pa.table({"item_id": ids, **columns}), ids)


def everything(catalog: Catalog) -> np.ndarray:
    return np.arange(1, len(catalog) + 1)


def of(packed: Packed, item: int) -> set[str]:
    return {packed.names[label] for label in packed.ids[packed.offsets[item] : packed.offsets[item + 1]]}


CLOTHES = shop(
    category=["Men > Tops", "Men > Shoes"] * 5 + ["Women > Hats", None],
    colour=["red|blue", "red"] * 4 + ["red|blue", "Red", "green", ""],
    price=[float(i) for i in range(12)],
    product_code=["07", "07"] + [str(i) for i in range(8, 18)],
)


def test_labels_are_values_that_enough_items_have() -> None:
    packed = Attributes().fit(CLOTHES, everything(CLOTHES)).transform(CLOTHES)
    assert set(packed.names) == {
        "category = Men", "category = Men > Tops", "category = Men > Shoes", "colour = red", "colour = blue",
    }  # fmt: skip
    assert of(packed, 1) == {"category = Men", "category = Men > Tops", "colour = red", "colour = blue"}
    assert of(packed, 2) == {"category = Men", "category = Men > Shoes", "colour = red"}
    assert of(packed, 0) == of(packed, 11) == of(packed, 12) == set()
    assert (len(packed.offsets), packed.offsets[0], packed.offsets[-1]) == (14, 0, len(packed.ids))


def test_product_codes_that_few_share_are_labels_all_the_same() -> None:
    packed = Attributes(AttributesConfig(min_count=2)).fit(CLOTHES, everything(CLOTHES)).transform(CLOTHES)
    assert [item for item in range(13) if "product_code = 07" in of(packed, item)] == [1, 2]
    without = AttributesConfig(min_count=2, leave_out=("product_code", "colour"))
    names = Attributes(without).fit(CLOTHES, everything(CLOTHES)).names
    assert {name.split(" = ")[0] for name in names} == {"category"}


def test_the_most_frequent_stay_where_there_are_too_many() -> None:
    encoder = Attributes(AttributesConfig(max_values=2)).fit(CLOTHES, everything(CLOTHES))
    assert encoder.names == ("category = Men", "colour = red")
    used = encoder.columns_used()
    assert (used["category"], used["price"]) == ("1 label", "not used: numbers are no labels")
    assert set(used) == set(CLOTHES.table.column_names)


def test_only_known_items_are_learned_from_and_new_ones_have_the_same_labels() -> None:
    known = np.arange(1, 11)
    encoder = Attributes().fit(CLOTHES, known)
    half = Catalog(CLOTHES.table.slice(0, 10))
    assert encoder.names == Attributes().fit(half, known).names
    packed = encoder.transform(shop(category=["Men > Hats", None], colour=["BLUE|pink", None]))
    assert [of(packed, item) for item in range(3)] == [set(), {"category = Men", "colour = blue"}, set()]
    assert packed.names == encoder.names


def test_without_labels_everything_is_empty() -> None:
    catalog = Catalog.from_table(None, ["a", "b"])
    packed = Attributes().fit(catalog, everything(catalog)).transform(catalog)
    assert (packed.offsets.tolist(), packed.ids.tolist(), packed.names) == ([0, 0, 0, 0], [], ())
    with pytest.raises(InputError, match="found no items to learn from"):
        Attributes().fit(catalog, np.zeros(0, np.int64))


@pytest.mark.parametrize("catalog", [CLOTHES, Catalog.from_table(None, ["a"])])
def test_saved_and_loaded_it_is_the_same(catalog: Catalog, tmp_path: Path) -> None:
    encoder = Attributes(AttributesConfig(min_count=2)).fit(catalog, everything(catalog))
    encoder.save(tmp_path / "new")
    loaded = Attributes.load(tmp_path / "new")
    assert (loaded.config, loaded.columns_used(), loaded.names) == (
        encoder.config,
        encoder.columns_used(),
        encoder.names,
    )
    before, after = encoder.transform(catalog), loaded.transform(catalog)
    np.testing.assert_array_equal(after.ids, before.ids)
    np.testing.assert_array_equal(after.offsets, before.offsets)


def test_what_is_missing_or_damaged_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"attributes\.json is missing or damaged: No such file"):
        Attributes.load(tmp_path)
    for content in ("", "{}", '{"version": 1}', '{"version": 1, "state": {"values": 3}}', "[" * 100_000):
        (tmp_path / "attributes.json").write_text(content)
        with pytest.raises(InputError, match=r"attributes\.json .*; train again"):
            Attributes.load(tmp_path)


def test_the_attributes_of_s3rec() -> None:
    given = os.environ.get("ENDCAP_DATA")
    root = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    path = root / "amazon_s3rec" / "Beauty_item2attributes.json.gz"
    if not path.exists():
        pytest.skip("amazon_s3rec is neither in $ENDCAP_DATA nor in ../shared/data")
    backend = local(threads=1)
    table = schema.validate_items(backend, read_items(backend, path).frame).items.toArrow()
    catalog = Catalog.from_table(table, ["4", "83", "12101"])
    first = Attributes(AttributesConfig(min_count=1)).fit(catalog, everything(catalog)).transform(catalog)
    assert of(first, 1) == {"attributes = 1", "attributes = 2", "attributes = 3"}
    catalog = Catalog.from_table(table, table["item_id"].to_pylist())
    packed = Attributes().fit(catalog, everything(catalog)).transform(catalog)
    assert (np.bincount(packed.ids) >= 5).all()
    assert len(packed.names) == 637
