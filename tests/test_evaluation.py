"""Ranks that are counted are the ranks that are shown."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch import Tensor

from endcap.data.batch import Batch
from endcap.data.interactions import Histories, Interactions
from endcap.data.split import Queries
from endcap.data.vocabulary import Vocabulary
from endcap.evaluation import by_intent, evaluate, measure, slices
from endcap.models.base import Recommender
from endcap.ranking import recommend


class Table(Recommender):
    """Scores by the latest item: a row of a table."""

    def __init__(self, table: np.ndarray):
        super().__init__()
        self.history = 5
        self.table = torch.from_numpy(table.astype(np.float32))

    def score(self, batch: Batch) -> Tensor:
        return self.table[batch.items[batch.offsets[1:] - 1]]


def histories(lengths: np.ndarray, items: np.ndarray) -> Histories:
    return Histories(
        items=items,
        kinds=np.ones(len(items), np.int64),
        times=None,
        values=np.full((len(items), 3), np.nan, np.float32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def questions(seed: int, n: int, n_items: int, *, longest: int = 6, basket: int = 3) -> Queries:
    random = np.random.default_rng(seed)
    lengths, sizes = random.integers(1, longest + 1, n), random.integers(1, basket + 1, n)
    return Queries(
        histories=histories(lengths, random.integers(1, n_items + 1, lengths.sum())),
        targets=random.integers(0, n_items + 1, sizes.sum()),
        target_offsets=np.concatenate([[0], np.cumsum(sizes)]),
        goals=random.integers(1, 4, n),
        asked=None,
        user_ids=tuple(map(str, range(n))),
    )


def log(items: list[int], n_items: int) -> Interactions:
    one = histories(np.array([len(items)]), np.array(items))
    return Interactions(
        one.items, one.kinds, None, one.values, one.offsets, ("u",), Vocabulary(tuple(f"i{i}" for i in range(n_items)))
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=some.integers(0, 10_000),
    n=some.integers(1, 150),
    n_items=some.integers(1, 40),
    levels=some.sampled_from([1, 2, 3, 10, 1_000_000]),
    basket=some.integers(1, 3),
    repeat=some.booleans(),
)
def test_ranks_are_the_places_in_the_list_that_is_shown(seed, n, n_items, levels, basket, repeat):
    random = np.random.default_rng(seed)
    # Few levels: many ties; both signs and both zeros.
    model = Table(random.integers(-levels // 2, levels // 2 + 1, (n_items + 1, n_items + 1)) * -0.5)
    queries = questions(seed, n, n_items, basket=basket)
    found = evaluate(model, queries, repeat=repeat, shown=n_items)
    shown = recommend(model, queries.histories, n_items, goals=queries.goals, repeat=repeat).items
    rows = np.repeat(np.arange(n), np.diff(queries.target_offsets))
    expected = [
        list(shown[row]).index(target) + 1 if target and target in shown[row] else np.inf
        for row, target in zip(rows, queries.targets, strict=True)
    ]
    assert found.ranks.tolist() == expected
    assert (found.shown.items == shown).all()


@pytest.mark.parametrize("n_items", [7, 8, 2039, 2040, 2041, 5000])
def test_counts_stay_exact_for_every_width(n_items):
    """Booleans are added up eight at a time and 255 words at a time: the edges are where that could go wrong."""
    model = Table(np.tile(np.arange(n_items + 1), (n_items + 1, 1)))  # the last item is the best
    queries = replace(
        questions(0, 3, n_items, basket=1),
        targets=np.array([1, n_items, n_items // 2]),
        target_offsets=np.arange(4),
    )
    assert evaluate(model, queries, repeat=True).ranks.tolist() == [n_items, 1, n_items - n_items // 2 + 1]


def test_scores_that_are_no_numbers_are_missed():
    queries = questions(0, 20, 9, basket=1)
    found = evaluate(Table(np.full((10, 10), np.nan)), queries, repeat=True)
    assert np.isinf(found.ranks).all()


def test_nothing_asked():
    queries = questions(0, 5, 9).take(np.zeros(0, np.int64))
    found = evaluate(Table(np.zeros((10, 10))), queries, shown=3)
    assert len(found.metric("ndcg@10")) == 0
    assert found.shown.items.shape == (0, 3)


def test_measure_by_hand():
    # Two questions; item i is followed by i + 1 in the lists, which hold 3, 2, 1 in this order without the seen one.
    model = Table(np.tile([0, 1, 2, 3], (4, 1)))
    queries = Queries(
        histories=histories(np.array([1, 1]), np.array([3, 1])),
        targets=np.array([1, 0]),
        target_offsets=np.arange(3),
        goals=np.array([1, 1]),
        asked=None,
        user_ids=("a", "b"),
    )
    vectors = np.array([[0, 0], [1, 0], [2, 0], [0, 5]], np.float32)  # 1 and 2 point one way, 3 to the side
    found, evaluation = measure(model, queries, log([1, 2, 3, 3], 3), categories=("", "x", "y", ""), vectors=vectors,
                                groups=np.array([0, 5, 5, 9]))  # fmt: skip
    assert evaluation.shown.items.tolist() == [[2, 1, 0], [3, 2, 0]]
    assert evaluation.ranks.tolist() == [2, np.inf]
    assert found == pytest.approx(
        {
            "hr@5": 0.5, "hr@10": 0.5, "hr@20": 0.5,
            "ndcg@5": 0.5 / np.log2(3), "ndcg@10": 0.5 / np.log2(3), "ndcg@20": 0.5 / np.log2(3),
            "mrr@20": 0.25, "recall@10": 0.5, "recall@20": 0.5,
            "coverage@10": 1.0,
            "group_coverage@10": 1.0,  # both products for people
            "group_diversity@10": (0 + 1) / 2,  # 2 1 are one, 3 2 are not
            "novelty@10": (2 + 1.5) / 2,
            "diversity@10": 1.0,  # the second list's items have no two categories
            "spread@10": (0 + 1) / 2,  # 2 1 are alike, 3 2 are not
            "popularity_bias@10": (1 + 1.5) / (2 + 1) - 1,
            "calibration@10": -np.log(0.01),  # history x, list y alone; item 3 has no category
            "gini@10": 1 / 6,  # 1 2 1 lists: (-2 * 1 + 2 * 2) / (3 * 4)
            "missed_never_in_training": 0.5,
        },
        nan_ok=True,
    )  # fmt: skip
    bare, _ = measure(model, queries, log([1, 2, 3, 3], 3))
    alone = Table(np.tile([0, 1, 2, -np.inf], (4, 1)))  # 3 is never shown
    of_one, _ = measure(alone, queries, log([1, 2, 3, 3], 3), groups=np.array([0, 5, 5, 9]))
    assert of_one["group_coverage@10"] == 1 / 2
    assert of_one["coverage@10"] == 2 / 3
    assert np.isnan([bare["group_coverage@10"], bare["group_diversity@10"]]).all()
    assert np.isnan([bare["diversity@10"], bare["calibration@10"], bare["spread@10"]]).all()


def test_slices_by_hand():
    # Item 1 has 4 of 12 events (head), 2 has 3, 3 has 2 (middle), 4, 5, 6 have one (tail).
    train = log([1] * 4 + [2] * 3 + [3] * 2 + [4, 5, 6], 6)
    model = Table(np.tile([0, 6, 5, 4, 3, 2, 1], (7, 1)))  # always 1 2 3 4 5 6
    queries = Queries(
        histories=histories(np.array([2, 60]), np.array([6, 6] + [5] * 60)),
        targets=np.array([1, 6, 0]),  # a basket of head and tail; never in training
        target_offsets=np.array([0, 2, 3]),
        goals=np.array([1, 3]),
        asked=np.array([0.0, 86400 * 1.5]),
        user_ids=("a", "b"),
    )
    found = slices(evaluate(model, queries, repeat=True), queries, train)
    both = (1 + 1 / np.log2(7)) / (1 + 1 / np.log2(3))
    expected = [
        ("history length", "1-2", 1, 1.0, both),
        ("history length", "51+", 1, 0.0, 0.0),
        ("popularity of the answer", "never in training", 1, 0.0, 0.0),
        ("popularity of the answer", "tail", 1, 1.0, 1 / np.log2(7)),
        ("popularity of the answer", "head", 1, 1.0, 1.0),
        ("kind asked for", "view", 1, 1.0, both),
        ("kind asked for", "purchase", 1, 0.0, 0.0),
        ("day", "1970-01-01", 1, 1.0, both),
        ("day", "1970-01-02", 1, 0.0, 0.0),
    ]
    assert [tuple(one.values())[:3] for one in found] == [line[:3] for line in expected]
    assert [one["hr@10"] for one in found] == [line[3] for line in expected]
    assert [one["ndcg@10"] for one in found] == pytest.approx([line[4] for line in expected])


def test_middle_items_and_long_periods():
    train = log([1] * 4 + [2] * 3 + [3] * 2 + [4, 5, 6], 6)
    queries = replace(
        questions(1, 100, 6, basket=1),
        targets=np.resize([2, 3], 100),
        target_offsets=np.arange(101),
        asked=np.append(np.arange(99) * 86400 * 20, np.nan),
    )
    found = slices(evaluate(Table(np.zeros((7, 7))), queries), queries, train)
    popularity = {one["name"]: one["n"] for one in found if one["by"] == "popularity of the answer"}
    assert popularity == {"middle": 100}  # before item 2 come 4 of 12 events, before item 3 come 7
    years = {one["name"]: one["n"] for one in found if one["by"] == "year"}  # days and months would be too many
    assert list(years) == ["1970", "1971", "1972", "1973", "1974", "1975"]
    assert sum(years.values()) == 99  # one question has no time


@settings(max_examples=20, deadline=None)
@given(seed=some.integers(0, 10_000), n=some.integers(1, 700), levels=some.sampled_from([1, 3, 1_000_000]))
def test_answers_had_before_and_new_ones_are_ranked_apart(seed: int, n: int, levels: int) -> None:
    # Against rankings that are written out: of what was had with the kind asked for, and of what was never had.
    random, n_items = np.random.default_rng(seed), 12
    asked = questions(seed, n, n_items)
    kinds = random.integers(1, 3, len(asked.histories.items))
    asked = replace(asked, histories=replace(asked.histories, kinds=kinds), goals=random.integers(1, 3, n))
    table = random.integers(0, levels, (n_items + 1, n_items + 1)).astype(np.float32)
    expected: dict[str, list[list[float]]] = {"again": [], "new": []}
    for place in range(n):
        one = asked.take(np.array([place]))
        seen = {*one.histories.items.tolist()}
        had = {*one.histories.items[one.histories.kinds == one.goals[0]].tolist()}
        order = sorted(range(1, n_items + 1), key=lambda item: (-table[one.histories.items[-1], item], item))
        among = {"again": [each for each in order if each in had], "new": [each for each in order if each not in seen]}
        of = {
            "again": [each for each in one.targets.tolist() if each in had],
            "new": [each for each in one.targets.tolist() if each not in seen],
        }
        for intent, answers in of.items():
            if answers:
                ranks = [among[intent].index(each) + 1.0 if each else np.inf for each in answers]
                expected[intent].append(ranks)
    found = by_intent(Table(table), asked)
    for intent, evaluation in found.items():
        ranks = [part.tolist() for part in np.split(evaluation.ranks, evaluation.offsets[1:-1])]
        assert [each for each in ranks if each] == expected[intent]
        assert len(evaluation.metric("ndcg@10")) == len(expected[intent])
