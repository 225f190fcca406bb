"""A page of the catalogue: which products are on it, in which order, and what they can be narrowed down by."""

import numpy as np
import pyarrow as pa

from endcap.data.catalog import Catalog
from endcap.engine.shelf import Shelf
from endcap.serve.storefront.facets import candidates
from endcap.serve.storefront.listing import PAGE, Choice, in_category, listing


def shelf_of(**columns: list[object]) -> Shelf:
    """Items named 0, 1, 2, …"""
    ids = [str(n) for n in range(len(next(iter(columns.values()))))]
    return Shelf.of(Catalog.from_table(pa.table({"item_id": ids, **columns}), ids), {})


def chosen(shelf: Shelf, *pairs: tuple[str, str]) -> Choice:
    return Choice.of(pairs, candidates(shelf))


def all_of(shelf: Shelf) -> np.ndarray:
    return np.arange(1, len(shelf) + 1)


def counts(shelf: Shelf, *pairs: tuple[str, str]) -> dict[str, dict[str, int]]:
    shown = listing(shelf, all_of(shelf), chosen(shelf, *pairs))
    return {facet.column: {value.label: value.size for value in facet.values} for facet in shown.facets}


def test_a_category_page_has_its_own_branch_alone() -> None:
    table = pa.table({"item_id": ["a", "b", "c"], "category": ["Bags", "Gear > Bags", "Gear > Bags > Totes"]})
    shelf = Shelf.of(Catalog.from_table(table, ["a", "b", "c"]), {})
    assert in_category(shelf, ("Bags",), np.zeros(0, np.int64)).tolist() == [1]
    assert in_category(shelf, ("Gear", "Bags"), np.array([3])).tolist() == [3, 2]


SHIRTS = {
    "colour": ["Red", "Red|Blue", "Blue", "Green", "green"],
    "size": ["XL|S", "S", "M", "32", None],
    "price": [1.0, 2.0, 3.0, 4.0, 5.0],
}


def test_any_column_of_few_values_is_a_facet() -> None:
    shelf = shelf_of(
        **SHIRTS,
        shade=["dark", "light", "dark", "dark", "light"],
        story=["a sentence of more than forty characters " + str(n) for n in range(5)],
        weight=["1.5", "2", "3", "4", "5"],
        colour_code=["a", "b", "a", "b", "a"],
        rare=["yes", "no", None, None, None],
        only=["one"] * 5,
    )
    assert list(counts(shelf)) == ["colour", "size", "shade"]
    assert counts(shelf)["colour"] == {"Green": 2, "Red": 2, "Blue": 2}
    assert list(counts(shelf)["size"]) == ["S", "M", "XL", "32"]  # as people know them


def test_counts_are_those_under_the_other_choices() -> None:
    shelf = shelf_of(**SHIRTS)
    found = counts(shelf, ("colour", "red"), ("low", "2"))
    assert found["colour"] == {"Blue": 2, "Green": 2, "Red": 1}  # of its own column the others stay open
    assert found["size"] == {"S": 1, "M": 0, "XL": 0, "32": 0}
    shown = listing(shelf, all_of(shelf), chosen(shelf, ("colour", "red"), ("low", "2")))
    assert shown.items.tolist() == [2]


def test_a_column_that_another_one_tells_all_of_is_no_facet() -> None:
    shelf = shelf_of(colour=["Navy", "Blue", "Red", "Rose"] * 2, master=["blue", "blue", "red", "red"] * 2)
    assert list(counts(shelf)) == ["colour"]


def test_a_chosen_value_can_be_taken_away() -> None:
    shelf = shelf_of(**SHIRTS)
    choice = chosen(shelf, ("colour", "Red"), ("colour", "Blue"), ("size", "S"), ("nonsense", "1"), ("page", "3"))
    assert choice.query() == "colour=Red&colour=Blue&size=S&page=3"
    assert choice.without("colour", "Red") == "colour=Blue&size=S"


def test_prices_the_wrong_way_round_are_turned_and_a_page_too_far_is_the_last() -> None:
    shelf = shelf_of(price=[float(n) for n in range(PAGE + 5)])
    assert listing(shelf, all_of(shelf), chosen(shelf, ("low", "4"), ("high", "2"))).items.tolist() == [3, 4, 5]
    shown = listing(shelf, all_of(shelf), chosen(shelf, ("page", "99999")))
    assert (shown.choice.page, shown.pages, len(shown.items)) == (2, 2, 5)
