from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX, Histories, Interactions
from endcap.data.split import Queries
from endcap.data.vocabulary import Vocabulary
from endcap.fitting import fit
from endcap.models import transitions
from endcap.models.base import Traits
from endcap.models.transitions import Transitions, TransitionsConfig
from endcap.training import Task, TrainConfig

VIEW, PURCHASE, IMPRESSION = (KIND_INDEX[kind] for kind in ("view", "purchase", "impression"))
PLAIN = TransitionsConfig(power=1.0, backward=0.5, row_power=0.0, column_power=0.0, popularity=0.0)


def log(users: list[list[int]], n_items: int, *, kinds: list[int] | None = None, times: list[float] | None = None):
    """Users' items; kinds and times, where given, of all events end to end."""
    items = np.array([item for user in users for item in user], dtype=np.int64)
    return Interactions(
        items=items,
        kinds=np.full(len(items), VIEW) if kinds is None else np.array(kinds),
        times=None if times is None else np.array(times, dtype=np.float64),
        values=np.full((len(items), 3), np.nan, dtype=np.float32),
        offsets=np.concatenate([[0], np.cumsum([len(user) for user in users], dtype=np.int64)]),
        user_ids=tuple(str(user) for user in range(len(users))),
        vocabulary=Vocabulary(tuple(f"i{item}" for item in range(1, n_items + 1))),
    )


def fitted(train: Interactions, config: TransitionsConfig = PLAIN) -> Transitions:
    return Transitions(config, Traits.of(train)).fit(train)


def scores(model: Transitions, histories: Histories, goal: int = VIEW) -> torch.Tensor:
    return model.score(ask(histories, np.full(len(histories), goal), last=model.history))


def circle(n_items: int = 12) -> Interactions:
    """Item i is always followed by i + 1, and the last by the first."""
    return log([[(start + step) % n_items + 1 for step in range(5)] for start in range(n_items)], n_items)


def test_learns_the_circle():
    model = fitted(circle(), TransitionsConfig())
    scored = scores(model, log([[4], [11, 12], [1, 2, 3]], 12))
    assert scored.argmax(dim=1).tolist() == [5, 1, 4]


def test_counts_worked_by_hand():
    scored = scores(fitted(log([[1, 2, 3], [1, 2]], 3)), log([[1], [2], [3]], 3))
    # 1 to 2 twice, 1 to 3 at distance two; half of that backwards.
    assert_close(scored, torch.tensor([[0, 0, 2, 0.5], [0, 1, 0, 1], [0, 0.25, 0.5, 0]]))


def test_old_pairs_count_less():
    users, config = [[1, 2], [1, 3]], replace(PLAIN, half_life=0.5)
    in_order = scores(fitted(log(users, 3), config), log([[1]], 3))  # the older is half of the log old: half as much
    assert_close(in_order, torch.tensor([[0, 0, 0.5, 1]]))
    times = [50.0, 100.0, -100.0, 0.0]  # now the other is
    by_time = scores(fitted(log(users, 3, times=times), config), log([[1]], 3))
    assert_close(by_time, torch.tensor([[0, 0, 1, 0.5]]))


def test_forgetting_is_chosen_on_all_of_a_long_log(monkeypatch: pytest.MonkeyPatch):
    """The habit has changed: 3 comes after 1 now, where it was 2."""
    old, new = [[1, 2]] * 60, [[1, 3]] * 40
    train, lengths = log(old + new, 3), {}
    fit_it = Transitions.fit

    def counted(self: Transitions, given: Interactions) -> Transitions:
        lengths.setdefault(self.config.half_life, set()).add(len(given.items))
        return fit_it(self, given)

    monkeypatch.setattr(Transitions, "fit", counted)
    asked = log([[1]] * 40, 3)
    valid = Queries(asked, np.full(40, 3), np.arange(41), np.full(40, VIEW), None, asked.user_ids)
    for events in (0, 50):
        lengths.clear()
        found = fit(TransitionsConfig(), train, valid, TrainConfig(choose_events=events), Task())
        assert found.config.half_life > 0
        assert scores(found.model, log([[1]], 3)).argmax() == 3
        assert all(tried == {200} for half_life, tried in lengths.items() if half_life)
        assert lengths[0.0] == ({200, 50} if events else {200})


def test_scaling_by_both_totals():
    train = log([[1, 2, 3], [1, 2]], 3)
    scored = scores(fitted(train, replace(PLAIN, row_power=1.0, column_power=0.5, shrink=1.0)), log([[1]], 3))
    assert_close(scored, torch.tensor([[0, 0, 2 / 3.5 / 3.5**0.5, 0.5 / 3.5 / 2.5**0.5]]))


