"""What is known of products is worked out once for the same products, photos and settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from endcap.config import Config, check
from endcap.data.dataset import Dataset
from endcap.describe import KEPT, Described, describe
from tests.engine.artifacts import products
from tests.test_examples import N_ITEMS, world

ANEW = "one code per product"
KEPT_STEP = "reading what is known of the products"


def config(**features: Any) -> Config:
    features = {"use": ["tabular"], "autoencoder": {"epochs": 1, "code": 4}} | features
    data = {"events": "circle.csv", "repeats": "allow"}
    return check({"data": data, "model": {"name": "popular"}, "features": features}, "test")


def described(settings: Config, items: pa.Table) -> tuple[Described, list[str]]:
    """The description, and the steps that it took."""
    steps: list[str] = []
    found = describe(settings, Dataset("circle", world(), items, {}, {}), steps.append)
    assert found is not None
    return found, steps


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENDCAP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "described"


def test_the_same_is_described_once(cache: Path) -> None:
    first, steps = described(config(), products(N_ITEMS))
    assert ANEW in steps
    second, steps = described(config(), products(N_ITEMS))
    assert steps == [KEPT_STEP]
    assert np.array_equal(first.products.content.vectors, second.products.content.vectors)
    assert first.products.code.names == second.products.code.names
    assert first.notes == second.notes


def test_another_product_or_setting_is_described_anew(cache: Path) -> None:
    described(config(), products(N_ITEMS))
    changed = products(N_ITEMS).to_pylist()
    changed[0]["price"] = 1234.5
    assert ANEW in described(config(), pa.Table.from_pylist(changed))[1]
    assert ANEW in described(config(autoencoder={"epochs": 2, "code": 4}), products(N_ITEMS))[1]
    assert described(config(), products(N_ITEMS))[1] == [KEPT_STEP]


def test_a_damaged_one_is_made_again(cache: Path) -> None:
    described(config(), products(N_ITEMS))
    (folder,) = cache.iterdir()
    (folder / "products.safetensors").write_bytes(b"half")
    assert ANEW in described(config(), products(N_ITEMS))[1]
    assert described(config(), products(N_ITEMS))[1] == [KEPT_STEP]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ENDCAP_CACHE", str(tmp_path / "file"))
    assert ANEW in described(config(), products(N_ITEMS))[1]


def test_those_used_last_are_kept(cache: Path) -> None:
    for epochs in range(1, KEPT + 3):
        described(config(autoencoder={"epochs": epochs, "code": 2}), products(N_ITEMS))
    assert len(list(cache.iterdir())) == KEPT
