import logging

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX, Histories, Interactions
from endcap.data.vocabulary import Vocabulary
from endcap.models.base import Traits
from endcap.models.ease import Ease, EaseConfig

VIEW = KIND_INDEX["view"]


def log(users: list[list[int]], n_items: int) -> Interactions:
    items = np.array([item for user in users for item in user], dtype=np.int64)
    return Interactions(
        items=items,
        kinds=np.full(len(items), VIEW),
        times=None,
        values=np.full((len(items), 3), np.nan, dtype=np.float32),
        offsets=np.concatenate([[0], np.cumsum([len(user) for user in users], dtype=np.int64)]),
        user_ids=tuple(str(user) for user in range(len(users))),
        vocabulary=Vocabulary(tuple(f"i{item}" for item in range(1, n_items + 1))),
    )


def fitted(train: Interactions, config: EaseConfig) -> Ease:
    return Ease(config, Traits.of(train)).fit(train)


def scores(model: Ease, histories: Histories) -> torch.Tensor:
    return model.score(ask(histories, np.full(len(histories), VIEW), last=model.history))


def test_two_items_worked_by_hand():
    # X'X + 1 is [[3, 1], [1, 2]], its inverse [[2, -1], [-1, 3]] / 5, so B is [[0, 1/3], [1/2, 0]].
    model = fitted(log([[1, 2, 2], [1]], 2), EaseConfig(penalty=1.0, decay=1.0))
    expected = torch.tensor([[0, 0, 1 / 3], [0, 1 / 2, 0], [0, 1 / 2, 1 / 3]])
    assert_close(scores(model, log([[1], [2], [1, 2, 2, 1]], 2)), expected, atol=1e-5, rtol=0)


def test_agrees_with_the_textbook_formula():
    generator = np.random.default_rng(0)
    train = log([generator.integers(1, 7, size=4).tolist() for _ in range(40)], 6)
    x = np.zeros((40, 7))
    x[train.owners, train.items] = 1
    inverse = np.linalg.inv(x[:, 1:].T @ x[:, 1:] + 5 * np.eye(6))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    model = fitted(train, EaseConfig(penalty=5.0, decay=1.0))
    alone = scores(model, log([[item] for item in range(1, 7)], 6))
    assert_close(alone[:, 1:], torch.tensor(expected, dtype=torch.float32), atol=1e-5, rtol=0)


def test_an_item_counts_once_by_its_latest_event():
    model = fitted(log([[1, 2], [3, 4]], 4), EaseConfig(penalty=1.0, decay=0.5))
    once, twice = scores(model, log([[3, 1], [1, 3, 1]], 4))
    assert_close(once, twice)
    assert_close(once[4] / once[2], torch.tensor(0.5), atol=1e-4, rtol=0)


def test_items_beyond_the_limit_come_last(caplog: pytest.LogCaptureFixture):
    train = log([[1, 2, 3], [1, 3], [3, 4], [1, 3, 4]], 4)
    config = EaseConfig(penalty=1.0, max_items=2)
    with caplog.at_level(logging.WARNING):
        model = fitted(train, config)
    assert "2 most frequent of 4 items" in caplog.text
    assert model.note in caplog.text
    for row in scores(model, log([[1], [3], [2], []], 4)):
        assert set(row[1:].argsort(descending=True)[:2].tolist()) == {0, 2}
        assert row[4] > row[2]  # the others by popularity
    assert Ease(EaseConfig(max_items=4), Traits.of(train)).note == ""


def test_empty_histories_are_answered_by_popularity():
    model = fitted(log([[1, 2], [2]], 3), EaseConfig())
    for histories in (log([[], [3], []], 3), log([[]], 3)):
        assert scores(model, histories)[0, 1:].argsort(descending=True).tolist() == [1, 0, 2]


def test_the_state_is_the_model():
    train = log([[1, 2, 3], [2, 3], [4, 1]], 4)
    model = fitted(train, EaseConfig(max_items=3))
    copy = Ease(EaseConfig(max_items=3), Traits.of(train))
    copy.load_state_dict(model.state_dict(), strict=True)
    histories = log([[4], [1, 2, 3], []], 4)
    assert torch.equal(scores(copy, histories), scores(model, histories))


@pytest.mark.parametrize("users", [[], [[]], [[1]]])
def test_a_log_without_pairs(users: list[list[int]]):
    assert torch.isfinite(scores(fitted(log(users, 1), EaseConfig()), log([[1], []], 1))).all()
