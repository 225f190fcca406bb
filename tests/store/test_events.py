import math

import pytest

from endcap.data.errors import InputError
from endcap.data.schema import EVENT_COLUMNS, KINDS
from endcap.store.records import Event, Happened, Visitor
from endcap.store.store import Store

ANN, BOB = Visitor("ann"), Visitor("bob")


def items(history: list[Happened]) -> list[str]:
    return [event.item_id for event in history]


def test_what_was_recorded_is_the_history(store: Store) -> None:
    event = Event(ANN, "tea", "purchase", 5.5, "e1", rating=4.0, price=2.5, quantity=3.0)
    assert store.record([event], now=9.0) == [True]
    assert store.histories([ANN]) == [[Happened("tea", "purchase", 5.5, 4.0, 2.5, 3.0)]]


def test_all_kinds_are_kept(store: Store) -> None:
    store.record([Event(ANN, "tea", kind, float(place)) for place, kind in enumerate(KINDS)], now=9.0)
    assert [event.kind for event in store.histories([ANN], shown=True)[0]] == list(KINDS)


def test_what_was_merely_shown_takes_no_place_of_what_was_done(store: Store) -> None:
    store.record([Event(ANN, "tea", "view", 1.0)], now=9.0)
    store.record([Event(ANN, f"i{n}", "impression", 2.0 + n) for n in range(5)], now=9.0)
    assert items(store.histories([ANN], last=3)[0]) == ["tea"]
    assert items(store.histories([ANN], last=3, shown=True)[0]) == ["i2", "i3", "i4"]


def test_an_event_without_a_time_happened_now(store: Store) -> None:
    store.record([Event(ANN, "tea", "view")], now=7.25)
    assert [event.time for event in store.histories([ANN])[0]] == [7.25]


def test_the_same_id_counts_once(store: Store) -> None:
    first, second = Event(ANN, "tea", "view", 1.0, "e1"), Event(ANN, "jam", "view", 2.0, "e2")
    assert store.record([first], now=9.0) == [True]
    assert store.record([second, first], now=9.0) == [True, False]
    assert store.record([], now=9.0) == []
    assert items(store.histories([ANN])[0]) == ["tea", "jam"]


def test_the_same_id_twice_in_one_call_counts_once(store: Store) -> None:
    event = Event(ANN, "tea", "view", 1.0, "e1")
    assert store.record([event, event, Event(BOB, "jam", "view", 1.0, "e1")], now=9.0) == [True, False, False]
    assert [len(history) for history in store.histories([ANN, BOB])] == [1, 0]


def test_events_without_an_id_are_always_new(store: Store) -> None:
    event = Event(ANN, "tea", "view", 1.0)
    assert store.record([event, event], now=9.0) == [True, True]
    assert len(store.histories([ANN])[0]) == 2


def test_histories_go_by_time_then_by_arrival(store: Store) -> None:
    store.record([Event(ANN, item, "view", time, item) for item, time in (("z", 2.0), ("y", 1.0), ("a", 2.0))], now=9.0)
    store.record([Event(ANN, item, "view", 2.0) for item in ("c", "b")], now=9.0)
    assert items(store.histories([ANN])[0]) == ["y", "z", "a", "c", "b"]


def test_only_the_last_of_each_visitor_are_read(store: Store) -> None:
    store.record([Event(who, f"{who.user_id}{n}", "view", float(n)) for n in range(5) for who in (ANN, BOB)], now=9.0)
    assert [items(history) for history in store.histories([BOB, ANN, Visitor("cat"), BOB], last=2)] == [
        ["bob3", "bob4"], ["ann3", "ann4"], [], ["bob3", "bob4"],
    ]  # fmt: skip
    assert store.histories([]) == []
    assert store.histories([Visitor()]) == [[]]  # somebody of whom nothing is known


def test_one_call_can_bring_thousands(store: Store) -> None:
    events = [Event(Visitor(f"u{n % 7}"), f"i{n}", "view", float(n), f"e{n}") for n in range(12_000)]
    assert store.load(events, now=1e6) == (12_000, 0)
    assert store.load(events, now=1e6) == (0, 0)
    assert items(store.histories([Visitor("u3")], last=3)[0]) == ["i11980", "i11987", "i11994"]


