import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from endcap import config as configuration
from endcap import fitting, selection
from endcap.config import model
from endcap.data.batch import ask
from endcap.data.errors import InputError
from endcap.data.interactions import Histories
from endcap.data.split import Queries
from endcap.evaluation import evaluate
from endcap.fitting import fit, keep_chosen
from endcap.models import Traits, build
from endcap.models.blending import Blend, Pool, blend, levels, log_scores, mixed
from endcap.models.hybrid import Hybrid, HybridConfig, latest
from endcap.models.reranking import FACTS
from endcap.models.transitions import TransitionsConfig
from endcap.ranking import recommend
from endcap.selection import judged, pool, select
from endcap.training import Epoch, Fitted, Task, TrainConfig
from tests.models.test_content import content, world
from tests.worlds import circle

QUICK = TrainConfig(epochs=6, patience=0, batch_tokens=64, learning_rate=4e-3, warmup=5)
PARTS = [{"name": "transitions"}, {"name": "gru", "dim": 16, "hidden": 16}]


def hybrid(*parts: dict, **fields: object) -> HybridConfig:
    found = model("hybrid", parts=list(parts or PARTS), **fields)
    assert isinstance(found, HybridConfig)
    return found


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    parts = circle()
    return fit(hybrid(), parts.train, parts.valid, QUICK, Task())


def pooled_scores(scores: Tensor, rows: Tensor, columns: Tensor) -> Pool:
    """A pool of which nothing is known but what the parts say."""
    return Pool(scores, rows, columns, torch.zeros(*scores.shape[:2], FACTS))


def questions(n: int, candidates: int = 20) -> tuple[Tensor, Pool, Queries]:
    """Each question's answer at random; the first part knows it half of the time, the second is noise."""
    random = torch.Generator().manual_seed(0)
    answers = torch.randint(candidates, (n,), generator=random)
    scores = torch.randn(n, candidates, 2, generator=random)
    scores[torch.arange(n), answers, 0] += 4.0 * (torch.arange(n) % 2)
    everyone = circle(n_users=n).valid
    queries = replace(everyone.take(np.arange(n)), targets=answers.numpy() + 1, target_offsets=np.arange(n + 1))
    return answers, pooled_scores(scores, torch.arange(n), answers), queries


def test_who_is_new_is_shown_what_is_popular(fitted: Fitted) -> None:
    train = circle().train
    counts = np.bincount(train.items, minlength=train.n_items + 1)[1:]
    one = Histories(np.array([3]), np.array([1]), np.array([1e6]), np.ones((1, 3), np.float32), np.array([0, 1, 1]))
    batch = ask(one, np.ones(2, np.int64))
    known, unknown = fitted.model.score(batch)[:, 1:].numpy()
    assert unknown.tolist() == counts.tolist()
    assert known.tolist() != counts.tolist()


def test_what_knows_more_counts_more() -> None:
    answers, pooled, _ = questions(200)
    found = blend(pooled, torch.zeros(2))
    assert found.weights[0] > 0.5
    assert found.weights[1] < 0.2
    assert (mixed(pooled, found).argmax(1) == answers)[1::2].float().mean() > 0.9


def test_answers_that_no_part_reaches_change_no_weight() -> None:
    _, pooled, _ = questions(200)
    reached = blend(pooled, torch.zeros(2))
    more = pooled_scores(
        torch.cat([pooled.scores, pooled.scores]),
        torch.cat([pooled.rows, pooled.rows + 200]),
        torch.cat([pooled.columns, torch.full((200,), -1)]),
    )
    assert_close(blend(more, torch.zeros(2)).weights, reached.weights)


@pytest.mark.parametrize("counted", [True, False])
def test_a_part_that_is_always_right_counts_a_finite_amount(counted: bool) -> None:
    answers, pooled, queries = questions(200)
    pooled.scores[torch.arange(200), answers, 0] = 100.0
    found = blend(pooled, levels(pooled, torch.tensor([counted, False])))
    assert torch.isfinite(found.weights).all()
    assert judged(pooled, mixed(pooled, found), queries, "hr@1").mean() == 1.0


def test_a_score_that_is_not_a_number_is_no_hit() -> None:
    _, pooled, queries = questions(20)
    pooled.scores[:10, :, 0] = torch.nan
    found = judged(pooled, mixed(pooled, Blend(torch.ones(2), torch.zeros(2), torch.ones(2))), queries, "hr@1")
    assert not found[:10].any()


def test_without_any_answer_all_parts_count_alike() -> None:
    nothing = pooled_scores(torch.randn(3, 4, 2), torch.arange(3), torch.full((3,), -1))
    weights = blend(nothing, torch.zeros(2)).weights
    assert weights[0] == weights[1] > 0


def test_a_part_that_brings_nothing_is_left_out() -> None:
    _, pooled, queries = questions(200)
    found = select(pooled, torch.tensor([False, False]), ["wise", "noise"], queries, "ndcg@10", hybrid(rerank=0))
    assert found.kept == (0,)
    assert "noise left out" in found.note


