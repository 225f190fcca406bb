"""Each cleaning step on a log small enough to say by hand what is left."""

from dataclasses import replace

import pytest

from endcap.data import backend as backends
from endcap.data.bots import BotRule
from endcap.data.clean import CleanConfig, clean_rows, clean_training
from endcap.data.errors import InputError
from endcap.data.mark import SplitConfig
from endcap.data.prepare import prepare_tables
from endcap.data.repeats import repeats
from tests.data.frames import check_in, events, taken

OFF = CleanConfig(duplicates=False, near_duplicates_seconds=0, bots=False)
MAY = 1_714_564_800.0


def names(cleaned):
    return [(step.name, step.before, step.after) for step in cleaned.steps]


def test_exact_copies_go_and_the_first_stays():
    backend = backends.local(threads=1)
    log = events(
        backend, "user_id item_id time price",
        ("ann", "tea", MAY, 2.0), ("ann", "tea", MAY, 2.0), ("ann", "tea", MAY, None), ("bob", "tea", MAY, 2.0),
        ("ann", "tea", MAY, 2.0), ("ann", "tea", MAY, None), ("ann", "jam", MAY, 2.0),
    )  # fmt: skip
    cleaned = clean_rows(backend, log, replace(OFF, duplicates=True))
    assert taken(cleaned.events, "row") == [1, 3, 4, 7]
    assert names(cleaned) == [("duplicates", 7, 4)]


def test_near_copies_go_but_not_second_lines_of_a_basket():
    backend = backends.local(threads=1)
    log = events(
        backend, "user_id item_id kind time quantity",
        ("ann", "tea", "view", MAY, None), ("ann", "tea", "view", MAY + 2, None),
        ("ann", "tea", "view", MAY + 4, None), ("ann", "tea", "view", MAY + 7, None),
        ("ann", "tea", "cart", MAY + 1, None), ("bob", "tea", "view", MAY + 1, None),
        ("ann", "tea", "purchase", MAY, 1.0), ("ann", "tea", "purchase", MAY, 2.0),
    )  # fmt: skip
    cleaned = clean_rows(backend, log, replace(OFF, near_duplicates_seconds=2.0))
    assert taken(cleaned.events, "row") == [1, 4, 5, 6, 7, 8]
    assert names(cleaned) == [("near duplicates", 8, 6)]


def test_without_times_a_repeat_is_no_copy():
    backend = backends.local(threads=1)
    cleaned = clean_rows(backend, events(backend, "user_id item_id", ("ann", "tea"), ("ann", "tea")), CleanConfig())
    assert taken(cleaned.events, "row") == [1, 2]
    assert "skipped: without times" in cleaned.steps[0].note


def test_rows_without_a_time_are_no_copies_of_each_other():
    backend = backends.local(threads=1)
    log = events(backend, "user_id item_id time", ("ann", "tea", MAY), ("ann", "tea", None), ("ann", "tea", None))
    assert taken(clean_rows(backend, log, CleanConfig()).events, "row") == [1, 2, 3]


def test_clocks_cut_both_ends():
    backend = backends.local(threads=1)
    log = events(backend, "user_id item_id time", *[("ann", "tea", MAY + n) for n in range(5)])
    cleaned = clean_rows(backend, log, replace(OFF, earliest=MAY + 1, latest=MAY + 3))
    assert taken(cleaned.events, "row") == [2, 3, 4]
    assert names(cleaned) == [("clocks", 5, 3)]


def test_all_off_changes_nothing():
    backend = backends.local(threads=1)
    log = events(backend, "user_id item_id time part", *[("ann", "tea", MAY, "train")] * 3)
    assert clean_rows(backend, log, OFF).steps == ()
    assert taken(clean_training(backend, log, OFF).events, "row") == [1, 2, 3]


def test_repeats_found_before_serve_for_cleaning():
    backend = backends.local(threads=1)
    log = events(backend, "user_id item_id time", ("ann", "tea", MAY), ("ann", "tea", MAY), ("ann", "tea", MAY + 99))
    found = repeats(backend, log)
    assert (found.events, found.again, found.share) == (3, 2, pytest.approx(2 / 3))
    assert taken(clean_rows(backend, log, CleanConfig(), found).events, "row") == [1, 3]


