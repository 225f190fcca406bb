"""What the console reads: sums, samples, and who was here."""

import uuid

from endcap.store import figures
from endcap.store.figures import Span
from endcap.store.records import Event, Shown, Visitor
from endcap.store.store import Store

ANN, SESSION = Visitor(user_id="ann"), Visitor(session_id="s1")
SPAN = Span(1_000.0, 100, 3)


def shown(list_id: str, time: float, visitor: Visitor = ANN, **more: object) -> Shown:
    return Shown(list_id, visitor, time, "home", "model", ("tea", "milk"), **more)  # type: ignore[arg-type]


def event(time: float, kind: str = "view", visitor: Visitor = ANN, item_id: str = "tea") -> Event:
    return Event(visitor, item_id, kind, time=time, price=2.5 if kind == "purchase" else None)


def test_kinds_are_counted_in_steps(store: Store) -> None:
    store.record([event(999.5), event(1_000), event(1_099), event(1_250, "cart"), event(1_300)], now=2_000)
    assert figures.kinds(store, SPAN, 100) == {"view": [2, 0, 0], "cart": [0, 0, 1]}
    assert figures.kinds(store, SPAN, 2) == {"cart": [0, 0, 1]}  # of the last two that arrived
    assert SPAN.until == 1_300


def test_the_newest_events_are_a_table_as_the_check_wants_it(store: Store) -> None:
    store.record([event(5), event(7, "purchase", SESSION), event(6)], now=2_000)
    found = figures.newest_events(store, 2)
    assert found["user_id"].to_pylist() == ["session:s1", "ann"]
    assert found["row"].to_pylist() == [1, 2]
    assert found["price"].to_pylist() == [2.5, None]
    assert figures.size(store) == (3, 6.0)
    assert len(figures.newest_events(store, 10)) == 3


def test_an_empty_store_has_empty_figures(store: Store) -> None:
    assert figures.kinds(store, SPAN, 10) == {}
    assert figures.size(store) == (0, None)
    assert len(figures.newest_events(store, 10)) == 0
    assert figures.lists(store, SPAN, 10).share == 1.0
    assert figures.recent(store, 10) == {}
    assert figures.experiments(store, 10) == []
    assert figures.explored(store, 10) == figures.lists_of(store, "a", 10) == []
    assert len(figures.purchases(store, [], 0)) == len(figures.events_of(store, [ANN])) == 0


def test_lists_of_a_span_are_all_there(store: Store) -> None:
    store.log_shown([shown("a", 999), shown("b", 1_000), shown("c", 1_299.9), shown("d", 1_300)])
    found = figures.lists(store, SPAN, 10)
    assert [each.recommendation_id for each in found.lists] == ["b", "c"]
    assert (found.total, found.share) == (2, 1.0)
    assert found.lists[0].items == ("tea", "milk")


def test_of_too_many_lists_chance_chooses_some(store: Store) -> None:
    ids = [uuid.UUID(int=(n * 2**128) // 400 + n).hex for n in range(400)]  # evenly spread, as those of uuid4 are
    store.log_shown([shown(each, 1_000 + n * 7 % 300) for n, each in enumerate(ids)])
    found = figures.lists(store, SPAN, 100)
    assert found.total == 400
    assert 80 <= len(found.lists) <= 120
    assert found.share == len(found.lists) / 400
    assert {int(each.time) // 100 for each in found.lists} == {10, 11, 12}  # not the first ones alone


def test_what_people_did_and_bought(store: Store) -> None:
    store.record([event(10, "purchase"), event(20, "purchase"), event(15), event(30, "purchase", SESSION)], now=2_000)
    bought = figures.purchases(store, [ANN, SESSION], 15)
    assert sorted(zip(bought["user_id"].to_pylist(), bought["time"].to_pylist(), strict=True)) == [
        ("ann", 20.0),
        ("session:s1", 30.0),
    ]
    assert figures.events_of(store, [ANN])["time"].to_pylist() == [10.0, 15.0, 20.0]


def test_who_was_here_lately(store: Store) -> None:
    store.record([event(10), event(5, visitor=SESSION), event(4)], now=2_000)
    assert list(figures.recent(store, 10).items()) == [(ANN, 10.0), (SESSION, 5.0)]
    assert list(figures.recent(store, 2)) == [ANN, SESSION]


def test_experiments_and_explored_lists(store: Store) -> None:
    explored = {"place": 0, "pool": ["tea", "rum"], "chance": 0.5}
    store.log_shown([
        shown("a", 1, experiment="x:y", arm="control"), shown("b", 3, experiment="x:y", arm="candidate"),
        shown("c", 9, experiment="x:z", arm="control"), shown("d", 2, explored=(explored,)),
    ])  # fmt: skip
    found = figures.experiments(store, 10)
    assert [(each.name, each.first, each.last, each.lists) for each in found] == [("x:z", 9, 9, 1), ("x:y", 1, 3, 2)]
    assert [each.recommendation_id for each in figures.lists_of(store, "x:y", 10)] == ["a", "b"]
    assert [each.recommendation_id for each in figures.lists_of(store, "x:y", 1)] == ["b"]
    assert [each.recommendation_id for each in figures.explored(store, 10)] == ["d"]


def test_photos_are_known_by_id(store: Store) -> None:
    store.put_photo("tea", b"jpeg")
    assert figures.with_photo(store) == {"tea"}


def test_every_server_of_a_database_has_the_same_secret(store: Store, url: str) -> None:
    other = Store.open(url)
    assert store.secret("console") == other.secret("console")
    assert store.secret("console") != store.secret("something else")
    other.close()
