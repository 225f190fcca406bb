"""Nothing after the cut reaches vocabulary, statistics or weights."""

from pathlib import Path

import numpy as np
import pytest

from endcap.config import check, model_names
from endcap.data import backend
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.mark import SplitConfig
from endcap.data.split import split
from endcap.models import Traits
from endcap.training import Task, fit


def write_log(path: Path, *, future: int) -> None:
    """A year of visits; what happens in its last fifth is drawn anew for each `future`."""
    past = np.random.default_rng(0)
    later = np.random.default_rng(future)
    lines = ["user_id,item_id,kind,time,price"]
    for event in range(2_000):
        random = past if event < 1_600 else later
        item = random.integers(40) if event < 1_600 else random.integers(60)  # new items come, too
        user = random.integers(80) if event < 1_600 else random.integers(90)
        price = random.uniform(1, 9) if event < 1_600 else random.uniform(100, 900)
        kind = random.choice(["view", "purchase"])
        lines.append(f"u{user},i{item},{kind},{1_600_000_000 + 10_000 * event},{price:.2f}")
    path.write_text("\n".join(lines))


@pytest.mark.parametrize("name", model_names())
def test_the_future_leaves_everything_byte_identical(tmp_path: Path, name: str) -> None:
    results = []
    for future in (1, 2):
        path = tmp_path / f"{future}.csv"
        write_log(path, future=future)
        clean = CleanConfig(min_user_events=3, min_item_events=3)
        dataset = prepare(backend.local(), DataConfig(events=str(path)), clean, SplitConfig())
        parts = split(dataset.table)
        document = {"data": {"events": str(path)}, "model": {"name": name}, "train": {"epochs": 2, "batch_tokens": 256}}
        config = check(document, "test")
        fitted = fit(config.model, parts.train, None, config.train, Task())
        results.append((dataset.facts["cuts"][0], parts.train.vocabulary, Traits.of(parts.train), fitted, parts))
    (cut, vocabulary, traits, fitted, parts), other = results
    assert (cut, vocabulary, traits) == other[:3]
    for key, tensor in fitted.model.state_dict().items():
        assert tensor.numpy().tobytes() == other[3].model.state_dict()[key].numpy().tobytes(), key
    assert parts.test.targets.tolist() != other[4].test.targets.tolist()  # the futures did differ
