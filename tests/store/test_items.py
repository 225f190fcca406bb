import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from endcap.data.errors import InputError
from endcap.store.records import ItemChange, Revisions
from endcap.store.store import Store


def test_rows_are_merged_and_none_clears(store: Store) -> None:
    assert store.put_items([{"item_id": "tea", "title": "Tea", "price": 2.5}]) == 1
    assert store.put_items([{"item_id": "tea", "price": None, "stock": 3}, {"item_id": "jam", "organic": True}]) == 2
    assert store.items_since(0) == [
        ItemChange("jam", {"organic": True}, 2),
        ItemChange("tea", {"title": "Tea", "price": None, "stock": 3}, 2),
    ]
    assert store.items_since(2) == []
    assert store.revisions() == Revisions(items=2)


def test_a_row_that_says_nothing_new_is_no_change(store: Store) -> None:
    store.put_items([{"item_id": "tea", "title": "Tea"}, {"item_id": "jam"}])
    assert store.put_items([{"item_id": "tea", "title": "Tea"}, {"item_id": "jam", "price": 1.0}]) == 2
    assert [change.item_id for change in store.items_since(1)] == ["jam"]
    assert store.put_items([{"item_id": "tea", "title": "Tea"}]) == store.put_items([]) == 2


def test_the_same_item_twice_in_one_call_is_merged_in_order(store: Store) -> None:
    store.put_items([{"item_id": "tea", "title": "A", "price": 1}, {"item_id": "tea", "title": "B"}])
    assert store.items_since(0) == [ItemChange("tea", {"title": "B", "price": 1}, 1)]


def test_changes_come_in_their_order(store: Store) -> None:
    for item_id in ("b", "a", "c", "b"):
        store.put_items([{"item_id": item_id, "price": store.revisions().items}])
    assert [(change.item_id, change.revision) for change in store.items_since(1)] == [("a", 2), ("c", 3), ("b", 4)]


def test_what_is_taken_out_comes_back_with_what_it_is_given_then(store: Store) -> None:
    store.put_items([{"item_id": "tea", "title": "Tea"}])
    store.put_vectors("f", {"tea": b"v"})
    store.put_photo("tea", b"jpeg")
    assert store.delete_items(["tea", "unknown"]) == 3
    assert store.items_since(2) == [ItemChange("tea", None, 3), ItemChange("unknown", None, 3)]
    assert (store.photos(["tea"]), store.vectors("f", ["tea"])) == ({}, {})
    store.put_items([{"item_id": "tea", "price": 1.0}])
    assert store.items_since(3) == [ItemChange("tea", {"price": 1.0}, 4)]
    assert store.delete_items([]) == 4


def test_vectors_are_kept_per_encoders(store: Store) -> None:
    store.put_vectors("f1", {"tea": b"\0\1", "jam": b"\2"})
    store.put_vectors("f2", {"tea": b"\3"})
    store.put_vectors("f1", {"jam": b"\4"})
    assert store.vectors("f1", ["tea", "jam", "rum"]) == {"tea": b"\0\1", "jam": b"\4"}
    assert store.vectors("f2", ["tea", "jam"]) == {"tea": b"\3"}
    assert store.vectors("f1", []) == {}


def test_a_new_photo_makes_the_item_change_and_drops_its_vectors(store: Store) -> None:
    store.put_items([{"item_id": "tea", "title": "Tea"}])
    for encoders in ("f1", "f2"):
        store.put_vectors(encoders, {"tea": b"v", "jam": b"v"})
    assert store.put_photo("tea", b"\xff\xd8 one") == 2
    assert store.put_photo("new", b"\xff\xd8 two") == 3
    assert store.photos(["tea", "jam", "new"]) == {"tea": b"\xff\xd8 one", "new": b"\xff\xd8 two"}
    assert store.items_since(1) == [ItemChange("tea", {"title": "Tea"}, 2), ItemChange("new", {}, 3)]
    assert [store.vectors(encoders, ["tea", "jam"]) for encoders in ("f1", "f2")] == [{"jam": b"v"}] * 2


def test_a_catalogue_of_thousands(store: Store) -> None:
    ids = [f"i{n}" for n in range(10_500)]  # more than are asked for in one statement
    store.put_items([{"item_id": item_id} for item_id in ids])
    store.put_vectors("f", dict.fromkeys(ids, b"v"))
    assert len(store.items_since(0)) == len(store.vectors("f", ids)) == 10_500
    assert store.delete_items(ids) == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"title": "Tea"}, "item_id None"),
        ({"item_id": "a\0"}, "NUL"),
        ({"item_id": "tea", "title": "a\ud83d"}, "row of item 'tea' .* surrogate"),
        ({"item_id": "tea", "price": math.nan}, "row of item 'tea' that is no JSON"),
        ({"item_id": "x" * 600}, "600 characters"),
    ],
)
def test_rows_that_cannot_be_kept_are_named(store: Store, row: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        store.put_items([{"item_id": "jam"}, row])
    assert store.items_since(0) == []


def test_other_ids_are_checked_too(store: Store) -> None:
    for call in (
        lambda: store.delete_items(["a\0"]),
        lambda: store.put_photo("", b""),
        lambda: store.put_vectors("f", {"a\0": b""}),
        lambda: store.put_vectors("f" * 200, {"a": b""}),
    ):
        with pytest.raises(InputError):
            call()


def test_a_reader_misses_no_change_of_writers_at_once(store: Store) -> None:
    writers, each = 4, 25
    seen: dict[str, int] = {}
    ended = threading.Event()

    def read() -> None:
        newest = 0
        while True:
            last = ended.is_set()  # before reading: once more after all were done
            for change in store.items_since(newest):
                seen[change.item_id] = change.revision
                newest = change.revision
            if last:
                return

    def write(writer: int) -> list[int]:
        return [store.put_items([{"item_id": f"{writer}-{n}"}]) for n in range(each)]

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(writers) as pool:
        revisions = [revision for some in pool.map(write, range(writers)) for revision in some]
    ended.set()
    reader.join()
    assert sorted(revisions) == list(range(1, writers * each + 1))
    assert seen == {change.item_id: change.revision for change in store.items_since(0)}
    assert len(seen) == writers * each


def test_writers_of_the_same_item_lose_nothing_of_each_other(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: store.put_items([{"item_id": "tea", f"column {n}": n}]), range(20)))
    assert store.items_since(0)[0].row == {f"column {n}": n for n in range(20)}
