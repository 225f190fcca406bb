import numpy as np
import pytest
import torch
from torch.testing import assert_close

from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX, Histories, Interactions
from endcap.data.vocabulary import Vocabulary
from endcap.models.base import Traits
from endcap.models.popular import DAY, Popular, PopularConfig, prior

VIEW, PURCHASE, REVIEW, IMPRESSION = (KIND_INDEX[kind] for kind in ("view", "purchase", "review", "impression"))


def log(items: list[int], kinds: list[int], times: list[float] | None = None, n_items: int = 3) -> Interactions:
    """One user's log."""
    return Interactions(
        items=np.array(items, dtype=np.int64),
        kinds=np.array(kinds, dtype=np.int64),
        times=None if times is None else np.array(times),
        values=np.full((len(items), 3), np.nan, dtype=np.float32),
        offsets=np.array([0, len(items)]),
        user_ids=("u",),
        vocabulary=Vocabulary(tuple(f"i{item}" for item in range(1, n_items + 1))),
    )


def fitted(train: Interactions, config: PopularConfig | None = None) -> Popular:
    return Popular(config or PopularConfig(), Traits.of(train)).fit(train)


def histories(lengths: list[int]) -> Histories:
    n = sum(lengths)
    return Histories(
        items=np.ones(n, dtype=np.int64),
        kinds=np.full(n, VIEW),
        times=None,
        values=np.full((n, 3), np.nan, dtype=np.float32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def test_counts_the_kind_asked_for_and_others_a_little():
    model = fitted(log([1, 1, 1, 2, 3, 3], [VIEW, VIEW, VIEW, PURCHASE, VIEW, PURCHASE]), PopularConfig(backoff=0.1))
    scored = model.score(ask(histories([1, 1, 1]), np.array([VIEW, PURCHASE, REVIEW])))
    assert_close(6 * scored[0], torch.tensor([0, 3, 0.1, 1.1]))
    assert_close(6 * scored[1], torch.tensor([0, 0.3, 1, 1.1]))
    assert_close(6 * scored[2], torch.tensor([0, 3.0, 1, 2]))  # nobody ever wrote a review: all kinds alike


def test_what_cannot_be_an_answer_is_not_counted():
    model = fitted(log([1, 1, 2], [IMPRESSION, IMPRESSION, VIEW]))
    assert_close(model.score(ask(histories([1]), np.array([VIEW]))), torch.tensor([[0, 0, 1.0, 0]]))


def test_what_the_vocabulary_does_not_know_is_not_counted():
    model = fitted(log([0, 0, 1, 2], [VIEW] * 4))
    assert_close(2 * model.score(ask(histories([1]), np.array([VIEW]))), torch.tensor([[0, 1.0, 1, 0]]))


def test_an_event_a_half_life_old_counts_half():
    model = fitted(log([1, 2, 3], [VIEW] * 3, [0, 10 * DAY, 20 * DAY]), PopularConfig(half_life=10))
    assert_close(1.75 * model.score(ask(histories([1]), np.array([VIEW]))), torch.tensor([[0, 0.25, 0.5, 1]]))


def test_what_is_older_than_the_window_or_of_unknown_time_is_as_old_as_the_oldest():
    train = log([1, 2, 3, 1], [VIEW] * 4, [0, 10 * DAY, 20 * DAY, float("nan")])
    model = fitted(train, PopularConfig(window=15))
    assert_close(model.score(ask(histories([1]), np.array([VIEW]))), torch.tensor([[0, 0, 0.5, 0.5]]))


def test_an_empty_history_is_answered_with_all_kinds():
    model = fitted(log([1, 1, 2], [VIEW, PURCHASE, PURCHASE]))
    scored = model.score(ask(histories([0, 2, 0]), np.array([VIEW] * 3)))
    assert_close(3 * scored[[0, 2]], torch.tensor([[0, 2.0, 1, 0]] * 2))


def test_the_state_is_the_model():
    train = log([1, 1, 2], [VIEW, VIEW, VIEW], [0, DAY, 2 * DAY])
    model = fitted(train)
    copy = Popular(PopularConfig(), Traits.of(train))
    copy.load_state_dict(model.state_dict(), strict=True)
    batch = ask(histories([1]), np.array([VIEW]))
    assert torch.equal(copy.score(batch), model.score(batch))


@pytest.mark.parametrize("items", [[], [1]])
def test_a_log_of_nothing_or_one_event(items: list[int]):
    model = fitted(log(items, [VIEW] * len(items), n_items=1))
    assert model.score(ask(histories([1, 0]), np.array([VIEW] * 2))).tolist() == [[0, float(len(items))]] * 2


def test_the_prior_is_log_popularity_up_to_one():
    assert_close(prior(log([1, 1, 1, 2], [VIEW] * 4)), np.array([0, 1, 0.5, 0], dtype=np.float32))
