import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap import load as loading
from endcap.data.check import ProblemSort
from endcap.data.dataset import DataConfig
from endcap.data.errors import InputError
from endcap.load import Loaded, load
from endcap.store.errors import Unavailable
from endcap.store.records import Event, ItemChange, Visitor
from endcap.store.store import Store

NOW = 1_800_000_000.0
DAY = 86_400.0
FIRST = 1_700_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(str(tmp_path / "shop.db"))
    yield opened
    opened.close()


def write(path: Path, columns: str, *rows: tuple[Any, ...]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(), *rows])
    return str(path)


LOG = (
    ("ann", "tea", "view", "1700000000", ""),
    ("ann", "tea", "view", "1700000000", ""),  # two looks within a second, both happened
    ("bob", "jam", "Add to cart", "1700000001000", ""),
    ("ann", "jam", "purchase", "2023-11-14T22:13:22Z", "2.5"),
    ("ann", "", "view", "1700000003", ""),
    ("ann", "tea", "purr", "1700000003", ""),
    ("ann", "tea", "view", "soon", ""),
    ("ann", "x" * 600, "view", "1700000003", ""),
)


def log(tmp_path: Path) -> str:
    return write(tmp_path / "log.csv", "user_id item_id kind time price", *LOG)


def put(store: Store, events: str, items: str | None = None, **options: Any) -> Loaded:
    return load(store, DataConfig(events=events, items=items), now=NOW, **options)


def test_what_can_be_used_is_in_the_store_and_the_rest_is_counted(store: Store, tmp_path: Path) -> None:
    loaded = put(store, log(tmp_path))
    assert (loaded.rows, loaded.events, loaded.new, loaded.forgotten, loaded.items) == (8, 4, 4, 0, 0)
    assert set(loaded.problems) == {
        ProblemSort("item_id", "no item_id; row left out", 1),
        ProblemSort("kind", "unknown kind; row left out", 1),
        ProblemSort("time", "not a time; row left out", 1),
        ProblemSort("item_id", "not an id that the store can keep (1 to 512 characters, no NUL); row left out", 1),
    }
    assert any("'Add to cart' is read as cart" in note for note in loaded.notes)
    assert [tuple(row.values())[1:7] for row in store.events_table().to_pylist()] == [
        ("ann", "tea", "view", FIRST, None, None),
        ("ann", "tea", "view", FIRST, None, None),
        ("bob", "jam", "cart", FIRST + 1, None, None),
        ("ann", "jam", "purchase", FIRST + 2, None, 2.5),
    ]


