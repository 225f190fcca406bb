import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.preprocessing import StandardScaler

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.features.base import Block
from endcap.features.tabular import Tabular, TabularConfig

SHOP = 40


def shop(**columns: list[object]) -> Catalog:
    """A catalogue with ids that are no numbers."""
    [length] = {len(column) for column in columns.values()}
    ids = [f"item{number}" for number in range(length)]
    return Catalog.from_table(pa.table({"item_id": ids, **columns}), ids)


def everything(catalog: Catalog) -> np.ndarray:
    return np.arange(1, len(catalog) + 1)


def encoded(catalog: Catalog, **config: object) -> Block:
    return Tabular(TabularConfig(**config)).fit(catalog, everything(catalog)).transform(catalog)  # type: ignore[arg-type]


def number(block: Block, name: str) -> np.ndarray:
    """(items,) one of the numbers."""
    return block.vectors[1:, block.names.index(name)]


def mixed(n: int = SHOP) -> Catalog:
    """A shop with something of everything."""
    return shop(
        category=[("Men > Tops", "Men > Shoes", "Women > Tops", None)[i % 4] for i in range(n)],
        price=[None if i % 5 == 0 else 5.0 + i for i in range(n)],
        rating=[None if i % 7 == 0 else 1.0 + i % 5 for i in range(n)],
        rating_count=[float(i * i) for i in range(n)],
        colour=[("red", "red|blue", "", "green")[i % 4] for i in range(n)],
        created=[f"20{10 + i % 10}-0{1 + i % 9}-05" for i in range(n)],
        weight=[0.1 * i for i in range(n)],
        supplier_no=[1000 + i for i in range(n)],
    )


def test_each_level_of_a_category_is_a_value() -> None:
    block = encoded(shop(category=["Men > Tops", "Men > Shoes", "Women > Tops"] * 5))
    assert set(block.names) == {
        "category = Men", "category = Women", "category = Men > Tops", "category = Men > Shoes",
        "category = Women > Tops",
    }  # fmt: skip
    men, tops = number(block, "category = Men") > 0, number(block, "category = Men > Tops") > 0
    assert men.tolist() == [True, True, False] * 5
    assert tops.tolist() == [True, False, False] * 5


def test_further_categories_count_as_well() -> None:
    block = encoded(shop(category=["Men", "Women"] * 5, categories=["Men|Sale", "Women"] * 5))
    assert (number(block, "category = Sale") > 0).tolist() == [True, False] * 5


def test_rare_values_are_pooled_and_a_rare_category_joins_the_one_above() -> None:
    catalog = shop(category=["Men > Tops"] * 6 + ["Men > Hats", "Toys"], brand=["a"] * 5 + ["b", "c", "d"])
    block = encoded(catalog)
    assert not any("Hats" in name or "brand = b" in name for name in block.names)
    assert (number(block, "category = Men") > 0).tolist() == [True] * 7 + [False]
    assert (number(block, "category: other") > 0).tolist() == [False] * 7 + [True]
    assert (number(block, "brand: other") > 0).tolist() == [False] * 5 + [True] * 3


def test_two_thousand_categories_stay_within_the_width() -> None:
    catalog = shop(category=[f"Aisle {i % 20} > Shelf {i % 2000}" for i in range(6_000)],
                   brand=[f"brand {i % 700}" for i in range(6_000)])  # fmt: skip
    block = encoded(catalog, min_count=3, most_values=400, width=500)
    assert block.dim <= 500
    assert all(f"category = Aisle {aisle}" in block.names for aisle in range(20))
    assert "brand: other" in block.names
    assert encoded(catalog, min_count=3, most_values=400, width=5000).dim > 700


