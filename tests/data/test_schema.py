"""What passes the door, what is left out, and what is said about it."""

import pytest

from endcap.data import backend as backends
from endcap.data.errors import InputError
from endcap.data.kinds import NAMES
from endcap.data.schema import EVENT_COLUMNS, ITEM_COLUMNS, KINDS, validate, validate_items
from tests.data.frames import NOW, check_in, raw, taken

MAY = 1_714_564_800.0  # 2024-05-01T12:00:00Z


def problems(validated):
    return taken(validated.problems.orderBy("row", "column"), "row", "column", "value", "problem")


def test_every_canonical_column_is_there_and_missing_ones_are_null():
    _, validated = check_in("user_id item_id", ("ann", "tea"))
    assert tuple(validated.events.columns) == EVENT_COLUMNS
    assert taken(validated.events, *EVENT_COLUMNS) == [(1, "ann", "tea", "view", None, None, None, None, None)]
    assert validated.rows == 1


def test_missing_columns_are_named_with_the_way_out():
    with pytest.raises(InputError, match=r"found the columns user_id, sku, but no item_id; .*--map item_id=COLUMN"):
        check_in("user_id sku", ("ann", "tea"))


def test_a_header_without_rows_is_refused():
    backend = backends.local(threads=1)
    empty = raw(backend, "user_id item_id", ("ann", "tea")).filter("row > 1")
    with pytest.raises(InputError, match="no rows"):
        validate(backend, empty, now=NOW)


TIMES = [
        ("1714564800", MAY),
        ("1714564800.25", MAY + 0.25),
        ("1714564800000", MAY),
        ("1714564800000000", MAY),
        ("1714564800000000000", MAY),
        ("2024-05-01T12:00:00Z", MAY),
        ("2024-05-01 12:00:00", MAY),
        ("2024-05-01 12:00:00 UTC", MAY),
        ("2024-05-01T14:00:00+02:00", MAY),
        ("2024-05-01T07:00:00.500-05:00", MAY + 0.5),
        ("2024-05-01", MAY - 12 * 3600),
        (" 2024-05-01 ", MAY - 12 * 3600),
    ]  # fmt: skip


def test_times_are_read_whatever_their_unit():
    _, validated = check_in("user_id item_id time", *[("ann", "tea", text) for text, _ in TIMES])
    assert taken(validated.events, "time") == [seconds for _, seconds in TIMES]


def test_native_times_are_read():
    backend = backends.local(threads=1)
    for kind, value in (("bigint", 1_714_564_800_000), ("timestamp", "2024-05-01 12:00:00"), ("double", MAY)):
        table = raw(backend, "user_id item_id t", ("ann", "tea", str(value)))
        table = table.select("row", "user_id", "item_id", backend.F.col("t").cast(kind).alias("time"))
        assert taken(validate(backend, table, now=NOW).events, "time") == [MAY], kind


def test_mixed_units_are_resolved_row_by_row_and_reported():
    _, validated = check_in(
        "user_id item_id time",
        ("ann", "tea", "1714564800"),
        ("ann", "tea", "1714564800000"),
        ("ann", "tea", "2024-05-01T12:00:00Z"),
    )
    assert taken(validated.events, "time") == [MAY] * 3
    (note,) = [note for note in validated.notes if note.startswith("time")]
    assert "1 in seconds, 1 in milliseconds, 1 in text; the column mixes units" in note


ABSURD = [
        ("yesterday", "not a time"),
        ("nan", "not a time"),
        ("inf", "time in the future"),
        ("", "no time"),
        (None, "no time"),
        ("-5", "negative time"),
        ("0", "time before 1990"),
        ("1900000000", "time in the future"),
        ("2199-01-01", "time in the future"),
        ("1969-12-31", "negative time"),
    ]  # fmt: skip


def test_absurd_times_are_reported_and_their_rows_left_out():
    _, validated = check_in(
        "user_id item_id time", *[("bob", "jam", text) for text, _ in ABSURD], ("ann", "tea", "1714564800")
    )
    assert taken(validated.events, "user_id") == ["ann"]
    assert problems(validated) == [
        (row, "time", text or "", f"{problem}; row left out") for row, (text, problem) in enumerate(ABSURD, start=1)
    ]


def test_test_rows_of_a_source_may_lack_a_time():
    _, validated = check_in(
        "user_id item_id time part",
        ("a", "x", "1714564800", "train"),
        ("a", "y", None, "test"),
        ("a", "z", None, "train"),
    )
    assert taken(validated.events, "row", "time") == [(1, MAY), (2, None)]


PRICES = [
        ("12.5", 12.5, None),
        ("0", 0.0, None),
        ("", None, None),
        ("NaN", None, "not a number"),
        ("inf", None, "infinite"),
        ("-Infinity", None, "infinite"),
        ("-3", None, "below 0"),
        ("12 EUR", None, "not a number"),
    ]  # fmt: skip


def test_bad_prices_are_emptied_and_reported_but_the_event_stays():
    _, validated = check_in("user_id item_id price", *[("ann", "tea", text) for text, _, _ in PRICES])
    assert taken(validated.events, "price") == [value for _, value, _ in PRICES]
    assert problems(validated) == [
        (row, "price", text, f"{problem}; value left empty")
        for row, (text, _, problem) in enumerate(PRICES, start=1)
        if problem
    ]


def test_ratings_may_be_negative():
    _, validated = check_in("user_id item_id rating", ("ann", "tea", "-0.5"))
    assert taken(validated.events, "rating", "kind") == [(-0.5, "review")]


ODD = [" a b ", "a,b", 'say "hi"', "it's", "🛒", "红茶", "x" * 1000, "Nil", "0", "a\tb", "tab\x1fsep"]


