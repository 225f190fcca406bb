import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.data.backend import DataFrame, local
from endcap.data.errors import InputError
from endcap.data.sources import Tables, read, read_items
from endcap.data.sources.duck import NOT_UTF8

BACKEND = local(threads=1)


def load(path: Path, **options: object) -> Tables:
    return read(BACKEND, path, **options)  # type: ignore[arg-type]


def rows(frame: DataFrame | None) -> list[tuple[object, ...]]:
    """Every row, in the order of `row`."""
    assert frame is not None
    return sorted(tuple(row) for row in frame.collect())


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_names_are_guessed_whatever_their_case_and_separators(tmp_path: Path) -> None:
    tables = load(
        write(tmp_path / "log.csv", "Event Type,Customer-ID,articleId,T_DAT,Qty,note\nbuy,u,i,2020-01-02,3,x\n")
    )
    assert tables.format == "csv"
    assert tables.columns == {
        "user_id": "Customer-ID", "item_id": "articleId", "kind": "Event Type", "time": "T_DAT", "quantity": "Qty",
    }  # fmt: skip
    assert tables.events.columns == ["row", "user_id", "item_id", "kind", "time", "quantity"]
    assert rows(tables.events) == [(1, "u", "i", "buy", "2020-01-02", "3")]


@pytest.mark.parametrize(("delimiter", "name"), [(",", "csv"), (";", "csv"), ("|", "csv"), ("\t", "tsv")])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str, name: str) -> None:
    path = write(tmp_path / "log.txt", delimiter.join(["user", "item", "ts"]) + "\n" + delimiter.join("abc") + "\n")
    assert load(path).format == name
    assert rows(load(path).events) == [(1, "a", "b", "c")]


def test_a_given_column_comes_before_a_guess(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "user_id,device,item_id,price,list_price\nu,d,i,1,2\n")
    tables = load(path, columns={"user_id": "device", "price": "list_price"})
    assert rows(tables.events) == [(1, "d", "i", "2")]
    assert tables.columns["user_id"] == "device"


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        ("who,what", {}, "no column for user_id and item_id; it has who, what; name them with --map user_id=NAME"),
        ("user_id,what", {}, "no column for item_id"),
        (
            "customer_id,client_id,item",
            {},
            "several columns for user_id: customer_id, client_id; choose one with --map",
        ),
        ("user,item", {"price": "cost"}, "--map price=cost: .* has no column cost; it has user, item"),
        ("user,item", {"colour": "item"}, "there is no column colour; columns are user_id, item_id, kind"),
        ("user,item,USER", {}, "more than one column called user"),
    ],
)
def test_columns_that_are_not_clear_are_an_error(
    tmp_path: Path, header: str, columns: dict[str, str], message: str
) -> None:
    path = write(tmp_path / "log.csv", header + "\n" + "a," * header.count(",") + "b\n")
    with pytest.raises(InputError, match=message):
        load(path, columns=columns)