def test_prices_are_logs_and_stand_out_within_their_category() -> None:
    catalog = shop(category=["Ties"] * 6 + ["Suits"] * 6,
                   price=[10.0, 10.0, 10.0, 12.0, 12.0, 40.0, 400.0, 400.0, 500.0, 500.0, 500.0, None])  # fmt: skip
    block = encoded(catalog)
    price, within = number(block, "log price"), number(block, "price within category")
    logs = np.log(catalog.prices[1:])
    np.testing.assert_allclose(
        (price[1:11] - price[0]) / (price[10] - price[0]), (logs[1:11] - logs[0]) / (logs[10] - logs[0]), atol=1e-5
    )
    assert within[:11].argmax() == 5, "the dear tie, not a suit"
    assert within[6] < within[0] + 5
    assert (price[11], within[11]) == (0, 0)
    assert (number(block, "no price") > 0).tolist() == [False] * 11 + [True]


def test_a_category_of_few_prices_is_compared_with_the_one_above() -> None:
    categories = ["Men > Ties"] * 10 + ["Men > Socks"] * 2 + ["Women > Hats"] * 10
    prices = [10.0, 20.0] * 5 + [200.0, 200.0] + [1000.0, 1200.0] * 5
    within = number(encoded(shop(category=categories, price=prices)), "price within category")
    assert within[10] > within[:10].max() > 0


def test_prices_that_are_none_and_absurd_ones_do_no_harm() -> None:
    block = encoded(shop(price=[0.0, -5.0, 1e90, 1e-90, float("inf"), None, *map(float, range(1, 41))]))
    assert np.isfinite(block.vectors).all()
    assert (number(block, "no price")[:5] > 0).tolist() == [True, True, False, False, True]
    assert not block.present[6]
    assert np.isfinite(
        encoded(shop(power=[1e307 * i / 7 for i in range(30)] + [1.5e90 * i for i in range(30)])).vectors
    ).all()


def test_a_rating_of_few_reviews_is_drawn_to_the_mean() -> None:
    block = encoded(shop(rating=[5.0, 5.0, 3.0, 3.0, 3.0, 3.0], rating_count=[1.0, 1000.0, 10.0, 10.0, 10.0, 10.0]))
    rating = number(block, "rating")
    assert rating[1] > rating[0] > rating[2]
    assert number(block, "log rating_count")[1] > number(block, "log rating_count")[0]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%a, %d %b %Y %H:%M:%S +0000", "unix", "timestamp"])