def test_the_pool_ranks_as_the_whole_catalogue_does(fitted: Fitted) -> None:
    parts, found = circle(), fitted.model
    assert isinstance(found, Hybrid)
    pooled = pool(found, parts.valid, repeat=False)
    weighed = Blend(found.weights, found.levels, found.epsilons)
    for metric in ("ndcg@10", "hr@1", "mrr@20"):
        expected = evaluate(found, parts.valid).metric(metric)
        np.testing.assert_allclose(judged(pooled, mixed(pooled, weighed), parts.valid, metric), expected)


def test_levels_are_of_counts_alone() -> None:
    scores = torch.tensor([[[2.0, 1.0], [4.0, 5.0]], [[8.0, 3.0], [-torch.inf, -torch.inf]]])
    assert_close(
        levels(pooled_scores(scores, torch.tensor([0]), torch.tensor([0])), torch.tensor([True, False])),
        torch.tensor([6.0, 0.0]),
    )


def test_the_score_is_the_weighted_sum_of_log_scores(fitted: Fitted) -> None:
    parts, found = circle(), fitted.model
    assert isinstance(found, Hybrid)
    asked = (parts.test.histories, parts.test.goals, parts.test.asked)
    expected = sum(
        weight * log_scores(part.score(ask(*asked, last=part.history)), level, epsilon)
        for part, weight, level, epsilon in zip(
            found.members, found.weights.tolist(), found.levels.tolist(), found.epsilons.tolist(), strict=True
        )
    )
    assert_close(found.score(ask(*asked, last=found.history))[:, 1:], expected[:, 1:])


def test_the_latest_events_are_those_that_ask_takes() -> None:
    test = circle().test
    whole, expected = ask(test.histories, test.goals, test.asked), ask(test.histories, test.goals, test.asked, last=3)
    for name in ("items", "offsets", "kinds", "times", "values", "goals", "asked"):
        assert_close(getattr(latest(whole, 3), name), getattr(expected, name), equal_nan=True)


def test_the_note_says_when_counts_are_enough(fitted: Fitted) -> None:
    assert isinstance(fitted.model, Hybrid)  # on the circle transitions know everything
    assert "counts alone are enough" in fitted.model.note


def test_without_a_network_that_is_worth_it_counts_are_enough() -> None:
    _, pooled, queries = questions(200)
    pooled.scores[:, :, 1] = 0.0
    found = select(pooled, torch.tensor([True, False]), ["wise", "noise"], queries, "ndcg@10", hybrid(rerank=0))
    assert found.kept == (0,)
    assert found.note.endswith("counts alone are enough")


@pytest.mark.parametrize(("n", "chosen"), [(0, True), (selection.FEWEST, True), (selection.FEWEST - 1, False)])
def test_it_is_chosen_on_as_many_questions_as_it_says(n: int, chosen: bool) -> None:
    parts = circle()
    counts = hybrid({"name": "transitions"}, {"name": "popular"}, questions=n)
    found = fit(counts, parts.train, parts.valid, replace(QUICK, valid_queries=1), Task())
    assert (found.values is not None) == chosen


