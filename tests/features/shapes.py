"""A world of photos whose right answers are known: a disc or stripes, red, green or blue, anywhere on light grey."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.data.catalog import Catalog

SHAPES = ("disc", "stripes")
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200)}


@dataclass(frozen=True)
class Photos:
    owners: NDArray[np.int64]
    keys: tuple[str, ...]
    pixels: NDArray[np.uint8]


def photo(shape: str, colour: str, *, left: int, top: int, side: int = 16, size: int = 32) -> NDArray[np.uint8]:
    """(size, size, 3)"""
    y, x = np.mgrid[:size, :size]
    inside = (x >= left) & (x < left + side) & (y >= top) & (y < top + side)
    if shape == "disc":
        inside = (x - left - side / 2 + 0.5) ** 2 + (y - top - side / 2 + 0.5) ** 2 <= side**2 / 4
    else:
        inside = inside & ((y - top) % 4 < 2)
    pixels = np.full((size, size, 3), 230, np.uint8)
    pixels[inside] = COLOURS[colour]
    return pixels


def world(n: int, seed: int = 0) -> tuple[Catalog, Photos]:
    """`n` items of one photo each; their category is the shape."""
    random = np.random.default_rng(seed)
    shapes, colours = random.choice(SHAPES, n), random.choice(list(COLOURS), n)
    places = random.integers(0, 16, (n, 2))
    pixels = np.stack(
        [photo(s, c, left=a, top=b) for s, c, (a, b) in zip(shapes, colours, places.tolist(), strict=True)]
    )
    ids = [f"item {number}" for number in range(1, n + 1)]
    table = pa.table({"item_id": ids, "category": shapes.tolist(), "colour": colours.tolist()})
    return Catalog.from_table(table, ids), Photos(np.arange(1, n + 1), tuple(f"{seed}-{i}" for i in ids), pixels)
