"""A page of the catalogue: which products are on it, and in which order."""

import numpy as np
import pyarrow as pa

from endcap.data.catalog import Catalog
from endcap.engine.shelf import Shelf
from endcap.serve.storefront.listing import in_category


def test_a_category_page_has_its_own_branch_alone() -> None:
    table = pa.table({"item_id": ["a", "b", "c"], "category": ["Bags", "Gear > Bags", "Gear > Bags > Totes"]})
    shelf = Shelf.of(Catalog.from_table(table, ["a", "b", "c"]), {})
    assert in_category(shelf, ("Bags",), np.zeros(0, np.int64)).tolist() == [1]
    assert in_category(shelf, ("Gear", "Bags"), np.array([3])).tolist() == [3, 2]
