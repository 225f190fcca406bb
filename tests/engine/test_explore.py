from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from endcap.data.errors import InputError
from endcap.engine.explore import explore, with_ids

ITEMS = np.array([7, 3, 9, 1, 4, 8])
SCORES = np.array([2.0, 1.5, 1.4, 0.3, 0.1, -1.0])


def test_chances_are_those_that_are_written_down() -> None:
    random = np.random.default_rng(0)
    drawn = [explore(ITEMS, SCORES, [1], 4, random) for _ in range(8_000)]
    shown = [int(items[1]) for items, _ in drawn]
    chances = {int(items[1]): records[0]["chance"] for items, records in drawn}
    assert set(chances) == {3, 9, 1, 4}
    assert sum(chances.values()) == pytest.approx(1)
    assert chances[3] > chances[9] > chances[1] > chances[4] > 0.5 / 4  # by score, above an even share
    counts = [shown.count(item) for item in chances]
    assert chisquare(counts, [8_000 * chance for chance in chances.values()]).pvalue > 1e-4


def test_an_even_share_of_one_is_uniform() -> None:
    _, records = explore(ITEMS, SCORES, [0], 5, np.random.default_rng(0), even=1.0)
    assert records[0]["chance"] == pytest.approx(1 / 5)


def test_chances_of_two_places_multiply_to_those_of_the_list() -> None:
    random = np.random.default_rng(1)
    joint: dict[tuple[int, int], float] = {}
    counts: dict[tuple[int, int], int] = {}
    for _ in range(8_000):
        items, records = explore(ITEMS, SCORES, [0, 1], 3, random)
        pair = int(items[0]), int(items[1])
        joint[pair] = records[0]["chance"] * records[1]["chance"]
        counts[pair] = counts.get(pair, 0) + 1
    assert sum(joint.values()) == pytest.approx(1)  # every pair there is was seen
    assert chisquare([*counts.values()], [8_000 * joint[pair] for pair in counts]).pvalue > 1e-4


def test_others_keep_their_order_below_the_drawn() -> None:
    for seed in range(20):
        items, records = explore(ITEMS, SCORES, [2], 3, np.random.default_rng(seed))
        assert items[:2].tolist() == [7, 3]
        rest = [item for item in ITEMS.tolist() if item not in (7, 3, items[2])]
        assert items[3:].tolist() == rest
        assert records[0]["pool"] == [9, 1, 4]
        assert items[2] in records[0]["pool"]


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(0, 12),
    ended=st.integers(0, 12),
    places=st.lists(st.integers(0, 14), max_size=5),
    fixed=st.lists(st.integers(0, 12), max_size=4),
    pool=st.integers(2, 6),
    seed=st.integers(0, 99),
)
def test_no_item_is_lost_or_twice_and_pins_stay(
    n: int, ended: int, places: list[int], fixed: list[int], pool: int, seed: int
) -> None:
    items, scores = np.arange(1, n + 1), -np.arange(n, dtype=float)
    scores[ended:] = -np.inf
    found, records = explore(items, scores, places, pool, np.random.default_rng(seed), fixed=fixed)
    assert sorted(found) == items.tolist()
    for place in fixed:
        assert place >= n or found[place] == items[place]
    for record in records:
        assert record["place"] in places
        assert record["place"] not in fixed
        assert found[record["place"]] in record["pool"]
        assert 2 <= len(record["pool"]) <= pool
        assert not {place + 1 for place in fixed} & set(record["pool"])
        assert max(record["pool"]) <= ended
        assert 0 < record["chance"] < 1
    assert all(one["place"] < other["place"] for one, other in pairwise(records))


def test_the_log_gets_ids() -> None:
    _, records = explore(np.array([2, 1]), np.array([1.0, 0.0]), [0], 2, np.random.default_rng(0))
    (named,) = with_ids(records, ("milk", "tea"))
    assert named == {**records[0], "pool": ["tea", "milk"]}


@pytest.mark.parametrize("wrong", [{"pool": 1}, {"even": 0.0}, {"even": 1.5}, {"places": [-1]}, {"even": float("nan")}])
def test_settings_that_log_no_chance_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="expected places from 0, a pool of at least 2 and a share above 0"):
        explore(ITEMS, SCORES, **{"places": [0], "pool": 2, "random": np.random.default_rng(0), **wrong})
