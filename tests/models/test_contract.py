"""What every model promises; a new one is tested by being named in ModelConfig."""

import numpy as np
import pytest
import torch

from endcap.config import model, model_names
from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.evaluation import evaluate
from endcap.fitting import fit
from endcap.models import Network, Recommender, Traits, build
from endcap.ranking import recommend
from endcap.training import Fitted, Task, TrainConfig
from tests.worlds import circle

QUICK = TrainConfig(epochs=25, patience=0, batch_tokens=64, learning_rate=3e-3, warmup=5)


@pytest.fixture(scope="module", params=model_names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(name: str) -> Fitted:
    parts = circle()
    return fit(model(name), parts.train, parts.valid, QUICK, Task())


@pytest.fixture(scope="module")
def fitted(found: Fitted) -> Recommender:
    return found.model


def test_scores_have_a_column_per_item(fitted: Recommender) -> None:
    parts = circle()
    scored = fitted.score(ask(parts.test.histories, parts.test.goals, parts.test.asked))
    assert scored.shape == (len(parts.test), parts.train.n_items + 1)
    assert torch.isfinite(scored[:, 1:]).all()


def test_is_the_same_once_it_is_ready_for_many_questions(fitted: Recommender) -> None:
    parts = circle()
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    torch.testing.assert_close(fitted.ready().score(batch), fitted.score(batch), rtol=0, atol=0)


def test_learns_the_circle(name: str, fitted: Recommender) -> None:
    """Every model knows what comes next but popularity, and what the user had before: here nobody comes back."""
    parts = circle()
    found = evaluate(fitted, parts.test).metric("hr@1").mean()
    if name in {"popular", "own"}:
        assert found < 0.5
    elif name in {"ease", "knn"}:  # symmetric: the one before and the one after look alike
        assert evaluate(fitted, parts.test).metric("hr@5").mean() > 0.8
    else:
        assert found > 0.8


def test_empty_history_gets_a_full_list(fitted: Recommender) -> None:
    nothing = Histories(
        items=np.zeros(0, np.int64),
        kinds=np.zeros(0, np.int64),
        times=np.zeros(0),
        values=np.zeros((0, 3), np.float32),
        offsets=np.array([0, 0]),
    )
    ranking = recommend(fitted, nothing, 3, goals=np.array([1]), asked=np.array([2e6]))
    assert (ranking.items > 0).all()
    assert np.isfinite(ranking.scores).all()


def test_a_history_is_scored_alike_alone_and_in_company(fitted: Recommender) -> None:
    parts = circle()
    together = fitted.score(ask(parts.test.histories, parts.test.goals, parts.test.asked))
    alone = parts.test.take(np.array([7]))
    single = fitted.score(ask(alone.histories, alone.goals, alone.asked))
    torch.testing.assert_close(single[0, 1:], together[7, 1:], rtol=1e-4, atol=1e-5)


def test_state_dict_is_the_whole_model(found: Fitted, fitted: Recommender) -> None:
    parts = circle()
    torch.manual_seed(99)
    fresh = build(found.config, Traits.of(parts.train)).eval()
    fresh.load_state_dict(fitted.state_dict())
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    assert torch.equal(fresh.score(batch)[:, 1:], fitted.score(batch)[:, 1:])


def test_one_seed_gives_one_result(name: str, fitted: Recommender) -> None:
    parts = circle()
    again = fit(model(name), parts.train, parts.valid, QUICK, Task()).model
    for key, tensor in fitted.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key


@pytest.mark.parametrize("timed", [True, False])
def test_takes_kinds_and_logs_without_times(name: str, timed: bool) -> None:
    parts = circle(timed=timed, kinds=("view", "purchase"))
    found = fit(model(name), parts.train, parts.valid, TrainConfig(epochs=1, batch_tokens=64), Task("purchase"))
    asked = parts.test.asked if timed else None
    scored = found.model.score(ask(parts.test.histories, parts.test.goals, asked))
    assert torch.isfinite(scored[:, 1:]).all()


def test_a_catalogue_of_one(name: str) -> None:
    parts = circle(n_items=1, n_users=5)
    found = fit(model(name), parts.train, parts.valid, TrainConfig(epochs=1), Task(repeat=True)).model
    ranking = recommend(found, parts.test.histories, 1, goals=parts.test.goals, asked=parts.test.asked, repeat=True)
    assert (ranking.items == 1).all()


def test_later_events_change_no_earlier_score(name: str) -> None:
    """With the question held fixed, the future of a history is invisible to its earlier positions."""
    parts = circle(kinds=("view", "purchase"))
    network = build(model(name), Traits.of(parts.train))
    if not isinstance(network, Network):
        pytest.skip("scores only the end of a history")
    network = fit(model(name), parts.train, None, TrainConfig(epochs=1), Task()).model
    rng = np.random.default_rng(0)

    def states(length: int) -> torch.Tensor:
        history = Histories(
            items=items[:length],
            kinds=kinds[:length],
            times=times[:length],
            values=values[:length],
            offsets=np.array([0, length]),
        )
        batch = ask(history, np.array([KIND_INDEX["purchase"]]), np.array([1e9]))
        return network(batch)

    items, kinds = rng.integers(1, 12, 9), rng.integers(1, 4, 9)
    times, values = np.sort(rng.uniform(0, 1e6, 9)), rng.uniform(1, 9, (9, 3)).astype(np.float32)
    with torch.inference_mode():
        whole = states(9)
        for length in range(1, 9):
            torch.testing.assert_close(states(length), whole[:length], rtol=1e-4, atol=1e-5)
