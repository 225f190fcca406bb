from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from endcap.data.batch import ask
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.split import Queries, Split
from endcap.evaluation import evaluate
from endcap.features.base import Content, Packed
from endcap.fitting import fit
from endcap.models import Traits, build
from endcap.models.blending import Pool, blend, levels, mixed
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.likeness import Likeness
from endcap.models.reranking import FACTS, LIKENESS, Reranker, facts, fit_reranker, reranked, trend_of
from endcap.selection import judged, pool, select, twice
from endcap.training import Task
from tests.models.test_content import content, world
from tests.models.test_hybrid import QUICK, hybrid
from tests.worlds import circle

VIEW, CART = KIND_INDEX["view"], KIND_INDEX["cart"]


def history(*walks: list[int], kinds: list[int] | None = None) -> Histories:
    items = np.array([item for walk in walks for item in walk], dtype=np.int64)
    return Histories(
        items,
        np.array(kinds if kinds else [VIEW] * len(items), dtype=np.int64),
        None,
        np.full((len(items), 3), np.nan, np.float32),
        np.cumsum([0, *(len(walk) for walk in walks)]),
    )


def described() -> Likeness:
    """Item 1 is red, item 2 large, item 3 red and blue; red and blue are equally rare (of three items, one and two)."""
    vectors = np.array([[0, 0], [3, 0], [0.6, 0.8], [0, 2]], np.float32)
    likeness = Likeness()
    attributes = Packed(np.array([0, 0, 1, 2, 4]), np.array([0, 2, 0, 1]), ("red", "blue", "large"))
    likeness.observe(Content(vectors, attributes))
    likeness.rarity[:2] = 1.0
    likeness.lengths[:] = torch.tensor([0.0, 1.0, 1.0, 2**0.5])
    return likeness


def test_facts_by_hand() -> None:
    walks = history([3, 2, 3], [1], [], kinds=[VIEW, VIEW, CART, VIEW])
    batch = ask(walks, np.full(3, VIEW))
    counts, trend = torch.tensor([0.0, 1.0, 3.0, 7.0]), torch.tensor([0.0, 0.1, 0.2, 0.3])
    found = facts(batch, torch.tensor([[3, 2, 1]] * 3), counts, trend, Likeness())
    size = torch.log1p(torch.tensor([3.0, 1.0, 0.0]))
    #       viewed, carted, events, of all, trend, length, came back, the last one did
    first = [
        [1 / 3, 1.0, 2.0, np.log(8), 0.3, float(size[0]), 1 / 3, 1.0],
        [1 / 2, 0.0, 1.0, np.log(4), 0.2, float(size[0]), 1 / 3, 1.0],
        [0.0, 0.0, 0.0, np.log(2), 0.1, float(size[0]), 1 / 3, 1.0],
    ]
    assert found.shape == (3, 3, FACTS)
    assert_close(found[0], torch.tensor(first, dtype=torch.float32))
    assert_close(found[1, 2], torch.tensor([1.0, 0.0, 1.0, float(np.log(2)), 0.1, float(size[1]), 0.0, 0.0]))
    assert_close(found[2, :, :3], torch.zeros(3, 3))


def test_likeness_to_a_history_by_hand() -> None:
    batch = ask(history([3, 1], [2], []), np.full(3, VIEW))
    found = facts(batch, torch.tensor([[1, 2, 3]] * 3), torch.ones(4), torch.ones(4), described())[:, :, FACTS:]
    #   to the last, the most alike, all alike, later ones before earlier: by attributes, then by vectors
    by_attributes = [0.5**0.5, 1.0, (0.5**0.5 + 1.0) / 2, (0.5**0.5 + 0.8) / 1.8]
    by_vectors = [0.0, 1.0, 0.5, 0.8 / 1.8]
    assert found.shape == (3, 3, LIKENESS)
    assert_close(found[0, 2], torch.tensor(by_attributes + by_vectors), atol=1e-3, rtol=0)
    assert_close(found[1, 0], torch.tensor([0.0] * 4 + [0.6] * 4), atol=1e-3, rtol=0)  # whoever stands beside them
    assert_close(found[1, 2], torch.tensor([0.0] * 4 + [0.8] * 4), atol=1e-3, rtol=0)
    assert_close(found[2, :, [0, 2, 3, 4, 6, 7]], torch.zeros(3, 6))


def test_facts_of_nobody() -> None:
    batch = ask(history([], []), np.full(2, VIEW))
    items, counts = torch.tensor([[1, 2]] * 2), torch.ones(3)
    assert facts(batch, items, counts, counts, Likeness()).shape == (2, 2, FACTS)
    assert facts(batch, items, counts, counts, described()).shape == (2, 2, FACTS + LIKENESS)