def test_only_some_users_and_prices_for_those_without(store: Store, tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id title price", ("tea", "Tea", ""), ("jam", "Jam", "3"))
    loaded = put(store, log(tmp_path), items, users=["bob"], prices={"tea": 1.5, "jam": 9.0, "rum": 2.0})
    assert (loaded.events, loaded.new) == (1, 1)
    assert set(store.events_table()["user_id"].to_pylist()) == {"bob"}
    assert {each.item_id: (each.row or {})["price"] for each in store.items_since(0)} == {"tea": 1.5, "jam": 3.0}


def test_a_second_time_adds_nothing(store: Store, tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "item_id title", ("tea", "Tea"))
    put(store, log(tmp_path), items)
    revision = store.revisions().items
    again = put(store, log(tmp_path), items)
    assert (again.events, again.new, again.items) == (4, 0, 1)
    assert len(store.events_table()) == 4
    assert store.revisions().items == revision


def test_a_longer_log_in_another_order_adds_what_is_new(store: Store, tmp_path: Path) -> None:
    put(store, log(tmp_path))
    more = [*LOG, LOG[0], ("cat", "tea", "view", "1700000009", "")]
    longer = write(tmp_path / "longer.csv", "user_id item_id kind time price", *more[::-1])
    assert put(store, longer).new == 2
    assert [len(each) for each in store.histories([Visitor("ann"), Visitor("cat")])] == [4, 1]


def test_an_interrupted_run_is_completed_by_the_next(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CHUNK", 2048)
    events = write(
        tmp_path / "log.csv", "user_id item_id time", *[(f"u{n % 9}", f"i{n}", FIRST + n) for n in range(7000)]
    )
    seen: list[tuple[int, int]] = []

    def interrupt(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 2:
            raise Unavailable("the database is away")

    with pytest.raises(Unavailable):
        put(store, events, on_progress=interrupt)
    kept = len(store.events_table())
    assert seen == [(kept // 2, 7000), (kept, 7000)]
    assert 0 < kept < 7000
    assert put(store, events).new == 7000 - kept
    assert store.events_table()["item_id"].to_pylist() == [f"i{n}" for n in range(7000)]


def test_who_was_forgotten_does_not_come_back(store: Store, tmp_path: Path) -> None:
    events = log(tmp_path)
    put(store, events)
    store.record([Event(Visitor("ann", "s"), "hat", "view", FIRST + DAY)], now=NOW)
    assert store.forget("ann", now=FIRST + 2 * DAY) == 4
    again = put(store, events)
    assert (again.events, again.new, again.forgotten) == (4, 0, 3)
    assert set(store.events_table()["user_id"].to_pylist()) == {"bob"}
    later = write(tmp_path / "later.csv", "user_id item_id time", ("ann", "tea", FIRST + 3 * DAY))
    assert put(store, later).new == 1


def test_the_catalogue_comes_along(store: Store, tmp_path: Path) -> None:
    table = pa.table(
        {
            "item_id": ["tea", "jam", "\0"],
            "title": ["Tea", None, "?"],
            "price": [2.5, 1.0, 1.0],
            "brand": pa.nulls(3, pa.string()),
            "colour": ["green|black", None, None],
            "weight": [250, None, None],
        }
    )
    pq.write_table(table, tmp_path / "items.parquet")
    loaded = put(store, log(tmp_path), str(tmp_path / "items.parquet"))
    assert loaded.items == 2
    assert ProblemSort("items.item_id", loading._NO_ID, 1) in loaded.problems
    assert store.items_since(0) == [
        ItemChange("jam", {"title": None, "price": 1.0, "colour": None, "weight": None}, 1),
        ItemChange("tea", {"title": "Tea", "price": 2.5, "colour": "green|black", "weight": "250"}, 1),
    ]


def test_a_variants_id_counts_for_its_product(store: Store, tmp_path: Path) -> None:
    (tmp_path / "shopify.csv").write_text(
        "Handle,Title,Variant SKU,Variant Price\nshirt,Shirt,S-1,10\nshirt,,S-2,11\n", encoding="utf-8"
    )
    events = write(tmp_path / "log.csv", "user_id item_id time", ("ann", "S-2", FIRST), ("ann", "shirt", FIRST + 1))
    put(store, events, str(tmp_path / "shopify.csv"))
    assert [event.item_id for event in store.histories([Visitor("ann")])[0]] == ["shirt", "shirt"]


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ("user_id item_id", ("ann", "tea"), "found no times; the store needs one per event"),
        ("user_id item_id time", ("ann", "tea", "soon"), "found no usable event; run `endcap check"),
        ("user_id title time", ("ann", "tea", "1700000000"), "item_id"),
    ],
)
def test_a_log_that_cannot_be_used_is_refused(
    store: Store, tmp_path: Path, columns: str, row: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        put(store, write(tmp_path / "log.csv", columns, row))


def test_events_without_a_time_among_others_are_counted(store: Store, tmp_path: Path) -> None:
    events = write(
        tmp_path / "log.csv", "user_id item_id time part", ("ann", "tea", FIRST, "train"), ("ann", "jam", "", "test")
    )
    loaded = put(store, events)
    assert (loaded.events, loaded.new) == (1, 1)
    assert loaded.problems == (ProblemSort("time", "no time; row left out", 1),)


def test_the_steps_are_told(store: Store, tmp_path: Path) -> None:
    steps: list[str] = []
    put(store, log(tmp_path), write(tmp_path / "items.csv", "item_id title", ("tea", "Tea")), on_step=steps.append)
    assert steps == ["reading", "writing the catalogue", "writing the events"]
