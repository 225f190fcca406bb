"""Which part each event gets, on logs whose answer can be read off."""

import pytest

from endcap.data import backend as backends
from endcap.data.errors import InputError
from endcap.data.mark import SplitConfig, mark
from tests.data.frames import events, taken

MAY = 1_714_564_800.0
LEAVE_ONE_OUT = SplitConfig(method="leave-one-out")
GIVEN = SplitConfig(method="given")


def parts(columns, *rows, config):
    backend = backends.local(threads=1)
    return dict(taken(mark(backend, events(backend, columns, *rows), config).events, "row", "part"))


def test_temporal_cuts_at_quantiles_of_time():
    rows = [("ann", "tea", MAY + n) for n in range(11)]
    backend = backends.local(threads=1)
    marked = mark(backend, events(backend, "user_id item_id time", *rows), SplitConfig())
    assert marked.cuts == (MAY + 8, MAY + 9)
    assert taken(marked.events, "part") == ["train"] * 8 + ["valid"] + ["test"] * 2


def test_only_events_that_can_be_predicted_move_the_cuts():
    rows = [("ann", "tea", "view", MAY + n) for n in range(11)] + [
        ("ann", "tea", "impression", MAY - n) for n in range(99)
    ]
    backend = backends.local(threads=1)
    marked = mark(backend, events(backend, "user_id item_id kind time", *rows), SplitConfig())
    assert marked.cuts == (MAY + 8, MAY + 9)


def test_temporal_takes_given_cuts_and_keeps_history():
    rows = [("ann", "tea", MAY + n, "history" if n == 3 else None) for n in range(4)]
    found = parts("user_id item_id time part", *rows, config=SplitConfig(cuts=(MAY + 1, MAY + 2)))
    assert list(found.values()) == ["train", "valid", "test", "history"]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([None, None], "2 of 2 events without a time.*leave-one-out"),
        ([MAY, None], "1 of 2 events without a time.*given"),
        ([MAY] * 5, "all events to predict are at 2024-05-01 12:00:00.*--map time=COLUMN"),
    ],
)
def test_temporal_needs_times_that_differ(times, message):
    with pytest.raises(InputError, match=message):
        parts("user_id item_id time", *[("ann", "tea", time) for time in times], config=SplitConfig())


def test_leave_one_out_takes_the_last_steps_by_time_then_row():
    rows = [
        ("ann", "a", MAY + 3),
        ("ann", "b", MAY),
        ("ann", "c", MAY + 1),
        ("ann", "d", MAY + 2),
        ("bob", "a", MAY + 9),
    ]
    found = parts("user_id item_id time", *rows, config=LEAVE_ONE_OUT)
    assert found == {1: "test", 2: "train", 3: "train", 4: "valid", 5: "train"}


def test_a_basket_is_one_step():
    rows = [("ann", item, MAY + time) for item, time in [("a", 0), ("b", 0), ("c", 1), ("d", 1), ("e", 2), ("f", 2)]]
    found = parts("user_id item_id time", *rows, config=LEAVE_ONE_OUT)
    assert list(found.values()) == ["train", "train", "valid", "valid", "test", "test"]


def test_without_times_each_row_is_a_step():
    found = parts("user_id item_id", *[("ann", "tea")] * 4, config=LEAVE_ONE_OUT)
    assert list(found.values()) == ["train", "train", "valid", "test"]


def test_users_with_fewer_than_three_steps_are_trained_on():
    rows = [("ann", "a", MAY), ("ann", "b", MAY + 1), ("bob", "a", MAY), ("bob", "b", MAY), ("bob", "c", MAY)]
    assert set(parts("user_id item_id time", *rows, config=LEAVE_ONE_OUT).values()) == {"train"}


def test_what_cannot_be_predicted_is_no_step_of_its_own():
    kinds = ["view", "view", "impression", "view", "remove", "view", "impression"]
    rows = [("ann", "tea", kind, MAY + n) for n, kind in enumerate(kinds)]
    found = parts("user_id item_id kind time", *rows, config=LEAVE_ONE_OUT)
    assert list(found.values()) == ["train", "train", "train", "valid", "valid", "test", "test"]


def test_given_needs_a_source_with_parts():
    with pytest.raises(InputError, match=r"rows of no part.*--split temporal or --split leave-one-out"):
        parts("user_id item_id", ("ann", "tea"), config=GIVEN)


def test_given_sessions_are_validated_on_the_newest_of_training():
    rows = [(f"s{n:02}", item, "train") for n in range(20) for item in "ab"]
    rows += [("t", "a", "history"), ("t", "b", "test")]
    found = parts("user_id item_id part", *rows, config=GIVEN)
    assert [row for row, part in found.items() if part == "valid"] == [37, 38, 39, 40]  # nothing of them is trained on
    assert (found[41], found[42]) == ("history", "test")


def test_given_users_are_validated_on_their_last_step_of_the_goal():
    rows = [
        ("ann", "a", "view", MAY, "train"), ("ann", "a", "purchase", MAY + 1, "train"),
        ("ann", "b", "purchase", MAY + 2, "train"), ("ann", "c", "view", MAY + 3, "train"),
        ("ann", "a", "purchase", None, "test"),
        ("bob", "a", "purchase", MAY, "train"),  # nothing before it: stays
        ("bob", "b", "view", MAY + 1, "train"),
        ("bob", "c", "purchase", None, "test"),
    ]  # fmt: skip
    found = parts("user_id item_id kind time part", *rows, config=GIVEN)
    assert found == {
        1: "train", 2: "train", 3: "valid", 4: "train", 5: "test", 6: "train", 7: "train", 8: "test",
    }  # fmt: skip


def test_where_the_source_took_repeats_out_so_do_we():
    rows = [
        ("ann", "b", "view", MAY, "train"), ("ann", "a", "purchase", MAY + 1, "train"),
        ("ann", "b", "purchase", MAY + 2, "train"), ("ann", "b", "view", MAY + 3, "train"),
        ("ann", "c", "purchase", None, "test"), ("bob", "b", "view", MAY, "train"),
    ]  # fmt: skip
    backend = backends.local(threads=1)
    marked = mark(backend, events(backend, "user_id item_id kind time part", *rows), GIVEN)
    assert taken(marked.events, "row", "part") == [(2, "train"), (3, "valid"), (5, "test"), (6, "train")]
    assert marked.dropped == 2