def test_dates_tell_age_and_season(form: str) -> None:
    days = [datetime(2020 + i // 12, 1 + i % 12, 1, tzinfo=UTC) for i in range(36)]
    cells: list[object] = [day.timestamp() if form == "unix" else day if form == "timestamp" else day.strftime(form)
                           for day in days]  # fmt: skip
    block = encoded(shop(created=cells))
    age, winter = number(block, "created: age"), number(block, "created: winter")
    assert (np.diff(age) < 0).all()
    assert set(np.argsort(winter)[-3:]) == {0, 12, 24}
    assert set(np.argsort(winter)[:3]) == {6, 18, 30}


def test_any_column_of_dates_is_recognised_and_a_season_needs_a_year() -> None:
    catalog = shop(
        first_sold=[f"2024-03-{1 + i:02}" for i in range(20)], digits=[f"202403{1 + i:02}" for i in range(20)]
    )
    encoder = Tabular().fit(catalog, everything(catalog))
    assert encoder.transform(catalog).names == ("first_sold: age",)
    assert "identifier" in encoder.columns_used()["digits"]


def test_identifiers_are_no_numbers() -> None:
    n = 200
    catalog = shop(
        supplier_no=[100 + i % 50 for i in range(n)],
        ean=[str(4_000_000 + 7 * i) for i in range(n)],
        parentId=[i // 2 for i in range(n)],
        internal=[5000 + i for i in range(n)],
        weight=[i % 90 / 7 for i in range(n)],
    )  # fmt: skip
    encoder = Tabular().fit(catalog, everything(catalog))
    used = encoder.columns_used()
    assert encoder.transform(catalog).names == ("weight",)
    assert all("identifier" in used[name] for name in ("supplier_no", "ean", "parentId", "internal", "item_id"))


def test_codes_that_repeat_are_values() -> None:
    block = encoded(shop(product_code=["007", "008", "009"] * 10, section_no=[1, 2, 2] * 10, grade=[1, 5, 9] * 10))
    assert {name for name in block.names if name.startswith("product_code")} == {
        f"product_code = 00{i}" for i in (7, 8, 9)
    }
    assert not {"section_no", "grade"} & set(block.names)


def test_ids_that_are_numbers_tell_the_order_also_of_later_ones() -> None:
    ids = [f"{10 * number:06}" for number in range(1, 101)]
    encoder = Tabular().fit(Catalog.from_table(None, ids), np.arange(1, 101))
    block = encoder.transform(Catalog.from_table(None, ["000010", "000505", "001000", "001100", "9999999999", "new"]))
    assert block.names == ("id order",)
    order = number(block, "id order")
    assert (np.diff(order[:5]) > 0).all()
    step = (order[2] - order[0]) / 99
    assert order[3] - order[2] == pytest.approx(10 * step, rel=0.01), "the line goes on"
    assert order[4] - order[2] < 2 * (order[2] - order[0]), "but not for ever"
    assert block.present.tolist() == [False, True, True, True, True, True, False]
    plain = Tabular(TabularConfig(id_order=False)).fit(Catalog.from_table(None, ids), np.arange(1, 101))
    assert plain.transform(Catalog.from_table(None, ids)).dim == 0
    assert plain.columns_used()["item_id"] == "not used, as configured"


def test_only_known_items_are_learned_from() -> None:
    catalog = mixed()
    known = np.arange(1, 21)
    half = Catalog(catalog.table.slice(0, 20))
    one, other = Tabular().fit(catalog, known).transform(catalog), Tabular().fit(half, known).transform(catalog)
    assert one.names == other.names
    np.testing.assert_array_equal(one.vectors, other.vectors)


def test_unseen_values_columns_that_are_gone_and_items_without_anything() -> None:
    catalog = mixed()
    encoder = Tabular().fit(catalog, everything(catalog))
    new = Catalog.from_table(
        pa.table(
            {"item_id": ["x", "y"], "category": ["Garden > Spades", None], "price": [1e6, None], "weight": ["1e99", ""]}
        ),
        ["x", "y"],
    )
    block = encoder.transform(new)
    assert block.names == encoder.transform(catalog).names
    assert np.isfinite(block.vectors).all()
    assert block.present.tolist() == [False, True, False]
    assert not block.vectors[2].any()


def test_each_column_has_the_same_variance_in_all() -> None:
    catalog = mixed(n=400)
    block = encoded(catalog)
    variance = block.vectors[1:].var(axis=0)
    columns = ("category", "price", "rating", "rating_count", "colour", "created", "weight")
    totals = {column: sum(v for v, name in zip(variance, block.names, strict=True)
                          if name.startswith(column) or name == f"no {column}")
              for column in ("category", "colour", "created", "weight")}  # fmt: skip
    assert totals == pytest.approx(dict.fromkeys(totals, 1.0), rel=0.01)
    assert variance.sum() == pytest.approx(len(columns), rel=0.01)


def test_columns_that_say_the_same_are_used_once() -> None:
    catalog = shop(category=["Men > Tops", "Men > Shoes"] * 10, group=["Men", "Men"] * 10, kind=["Tops", "Shoes"] * 10,
                   kind_no=[3, 7] * 10, price=[1.0, 2.0, 3.0, 4.0] * 5, price_max=[1.0, 2.0, 3.0, 4.0] * 5)  # fmt: skip
    used = Tabular().fit(catalog, everything(catalog)).columns_used()
    assert used["group"] == "not used: the same for every item"
    assert used["kind"] == used["kind_no"] == "not used: it tells the same as category"
    assert used["price_max"] == "not used: it tells the same as price"


def test_what_is_not_used_says_why() -> None:
    n = 60
    catalog = shop(
        title=["t"] * n, stock=["1"] * n, note=["long " * 30 + str(i) for i in range(n)], empty=[None] * n,
        nested=[{"a": 1}] * n, link_url=[f"https://x/{i}" for i in range(n)], few=["x"] + [None] * (n - 1),
        sizes=[["S", "M"], ["L"]] * (n // 2), named=[f"n{i}" for i in range(n)], hidden=["a", "b"] * (n // 2),
    )  # fmt: skip
    encoder = Tabular(TabularConfig(leave_out=("hidden",))).fit(catalog, everything(catalog))
    used = encoder.columns_used()
    assert set(used) == set(catalog.table.column_names)
    assert encoder.transform(catalog).names == ("sizes = L", "sizes = M", "sizes = S")
    expected = {"title": "text encoder", "stock": "changes", "note": "long texts", "empty": "empty",
                "nested": "neither text nor numbers", "link_url": "addresses", "few": "only 1 of 60",
                "named": "identifier", "hidden": "as configured"}  # fmt: skip
    assert {name: reason in used[name] for name, reason in expected.items()} == dict.fromkeys(expected, True), used


def test_without_anything_to_learn_there_are_no_numbers() -> None:
    for catalog in (Catalog.from_table(None, ["a", "b"]), shop(price=[3.0, 3.0])):
        block = encoded(catalog)
        assert (block.vectors.shape, block.names) == ((3, 0), ())
        assert not block.present.any()
    with pytest.raises(InputError, match="found no items to learn from"):
        Tabular().fit(Catalog.from_table(None, ["a"]), np.zeros(0, np.int64))


@pytest.mark.parametrize("catalog", [mixed(), shop(colour=["red", "blue"] * 5), Catalog.from_table(None, ["a"])])
def test_saved_and_loaded_it_is_the_same(catalog: Catalog, tmp_path: Path) -> None:
    encoder = Tabular(TabularConfig(min_count=2)).fit(catalog, everything(catalog))
    encoder.save(tmp_path / "new")
    loaded = Tabular.load(tmp_path / "new")
    assert (loaded.config, loaded.columns_used()) == (encoder.config, encoder.columns_used())
    before, after = encoder.transform(catalog), loaded.transform(catalog)
    np.testing.assert_array_equal(after.vectors, before.vectors)
    np.testing.assert_array_equal(after.present, before.present)
    assert after.names == before.names


def test_what_is_missing_damaged_or_foreign_is_an_error(tmp_path: Path) -> None:
    catalog = mixed()
    Tabular().fit(catalog, everything(catalog)).save(tmp_path)
    state, pipeline = tmp_path / "tabular.json", tmp_path / "tabular.skops"
    whole, fitted = state.read_bytes(), pipeline.read_bytes()
    for content in (b"", b"[1]", b"{", whole[:-9], whole.replace(b'"version": 1', b'"version": 9'), b"\xff"):
        state.write_bytes(content)
        with pytest.raises(InputError, match=r"tabular\.json"):
            Tabular.load(tmp_path)
    state.write_bytes(whole)
    for content in (b"", b"PK", fitted[: len(fitted) // 2]):
        pipeline.write_bytes(content)
        with pytest.raises(InputError, match=r"tabular\.skops is missing or damaged"):
            Tabular.load(tmp_path)
    skops.io.dump(StandardScaler(), pipeline)
    with pytest.raises(InputError, match="holds a StandardScaler, not a Pipeline"):
        Tabular.load(tmp_path)
    skops.io.dump({"run": json.loads, "code": Path.unlink}, pipeline)
    with pytest.raises(InputError, match="holds more than an estimator of ours"):
        Tabular.load(tmp_path)
    pipeline.unlink()
    with pytest.raises(InputError, match=r"tabular\.skops is missing or damaged: No such file"):
        Tabular.load(tmp_path)


def test_files_of_two_fits_are_an_error(tmp_path: Path) -> None:
    for catalog, folder in ((mixed(), "one"), (shop(price=[1.0, 2.0, None, 4.0]), "two")):
        Tabular().fit(catalog, everything(catalog)).save(tmp_path / folder)
    (tmp_path / "two" / "tabular.skops").replace(tmp_path / "one" / "tabular.skops")
    with pytest.raises(InputError, match="do not belong together"):
        Tabular.load(tmp_path / "one")
