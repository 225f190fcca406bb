"""Nothing after the cut reaches vocabulary, statistics or weights."""

from pathlib import Path

import numpy as np
import pytest

from endcap.config import check, model_names
from endcap.data import backend
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, Dataset, prepare
from endcap.data.mark import SplitConfig
from endcap.data.split import split
from endcap.fitting import fit
from endcap.models import Traits
from endcap.training import Task


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


def prepared(path: Path, *, future: int) -> Dataset:
    write_log(path, future=future)
    clean = CleanConfig(min_user_events=3, min_item_events=3)
    return prepare(backend.local(), DataConfig(events=str(path)), clean, SplitConfig())


@pytest.fixture(scope="module")
def futures(tmp_path_factory: pytest.TempPathFactory) -> list[Dataset]:
    """The same past, with two different futures."""
    folder = tmp_path_factory.mktemp("logs")
    return [prepared(folder / f"{future}.csv", future=future) for future in (1, 2)]


def test_the_futures_differ(futures: list[Dataset]) -> None:
    one, other = (split(each.table) for each in futures)
    assert one.test.targets.tolist() != other.test.targets.tolist()
    assert one.valid.targets.tolist() != other.valid.targets.tolist()


def test_cut_vocabulary_and_statistics_come_from_the_past(futures: list[Dataset]) -> None:
    one, other = (split(each.table).train for each in futures)
    assert futures[0].facts["cuts"][0] == futures[1].facts["cuts"][0]
    assert one.vocabulary == other.vocabulary
    assert Traits.of(one) == Traits.of(other)
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("name", model_names())
def test_the_future_leaves_weights_byte_identical(futures: list[Dataset], name: str) -> None:
    document = {"data": {"events": "log.csv"}, "model": {"name": name}, "train": {"epochs": 2, "batch_tokens": 256}}
    config = check(document, "test")
    states = []
    for dataset in futures:
        train = split(dataset.table).train
        states.append(fit(config.model, train, None, config.train, Task()).model.state_dict())
    assert states[0].keys() == states[1].keys()
    for key, tensor in states[0].items():
        assert tensor.numpy().tobytes() == states[1][key].numpy().tobytes(), key
