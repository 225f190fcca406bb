import json
from pathlib import Path

import pytest

from endcap.data.errors import InputError
from endcap.store.records import Event, Shown, Visitor
from endcap.store.store import Store

ANN, BOB, SESSION = Visitor("ann"), Visitor("bob"), Visitor(session_id="s")


def view(visitor: Visitor, item: str, time: float, event_id: str | None = None) -> Event:
    return Event(visitor, item, "view", time, event_id)


def seen(store: Store, *visitors: Visitor) -> list[list[str]]:
    return [[event.item_id for event in history] for history in store.histories(visitors)]


def test_a_login_brings_what_the_session_did(store: Store) -> None:
    store.record(
        [view(SESSION, "tea", 2.0), view(ANN, "old", 1.0), view(Visitor(session_id="other"), "no", 1.0)], now=9.0
    )
    store.identify(Visitor("ann", "s"))
    store.record([view(SESSION, "jam", 3.0)], now=9.0)
    assert seen(store, ANN, SESSION, Visitor("ann", "s")) == [["old", "tea", "jam"]] * 3
    assert store.events_table()["user_id"].to_pylist() == ["ann", "session:other", "ann", "ann"]


def test_an_event_with_both_ids_is_a_login(store: Store) -> None:
    store.record([view(SESSION, "tea", 1.0)], now=9.0)
    store.record([view(Visitor("ann", "s"), "jam", 2.0), view(SESSION, "rum", 3.0)], now=9.0)
    assert seen(store, ANN) == [["tea", "jam", "rum"]]


def test_a_login_and_what_came_before_it_can_be_in_one_call(store: Store) -> None:
    events = [(SESSION, "a"), (Visitor("ann", "s"), "b"), (SESSION, "c"), (Visitor("bob", "s"), "d"), (SESSION, "e")]
    store.record([view(visitor, item, float(place)) for place, (visitor, item) in enumerate(events)], now=9.0)
    assert seen(store, ANN, BOB, SESSION) == [["a", "b", "c"], ["d", "e"], ["d", "e"]]


def test_a_session_that_logs_in_again_is_the_other_users_from_then_on(store: Store) -> None:
    store.record([view(SESSION, "tea", 1.0)], now=9.0)
    store.identify(Visitor("ann", "s"))
    store.identify(Visitor("bob", "s"))
    store.record([view(SESSION, "jam", 2.0)], now=9.0)
    assert seen(store, ANN, BOB, SESSION) == [["tea"], ["jam"], ["jam"]]
    assert (store.export("ann")["sessions"], store.export("bob")["sessions"]) == ([], ["s"])


def test_an_event_sent_again_is_no_login(store: Store) -> None:
    event = view(Visitor("ann", "s"), "tea", 1.0, "e1")
    store.record([event], now=9.0)
    store.identify(Visitor("bob", "s"))
    assert store.record([event], now=9.0) == [False]
    store.record([view(SESSION, "jam", 2.0)], now=9.0)
    assert seen(store, ANN, BOB) == [["tea"], ["jam"]]


def test_who_asks_with_both_ids_has_both_pasts_before_the_login_is_written(store: Store) -> None:
    store.record([view(SESSION, "tea", 2.0), view(ANN, "jam", 1.0), view(ANN, "rum", 3.0)], now=9.0)
    assert seen(store, Visitor("ann", "s"), ANN, SESSION) == [["jam", "tea", "rum"], ["jam", "rum"], ["tea"]]
    assert [event.item_id for event in store.histories([Visitor("ann", "s")], last=2)[0]] == ["tea", "rum"]


def test_to_identify_takes_both_ids(store: Store) -> None:
    with pytest.raises(InputError, match="expected user_id and session_id"):
        store.identify(ANN)


def test_a_user_and_a_session_of_the_same_name_are_two(store: Store) -> None:
    store.record([view(Visitor("x"), "tea", 1.0), view(Visitor(session_id="x"), "jam", 1.0)], now=9.0)
    assert seen(store, Visitor("x"), Visitor(session_id="x")) == [["tea"], ["jam"]]


def filled(store: Store) -> None:
    store.record([view(SESSION, "tea", 1.0, "e1"), view(BOB, "tea", 1.0, "e2")], now=9.0)
    store.log_shown([Shown("r1", SESSION, 1.0, "home", "m", ("tea", "jam"), explored=({"place": 1, "pool": ["jam"]},))])
    store.log_shown([Shown("r2", BOB, 1.0, "home", "m", ("tea",))])
    both = Event(Visitor("ann", "s"), "jam", "purchase", 2.0, "e3", None, 2.0, 1.0, "r1", {"coupon": True})
    store.record([both], now=9.0)


def test_the_export_has_everything_and_nothing_of_others(store: Store) -> None:
    filled(store)
    exported = store.export("ann")
    assert json.loads(json.dumps(exported)) == exported == {
        "user_id": "ann",
        "events": [
            {
                "event_id": "e1", "item_id": "tea", "kind": "view", "time": 1.0, "rating": None, "price": None,
                "quantity": None, "recommendation_id": None, "attributes": {},
            },
            {
                "event_id": "e3", "item_id": "jam", "kind": "purchase", "time": 2.0, "rating": None, "price": 2.0,
                "quantity": 1.0, "recommendation_id": "r1", "attributes": {"coupon": True},
            },
        ],
        "sessions": ["s"],
        "lists": [
            {
                "recommendation_id": "r1", "time": 1.0, "slot": "home", "model": "m", "items": ["tea", "jam"],
                "experiment": None, "arm": None, "explored": [{"place": 1, "pool": ["jam"]}],
            }
        ],
    }  # fmt: skip
    assert store.export("nobody") == {"user_id": "nobody", "events": [], "sessions": [], "lists": []}


def test_nothing_is_left_of_who_is_forgotten(store: Store) -> None:
    filled(store)
    assert store.forget("ann", now=10.0) == 2
    assert store.export("ann") == {"user_id": "ann", "events": [], "sessions": [], "lists": []}
    assert seen(store, ANN, SESSION, BOB) == [[], [], ["tea"]]
    assert [shown.recommendation_id for shown in store.shown()] == ["r2"]
    assert store.events_table()["user_id"].to_pylist() == ["bob"]
    assert store.forget("ann", now=11.0) == 0


def test_events_from_before_the_forgetting_are_not_taken_in_again(store: Store) -> None:
    filled(store)
    store.forget("ann", now=10.0)
    old = [view(ANN, "tea", 1.0, "e1"), view(SESSION, "tea", 10.0), view(Visitor("ann", "s"), "tea", 9.0)]
    new = [view(ANN, "hat", 10.5, "e9"), view(BOB, "hat", 1.0, "e10")]
    assert store.record([*old, *new], now=11.0) == [False, False, False, True, True]
    assert store.load(old, now=11.0) == (0, 3)
    assert seen(store, ANN, SESSION) == [["hat"], []]
    assert store.export("ann")["sessions"] == []


def test_no_id_of_who_is_forgotten_stays_on_disk(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "shop.db"))
    visitor = Visitor("ann@example.org", "ann's session")
    both = [[view(visitor, f"i{n}", float(n)), view(Visitor(f"u{n}"), "tea", float(n))] for n in range(300)]
    store.record([event for pair in both for event in pair], now=999.0)
    store.log_shown([Shown("r", visitor, 1.0, "home", "m", ("tea",))])
    store.forget("ann@example.org", now=1000.0)
    store.close()
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"u299" in left
    assert b"ann" not in left
