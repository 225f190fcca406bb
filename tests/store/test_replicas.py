"""Several servers on one database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from endcap.store.records import Event, Revisions, Visitor
from endcap.store.store import Store


@pytest.fixture
def replicas(url: str) -> Iterator[tuple[Store, Store]]:
    both = Store.open(url), Store.open(url)
    yield both
    for store in both:
        store.close()


def test_what_one_writes_the_other_reads_at_once(replicas: tuple[Store, Store]) -> None:
    one, other = replicas
    for n in range(5):
        one.record([Event(Visitor("ann"), f"i{n}", "view", float(n), f"e{n}")], now=9.0)
        assert [event.item_id for event in other.histories([Visitor("ann")])[0]][-1] == f"i{n}"
        one, other = other, one
    assert one.record([Event(Visitor("ann"), "i0", "view", 0.0, "e0")], now=9.0) == [False]
    one.put_items([{"item_id": "tea", "price": 1.0}])
    one.put_rule("r", {"action": "hide"}, by="ann", now=1.0)
    one.set_model("shop", "live", "/a", by="ann", now=1.0)
    assert other.revisions() == Revisions(1, 1, 1)
    assert (other.items_since(0)[0].row, other.rules(), other.models("shop")["live"]["path"]) == (
        {"price": 1.0}, [("r", {"action": "hide"})], "/a",
    )  # fmt: skip


def test_a_forgotten_user_is_forgotten_everywhere(replicas: tuple[Store, Store]) -> None:
    one, other = replicas
    event = Event(Visitor("ann"), "tea", "view", 1.0, "e1")
    one.record([event], now=9.0)
    other.forget("ann", now=10.0)
    assert one.record([event], now=11.0) == [False]
    assert one.histories([Visitor("ann")]) == [[]]


def test_no_event_of_a_session_is_left_behind_by_a_login(replicas: tuple[Store, Store]) -> None:
    one, other = replicas

    def visit(session: str) -> None:
        for n in range(8):
            one.record([Event(Visitor(session_id=session), f"i{n}", "view", float(n))], now=99.0)

    def log_in(session: str) -> None:
        other.record([Event(Visitor(f"user of {session}", session), "login", "view", 4.0)], now=99.0)

    sessions = [f"s{n}" for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        for session in sessions:
            pool.submit(visit, session)
            pool.submit(log_in, session)
    assert set(one.events_table()["user_id"].to_pylist()) == {f"user of {session}" for session in sessions}
    assert [len(past) for past in one.histories([Visitor(f"user of {each}") for each in sessions])] == [9] * 12


def test_the_same_events_in_another_order_do_not_stop_each_other(replicas: tuple[Store, Store]) -> None:
    for turn in range(3):
        events = [Event(Visitor("ann"), f"i{n}", "view", float(n), f"{turn} {n}") for n in range(300)]
        with ThreadPoolExecutor(2) as pool:
            results = pool.map(lambda store, some: store.record(some, now=999.0), replicas, (events, events[::-1]))
        assert sum(sum(new) for new in results) == 300
    assert len(replicas[0].events_table()) == 900
