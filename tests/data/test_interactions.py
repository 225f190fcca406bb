import numpy as np

from endcap.data.interactions import KIND_INDEX, from_table, steps
from endcap.data.vocabulary import Vocabulary
from tests.worlds import table


def log(vocabulary: Vocabulary | None = None):
    return from_table(
        table(
            [
                {"user_id": "b", "item_id": "x", "time": 30.0},
                {"user_id": "a", "item_id": "y", "time": 20.0, "kind": "purchase", "price": 9.5},
                {"user_id": "b", "item_id": "z", "time": 10.0, "rating": 4.0},
                {"user_id": "b", "item_id": "y", "time": 30.0},
            ]
        ),
        vocabulary,
    )


def test_sorts_by_user_and_time_and_keeps_the_order_of_ties() -> None:
    found = log()
    assert found.user_ids == ("b", "a")  # in order of appearance
    assert found.vocabulary.ids == ("x", "y", "z")
    assert found.items.tolist() == [3, 1, 2, 2]
    assert found.offsets.tolist() == [0, 3, 4]
    assert found.times is not None
    assert found.times.tolist() == [10, 30, 30, 20]
    assert found.kinds.tolist() == [1, 1, 1, KIND_INDEX["purchase"]]
    np.testing.assert_array_equal(found.values[:, 0], np.array([4, np.nan, np.nan, np.nan], np.float32))
    assert found.values[3, 1] == np.float32(9.5)


def test_unknown_items_have_index_0_and_known_drops_them() -> None:
    found = log(Vocabulary(("z",)))
    assert found.items.tolist() == [1, 0, 0, 0]
    assert found.known().items.tolist() == [1]
    assert found.known().offsets.tolist() == [0, 1, 1]


def test_take_cuts_to_the_latest_events() -> None:
    found = log().take(np.array([1, 0]), last=2)
    assert found.items.tolist() == [2, 1, 2]
    assert found.offsets.tolist() == [0, 1, 3]


def test_a_basket_is_one_step() -> None:
    assert steps(log()).tolist() == [0, 1, 1, 2]


def test_without_times_every_event_is_a_step() -> None:
    found = from_table(table([{"user_id": "a", "item_id": "x"}, {"user_id": "a", "item_id": "x"}]))
    assert found.times is None
    assert steps(found).tolist() == [0, 1]


def test_events_without_a_time_come_last() -> None:
    found = from_table(table([{"user_id": "a", "item_id": "late"}, {"user_id": "a", "item_id": "early", "time": 5.0}]))
    assert [found.vocabulary.id(item) for item in found.items] == ["early", "late"]
