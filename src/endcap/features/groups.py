"""Products that are one for people: those that read alike, and the colours and sizes of one product.

Two are in one group where their titles and brands read alike, or where they have one `product_code`; so are those that
others connect. A title that is not there, or is only the id, connects nobody.
"""

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from endcap.data.catalog import Catalog
from endcap.data.vocabulary import Ints
from endcap.features import cells
from endcap.features.cells import plain

CODE = "product_code"

Codes = NDArray[np.int32]
Keys = list[tuple[Hashable, ...]]


def keys(catalog: Catalog) -> Keys:
    """(items,) what connects each product with others."""
    codes = cells.texts(catalog, CODE)
    reads = list(zip(cells.texts(catalog, "title"), cells.texts(catalog, "brand"), strict=True))
    alike = cells.once(reads, lambda read: tuple(map(plain, read)))
    ids = catalog.item_ids
    return [
        (*[("code", code)] * bool(code), *[("reads", *read)] * bool(read[0] and title != item_id))
        for code, read, (title, _), item_id in zip(codes, alike, reads, ids, strict=True)
    ]


def groups(connected: Keys) -> Codes:
    """(items + 1,) a number per product, from 1, the same for those of one group; 0 is padding."""
    number: dict[Hashable, int] = {}
    pairs = [(item, number.setdefault(key, len(number))) for item, own in enumerate(connected) for key in own]
    n, m = len(connected), len(number)
    items, places = np.array(pairs, np.int64).reshape(-1, 2).T
    graph = sparse.coo_array((np.ones(len(items), np.int8), (items, n + places)), shape=(n + m, n + m))
    _, labels = connected_components(graph, directed=False)
    return np.concatenate([[0], labels[:n] + 1]).astype(np.int32)


def one_each(items: Ints, codes: Codes, taken: Iterable[int] = ()) -> Ints:
    """Of some products, best first, the best of each group; none of the groups that are `taken`.

    >>> one_each(np.array([3, 1, 2]), np.array([0, 7, 7, 8]), taken=[8])
    array([1])
    """
    own = codes[items]
    first = np.zeros(len(items), np.bool_)
    first[np.unique(own, return_index=True)[1]] = True
    return items[first & ~np.isin(own, np.fromiter(taken, np.int32))]
