import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.engine.diversity import diversify
from endcap.engine.policy import Policy, arrange
from endcap.metrics import spread

# Three like each other, two like each other, one alone.
VECTORS = np.array([[1, 0, 0], [1, 0.1, 0], [1, 0, 0.1], [0, 1, 0], [0, 1, 0.1], [0, 0, 1]], np.float32)
SCORES = np.array([6.0, 5.5, 5.0, 4.0, 3.5, 1.0])


def naive(scores: np.ndarray, vectors: np.ndarray, strength: float, k: int) -> list[int]:
    """The paper's rule, word by word."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    worth = (scores - scores.mean()) / scores.std()
    chosen = [0]
    while len(chosen) < k:
        left = [place for place in range(len(scores)) if place not in chosen]
        values = [(1 - strength) * worth[i] - strength * max(unit[i] @ unit[j] for j in chosen) for i in left]
        chosen.append(left[int(np.argmax(values))])
    return chosen


def test_strength_0_leaves_the_order_as_it_is() -> None:
    assert diversify(SCORES, VECTORS, strength=0, k=4).tolist() == [0, 1, 2, 3]


def test_strength_1_asks_for_unlikeness_alone() -> None:
    assert {*diversify(SCORES, VECTORS, strength=1, k=3).tolist()[1:]} == {3, 5}
    assert diversify(SCORES, VECTORS, strength=1, k=3)[0] == 0


def test_in_between_both_count() -> None:
    assert diversify(SCORES, VECTORS, strength=0.5, k=3).tolist() == [0, 3, 1]


@pytest.mark.parametrize("strength", [0.2, 0.5, 0.9])
def test_it_is_maximal_marginal_relevance(strength: float) -> None:
    random = np.random.default_rng(0)
    scores, vectors = np.sort(random.normal(size=40))[::-1], random.normal(size=(40, 8)).astype(np.float32)
    assert diversify(scores, vectors, strength=strength, k=15).tolist() == naive(scores, vectors, strength, 15)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 8), st.integers(0, 12), st.floats(0, 1), st.integers(0, 1000))
def test_every_candidate_at_most_once(n: int, k: int, strength: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = np.sort(random.integers(0, 3, n).astype(np.float64))[::-1]  # with ties, or all alike
    vectors = random.integers(-1, 2, (n, 2)).astype(np.float32)  # some of zeros
    chosen = diversify(scores, vectors, strength=strength, k=k).tolist()
    assert len(chosen) == len({*chosen}) == min(n, k)
    assert chosen[:1] == [0][: len(chosen)]
    # Powers of two, so that nothing is rounded: ties stay ties.
    assert chosen == diversify(8 * scores, 4 * vectors, strength=strength, k=k).tolist()


def test_more_strength_spreads_more() -> None:
    random = np.random.default_rng(1)
    centres = random.normal(size=(5, 6))
    kinds = np.sort(random.integers(0, 5, 100))
    vectors = np.concatenate([np.zeros((1, 6)), centres[kinds] + 0.1 * random.normal(size=(100, 6))]).astype(np.float32)
    scores = np.linspace(3, 0, 100)  # the best are all of one kind
    orders = [1 + diversify(scores, vectors[1:], strength=strength, k=10) for strength in (0, 0.3, 0.7, 1)]
    found = spread(np.stack(orders), vectors)
    assert (np.diff(found) > 0).all()


def test_spread_is_the_mean_over_pairs() -> None:
    table = np.concatenate([np.zeros((1, 3), np.float32), 7 * VECTORS])
    items = np.array([[1, 4, 6], [1, 1, 0], [1, 2, 0], [3, 0, 0], [0, 0, 0]])
    found = spread(items, table)
    unit = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    np.testing.assert_allclose(found[:3], [1.0, 0.0, 1 - unit[0] @ unit[1]], atol=1e-6)
    assert np.isnan(found[3:]).all()
    assert spread(np.zeros((0, 5), np.int64), table).shape == (0,)


def test_pins_and_limits_hold_after_diversity() -> None:
    items = np.array([11, 12, 13, 14, 15, 16])
    allowed = np.ones(20, dtype=bool)
    brands = np.zeros(20, np.int32)
    brands[[14, 16]] = 1
    policy = Policy(allowed, None, ((1, 9),), (), ((brands, 1),), None, np.inf, ())
    order = diversify(SCORES, VECTORS, strength=0.9, k=len(items))
    shown = arrange(items[order], policy, 4)
    assert shown.tolist() == [11, 9, 14, 12]  # 16 is next, but of the brand of 14; then 12 before its likes
    assert order.tolist()[:3] == [0, 3, 5]
