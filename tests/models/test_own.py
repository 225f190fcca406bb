import numpy as np
import torch

from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX, Interactions
from endcap.data.vocabulary import Vocabulary
from endcap.models.base import Traits
from endcap.models.own import Own, OwnConfig

VIEW, PURCHASE = KIND_INDEX["view"], KIND_INDEX["purchase"]


def log(users: list[list[int]], kinds: list[int] | None = None, times: list[float] | None = None) -> Interactions:
    """At most 4 items."""
    items = np.array([item for user in users for item in user], dtype=np.int64)
    return Interactions(
        items=items,
        kinds=np.array(kinds or [VIEW] * len(items)),
        times=None if times is None else np.array(times),
        values=np.full((len(items), 3), np.nan, dtype=np.float32),
        offsets=np.concatenate([[0], np.cumsum([len(user) for user in users])]),
        user_ids=tuple(str(user) for user in range(len(users))),
        vocabulary=Vocabulary(("i1", "i2", "i3", "i4")),
    )


def scored(
    history: Interactions, config: OwnConfig, train: Interactions | None = None, goal: int = VIEW
) -> torch.Tensor:
    train = train or history
    return Own(config, Traits.of(train)).fit(train).score(ask(history, np.full(len(history), goal)))[0]


def test_often_and_lately_both_count() -> None:
    found = scored(log([[1, 1, 2, 3, 2]]), OwnConfig(power=1.0, again=0.0))
    expected = [1 / 5 + 1 / 4, 1 / 3 + 1, 1 / 2]
    torch.testing.assert_close(found[1:4], torch.tensor(expected), atol=1e-5, rtol=0)


def test_what_was_never_had_follows_by_popularity() -> None:
    train = log([[1, 2], [3, 4], [4]])
    found = scored(log([[1]]), OwnConfig(), train)
    assert found.argsort(descending=True)[:2].tolist() == [1, 4]
    assert found[4] > found[3] > 0


def test_items_differ_in_how_often_they_are_bought_again() -> None:
    train = log([[1, 2, 1], [1, 1, 2], [2, 1, 1]])
    found = scored(log([[1, 2]]), OwnConfig(power=0.0, again=1.0, shrink=1.0), train)
    assert found[1] > 1.5 * found[2]


def test_a_basket_is_one_step() -> None:
    history = log([[1, 1, 2]], times=[1.0, 1.0, 1.0])
    model = Own(OwnConfig(), Traits.of(history)).fit(history)
    assert model.again[1] == model.again[2]  # twice in one basket is not again
    found = scored(log([[3, 1, 2]], times=[1.0, 2.0, 2.0]), OwnConfig(power=1.0, again=0.0))
    torch.testing.assert_close(found[1:4], torch.tensor([1.0, 1.0, 0.5]), atol=1e-5, rtol=0)


def test_other_kinds_count_less() -> None:
    history = log([[1, 2]], kinds=[PURCHASE, VIEW])
    found = scored(history, OwnConfig(power=0.0, again=0.0, other=0.25), goal=PURCHASE)
    torch.testing.assert_close(found[1:3], torch.tensor([1.0, 0.25]), atol=1e-5, rtol=0)
