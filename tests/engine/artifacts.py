"""Artifacts to serve: models of a circle of products, with and without knowledge of what the products are."""

from pathlib import Path

import pyarrow as pa

from endcap import artifact as artifacts
from endcap.config import check
from endcap.data.dataset import Dataset
from endcap.describe import describe
from endcap.experiment import run
from tests.worlds import circle_table

COLOURS = ("red", "green", "blue", "white")
N = 16
SMALL_PHOTOS = {"size": 32, "width": 8, "dim": 16, "labels": {"photos": 2}, "train": {"epochs": 30}}
COUNTS = ("popular", "transitions")


def products(n: int = N) -> pa.Table:
    """Products i0 ... on a circle; neighbours share colour, words and nearly the price."""
    quarter = [number * len(COLOURS) // n for number in range(n)]
    return pa.table(
        {
            "item_id": [f"i{number}" for number in range(n)],
            "title": [f"{COLOURS[q]} thing {'abcd'[q] * 3}" for q in quarter],
            "category": [f"Things > Quarter {q}" for q in quarter],
            "brand": [f"brand {number % 4}" for number in range(n)],
            "price": [float(10 * (q + 1) + number % 3) for number, q in enumerate(quarter)],
            "colour": [COLOURS[q] for q in quarter],
        }
    )


def trained(
    model: str,
    folder: Path,
    *,
    use: tuple[str, ...] = (),
    epochs: int = 6,
    items: pa.Table | None = None,
    images: Path | None = None,
) -> Path:
    """Trains a small model of the circle and saves its artifact; `use` as in [features]."""
    config = check(
        {
            "data": {"events": "circle", "repeats": "mask"} | ({"images": str(images)} if images else {}),
            "model": {"name": model} | ({} if model in COUNTS else {"dim": 16, "items": {"taste": 10.0}}),
            "features": {"use": list(use), "autoencoder": {"epochs": 3}, "text": {"dim": 8}, "photos": SMALL_PHOTOS},
            "train": {"epochs": epochs, "patience": 0, "batch_tokens": 64, "learning_rate": 0.01, "warmup": 5},
        },
        "test",
    )
    dataset = Dataset("circle", circle_table(N, 150), products() if items is None else items, {}, {}, {})
    outcome = run(config, dataset, describe(config, dataset))
    artifacts.save(outcome.artifact, folder)
    return folder