def test_many_small_losses_are_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that goes costs 0.4 %, which is not worth a part; the second one would make it 0.8 %."""
    _, pooled, queries = questions(40)
    pooled = pooled.of([1, 1, 1, 1])

    def value(some: Pool, *_: object) -> np.ndarray:
        return np.full(40, 0.996 ** (4 - some.scores.shape[2]))

    monkeypatch.setattr(selection, "cross_fitted", value)
    found = select(pooled, torch.zeros(4, dtype=torch.bool), list("abcd"), queries, "ndcg@10", hybrid(rerank=0))
    assert len(found.kept) == 3


def test_a_worth_of_nothing_leaves_none_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _, pooled, queries = questions(40)
    pooled = pooled.of([1, 1, 1, 1])

    def value(some: Pool, *_: object) -> np.ndarray:
        return np.full(40, 1.5 - some.scores.shape[2] / 10)  # fewer seem better

    monkeypatch.setattr(selection, "cross_fitted", value)
    for worth, kept in ((0.0, 4), (0.005, 1)):
        config = hybrid(worth=worth, rerank=0)
        found = select(pooled, torch.zeros(4, dtype=torch.bool), list("abcd"), queries, "ndcg@10", config)
        assert len(found.kept) == kept


def test_parts_are_fitted_side_by_side_to_what_they_are_in_turn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fitting, "PAYS", 0)
    parts, config = circle(), hybrid(*PARTS, PARTS[1], rerank=0)
    heard: list[Epoch] = []
    together = fit(
        config, parts.train, parts.valid, QUICK, Task(),
        checkpoint=tmp_path, on_epoch=heard.append, processes=2,
    )  # fmt: skip
    one_by_one = fit(config, parts.train, parts.valid, QUICK, Task())
    assert [epoch.epoch for epoch in heard] == list(range(1, 2 * QUICK.epochs + 1))
    assert together.config == one_by_one.config
    for one, other in zip(together.model.state_dict().values(), one_by_one.model.state_dict().values(), strict=True):
        assert_close(one, other, rtol=1e-3, atol=1e-3)  # threads add up in another order
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1-gru", "2-gru"]


def test_what_goes_wrong_in_a_process_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fitting, "PAYS", 0)
    (tmp_path / "1-gru").mkdir()
    (tmp_path / "1-gru" / "checkpoint.safetensors").write_bytes(b"no checkpoint")
    parts = circle()
    with pytest.raises(InputError, match=r"1-gru.*damaged"):
        fit(hybrid(), parts.train, parts.valid, QUICK, Task(), checkpoint=tmp_path, processes=2)


def test_the_refit_keeps_parts_epochs_and_weights() -> None:
    parts = circle()
    first = fit(hybrid(*PARTS, {"name": "gru", "dim": 8, "hidden": 8}), parts.train, None, QUICK, Task())
    assert isinstance(first.config, HybridConfig)
    assert first.config.epochs == (0, 6, 6)
    again = fit(replace(first.config, epochs=(0, 2, 3)), parts.train, None, QUICK, Task())
    assert again.best_epoch == 5
    assert [epoch.epoch for epoch in again.epochs] == [1, 2, 3, 4, 5]
    assert isinstance(first.model, Hybrid)
    assert isinstance(again.model, Hybrid)
    first.model.weights = torch.tensor([0.7, 0.2, 0.1])
    keep_chosen(first.model, again.model)
    assert_close(again.model.weights, first.model.weights)


def test_two_networks_of_one_kind_begin_differently() -> None:
    parts = circle()
    found = fit(hybrid(PARTS[1], PARTS[1]), parts.train, None, QUICK, Task()).model
    assert isinstance(found, Hybrid)
    first, second = (part.state_dict()["items.weight"] for part in found.members)
    assert not torch.equal(first, second)


def test_what_the_user_had_is_no_part_where_it_may_not_be_shown() -> None:
    parts = circle()
    own = hybrid({"name": "own"}, {"name": "transitions"})
    masked = fit(own, parts.train, parts.valid, QUICK, Task(repeat=False)).config
    assert isinstance(masked, HybridConfig)
    assert [part.name for part in masked.parts] == ["transitions"]


def test_a_killed_run_goes_on_to_the_same_model(tmp_path: Path) -> None:
    parts = circle()

    def train(folder: Path, epochs: int) -> Fitted:
        return fit(hybrid(), parts.train, parts.valid, replace(QUICK, epochs=epochs), Task(), checkpoint=folder)

    train(tmp_path / "killed", 2)
    resumed, whole = train(tmp_path / "killed", 6), train(tmp_path / "whole", 6)
    assert resumed.config == whole.config
    for key, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[key]), key


def test_new_products_are_scored_by_the_networks_that_know_their_content() -> None:
    parts = world()
    known = content(parts)
    found = fit(hybrid(), parts.train, None, QUICK, Task(), content=known).model
    assert isinstance(found, Hybrid)
    offsets = known.attributes.offsets
    vectors = np.concatenate([known.vectors, known.vectors[3:4]])
    attributes = replace(known.attributes, offsets=np.append(offsets, offsets[-1]))
    grown = found.extend(replace(known, vectors=vectors, attributes=attributes))
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    before, after = found.score(batch), grown.score(batch)
    assert after.shape[1] == before.shape[1] + 1
    assert torch.isfinite(after[:, 1:]).all()
    assert_close(after[:, 1:-1], before[:, 1:])


def test_counts_alone_know_no_new_products() -> None:
    found = build(hybrid({"name": "transitions"}), Traits.of(circle().train))
    assert isinstance(found, Hybrid)
    with pytest.raises(InputError, match="no network"):
        found.extend(content(world()))


def test_the_config_says_its_parts_in_toml() -> None:
    text = """
    [data]
    events = "x.csv"
    [model]
    name = "hybrid"
    [[model.parts]]
    name = "transitions"
    decay = 0.5
    [[model.parts]]
    name = "gru"
    dim = 32
    """
    config = configuration.check(tomllib.loads(text), "test")
    assert isinstance(config.model, HybridConfig)
    assert config.model.parts[0] == TransitionsConfig(decay=0.5)
    assert configuration.check(tomllib.loads(configuration.dumps(config)), "test") == config


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"parts": [{"name": "gru", "depth": 3}]}, "depth"),
        ({"parts": [{"name": "hybrid"}]}, "hybrid"),
        ({"parts": []}, "at least one"),
        ({"parts": PARTS, "epochs": [3]}, "one for each of 2 parts"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        model("hybrid", **fields)


def test_all_counts_are_at_least_as_good_as_the_best_of_them() -> None:
    parts = circle()
    names = ("popular", "ease", "transitions")
    alone = [evaluate(fit(model(name), parts.train, parts.valid, QUICK, Task()).model, parts.test) for name in names]
    found = fit(hybrid(*({"name": name} for name in names)), parts.train, parts.valid, QUICK, Task())
    assert evaluate(found.model, parts.test).metric("ndcg@10").mean() >= max(
        each.metric("ndcg@10").mean() for each in alone
    )
    assert found.best_epoch == 0
    assert recommend(found.model, parts.test.histories, 3, goals=parts.test.goals).items.all()
