import doctest
import gc
import re
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.engine import filters
from endcap.engine.columns import FilterError, columns_of
from endcap.engine.filters import DEEPEST, LONGEST, parse
from endcap.features.cells import plain

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")


def rows(section: str) -> list[list[str]]:
    """The cells of the tables of a section, without their heads."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [re.split(r"(?<!\\)\|", line.strip("|")) for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().replace("\\|", "|") for cell in line] for line in lines]


def catalog_of(**columns: list) -> Catalog:
    n = len(next(iter(columns.values())))
    ids = columns.pop("item_id", [f"i{place}" for place in range(1, n + 1)])
    return Catalog.from_table(pa.table({"item_id": ids, **columns}), ids)


def page_catalog() -> Catalog:
    head, _, *lines = [row for row in rows("Examples") if len(row) == 8]
    columns = {name: [line[place] or None for line in lines] for place, name in enumerate(head)}
    columns["price"] = [None if price is None else float(price) for price in columns["price"]]
    return catalog_of(**columns)


SHOP = page_catalog()


def passing(text: str, catalog: Catalog = SHOP) -> list[str]:
    mask = parse(text).mask(catalog)
    assert mask.shape == (len(catalog) + 1,)
    assert not mask[0]
    return [catalog.item_ids[place - 1] for place in np.flatnonzero(mask)]


@pytest.mark.parametrize(("text", "items"), [row for row in rows("Examples") if len(row) == 2][2:])
def test_the_examples_of_the_page(text: str, items: str) -> None:
    assert passing(text.strip("`")) == items.split(", ")


@pytest.mark.parametrize(("text", "message"), rows("Errors")[2:])
def test_the_errors_of_the_page(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        passing(text.strip("`"))
    assert str(error.value) == message


def test_the_first_example_of_the_page_parses() -> None:
    (block,) = re.findall(r"```filter\n(.*?)\n```", PAGE)
    assert passing(block) == []


def test_the_examples_in_docstrings() -> None:
    failed, tried = doctest.testmod(filters)
    assert tried
    assert not failed


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("BRAND:acme and Price<2", "milk"),  # words and columns in any case
        ("not brand:*", ""),
        ("NOT NOT brand:Acme", "milk"),
        ('"brand":"ACME"', "milk"),  # a column in quotes
        ("brand:ＡＣＭＥ", "milk"),  # full-width letters
        ('brand:"  lumen   works "', "lamp"),
        ("stock > 10", "milk"),
        ("price:(0.5..1, 30)", "uht, lamp"),
        ("price > 1e999", ""),
        ("price >= -1E3", "milk, uht, brie, lamp"),
        ("rating < 3", ""),  # ours, but the shop has none
        ("material:wood", ""),
        ("NOT material:wood", "milk, uht, brie, lamp, tea"),
        ("categories:Dairy", "milk, uht, brie"),
        ("category:Milk", "milk, uht"),  # a part of a path, wherever it stands
        ("category:MILK", "milk, uht"),
        ('category:"> Milk"', ""),  # from the top
        ('category:"> dairy>milk"', "milk, uht"),
        ('category:">Dairy"', "milk, uht, brie"),
        ('category:"Milk > UHT"', "uht"),  # levels that follow each other
        ('category:"Dairy > UHT"', ""),
        ("category:Dair", ""),
        ('title:"绿茶"', "tea"),
        ("title != milk", "brie, lamp, tea"),
        ("(((in_stock)))", "milk, brie, lamp, tea"),
    ],
)
def test_what_passes(text: str, items: str) -> None:
    assert ", ".join(passing(text)) == items


def test_less_than_is_exact() -> None:
    shop = catalog_of(price=[0.1 + 0.2, 0.3, 0.3000001])
    assert passing("price <= 0.3", shop) == ["i2"]
    assert passing("price > 0.3", shop) == ["i1", "i3"]
    assert passing("price < 0.3", shop) == []


def test_any_value_of_several_counts() -> None:
    shop = catalog_of(
        size=["40|41|42", "41", None],
        attributes=["fit=slim|wash=40", "fit=loose", None],
        extra=["a|b", "b", "c"],
        title=["a|b", "b", "c"],
        product_code=["007", "7", "7.0"],
    )
    assert passing("size:42 OR size:40..40", shop) == ["i1"]
    assert passing("size != 41", shop) == []
    assert passing("attributes:fit=slim", shop) == ["i1"]
    assert passing("extra:b", shop) == ["i1", "i2"]
    assert passing("product_code:007", shop) == ["i1"]  # a code, not the number 7
    assert passing("product_code:7", shop) == ["i2", "i3"]


def test_branches_that_share_a_name_are_told_apart_from_the_top() -> None:
    shop = catalog_of(category=["Bags", "Gear > Bags > Totes", "Gear > Bags", "Gear > Handbags", None])
    assert passing("category:Bags", shop) == ["i1", "i2", "i3"]
    assert passing('category:"> Bags"', shop) == ["i1"]
    assert passing('category:"> Gear > Bags"', shop) == passing('category:"gear>bags"', shop) == ["i2", "i3"]
    assert passing('NOT category:"> Bags"', shop) == ["i2", "i3", "i4", "i5"]
    assert passing('category:("> Bags", Totes)', shop) == ["i1", "i2"]
    assert passing('category:">"', shop) == []


def test_all_categories_of_a_product_count() -> None:
    shop = catalog_of(category=["Men > Tops", "Women"], categories=["Men > Tops|Sale > Last", None])
    assert passing("category:Sale", shop) == ["i1"]
    assert passing("categories:Women", shop) == ["i2"]


def test_columns_of_any_type_are_read() -> None:
    table = pa.table(
        {
            "item_id": ["a", "b"],
            "new": [True, None],
            "grams": pa.array([5, 12], pa.int16()),
            "tags": [["soft", "warm"], []],
            "brand": pa.array(["Acme", None]).dictionary_encode(),
        }
    )
    shop = Catalog(table)
    assert passing("new:true", shop) == ["a"]
    assert passing("grams > 5", shop) == ["b"]
    assert passing("grams:5", shop) == ["a"]
    assert passing("tags:warm", shop) == ["a"]
    assert passing("brand:acme", shop) == ["a"]


@pytest.mark.parametrize(
    ("stock", "there"),
    [
        ("3", True),
        ("0", False),
        ("0.0", False),
        ("-2", False),
        ("1.5", True),
        ("in stock", True),
        ("In_Stock", True),
        ("yes", True),
        ("TRUE", True),
        ("backorder", True),
        ("out of stock", False),
        ("OutOfStock", False),
        ("https://schema.org/SoldOut", False),
        ("https://schema.org/InStock", True),
        ("no", False),
        ("false", False),
        ("缺货", False),
        ("ask us", True),
        ("", True),
        (None, True),
    ],
)
def test_in_stock(stock: str | None, *, there: bool) -> None:
    assert passing("in_stock", catalog_of(stock=[stock])) == ["i1"] * there


def test_a_shop_without_stock_has_everything() -> None:
    assert passing("IN_STOCK", Catalog.from_table(None, ["a", "b"])) == ["a", "b"]
    assert passing("in_stock", Catalog.from_table(None, [])) == []
    assert passing("in_stock", Catalog(pa.table({"item_id": ["a", "b", "c"], "stock": [1, 0, None]}))) == ["a", "c"]


def test_an_unknown_column_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'colr' in place 18 .* has item_id, title, .*, volts; did you mean colour\?"):
        passing("in_stock AND NOT colr:red")
    with pytest.raises(InputError, match=r"volts$"):
        passing("ZZZ:1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty filter"),
        (" \n", "empty filter"),
        ("brand:", "found its end in place 7 of the filter; expected a value,"),
        ('brand:"Acme', "a quote is not closed"),
        ('brand:""', "empty value in place 7"),
        ("brand:Ac*", "found '[*]' in place 9"),
        ("brand:a)", r"found '\)' in place 8 of the filter; expected AND, OR or its end"),
        ("(brand:a AND", r"expected a column, .* in_stock, NOT or \("),
        ("brand:()", r"found '\)' in place 8"),
        ("price < 5€", "found '5€' in place 9 of the filter; expected a number"),
        ("price == 5", "found '='"),
        ("brand", "expected :, != or < <= > >="),
        ("in_stock:yes", "found ':yes' in place 9"),
        ("\ud800", "half a character in place 1"),
        ("x" * (LONGEST + 1), "2,001 characters; expected at most 2,000"),
        ("(" * (DEEPEST + 1) + "in_stock" + ")" * (DEEPEST + 1), "more than 20 brackets"),
        ("NOT " * 400 + "in_stock", "more than 20 brackets"),
    ],
)
def test_what_is_no_filter_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "kind", "marked"),
    [
        ("category", "sign", ""),
        ("price < cheap", "number", "cheap"),
        ("brand:", "value", ""),
        ('brand:"Acme', "quote", '"Acme'),
        ("brand:Lumen Works", "words", "Works"),
        ("(brand:Acme", "bracket", ""),
        ("brand:Acme )", "joint", ")"),
        ("brand:Acme AND", "condition", ""),
        ("price:5..1", "order", "5..1"),
        ("in_stock AND colr:red", "column", "colr"),
        ("price:cheap", "numbers", "price"),
        ("colour > 5", "no_numbers", "colour"),
    ],
)
def test_an_error_says_what_is_wrong_and_where(text: str, kind: str, marked: str) -> None:
    with pytest.raises(FilterError) as error:
        passing(text)
    assert (error.value.kind, error.value.value) == (kind, marked)
    assert text[error.value.place - 1 :].startswith(marked)
    assert error.value.place == (len(text) + 1 if not marked else text.index(marked) + 1)


def test_the_deepest_and_the_longest_are_read() -> None:
    assert passing("(" * DEEPEST + "in_stock" + ")" * DEEPEST) == passing("in_stock")
    many = " OR ".join(["brand:a"] * 181)
    assert len(many) < LONGEST
    assert passing(many) == []


WORDS = [
    "price", "brand", "colour", "category", "no_such", "AND", "or", "NOT", "in_stock", "(", ")", ":", "=", "!=", "<",
    ">=", "*", ",", "5", "1..5", "..", "-.5e3", '"', '"a b"', '"\\"', "红", "Dairy > Milk", " ", "\\", "\x00", "\n",
]  # fmt: skip


def harmless(text: str) -> None:
    with suppress(InputError):
        passing(text)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    harmless(text)


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=14), st.sampled_from(["", " "]))
def test_any_words_are_a_filter_or_an_error(words: list[str], between: str) -> None:
    harmless(between.join(words))


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=20).filter(lambda text: plain(text) != ""))
def test_any_value_in_quotes_finds_itself(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert passing(f'brand:"{quoted}"', catalog_of(brand=[value, None])) == ["i1"]


CONDITIONS = st.recursive(
    st.sampled_from(["brand:Alp", "price < 2", "colour:*", "in_stock", "category:Dairy", "price:1..30"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(lambda t: f"({''.join(t)})")
        | inner.map(lambda text: f"NOT {text}")
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(CONDITIONS, CONDITIONS)
def test_masks_follow_the_laws_of_sets(one: str, other: str) -> None:
    a, b = parse(one).mask(SHOP), parse(other).mask(SHOP)
    np.testing.assert_array_equal(parse(f"({one}) AND ({other})").mask(SHOP), a & b)
    np.testing.assert_array_equal(parse(f"({one}) OR ({other})").mask(SHOP), a | b)
    np.testing.assert_array_equal(parse(f"NOT ({one})").mask(SHOP)[1:], ~a[1:])


def test_filters_are_equal_where_their_text_is() -> None:
    assert parse("price < 5") is parse("price < 5")
    assert len({parse("price < 5"), parse("price < 5 "), parse("price < 6")}) == 3


def test_a_mask_may_be_changed_by_its_owner() -> None:
    parse("in_stock").mask(SHOP)[:] = False
    assert passing("in_stock") == ["milk", "brie", "lamp", "tea"]


def test_columns_are_read_once_and_go_with_the_catalogue() -> None:
    shop = page_catalog()
    passing("brand:Acme", shop)
    columns = columns_of(shop)
    assert columns_of(shop) is columns
    assert columns.read("brand") is columns.read("brand")
    gone, table = weakref.ref(columns), shop.table
    assert columns_of(Catalog(table)) is not columns
    del columns, shop
    gc.collect()
    assert gone() is None


CREATED = catalog_of(created=["2024-01-15", "2024-03-01", "2024-03-02T10:00:00Z", None, "soon", "2025-01-01"])
DATES = [
    ("created >= 2024-03-01", ["i2", "i3", "i6"]),
    ("created > 2024-03-01", ["i3", "i6"]),
    ("created <= 2024-03-02", ["i1", "i2", "i3"]),
    ("created < 2024-03-01", ["i1"]),
    ("created:2024-03-01..", ["i2", "i3", "i6"]),
    ("created:2024-01-01..2024-03-02", ["i1", "i2", "i3"]),
    ("created:..2024-02-01", ["i1"]),
    ("created:2024-03-01", ["i2"]),
    ("created < 2024-03-02T10:00", ["i1", "i2"]),
]


@pytest.mark.parametrize(("text", "items"), DATES)
def test_dates_are_compared(text: str, items: list[str]) -> None:
    assert passing(text, CREATED) == items
