import gzip
import json
from pathlib import Path

import pytest

from endcap.data.backend import DataFrame, local
from endcap.data.errors import InputError
from endcap.data.sources import FORMATS, Tables, read, read_items

BACKEND = local(threads=1)


def load(path: Path, **options: object) -> Tables:
    return read(BACKEND, path, **options)  # type: ignore[arg-type]


def rows(frame: DataFrame | None) -> list[tuple[object, ...]]:
    assert frame is not None
    return sorted(tuple(row) for row in frame.collect())


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def write_objects(path: Path, *records: dict[str, object]) -> Path:
    return write(path, "".join(json.dumps(record) + "\n" for record in records))


@pytest.mark.parametrize("name", ["log.txt", "log.txt.gz"])
def test_sequences(tmp_path: Path, name: str) -> None:
    text = "007 a  b c \n8 b\n\nalone\n商品 😀 a\n".encode()
    tables = load(write(tmp_path / name, gzip.compress(text) if name.endswith("gz") else text))
    assert tables.format == "sequences"
    assert rows(tables.events) == [
        (1, "007", "a"), (2, "007", "b"), (3, "007", "c"), (4, "8", "b"), (5, "商品", "😀"), (6, "商品", "a"),
    ]  # fmt: skip
    assert rows(tables.problems) == [(4, "line", "alone", "a user without items")]


def test_sequences_that_look_like_something_else_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "log.txt", "u1 a,b c\nu1 d\n")
    assert rows(load(path, format="sequences").events) == [(1, "u1", "a,b"), (2, "u1", "c"), (3, "u1", "d")]
    with pytest.raises(InputError, match="has no sequences"):
        load(write(path, "alone\n"), format="sequences")
    with pytest.raises(InputError, match="no columns to --map"):
        load(path, format="sequences", columns={"user_id": "x"})


INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"


def test_recbole_with_its_items(tmp_path: Path) -> None:
    inter = write(tmp_path / "shop.inter", INTER + 'u1\t"a\t4.0\t1.5e9\nbroken\nu2\tb\t1\t2\n')
    write(tmp_path / "shop.item", 'item_id:token\tname:token_seq\tclass:token_seq\n"a\tGreen tea\tDrink Hot\n')
    for path in (inter, tmp_path):
        tables = load(path)
        assert tables.format == "recbole"
        assert rows(tables.events) == [(1, "u1", '"a', "1.5e9", "4.0"), (3, "u2", "b", "2", "1")]
        assert [row for row, *_ in rows(tables.problems)] == [2]
        if path == tmp_path:
            assert rows(tables.items) == [(1, '"a', "Green tea", "Drink Hot")]
    assert tables.columns["time"] == "timestamp"
    assert read_items(BACKEND, tmp_path / "shop.item").format == "recbole"


def test_recbole_with_a_split_of_its_own(tmp_path: Path) -> None:
    for part, user in [("train", "a"), ("valid", "b"), ("test", "c")]:
        write(tmp_path / f"shop.{part}.inter", INTER + f"{user}\ti\t1\t1\n")
    parts = {(user, part) for _, user, *_, part in rows(load(tmp_path).events)}
    assert parts == {("a", "train"), ("b", "train"), ("c", "test")}
    write(tmp_path / "other.inter", INTER + "a\ti\t1\t1\n")
    with pytest.raises(InputError, match=r"holds 4 \.inter files"):
        load(tmp_path)


def test_personalize(tmp_path: Path) -> None:
    events = write(
        tmp_path / "interactions.csv",
        "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n1,0108,1600000000,Purchase,3.5\n2,b,1600000001,View,\n",
    )
    items = write(
        tmp_path / "items.csv", "ITEM_ID,CREATION_TIMESTAMP,CATEGORY_L1,CATEGORY_L2,PRICE\n0108,1,Tea,Green,2\n"
    )
    tables = load(events, items=items)
    assert tables.format == "personalize"
    assert rows(tables.events) == [(1, "1", "0108", "Purchase", "1600000000"), (2, "2", "b", "View", "1600000001")]
    assert any("EVENT_VALUE is not read" in note for note in tables.notes)
    assert rows(tables.items) == [(1, "0108", "Tea", "2", "1", "Green")]
    priced = load(events, columns={"price": "EVENT_VALUE"})
    assert [price for *_, price in rows(priced.events)] == ["3.5", None]
    assert not any("EVENT_VALUE" in note for note in priced.notes)


def test_google_retail(tmp_path: Path) -> None:
    events = write_objects(
        tmp_path / "events.jsonl",
        {"eventType": "home-page-view", "visitorId": "v"},
        {"eventType": "detail-page-view", "visitorId": "v", "eventTime": "2024-01-02T03:04:05Z",
         "productDetails": [{"product": {"id": "007"}}]},
        {"eventType": "purchase-complete", "visitorId": "v", "userInfo": {"userId": "u"}, "eventTime": "2024-01-02",
         "productDetails": [{"product": {"id": "a", "priceInfo": {"price": 2.5}}, "quantity": 3},
                            {"product": {"id": "b"}}]},
        {"eventType": "search", "visitorId": "v"},
    )  # fmt: skip
    products = write_objects(
        tmp_path / "products.jsonl",
        {"id": "a", "title": "Tea", "categories": ["Drinks > Tea", "Hot"], "brands": ["B"], "priceInfo": {"price": 2},
         "rating": {"averageRating": 4.5, "ratingCount": 7}, "availability": "IN_STOCK", "images": [{"uri": "x.jpg"}],
         "colorInfo": {"colors": ["green"]}},
    )  # fmt: skip
    tables = load(events, items=products)
    assert tables.format == "google-retail"
    assert tables.events.columns == ["row", "user_id", "item_id", "price", "quantity", "kind", "time"]
    assert rows(tables.events) == [
        (1, "v", "007", None, None, "view", "2024-01-02T03:04:05Z"),
        (2, "u", "a", "2.5", "3", "purchase", "2024-01-02"),
        (3, "u", "b", None, None, "purchase", "2024-01-02"),
    ]
    assert tables.notes[1:3] == [
        "skipped events of other kinds: 1 home-page-view",
        "skipped events without items: 1 search",
    ]
    assert tables.items is not None
    [product] = tables.items.collect()
    assert product.asDict() == {
        "row": 1, "item_id": "a", "title": "Tea", "category": "Drinks > Tea", "brand": "B", "price": 2.0,
        "rating": "4.5", "rating_count": "7", "stock": "IN_STOCK", "image": "x.jpg", "price_max": 2.0,
        "categories": "Drinks > Tea|Hot", "colour": "green",
    }  # fmt: skip


