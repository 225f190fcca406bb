"""Synthetic catalogues whose kinds of product are known, with blocks made of them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.features.base import Block

N_KINDS = 8


@dataclass(frozen=True)
class Shop:
    """A catalogue, its blocks, and what is true of every item."""

    catalog: Catalog
    blocks: dict[str, Block]  # tabular, text, photo
    kinds: NDArray[np.int64]  # (items + 1,) 0 for padding, then 1..N_KINDS


def shop(
    n_items: int = 600,
    *,
    seed: int = 0,
    categories: dict[int, int] | None = None,
    prices: dict[int, float] | None = None,
) -> Shop:
    """Each kind has its words, its look, its category and its price: 10 times the kind's number, give or take a tenth.

    `categories` (item -> kind) and `prices` (item -> factor) are the errors put into the catalogue.
    """
    random = np.random.default_rng(seed)
    kinds = np.concatenate([[0], random.integers(1, N_KINDS + 1, n_items)])
    told = kinds.copy()
    for item, kind in (categories or {}).items():
        told[item] = kind
    price = 10.0 * kinds * np.exp(0.1 * random.standard_normal(n_items + 1))
    for item, factor in (prices or {}).items():
        price[item] *= factor
    table = pa.table(
        {
            "item_id": [f"sku{item}" for item in range(1, n_items + 1)],
            "title": [f"Thing {item} of kind {kinds[item]}" for item in range(1, n_items + 1)],
            "category": [f"Kind {kind}" for kind in told[1:]],
            "price": price[1:],
        }
    )
    ids = table["item_id"].to_pylist()
    categories_shown = np.eye(N_KINDS + 1)[told][:, 1:]
    tabular = np.column_stack([categories_shown, np.log(np.maximum(price, 1e-9)), random.integers(0, 2, n_items + 1)])
    names = (*(f"category = Kind {kind}" for kind in range(1, N_KINDS + 1)), "log price", "new")
    blocks = {
        "tabular": _block(tabular, names),
        "text": _block(_look(kinds, 24, random), tuple(f"text {n}" for n in range(24))),
        "photo": _block(_look(kinds, 16, random), tuple(f"photo {n}" for n in range(16))),
    }
    return Shop(Catalog.from_table(table, ids), blocks, kinds)


def _look(kinds: NDArray[np.int64], dim: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(items + 1, dim) a bent sheet per kind: what a linear map cannot follow."""
    centres = random.standard_normal((N_KINDS + 1, dim))
    axes = random.standard_normal((2, dim))
    along = random.uniform(-1, 1, (len(kinds), 2))
    return centres[kinds] + np.sin(3 * along) @ axes + 0.1 * random.standard_normal((len(kinds), dim))


def _block(vectors: NDArray[np.float64], names: tuple[str, ...]) -> Block:
    vectors = vectors.astype(np.float32)
    vectors[0] = 0
    return Block(vectors, np.arange(len(vectors)) > 0, names)