AWKWARD = [
    "0108775015", "a b", "a,b", 'say "hi"', "two\nlines", "😀", "商品 一", "x" * 1000, "NULL", "1e5", "-", "'",
    "a\tb", "a|b;c",
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"])
def test_awkward_ids_survive(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"log{suffix}"
    records = [{"user_id": user, "item_id": item} for user, item in zip(AWKWARD, reversed(AWKWARD), strict=True)]
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        with (gzip.open if suffix.endswith(".gz") else open)(path, "wt", encoding="utf-8", newline="") as file:
            if "csv" in suffix:
                writer = csv.DictWriter(file, ["user_id", "item_id"])
                writer.writeheader()
                writer.writerows(records)
            else:
                file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    tables = load(path)
    assert rows(tables.events) == [(place, r["user_id"], r["item_id"]) for place, r in enumerate(records, start=1)]
    assert tables.problems is None


def test_broken_records_are_reported_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    lines = [b"user,item,ts", b"a,x,1", b'b,"x\ny",2', b"c,few", b"d,too,many,3", b"e,\xff\xfe,4", b"f,z,5", b"g"]
    tables = load(write(tmp_path / "log.csv", b"\n".join(lines) + b"\nh,z,7\n"))
    assert rows(tables.events) == [(1, "a", "x", "1"), (2, "b", "x\ny", "2"), (6, "f", "z", "5"), (8, "h", "z", "7")]
    assert rows(tables.problems) == [
        (3, "ts", "c,few", "too few fields; row left out"),
        (4, "", "d,too,many,3", "too many fields; row left out"),
        (5, "item", "e,??,4", NOT_UTF8),
        (7, "item", "g", "too few fields; row left out"),
    ]
    # whatever is asked for, the same rows come
    assert [row for (row,) in rows(tables.events.select("row"))] == [1, 2, 6, 8]


def test_numbers_of_broken_records_are_right_far_down_a_large_file(tmp_path: Path) -> None:
    lines = [f"u{i},i{i % 1000},{i}" for i in range(1, 300_001)]
    for number in (1, 2, 200_000, 200_001, 299_999):
        lines[number - 1] = "short"
    tables = read(local(threads=2), write(tmp_path / "log.csv", "user,item,ts\n" + "\n".join(lines) + "\n"))
    assert [row for row, *_ in rows(tables.problems)] == [1, 2, 200_000, 200_001, 299_999]
    F = BACKEND.F  # noqa: N806
    wrong = tables.events.where(F.col("row").cast("string") != F.col("time")).count()
    assert (wrong, tables.events.count()) == (0, 299_995)


def test_an_open_quote_is_reported_with_what_it_swallows(tmp_path: Path) -> None:
    tables = load(write(tmp_path / "log.csv", 'user,item\na,x\nb,"y\nc,z\nd,z\n'))
    assert rows(tables.events) == [(1, "a", "x")]
    [(row, _, value, problem)] = rows(tables.problems)
    assert (row, value) == (2, 'b,"y\nc,z\nd,z\n')
    assert "swallows 3 line ends" in str(problem)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_and_a_byte_order_mark(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "log.csv", end.join(["\ufeffuser,item", "a,x", "b,y"]))
    assert rows(load(path).events) == [(1, "a", "x"), (2, "b", "y")]


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    text = b"user,item\na,x\n"
    assert rows(load(write(tmp_path / "zipped.csv", gzip.compress(text))).events) == [(1, "a", "x")]
    assert rows(load(write(tmp_path / "plain.csv.gz", text)).events) == [(1, "a", "x")]


def test_a_path_is_never_a_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "we[i]rd 'shop' *"
    folder.mkdir()
    write(folder / "b.csv", "user,item\nwrong,x\n")
    assert rows(load(write(folder / "[ab].csv", "user,item\nright,x\n")).events) == [(1, "right", "x")]


def test_json_values_of_any_type_become_text(tmp_path: Path) -> None:
    lines = [
        '{"user_id": 7, "item_id": "007", "price": 1.50}',
        '{"user_id": "seven", "item_id": ["a"], "price": null}',
        '{"item_id": true, "user_id": 12345678901234567890}',
    ]
    assert rows(load(write(tmp_path / "log.jsonl", "\n".join(lines))).events) == [
        (1, "7", "007", "1.5"),
        (2, "seven", '["a"]', None),
        (3, "12345678901234567890", "true", None),
    ]


def test_broken_json_lines_are_reported(tmp_path: Path) -> None:
    good = b'{"user":"u","item":"i"}'
    lines = [good, b'{"user":"u",', b"", b"[1]", b'{"user":"\xff","item":"i"}', good, b"7"]
    tables = load(write(tmp_path / "log.jsonl", b"\n".join(lines)))
    assert rows(tables.events) == [(1, "u", "i"), (6, "u", "i")]
    assert [(row, problem) for row, _, _, problem in rows(tables.problems)] == [
        (2, "not a JSON object"),
        (4, "not a JSON object"),
        (5, NOT_UTF8),
        (7, "not a JSON object"),
    ]


def test_odd_json_keys_are_columns(tmp_path: Path) -> None:
    record = {'who "is" it': "u", "a/b~c": "i"}
    tables = load(
        write(tmp_path / "log.jsonl", json.dumps(record)), columns={"user_id": 'who "is" it', "item_id": "a/b~c"}
    )
    assert rows(tables.events) == [(1, "u", "i")]


def test_parquet_keeps_types_and_takes_unusual_ones(tmp_path: Path) -> None:
    table = pa.table(
        {
            "user_id": pa.array([1, 2**63], pa.uint64()),
            "item_id": pa.array(["a", "b"]).dictionary_encode(),
            "time": pa.array([1, 2], pa.timestamp("ns", "UTC")),
            "price": pa.array([1.5, None]),
        }
    )
    path = tmp_path / "log.parquet"
    pq.write_table(table, path)
    events = load(path).events
    assert [(user, item) for _, user, item, *_ in rows(events)] == [("1", "a"), (str(2**63), "b")]
    assert {field.name: field.dataType.simpleString() for field in events.schema.fields}["time"].startswith("timestamp")
    assert [price for *_, price in rows(events)] == [1.5, None]


def test_a_folder_of_parts_is_one_log(tmp_path: Path) -> None:
    write(tmp_path / "part-0.csv", "user,item\na,x\nbroken\n")
    write(tmp_path / "part-1.csv", "user,item\nb,y\n")
    write(tmp_path / "_SUCCESS", "")
    tables = load(tmp_path)
    assert rows(tables.events) == [(1, "a", "x"), (3, "b", "y")]
    assert [row for row, *_ in rows(tables.problems)] == [2]
    assert "2 files" in tables.notes[0]


def test_files_with_other_headers_are_no_parts(tmp_path: Path) -> None:
    write(tmp_path / "articles.csv", "article_id,name\na,x\n")
    write(tmp_path / "transactions.csv", "customer_id,article_id\na,x\n")
    with pytest.raises(InputError, match=r"transactions.csv has other columns than articles.csv; give one file"):
        load(tmp_path)


def _cut_gzip(size: int) -> bytes:
    whole = gzip.compress(b"user,item\n" + b"".join(b"u%d,i%d\n" % (i * 7919 % 10007, i) for i in range(300_000)))
    return whole[: len(whole) * size // 100]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", b"", "is empty; expected events"),
        ("log.csv", b"\n\n", "is empty; expected events"),
        ("log.csv", b"user,item\n", "has no records; expected one record a line after the header"),
        ("log.csv", b"user,item\nbroken\n", "has no readable records; the first broken one is row 1: too few fields"),
        ("log.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("log.csv.gz", _cut_gzip(90), "cut off or damaged, copy it again"),
        ("log.csv.gz", _cut_gzip(1), "cut off or damaged|broken or cut-off"),
        ("log.csv.gz", b"\x1f\x8bnothing of the kind", "broken or cut-off gz"),
        ("log.csv", "用户,商品\na,b\n".encode("gb18030"), r"not UTF-8 \(byte 0x.. in its first line\)"),
        ("log.csv", "user,item\na,b\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("log.csv", b"PK\x03\x04 and so on", "is a ZIP archive"),
        ("log.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text"),
        ("log.csv", b"user,item\na,b\r\nc,d\n", "line ends are inconsistent"),
        ("log.parquet", b"PAR1 and nothing", "is not a whole Parquet file"),
        ("log.parquet", b"user,item\na,b\n", "is not a whole Parquet file"),
        (
            "log.json",
            b'[{"user": 1, "item": 2},\n{"user": 1, "item": 3}]',
            "JSON but not JSON Lines; expected one object",
        ),
        ("log.jsonl", b"{broken", "JSON but not JSON Lines"),
        (
            "log.txt",
            b"Dear shop, the log is attached.\nYours, A.",
            "has no column for user_id and item_id; it has 'Dear shop'",
        ),
        ("log.txt", b"The log is attached.\nYours truly", "of no known format: found 'The log is attached"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(write(tmp_path / name, content))
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_off_parquet_file(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    pq.write_table(pa.table({"user": ["a"] * 1000, "item": [str(i) for i in range(1000)]}), whole)
    write(cut, whole.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"is not a whole Parquet file .*; copy or write it again"):
        load(cut)


def test_a_parquet_file_damaged_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user": ["a"] * 1000, "item": [str(i) for i in range(1000)]}), path)
    data = path.read_bytes()
    write(path, data[:200] + bytes(2000) + data[2200:])
    with pytest.raises(InputError, match="cannot be read as parquet"):
        load(path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="holds no files"):
        load(tmp_path)
    write(tmp_path / "a.csv", "user,item\na,b\n")
    write(tmp_path / "b.png", b"\x89PNG")
    with pytest.raises(
        InputError, match=r"a folder of no known format: found a.csv, b.png; formats are completejourney"
    ):
        load(tmp_path)


def test_a_named_format_that_does_not_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "user,item\na,b\n")
    with pytest.raises(
        InputError, match=r"is not ga4: expected JSON Lines or Parquet with event_name.*; it looks like csv"
    ):
        load(path, format="ga4")
    with pytest.raises(InputError, match="--format xml is not known; formats are completejourney, "):
        load(path, format="xml")


def test_a_catalogue_keeps_its_own_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "sku,Product Name,Price,Colour (main),row\n01,Tea,2.5,green,9\n")
    items = read_items(BACKEND, path)
    assert items.columns == {"item_id": "sku", "title": "Product Name", "price": "Price"}
    assert [name.lower() for name in items.frame.columns] == [
        "row", "item_id", "title", "price", "colour_main", "source_row",
    ]  # fmt: skip
    assert rows(items.frame) == [(1, "01", "Tea", "2.5", "green", "9")]


def test_events_and_a_catalogue_are_read_together(tmp_path: Path) -> None:
    events = write(tmp_path / "log.csv", "user,item,price\nu,a,1\n")
    items = write(tmp_path / "items.jsonl", '{"id": "a", "label": "Tea", "price": 2, "was": 3}\nbroken\n')
    tables = load(events, items=items, columns={"title": "label", "items.price": "was"})
    assert tables.columns == {
        "user_id": "user", "item_id": "item", "price": "price",
        "items.item_id": "id", "items.title": "label", "items.price": "was",
    }  # fmt: skip
    assert tables.items is not None
    assert [row[:4] for row in rows(tables.items)] == [(1, "a", "Tea", "3")]
    assert [(row, problem) for row, _, _, problem in rows(tables.problems)] == [(2, "not a JSON object")]
    assert tables.notes[-2:] == [
        "items: read 1 records from items.jsonl",
        "items: kept under their own names: source_price",
    ]
