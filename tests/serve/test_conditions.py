"""Conditions as rows, and the filter that they make; a filter back into rows."""

import numpy as np
import pyarrow as pa
import pytest

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.engine.columns import columns_of
from endcap.engine.filters import parse
from endcap.engine.shelf import Shelf
from endcap.serve.console.attributes import attributes, example, options
from endcap.serve.console.conditions import Draft, How, Row, RowError, changed, draft_from

IDS = [f"i{n}" for n in range(6)]
SHOP = Catalog.from_table(
    pa.table(
        {
            "item_id": IDS,
            "title": ["Tote", "Duffel", "Watch", "Watch 2", "Mat", "Band"],
            "category": ["Gear > Bags > Totes", "Gear > Bags", "Gear > Watches", "Gear > Watches", "Sale > Bags", None],
            "brand": ["Acme", "ACME", "Lumen Works", "Alp", "Alp", None],
            "price": [10.0, 20.0, 30.0, 40.0, 5.5, None],
            "colour": ["red", "blue", "red|blue", None, "red", None],
            "stock": ["1", "0", "2", None, "3", "0"],
            "sku_no": ["1", "2", "3", "4", "5", "6"],
        }
    ),
    IDS,
)
COLUMNS = columns_of(SHOP)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Row("category", values=("> Gear > Bags",)), 'category:"> Gear > Bags"'),
        (Row("brand", values=("Acme", "Lumen Works")), 'brand:(Acme, "Lumen Works")'),
        (Row("brand", "not", ("Acme", "")), "NOT brand:Acme"),
        (Row("brand", values=("and",)), 'brand:"and"'),
        (Row("brand", "unknown"), "NOT brand:*"),
        (Row("price", "between", low="5", high="40"), "price:5..40"),
        (Row("price", "between", high="40"), "price:..40"),
        (Row("price", "outside", low="0.5"), "NOT price:0.5.."),
        (Row("price", "below", high="40"), "price < 40"),
        (Row("price", "above", low="40.5"), "price > 40.5"),
        (Row("in_stock"), "in_stock"),
        (Row("in_stock", "not"), "NOT in_stock"),
    ],
)
def test_a_row_is_a_filter_and_the_filter_is_that_row(row: Row, text: str) -> None:
    assert row.text == text
    (read,) = draft_from(text, COLUMNS).rows
    assert read.text == text


def test_rows_go_together_and_products_beside_them() -> None:
    rows = (Row("category", values=("Bags",)), Row("price", "below", high="15"))
    draft = Draft(by_rows=True, rows=rows, also=("i3", "i5"))
    assert draft.filter == "(category:Bags AND price < 15) OR item_id:(i3, i5)"
    assert draft_from(draft.filter, COLUMNS) == Draft(True, rows, ("i3", "i5"), draft.filter)
    assert np.flatnonzero(parse(draft.filter).mask(SHOP)).tolist() == [1, 4, 5, 6]


@pytest.mark.parametrize("how", ["is", "between", "below", "above"])
def test_a_row_without_a_value_is_named(how: How) -> None:
    draft = Draft(by_rows=True, rows=(Row("in_stock"), Row("price", how)))
    assert draft.so_far == "in_stock"
    with pytest.raises(RowError, match="condition 2"):
        _ = draft.filter
    with pytest.raises(InputError, match="expected a number"):
        _ = Draft(by_rows=True, rows=(Row("price", "below", high="cheap"),)).filter


@pytest.mark.parametrize(
    "text",
    ["brand:Acme OR price < 5", "NOT (brand:Acme AND in_stock)", "price:(1..2, 5..6)", "NOT price < 5", "no:1", "((("],
)
def test_what_rows_cannot_say_stays_as_it_was_written(text: str) -> None:
    assert draft_from(text, COLUMNS) == Draft(by_rows=False, written=text)


def test_the_buttons_of_a_form() -> None:
    draft = Draft(by_rows=True, rows=(Row("brand", values=("Acme",)),))
    more = changed(draft, "or-0", COLUMNS)
    assert more.rows == (Row("brand", values=("Acme", "")),)
    assert [row.column for row in changed(more, "add", COLUMNS).rows] == ["brand", "category"]
    assert changed(draft, "remove-0", COLUMNS).rows == ()
    assert changed(draft, "text", COLUMNS) == Draft(by_rows=False, written="brand:Acme")
    assert changed(changed(draft, "text", COLUMNS), "rows", COLUMNS).rows == draft.rows
    for nonsense in ("or-9", "remove-x", "remove-", "dance", "", "or-²"):
        assert changed(draft, nonsense, COLUMNS) == draft


def test_what_can_be_asked_of_a_shop() -> None:
    shelf = Shelf.of(SHOP, {})
    found = attributes(shelf)
    assert list(found)[:4] == ["category", "brand", "price", "in_stock"]
    assert {name: each.kind for name, each in found.items()} == {
        "category": "category", "brand": "value", "price": "number", "in_stock": "stock", "title": "words",
        "colour": "value", "item_id": "value",
    }  # fmt: skip
    assert set(found["brand"].values) == {("Acme", 2), ("Alp", 2), ("Lumen Works", 1)}  # spellings that compare as one
    assert dict(found["colour"].values) == {"red": 3, "blue": 2}
    assert (found["price"].low, found["price"].high) == (5.5, 40.0)


def test_the_tree_has_what_was_chosen() -> None:
    shelf = Shelf.of(SHOP, {})
    assert [(each.depth, each.name, each.size) for each in options(shelf, ["> Gear > Bags"])] == [
        (0, "Gear", 4), (1, "Bags", 2), (2, "Totes", 1), (1, "Watches", 2), (0, "Sale", 1), (1, "Bags", 1),
    ]  # fmt: skip
    first = options(shelf, ["Bags"])[0]
    assert (first.value, first.size) == ("Bags", None)  # a part of a path is no one place of the tree


def test_the_example_lets_products_of_this_shop_through() -> None:
    shelf = Shelf.of(SHOP, {})
    assert example(shelf) == "category:Gear AND price <= 25" or example(shelf) == 'category:"Gear" AND price <= 25'
    assert shelf.mask(parse(example(shelf))).sum() == 2


def test_of_a_large_tree_the_chosen_branch_is_open() -> None:
    ids = [f"p{n}" for n in range(300)]
    paths = [f"{'AB'[n % 2]} > C{n} > D" for n in range(300)]
    shelf = Shelf.of(Catalog.from_table(pa.table({"item_id": ids, "category": paths}), ids), {})
    assert [each.value for each in options(shelf, [""])] == ["> A", "> B"]
    opened = options(shelf, ["> B"])
    assert len(opened) == 2 + 150
    assert {each.depth for each in opened[2:]} == {1}
    deeper = options(shelf, ["> B > C7"])
    assert [each.value for each in deeper if each.depth == 2] == ["> B > C7 > D"]
