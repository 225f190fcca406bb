from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX
from endcap.models import knn
from endcap.models.base import Traits
from endcap.models.knn import Knn, KnnConfig
from tests.models.test_transitions import PURCHASE, VIEW, log

PLAIN = KnnConfig(decay=0.5, rare=0.0, length=0.0, other=0.0)


@pytest.fixture(autouse=True)
def no_popularity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "POPULARITY", 0.0)


def scores(config: KnnConfig, train, histories: list[list[int]], goal: int = VIEW) -> torch.Tensor:
    model = Knn(config, Traits.of(train)).fit(train)
    asked = log(histories, train.n_items)
    return model.score(ask(asked, np.full(len(asked), goal), last=model.history))[:, 1:]


def test_likeness_worked_by_hand() -> None:
    train = log([[1, 2, 3], [2, 4], [5]], 5)
    # The first shares 1 (a step old: half) and 2, the second shares 2.
    assert_close(scores(PLAIN, train, [[1, 2]]), torch.tensor([[1.5, 2.5, 1.5, 1, 0]]))
    by_length = scores(replace(PLAIN, length=1.0), train, [[1, 2]])
    assert_close(by_length, torch.tensor([[0.5, 1, 0.5, 0.5, 0]]))
    rarity = np.log([3 / 1, 3 / 2])  # of 1 and of 2
    first, second = 0.5 * rarity[0] + rarity[1], rarity[1]
    by_rarity = scores(replace(PLAIN, rare=1.0), train, [[1, 2]])
    assert_close(by_rarity, torch.tensor([[first, first + second, first, second, 0]], dtype=torch.float32))


def test_old_neighbours_count_less() -> None:
    train = log([[1, 2], [1, 3]], 3)  # the older is half of the log old
    assert_close(scores(replace(PLAIN, half_life=0.5), train, [[1]]), torch.tensor([[1.5, 0.5, 1]]))


def test_only_the_nearest_are_listened_to_and_of_those_alike_the_newest() -> None:
    train = log([[1, 2, 3], [1, 4], [1, 5]], 5)
    nearest = scores(replace(PLAIN, neighbours=1), train, [[2, 1], [1]])
    assert_close(nearest, torch.tensor([[1.5, 1.5, 1.5, 0, 0], [1, 0, 0, 0, 1]]))
    assert_close(scores(replace(PLAIN, latest=1), train, [[1]]), torch.tensor([[1, 0, 0, 0, 1.0]]))


def test_what_neighbours_had_by_another_kind_counts_less() -> None:
    train = log([[1, 2, 3, 2]], 3, kinds=[VIEW, VIEW, VIEW, PURCHASE])
    config = replace(PLAIN, other=0.25)
    assert_close(scores(config, train, [[1]], PURCHASE), torch.tensor([[0.25, 1, 0.25]]))
    assert_close(scores(config, train, [[1]], VIEW), torch.tensor([[1.0, 1, 1]]))


def test_what_neighbours_were_only_shown_they_did_not_have() -> None:
    shown = KIND_INDEX["impression"]
    train = log([[1, 2, 3, 3]], 3, kinds=[VIEW, PURCHASE, shown, shown])
    assert_close(scores(replace(PLAIN, other=0.25), train, [[1]], VIEW), torch.tensor([[1.0, 0.25, 0]]))


def test_pieces_of_a_batch_are_scored_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    train = log([random.integers(1, 30, random.integers(1, 9)).tolist() for _ in range(200)], 30)
    asked = [random.integers(1, 30, random.integers(0, 6)).tolist() for _ in range(40)]
    config = replace(PLAIN, rare=1.0, length=0.5, neighbours=20)
    whole = scores(config, train, asked)
    monkeypatch.setattr(knn, "ENTRIES", 100)
    assert_close(scores(config, train, asked), whole)
    assert (whole[[not each for each in asked]] == 0).all()