def test_demand_that_grows_has_a_trend_above_nothing() -> None:
    train = circle(n_users=60).train  # users come one after the other
    newest = np.flatnonzero(train.owners >= 57)
    items = train.items.copy()
    items[newest] = 1
    items[(items == 1) & (train.owners < 57)] = 2
    found = trend_of(replace(train, items=items))
    assert found[1] > 1.0
    assert found[2] < found[1]
    assert found[0] == 0.0


def listed(n: int, *, told: bool) -> tuple[Pool, Queries]:
    """Questions of which the parts know nothing; the answer is the candidate with a fact, where it is told."""
    random = torch.Generator().manual_seed(0)
    answers = torch.randint(20, (n,), generator=random)
    known = torch.randn(n, 20, FACTS, generator=random)
    if told:
        known[torch.arange(n), answers, 0] += 4.0
    queries = replace(
        circle(n_users=n).valid.take(np.arange(n)), targets=answers.numpy() + 1, target_offsets=np.arange(n + 1)
    )
    return Pool(torch.randn(n, 20, 2, generator=random), torch.arange(n), answers, known), queries


def test_what_no_part_says_is_learned() -> None:
    pooled, queries = listed(400, told=True)
    found = select(pooled, torch.tensor([False, False]), ["a", "b"], queries, "hr@1", hybrid())
    assert found.reranker is not None
    assert int(found.reranker.top) == 20
    assert "a second look at the best 100 adds +0." in found.note
    scored = twice(pooled.of(found.kept), found.blend, found.reranker)
    assert judged(pooled, scored, queries, "hr@1").mean() > 0.8
    assert judged(pooled, mixed(pooled.of(found.kept), found.blend), queries, "hr@1").mean() < 0.3


def test_what_is_reported_of_validation_was_fitted_to_its_other_half() -> None:
    pooled, queries = listed(400, told=False)
    pooled.facts[:40, 0, 0] = 4.0  # a little to be learned, a lot to be learned by heart
    columns = pooled.columns.clone()
    columns[:40] = 0
    pooled = replace(pooled, columns=columns)
    config = hybrid(worth=0.0)
    found = select(pooled, torch.tensor([False, False]), ["a", "b"], queries, "ndcg@10", config)
    assert found.values is not None
    assert found.reranker is not None
    by_heart = judged(pooled, twice(pooled.of(found.kept), found.blend, found.reranker), queries, "ndcg@10")
    assert found.values.mean() < by_heart.mean() - 0.02


def test_the_result_of_a_hybrid_is_judged_so() -> None:
    parts = circle()
    told = fit(hybrid({"name": "transitions"}), parts.train, parts.valid, QUICK, Task())
    assert told.values is not None
    assert told.values.mean() == pytest.approx(evaluate(told.model, parts.valid).metric("ndcg@10").mean(), abs=0.05)
    assert fit(hybrid({"name": "transitions"}), parts.train, None, QUICK, Task()).values is None


def test_a_second_look_that_brings_nothing_is_left_out() -> None:
    pooled, queries = listed(100, told=False)
    found = select(pooled, torch.tensor([False, False]), ["a", "b"], queries, "hr@1", hybrid())
    assert found.reranker is None
    assert found.note.endswith("left out")


def test_likeness_that_brings_nothing_is_left_out_of_a_second_look() -> None:
    pooled, queries = listed(400, told=True)
    noise = torch.randn(400, 20, LIKENESS, generator=torch.Generator().manual_seed(1))
    pooled = replace(pooled, facts=torch.cat([pooled.facts, noise], 2))
    found = select(pooled, torch.tensor([False, False]), ["a", "b"], queries, "mrr@20", hybrid(worth=0.0))
    assert found.reranker is not None
    assert len(found.reranker.mean) == 2 + FACTS
    assert twice(pooled, found.blend, found.reranker).shape == pooled.scores.shape[:2]


def test_no_second_look_is_asked_for() -> None:
    pooled, queries = listed(400, told=True)
    found = select(pooled, torch.tensor([False, False]), ["a", "b"], queries, "hr@1", hybrid(rerank=0))
    assert found.reranker is None
    assert "second" not in found.note