def test_older_steps_weigh_less():
    model = fitted(log([[1, 2], [3, 4]], 4), replace(PLAIN, decay=0.25))
    assert_close(scores(model, log([[3, 1]], 4)), torch.tensor([[0, 0, 1, 0, 0.25]]))


def test_pairs_end_at_the_window_and_at_the_user():
    assert_close(
        scores(fitted(log([[1, 2, 3], [4]], 4), replace(PLAIN, window=1)), log([[1], [3]], 4)),
        torch.tensor([[0, 0, 1.0, 0, 0], [0, 0, 0.5, 0, 0]]),
    )


def test_a_basket_is_one_step_without_direction():
    train = log([[1, 2, 3]], 3, times=[0, 0, 60])
    scored = scores(fitted(train), log([[1], [2], [3]], 3, times=[0, 0, 0]))
    assert_close(scored, torch.tensor([[0, 0, 0.75, 1], [0, 0.75, 0, 1], [0, 0.5, 0.5, 0]]))
    both = scores(fitted(train, replace(PLAIN, decay=0.1)), log([[1, 2]], 3, times=[5, 5]))
    assert_close(both, torch.tensor([[0, 0.75, 0.75, 2]]))  # of one basket, both are of age 0


def test_bought_again_counts_for_itself():
    assert_close(scores(fitted(log([[1, 1]], 1)), log([[1]], 1)), torch.tensor([[0, 1.5]]))


def test_the_goal_decides_which_pairs_count():
    train = log([[1, 2], [1, 3]], 3, kinds=[VIEW, VIEW, VIEW, PURCHASE])
    model = fitted(train, replace(PLAIN, other=0.1))
    assert_close(scores(model, log([[1]], 3), VIEW), torch.tensor([[0, 0, 1, 0.1]]))
    assert_close(scores(model, log([[1]], 3), PURCHASE), torch.tensor([[0, 0, 0.1, 1]]))
    never = scores(model, log([[1]], 3), KIND_INDEX["cart"])
    assert_close(never, torch.tensor([[0, 0, 1.0, 1]]))  # a kind that never occurred: all alike


def test_nothing_leads_to_what_cannot_be_an_answer():
    scored = scores(fitted(log([[1, 2]], 2, kinds=[VIEW, IMPRESSION])), log([[1], [2]], 2))
    assert_close(scored, torch.tensor([[0, 0, 0.0], [0, 0.5, 0]]))


def test_nothing_leads_to_or_from_what_the_vocabulary_does_not_know():
    scored = scores(fitted(log([[1, 0, 2]], 2)), log([[1], [2]], 2))
    assert_close(scored, torch.tensor([[0, 0, 0.5], [0, 0.25, 0]]))


def test_only_the_strongest_neighbours_are_kept():
    train = log([[1, 2], [1, 2], [1, 3]], 3)
    assert_close(scores(fitted(train, replace(PLAIN, neighbours=1)), log([[1]], 3)), torch.tensor([[0, 0, 2.0, 0]]))


def test_counting_by_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    generator = np.random.default_rng(0)
    train = log([generator.integers(1, 9, size=length).tolist() for length in range(30)], 8)
    whole = fitted(train).state_dict()
    monkeypatch.setattr(transitions, "PAIRS", 7)
    chunked = fitted(train).state_dict()
    for name in whole:
        assert_close(chunked[name], whole[name])


def test_empty_histories_are_answered_by_popularity():
    model = fitted(log([[1, 2], [2]], 3), replace(PLAIN, popularity=1e-3))
    for histories in (log([[], [3], []], 3), log([[]], 3)):
        scored = scores(model, histories)
        assert scored[:, 1:].argsort(dim=1, descending=True).tolist() == [[1, 0, 2]] * len(histories)


def test_the_state_is_the_model():
    train = circle()
    model = fitted(train, TransitionsConfig())
    copy = Transitions(TransitionsConfig(), Traits.of(train))
    copy.load_state_dict(model.state_dict(), strict=True)
    histories = log([[4], [1, 2, 3], []], 12)
    assert torch.equal(scores(copy, histories), scores(model, histories))


@pytest.mark.parametrize("users", [[], [[]], [[1]]])
def test_a_log_without_pairs(users: list[list[int]]):
    scored = scores(fitted(log(users, 1), TransitionsConfig()), log([[1], []], 1))
    assert torch.isfinite(scored).all()