def test_a_bot_is_who_acts_too_fast_in_training():
    backend = backends.local(threads=1)
    rule = BotRule(per_hour=5, per_day=8)
    fast = [("robot", "tea", "view", MAY + 10 * n, "train") for n in range(6)]
    long = [("mill", "tea", "view", MAY - 3600 * n, "train") for n in range(9)]
    later = [("robot", "jam", "view", MAY + 9e5, "test")]
    basket = [("ann", f"item {n}", "purchase", MAY, "train") for n in range(20)]  # one moment
    shown = [("bob", "tea", "impression", MAY + n, "train") for n in range(20)]
    keen = [("cat", "tea", "view", MAY + n, "test") for n in range(20)]  # not in training: tells nothing
    log = events(backend, "user_id item_id kind time part", *fast, *long, *later, *basket, *shown, *keen)
    cleaned = clean_training(backend, log, replace(OFF, bots=True, bot_rule=rule))
    assert set(taken(cleaned.events, "user_id")) == {"ann", "bob", "cat"}
    assert names(cleaned) == [("bots", 76, 60)]
    assert cleaned.steps[0].note.startswith("2 users")


def test_k_core_goes_on_until_stable_and_takes_training_events_only():
    backend = backends.local(threads=1)
    log = events(
        backend, "user_id item_id part",
        ("a", "x", "train"), ("a", "y", "train"), ("b", "x", "train"), ("b", "y", "train"),
        ("c", "y", "train"), ("c", "z", "train"),  # z is rare, so c becomes rare, so its y goes too
        ("c", "z", "test"), ("new", "never", "test"), ("c", "w", "valid"), ("d", "x", "history"),
    )  # fmt: skip
    cleaned = clean_training(backend, log, replace(OFF, min_user_events=2, min_item_events=2))
    assert taken(cleaned.events, "row") == [1, 2, 3, 4, 7, 8, 9, 10]
    assert names(cleaned) == [("rare", 6, 4)]


def test_k_core_does_not_count_what_came_after_training():
    backend = backends.local(threads=1)
    rows = [("a", "x", "train"), ("a", "x", "test"), ("b", "y", "train"), ("b", "y", "train")]
    cleaned = clean_training(backend, events(backend, "user_id item_id part", *rows), replace(OFF, min_item_events=2))
    assert taken(cleaned.events, "row") == [2, 3, 4]


def test_the_order_copies_then_split_then_training():
    copies = [("ann", "tea", "1714564800")] * 5
    rest = [(user, item, str(1_714_564_800 + 1000 * n)) for n, (user, item) in enumerate([("bob", "jam")] * 9, start=1)]
    backend, validated = check_in("user_id item_id time", *copies, *rest)
    prepared = prepare_tables(backend, validated, CleanConfig(min_user_events=2), SplitConfig())
    # ann's five copies are one event, so she is rare; the cuts are quantiles of the ten events that are left.
    assert [(step.name, step.before, step.after) for step in prepared.steps] == [
        ("duplicates", 14, 10), ("near duplicates", 10, 10), ("bots", 10, 10), ("rare", 8, 7),
    ]  # fmt: skip
    assert taken(prepared.events, "row", "part") == [
        *[(row, "train") for row in range(6, 13)], (13, "valid"), (14, "test")
    ]  # fmt: skip


def test_nothing_usable_is_an_input_error():
    backend, validated = check_in("user_id item_id time", ("ann", "tea", "never"))
    with pytest.raises(InputError, match="none of the 1 rows can be used"):
        prepare_tables(backend, validated, CleanConfig(), SplitConfig())


def test_events_after_the_cut_change_nothing_before_it():
    rows = [(f"u{n % 7}", f"i{n % 5}", str(1_714_564_800 + 50 * n)) for n in range(100)]
    later = [(user, item, time) if n < 80 else ("u1", "i9", time) for n, (user, item, time) in enumerate(rows)]
    cuts = (1_714_564_800.0 + 50 * 80, 1_714_564_800.0 + 50 * 90)
    config = CleanConfig(min_user_events=12, min_item_events=3, bot_rule=BotRule(per_hour=500))
    left = []
    for log in (rows, later):
        backend, validated = check_in("user_id item_id time", *log)
        prepared = prepare_tables(backend, validated, config, SplitConfig(cuts=cuts))
        left.append(taken(prepared.events.filter("part = 'train'"), "row", "user_id", "item_id", "time"))
    assert left[0] == left[1]
    assert 0 < len(left[0]) < 80