def test_the_order_is_new_and_none_falls_below_the_rest() -> None:
    reranker = Reranker(1 + FACTS)
    with torch.no_grad():
        for parameter in reranker.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    summed = torch.tensor([[3.0, 2.0, 1.0, -torch.inf], [-torch.inf] * 4])
    found = reranked(reranker.eval(), summed, torch.randn(2, 4, 1 + FACTS, generator=torch.Generator().manual_seed(0)))
    assert found[0, :3].min() == 1.0
    assert found[0, 3] == -torch.inf
    assert (found[1] == -torch.inf).all()


def test_facts_that_never_change_do_no_harm() -> None:
    """Where seen items are not shown, none of the candidates was had; at the door they may be scored all the same."""
    pooled, _ = listed(200, told=True)
    pooled.facts[:, :, 1] = 0.0
    features = torch.cat([pooled.scores, pooled.facts], 2)
    summed, answers = pooled.scores.sum(2), torch.nn.functional.one_hot(pooled.columns, 20).float()
    found = fit_reranker(features, summed, answers)
    features[:, 0, 3] = 1.0
    assert reranked(found, summed, features).abs().max() < 1e3


def looking_twice(parts: Split, config: HybridConfig, fact: int, known: Content | None = None) -> Hybrid:
    """A hybrid that puts first what has most of a fact, whatever validation says."""
    found = fit(config, parts.train, parts.valid, QUICK, Task(), content=known).model
    assert isinstance(found, Hybrid)
    pooled = pool(found, parts.valid, repeat=True)
    reranker = Reranker(len(found.members) + pooled.facts.shape[2])
    inward, middle, outward = (each for each in reranker.net if isinstance(each, nn.Linear))
    with torch.no_grad():
        for parameter in reranker.parameters():
            parameter.zero_()
        inward.weight[0, len(found.members) + fact] = inward.bias[0] = middle.weight[0, 0] = 1.0
        outward.weight[0, 0] = 100.0
    reranker.top.fill_(100)
    found.take(blend(pooled, levels(pooled, found.counted)), reranker.requires_grad_(requires_grad=False))
    return found.eval()


@pytest.fixture(scope="module")
def second() -> Hybrid:
    """What was had last comes first: another order than the sums'."""
    return looking_twice(circle(n_users=600), hybrid({"name": "transitions"}), 0)


@pytest.mark.parametrize("told", [False, True])
def test_what_is_served_is_what_was_judged(second: Hybrid, told: bool) -> None:
    parts = world() if told else circle(n_users=600)
    if told:
        second = looking_twice(parts, hybrid({"name": "transitions"}), FACTS + 5, content(parts))
    pooled = pool(second, parts.valid, repeat=True)
    weighed = blend(pooled, levels(pooled, second.counted))
    weighed = replace(weighed, weights=second.weights, levels=second.levels, epsilons=second.epsilons)
    expected = judged(pooled, twice(pooled, weighed, second.reranker), parts.valid, "mrr@20")
    np.testing.assert_allclose(evaluate(second, parts.valid, repeat=True).metric("mrr@20"), expected)
    once = judged(pooled, mixed(pooled, weighed), parts.valid, "mrr@20")
    assert not np.allclose(once, expected)


def test_it_is_saved_and_loaded(second: Hybrid, tmp_path: Path) -> None:
    parts = circle(n_users=600)
    torch.save(second.state_dict(), tmp_path / "state")
    again = build(hybrid(*({"name": "transitions"} for _ in second.members)), Traits.of(parts.train))
    again.load_state_dict(torch.load(tmp_path / "state"))
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    assert torch.isfinite(second.score(batch)[:, 1:]).all()
    assert torch.equal(again.eval().score(batch), second.score(batch))


def test_new_products_are_looked_at_by_what_they_are_like(tmp_path: Path) -> None:
    """A new product like the last event of all who ask is among the first, also after the hybrid was saved."""
    parts = world()
    known = content(parts)
    found = looking_twice(parts, hybrid({"name": "gru"}), FACTS + 4, known)
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    last = int(batch.items[-1])
    offsets = known.attributes.offsets
    grown = replace(
        known,
        vectors=np.concatenate([known.vectors, known.vectors[last : last + 1]]),
        attributes=replace(known.attributes, offsets=np.append(offsets, offsets[-1])),
    )
    torch.save(found.state_dict(), tmp_path / "state")
    again = build(hybrid({"name": "gru"}), Traits.of(parts.train, known))
    again.load_state_dict(torch.load(tmp_path / "state"))
    again.eval()
    assert torch.equal(again.score(batch), found.score(batch))
    assert isinstance(again, Hybrid)
    after = again.extend(grown).score(batch)[-1]
    assert after[-1] > after[1:-1].sort().values[-3]
