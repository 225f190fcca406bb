import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from endcap.data import backend as backends
from endcap.data import sources
from endcap.data.catalog import Catalog
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.errors import InputError
from endcap.data.mark import SplitConfig
from endcap.data.sources.simulated import visits


def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "products.csv"
    rows = [f"p{i},Thing {i},{'Hats' if i < 10 else 'Shoes'},{i + 1}" for i in range(20)]
    path.write_text("\n".join(["item_id,title,category,price", *rows]), encoding="utf-8")
    return path


def test_a_shop_without_a_log_gets_visits_and_says_so(tmp_path: Path) -> None:
    data = DataConfig(events="simulated", items=str(catalogue(tmp_path)))
    dataset = prepare(backends.local(), data, CleanConfig(), SplitConfig())
    assert {"view", "cart", "purchase"} == set(dataset.table["kind"].to_pylist())
    assert set(dataset.table["item_id"].to_pylist()) <= {f"p{i}" for i in range(20)}
    assert any("SIMULATED" in note for note in dataset.facts["notes"])
    assert {"train", "valid", "test"} <= set(dataset.table["part"].to_pylist())


def test_visits_stay_in_a_category_more_often_than_by_chance() -> None:
    table = pa.table({"item_id": [f"p{i}" for i in range(20)], "category": ["Hats"] * 10 + ["Shoes"] * 10,
                      "price": [float(i + 1) for i in range(20)]})  # fmt: skip
    log = visits(Catalog.from_table(table, table["item_id"].to_pylist()), np.random.default_rng(0), 1e9)
    assert visits(Catalog.from_table(table, table["item_id"].to_pylist()), np.random.default_rng(0), 1e9) == log
    users, items = log["user_id"].to_pylist(), [int(item[1:]) // 10 for item in log["item_id"].to_pylist()]
    same = [a == b for a, b, u, v in zip(items, items[1:], users, users[1:], strict=False) if u == v]
    assert np.mean(same) > 0.6


def test_they_are_the_same_whenever_they_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataConfig(events="simulated", items=str(catalogue(tmp_path)))
    first = prepare(backends.local(), data, CleanConfig(), SplitConfig()).table.sort_by("row")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86400.0)
    assert prepare(backends.local(), data, CleanConfig(), SplitConfig()).table.sort_by("row") == first


def test_they_need_a_catalogue() -> None:
    with pytest.raises(InputError, match="without a catalogue"):
        sources.read(backends.local(), Path("simulated"))
