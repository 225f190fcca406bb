from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError

ITEMS = pa.table(
    {
        "item_id": ["0108", "b", "unused", "d"],
        "title": ["Vest top", "", "Unused", None],
        "category": ["Ladies > Tops", None, "x", "y"],
        "price": [9.9, None, 1.0, 2.0],
        "stock": ["3", "out of stock", None, None],
        "colour": ["red", None, "blue", "green"],
    }
)


def test_rows_follow_the_given_ids_and_place_0_is_padding() -> None:
    catalog = Catalog.from_table(ITEMS, ["d", "0108", "unknown"])
    assert (len(catalog), catalog.item_ids) == (3, ("d", "0108", "unknown"))
    assert catalog.titles == ("", "d", "Vest top", "unknown")
    assert catalog.categories == ("", "y", "Ladies > Tops", "")
    assert catalog.texts("colour") == ("", "green", "red", "")
    assert catalog.stock == ("", "", "3", "")
    np.testing.assert_array_equal(catalog.prices, [np.nan, 2.0, 9.9, np.nan])
    np.testing.assert_array_equal(catalog.ratings, [np.nan] * 4)
    assert catalog.brands == catalog.descriptions == catalog.images == ("", "", "", "")


def test_a_title_is_the_id_where_there_is_none() -> None:
    catalog = Catalog.from_table(ITEMS, ["b", "d", "0108"])
    assert [catalog.title(index) for index in range(4)] == ["", "b", "d", "Vest top"]


def test_without_a_catalogue_there_are_only_ids() -> None:
    catalog = Catalog.from_table(None, ["a", "商品 😀"])
    assert catalog.titles == ("", "a", "商品 😀")
    assert np.isnan(catalog.prices).all()


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    for catalog in (
        Catalog.from_table(ITEMS, ["d", "0108"]),
        Catalog.from_table(None, ["a"]),
        Catalog.from_table(None, []),
    ):
        catalog.save(tmp_path / "items.parquet")
        assert Catalog.load(tmp_path / "items.parquet") == catalog


@pytest.mark.parametrize("content", [b"", b"not Parquet", b"PAR1"])
def test_what_is_no_catalogue_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "items.parquet"
    with pytest.raises(InputError, match=r"items.parquet is no readable catalogue"):
        Catalog.load(path)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"items.parquet is no readable catalogue"):
        Catalog.load(path)


def test_a_foreign_or_cut_off_table_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(ITEMS, path)
    with pytest.raises(InputError, match="no catalogue of ours: brand, rating"):
        Catalog.load(path)
    Catalog.from_table(ITEMS, ["b"]).save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="is no readable catalogue"):
        Catalog.load(path)