def test_the_table_has_all_events_by_time(store: Store) -> None:
    store.record([Event(Visitor(session_id="s"), "jam", "cart", 3.0, price=2.0, quantity=2.0)], now=9.0)
    store.record([Event(ANN, "tea", "view", 1.0), Event(BOB, "tea", "review", 3.0, rating=4.0)], now=9.0)
    table = store.events_table()
    assert tuple(table.column_names) == tuple(name for name in EVENT_COLUMNS if name != "part")
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (1, "ann", "tea", "view", 1.0, None, None, None),
        (2, "session:s", "jam", "cart", 3.0, None, 2.0, 2.0),
        (3, "bob", "tea", "review", 3.0, 4.0, None, None),
    ]
    assert store.events_table(since=3.0)["user_id"].to_pylist() == ["session:s", "bob"]
    assert store.events_table(since=4.0).schema == table.schema


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE events; --", "🫖", "茶 > 绿茶", "%s", ":name", "\\", '"', " ", "🫖" * 512]
)
def test_ids_may_hold_anything(store: Store, text: str) -> None:
    event = Event(Visitor(text, text), text, "view", 1.0, text, recommendation_id=text, attributes={text: text})
    assert store.record([event], now=9.0) == [True]
    assert store.record([event], now=9.0) == [False]
    assert items(store.histories([Visitor(text)])[0]) == [text]
    assert items(store.histories([Visitor(session_id=text)])[0]) == [text]
    assert store.results([text])["item_id"].to_pylist() == [text]
    exported = store.export(text)
    assert exported["sessions"] == [text]
    assert exported["events"][0]["attributes"] == {text: text}
    store.put_items([{"item_id": text, "title": text}])
    store.put_vectors("f", {text: b"v"})
    store.put_rule(text, {"note": text}, by=text, now=1.0)
    store.set_model(text, "live", text, by=text, now=1.0)
    assert (store.vectors("f", [text]), store.models(text)["live"]["path"]) == ({text: b"v"}, text)
    assert store.forget(text, now=9.0) == 1


GOOD = {"visitor": ANN, "item_id": "tea", "kind": "view"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"item_id": "a\0b"}, "item_id 'a\\\\x00b' with the character NUL"),
        ({"item_id": ""}, "item_id ''; expected text of 1 to 512"),
        ({"item_id": "x" * 600}, "item_id of 600 characters"),
        ({"item_id": "\ud83d"}, "item_id .* surrogate"),
        ({"item_id": 5}, "item_id 5; expected text"),
        ({"visitor": Visitor()}, "neither user_id nor session_id"),
        ({"visitor": Visitor("")}, "user_id ''"),
        ({"visitor": Visitor("ann", "x" * 513)}, "session_id of 513"),
        ({"event_id": "\0"}, "event_id"),
        ({"recommendation_id": ""}, "recommendation_id"),
        ({"kind": "purr"}, "kind 'purr'; expected one of view"),
        ({"time": math.nan}, "time nan; expected a finite number"),
        ({"time": math.inf}, "time inf"),
        ({"price": -math.inf}, "price -inf"),
        ({"rating": "5"}, "rating '5'"),
        ({"quantity": 10**400}, "quantity 1000.*; expected a finite"),
        ({"attributes": {"a": math.nan}}, "attributes that is no JSON"),
        ({"attributes": {"a": object()}}, "attributes that is no JSON"),
        ({"attributes": {"a": "\ud83d"}}, "attributes .* surrogate"),
    ],
)
def test_what_cannot_be_kept_is_named_and_nothing_is_written(store: Store, wrong: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.record([Event(**GOOD), Event(**GOOD | wrong)], now=9.0)
    assert store.histories([ANN]) == [[]]


@pytest.mark.parametrize("wrong", ["a\0b", "\ud83d", "", "x" * 600])
def test_ids_that_cannot_be_are_named_when_they_are_asked_for(store: Store, wrong: str) -> None:
    for ask in (
        lambda: store.histories([Visitor(wrong)]),
        lambda: store.histories([Visitor("ann", wrong)]),
        lambda: store.export(wrong),
        lambda: store.forget(wrong, now=1.0),
        lambda: store.results([wrong]),
        lambda: store.photos([wrong]),
        lambda: store.vectors("f", [wrong]),
        lambda: store.models(wrong),
    ):
        with pytest.raises(InputError, match="found "):
            ask()


def test_the_answers_to_lists_are_found(store: Store) -> None:
    store.record([Event(ANN, "tea", "view", 1.0)], now=9.0)
    store.record([Event(ANN, "tea", "click", 3.0, recommendation_id="r1")], now=9.0)
    store.record([Event(BOB, "jam", "purchase", 2.0, price=3.0, quantity=1.0, recommendation_id="r2")], now=9.0)
    assert store.results(["r1", "r3", "r1"]).to_pylist() == [
        {
            "recommendation_id": "r1", "user_id": "ann", "item_id": "tea", "kind": "click", "time": 3.0,
            "rating": None, "price": None, "quantity": None,
        },
    ]  # fmt: skip
    assert store.results([]).schema == store.results(["r1"]).schema
    assert store.events_of_lists()["recommendation_id"].to_pylist() == ["r2", "r1"]
    assert store.events_of_lists(since=2.5)["recommendation_id"].to_pylist() == ["r1"]
