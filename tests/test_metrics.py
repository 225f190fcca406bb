"""Every metric against a table worked by hand."""

import math

import numpy as np
import pytest

from endcap import metrics
from endcap.data.interactions import Histories

# Three questions: one answer at place 2, one missed, a basket of three answers at places 1, 4 and 12.
RANKS = np.array([2.0, math.inf, 4.0, 1.0, 12.0])
OFFSETS = np.array([0, 1, 2, 5])


def histories(*items: list[int]) -> Histories:
    flat = np.array([item for one in items for item in one], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in items])])
    return Histories(flat, np.ones(len(flat), np.int64), None, np.full((len(flat), 3), np.nan, np.float32), offsets)


@pytest.mark.parametrize(
    ("function", "k", "expected"),
    [
        (metrics.hit_rate, 1, [0, 0, 1]),
        (metrics.hit_rate, 2, [1, 0, 1]),
        (metrics.recall, 3, [1, 0, 1 / 3]),
        (metrics.recall, 20, [1, 0, 1]),
        (metrics.reciprocal_rank, 20, [1 / 2, 0, 1]),
        (metrics.reciprocal_rank, 1, [0, 0, 1]),
        # 1/log2(3) = .6309; the basket: (1 + 1/log2(5)) / (1 + 1/log2(3) + 1/log2(4)) = 1.43068 / 2.13093
        (metrics.ndcg, 10, [0.63093, 0, 0.67139]),
        # with k = 2 the best basket has two hits: 1 / (1 + .63093)
        (metrics.ndcg, 2, [0.63093, 0, 0.61315]),
    ],
)
def test_ranks(function, k, expected):
    assert function(RANKS, OFFSETS, k) == pytest.approx(np.array(expected), abs=1e-5)


def test_no_question_has_no_values():
    none = np.zeros(0), np.zeros(1, np.int64)
    assert all(len(function(*none, 10)) == 0 for function in (metrics.hit_rate, metrics.ndcg, metrics.reciprocal_rank))


SHOWN = np.array([[1, 2, 3], [1, 2, 0]])  # the second list is one short
CATEGORIES = np.array([0, 1, 1, 2, 2])  # item 1, 2: a; 3, 4: b


def test_coverage_and_exposure():
    assert metrics.coverage(SHOWN, 4) == 3 / 4
    assert metrics.exposure(SHOWN, 4).tolist() == [2, 2, 1, 0]


def test_gini():
    assert metrics.gini(np.array([3, 3, 3])) == 0
    # sorted 0 1 2 2, weights -3 -1 1 3: (-1 + 2 + 6) / (4 * 5)
    assert metrics.gini(np.array([2, 2, 1, 0])) == pytest.approx(0.35)
    assert metrics.gini(np.zeros(3, np.int64)) == 0


def test_novelty_is_self_information_in_bits():
    counts = np.array([0, 4, 2, 2, 0])  # shares 1/2, 1/4, 1/4; 1, 2, 2 bits
    assert metrics.novelty(SHOWN, counts).tolist() == [5 / 3, 3 / 2]
    assert metrics.novelty(np.array([[4], [0]]), counts) == pytest.approx([3.0, np.nan], nan_ok=True)  # as if one of 8


def test_diversity_counts_pairs():
    # pairs 1-2 same, 1-3 and 2-3 different; the second list has one pair, the third no category at all
    shown = np.vstack([SHOWN, [0, 0, 0]])
    assert metrics.diversity(shown, CATEGORIES) == pytest.approx([2 / 3, 0, np.nan], nan_ok=True)
    assert np.isnan(metrics.diversity(SHOWN, np.zeros(5, np.int64))).all()


def test_popularity_bias_averages_within_users_first():
    counts = np.array([0, 10, 20, 30, 2])
    # lists: mean 20 and 15, so 17.5; histories: (10 + 30) / 2 = 20 and 15: 17.5
    assert metrics.popularity_bias(SHOWN, histories([1, 3], [1, 2]), counts) == pytest.approx(0)
    # histories of item 4 alone: 17.5 / 2 - 1
    assert metrics.popularity_bias(SHOWN, histories([4, 4, 4], [4]), counts) == pytest.approx(7.75)
    # a user without history is left out of both sides: 20 / 20 - 1
    assert metrics.popularity_bias(SHOWN, histories([2], []), counts) == pytest.approx(0)
    assert math.isnan(metrics.popularity_bias(SHOWN, histories([], []), counts))


def test_calibration_is_divergence_from_the_history():
    # list 1: a 2/3, b 1/3, its history the same; list 2: a alone, its history a 1/2, b 1/2
    found = metrics.calibration(SHOWN, histories([1, 2, 4], [1, 3]), CATEGORIES)
    of_a, of_b = 0.99 * 1 + 0.01 * 0.5, 0.01 * 0.5
    assert found == pytest.approx([0, 0.5 * math.log(0.5 / of_a) + 0.5 * math.log(0.5 / of_b)])
    assert metrics.calibration(SHOWN, histories([], [1]), CATEGORIES) == pytest.approx([np.nan, 0], nan_ok=True)
    assert np.isnan(metrics.calibration(SHOWN, histories([1], [1]), np.zeros(5, np.int64))).all()


def test_calibration_ignores_unknown_categories():
    categories = np.array([0, 1, 0, 2])
    # history: a, unknown; list: a, unknown, b
    found = metrics.calibration(np.array([[1, 2, 3]]), histories([1, 2]), categories)
    assert found == pytest.approx([math.log(1 / (0.99 * 0.5 + 0.01))])