def _ga4(name: str, time: int, *items: dict[str, object], user: str | None = None) -> dict[str, object]:
    return {
        "event_date": "20240102", "event_timestamp": str(time), "event_name": name, "user_id": user,
        "user_pseudo_id": "p", "items": list(items),
    }  # fmt: skip


def test_ga4_days_that_overlap_count_once(tmp_path: Path) -> None:
    tea = {"item_id": "tea", "item_name": "Tea", "item_brand": "B", "item_category": "Drinks", "item_category2": "Hot"}
    bought = _ga4("purchase", 3, {**tea, "price": 2.5, "quantity": 2}, {**tea, "price": 2.5, "quantity": 2}, user="u")
    write_objects(
        tmp_path / "events_20240101.jsonl",
        _ga4("page_view", 1), _ga4("view_item", 2, {**tea, "item_name": "Old name"}), bought,
    )  # fmt: skip
    write_objects(
        tmp_path / "events_20240102.jsonl",
        bought, _ga4("remove_from_cart", 4, {"item_id": "(not set)"}), _ga4("page_view", 5), _ga4("add_to_cart", 6),
    )  # fmt: skip
    tables = load(tmp_path)
    assert tables.format == "ga4"
    # two pieces in two lines of one purchase stay two; the same purchase on two days is one
    assert [(user, item, kind, time) for _, user, item, _, _, kind, time in rows(tables.events)] == [
        ("p", "tea", "view", "2"),
        ("u", "tea", "purchase", "3"),
        ("u", "tea", "purchase", "3"),
        ("p", None, "remove", "4"),
    ]
    assert tables.notes[1:] == [
        "skipped events of other kinds: 2 page_view",
        "skipped events without items: 1 add_to_cart",
        "2 exact repeats of events were read once",
    ]
    assert tables.items is not None
    assert tables.items.columns == ["row", "item_id", "title", "brand", "price", "category"]
    assert rows(tables.items) == [(1, "tea", "Tea", "B", "2.5", "Drinks > Hot")]


def test_ga4_without_any_item(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no events with items; expected event_name of view_item, add_to_cart"):
        load(write_objects(tmp_path / "log.jsonl", _ga4("page_view", 1)))


def test_items_of_events_may_be_broken(tmp_path: Path) -> None:
    odd = [_ga4("purchase", 1, {"item_id": 7}) | {"items": "none"}, _ga4("purchase", 2, {"item_id": 7})]
    path = write_objects(tmp_path / "log.jsonl", *odd)
    write(path, path.read_bytes() + b"broken\n")
    tables = load(path)
    assert [item for _, _, item, *_ in rows(tables.events)] == ["7"]
    assert [(row, problem) for row, _, _, problem in rows(tables.problems)] == [(3, "not a JSON object")]


def test_a_truncated_folder_format_is_one_error(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(f"{i} {i * 7919 % 10007}" for i in range(100_000)).encode(), 1)
    write(tmp_path / "train_sessions.txt.gz", whole[:-1000])
    write(tmp_path / "test_prefix_target.tsv.gz", gzip.compress(b"1 2\t3\n"))
    with pytest.raises(InputError, match=r"cannot be read as diginetica: .* cut off or damaged"):
        load(tmp_path)


def test_diginetica_sessions_and_questions(tmp_path: Path) -> None:
    write(tmp_path / "train_sessions.txt.gz", gzip.compress(b"1 2\n3\n"))
    write(tmp_path / "test_prefix_target.tsv.gz", gzip.compress(b"1 3\t2\n3\t1\nno target\n"))
    tables = load(tmp_path)
    assert rows(tables.events) == [
        (1, "train-1", "1", "view", "train"), (2, "train-1", "2", "view", "train"),
        (3, "train-2", "3", "view", "train"), (4, "test-1", "1", "view", "history"),
        (5, "test-1", "3", "view", "history"), (6, "test-1", "2", "view", "test"),
        (7, "test-2", "3", "view", "history"), (8, "test-2", "1", "view", "test"),
    ]  # fmt: skip
    assert [(row, value) for row, _, value, _ in rows(tables.problems)] == [(3, "no target")]


def test_formats_have_names_of_their_own() -> None:
    names = [form.name for form in FORMATS]
    assert len(set(names)) == len(names)
    assert all(form.about for form in FORMATS)


def test_hm_rows_are_purchases(tmp_path: Path) -> None:
    path = tmp_path / "transactions_train.csv"
    path.write_text(
        "t_dat,customer_id,article_id,price,sales_channel_id\n2018-09-20,c1,0663713001,0.05,2\n", encoding="utf-8"
    )
    tables = read(local(), path)
    (row,) = tables.events.collect()
    assert tables.format == "hm"
    assert (row["user_id"], row["item_id"], row["kind"]) == ("c1", "0663713001", "purchase")