def test_ids_stay_exactly_as_given():
    _, validated = check_in("user_id item_id", *[(odd, odd) for odd in ODD])
    assert taken(validated.events, "user_id", "item_id") == [(odd, odd) for odd in ODD]
    assert problems(validated) == []


def test_number_ids_become_text():
    backend = backends.local(threads=1)
    table = raw(backend, "user_id item_id", (7, 12), types={"user_id": "bigint", "item_id": "int"})
    assert taken(validate(backend, table, now=NOW).events, "user_id", "item_id") == [("7", "12")]


def test_rows_without_ids_are_reported_and_left_out():
    _, validated = check_in("user_id item_id", ("ann", ""), (None, "tea"), ("  ", None), ("bob", "jam"))
    assert taken(validated.events, "row") == [4]
    assert [(row, column) for row, column, _, _ in problems(validated)] == [
        (1, "item_id"), (2, "user_id"), (3, "item_id"), (3, "user_id"),
    ]  # fmt: skip


def test_a_problem_quotes_long_and_odd_values_whole_enough():
    _, validated = check_in("user_id item_id time", ("ann", "tea", "x" * 1000), ("ann", "tea", "a\x1eb\x1f🛒"))
    assert [value for _, _, value, _ in problems(validated)] == ["x" * 200, "a b 🛒"]


USUAL = [
        ("view_item", "view"), ("detail-page-view", "view"), ("View", "view"), ("addtocart", "cart"),
        ("add_to_cart", "cart"), ("add-to-cart", "cart"), ("AddToCart", "cart"), ("purchase-complete", "purchase"),
        ("transaction", "purchase"), ("buy", "purchase"), ("Order Completed", "purchase"), ("click", "click"),
        ("select_item", "click"), ("view_item_list", "impression"), ("remove-from-cart", "remove"),
        ("Product Reviewed", "review"), ("purchase", "purchase"),
    ]  # fmt: skip


def test_usual_names_of_kinds_are_known():
    _, validated = check_in("user_id item_id kind", *[("ann", "tea", name) for name, _ in USUAL])
    assert taken(validated.events, "kind") == [kind for _, kind in USUAL]


def test_every_kind_has_names_and_no_name_two_kinds():
    assert tuple(NAMES) == KINDS
    names = [name for names in NAMES.values() for name in names]
    assert len(names) == len(set(names))


def test_unknown_kinds_are_reported_and_left_out():
    _, validated = check_in("user_id item_id kind", ("a", "x", "purr"), ("a", "x", "view"), ("a", "x", None))
    assert taken(validated.events, "row") == [2]
    assert problems(validated) == [
        (1, "kind", "purr", "unknown kind; row left out"),
        (3, "kind", "", "no kind; row left out"),
    ]


def test_the_users_own_kinds_come_first():
    _, validated = check_in(
        "user_id item_id kind", ("a", "x", "purr"), ("a", "x", "click"), kinds={"purr": "purchase", "click": "view"}
    )
    assert taken(validated.events, "kind") == ["purchase", "view"]
    with pytest.raises(InputError, match="found kind 'love' for 'purr'; expected one of view, cart"):
        check_in("user_id item_id kind", ("a", "x", "purr"), kinds={"purr": "love"})


def test_when_no_kind_is_known_nothing_is_left_but_reports():
    _, validated = check_in("user_id item_id kind", ("a", "x", "1"), ("a", "x", "2"))
    assert validated.events.count() == 0
    assert validated.problems.count() == 2


def test_a_column_of_anything_is_no_column_of_kinds():
    with pytest.raises(InputError, match=r"over 1000 different values .*--map kind=COLUMN"):
        check_in("user_id item_id kind", *[("a", "x", f"session {n}") for n in range(1001)])


def test_sources_without_kinds_get_one_and_it_is_said():
    _, validated = check_in("user_id item_id", ("ann", "tea"), default_kind="purchase")
    assert taken(validated.events, "kind") == ["purchase"]
    assert any("every event is read as purchase" in note for note in validated.notes)


def test_unknown_parts_are_reported():
    _, validated = check_in("user_id item_id part", ("a", "x", "train"), ("a", "x", "dev"))
    assert taken(validated.events, "part") == ["train"]
    assert problems(validated)[0][:3] == (2, "part", "dev")


def test_a_catalogue_keeps_the_first_of_each_id():
    backend = backends.local(threads=1)
    table = raw(
        backend, "item_id title price colour", ("tea", "Tea", "3", "green"), ("tea", "Tea 2", "4", "red"),
        (None, "?", "1", ""), ("jam", "Jam", "nan", "red"), ("🛒,1", "Cart", "-1", ""),
    )  # fmt: skip
    checked = validate_items(backend, table)
    assert tuple(checked.items.columns) == (*ITEM_COLUMNS, "colour")
    rows = checked.items.orderBy("item_id").select("item_id", "title", "price", "colour", "brand").collect()
    assert [tuple(row) for row in rows] == [
        ("jam", "Jam", None, "red", None), ("tea", "Tea", 3.0, "green", None), ("🛒,1", "Cart", None, "", None),
    ]  # fmt: skip
    assert taken(checked.problems, "row", "column", "value") == [
        (2, "item_id", "tea"), (3, "item_id", ""), (4, "price", "nan"), (5, "price", "-1"),
    ]  # fmt: skip


def test_a_catalogue_needs_item_ids():
    backend = backends.local(threads=1)
    with pytest.raises(InputError, match="no item_id"):
        validate_items(backend, raw(backend, "id title", ("1", "Tea")))
    with pytest.raises(InputError, match="no rows"):
        validate_items(backend, raw(backend, "item_id", ("tea",)).filter("row > 1"))
