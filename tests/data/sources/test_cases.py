"""Files as shops bring them: what is read of each, and what is said; and more of every kind, made here."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.data.backend import local
from endcap.data.check import Summary, summarise
from endcap.data.errors import InputError
from endcap.data.schema import validate, validate_items
from endcap.data.sources import Tables, read
from endcap.data.sources.log import Log

CASES = Path(os.environ.get("ENDCAP_DATA", Path(__file__).parents[4] / "shared" / "data")).parent / "cases"
NOW = 1_800_000_000.0


def seen(path: Path, *, log: Log | None = None, **options: Any) -> tuple[Tables, Summary]:
    backend = local(threads=1)
    tables = read(backend, path, log=log or Log(), **options)
    validated = validate(backend, tables.events, now=NOW)
    items = None if tables.items is None else validate_items(backend, tables.items)
    return tables, summarise(backend, validated, items, broken=tables.problems)


def case(name: str) -> Path:
    if not (CASES / name).exists():
        pytest.skip(f"no {CASES / name}")
    return CASES / name


def at(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


PLAIN = {"view": 72, "cart": 24, "purchase": 24}
FIRST, LAST = "2024-05-01 08:12:00", "2024-05-28 02:51:09"
NESTED = {
    name: f"properties.products[].{place} or properties.{place}"
    for name, place in {"item_id": "product_id", "price": "price", "quantity": "quantity"}.items()
}
READ = [
    ("log.csv", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("prices_decimal_comma.csv", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("prices_with_currency.csv", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("sep_line.csv", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("by_day", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("parts_in_other_order", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("times_offset_after_space.csv", {}, Log(), PLAIN, 12, 10, "2024-05-01 06:12:00", "2024-05-28 00:51:09"),
    ("times_yyyymmdd.csv", {}, Log(), PLAIN, 12, 10, "2024-05-01 00:00:00", "2024-05-28 00:00:00"),
    ("times_dotted_day_first.csv", {}, Log(), PLAIN, 12, 10, FIRST, "2024-05-28 02:51:00"),
    ("times_day_first.csv", {}, Log(), PLAIN, 12, 10, FIRST, "2024-05-28 02:51:00"),
    ("times_month_first.csv", {}, Log(), PLAIN, 12, 10, FIRST, "2024-05-28 02:51:00"),
    ("times_date_and_time.csv", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("order_lines.csv", {}, Log(kind="purchase"), {"purchase": 120}, None, None, None, None),
    ("orders_head_on_first_line.csv", {}, Log(carry="order", kind="purchase"), {"purchase": 120}, 12, 10, FIRST, None),
    ("guests_with_session.csv", {"user_id": "user_id or anonymous_id"}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("orders_with_status.csv", {}, Log(where=("status=completed",)), {"purchase": 90}, 12, 10, None, None),
    ("tracking_nested.jsonl", NESTED, Log(), {"view": 72, "cart": 24, "purchase": 48}, 12, 10, FIRST, LAST),
    ("ga4_export.parquet", {}, Log(), PLAIN, 12, 10, FIRST, LAST),
    ("list_of_items.parquet", {"item_id": "item_id[]"}, Log(), {"view": 240}, 12, 10, FIRST, LAST),
]


@pytest.mark.parametrize(("name", "columns", "log", "kinds", "users", "items", "first", "last"), READ)
def test_a_case_is_read_as_it_is_meant(
    name: str, columns: dict[str, str], log: Log, kinds: dict[str, int], users: int | None, items: int | None,
    first: str | None, last: str | None,
) -> None:  # fmt: skip
    _, summary = seen(case(name), columns=columns, log=log)
    assert summary.kinds == kinds
    assert users in (None, summary.users)
    assert items in (None, summary.items)
    assert first in (None, at(summary.first_time))
    assert last in (None, at(summary.last_time))
    assert summary.problem_sorts == ()


@pytest.mark.parametrize("columns", [{}, {"kind": "event_type"}])
def test_a_key_that_comes_late_is_known(columns: dict[str, str]) -> None:
    _, summary = seen(case("kind_appears_late.jsonl.gz"), columns=columns)
    assert summary.kinds == {"purchase": 300}
    assert [(sort.problem, sort.rows) for sort in summary.problem_sorts] == [("no kind; row left out", 900)]


def test_a_mapping_of_the_catalogue_is_used_or_refused() -> None:
    tables, _ = seen(case("films.inter"), columns={"items.title": "movie_title"})
    assert tables.columns["items.title"] == "movie_title"
    with pytest.raises(InputError, match="no column nope"):
        seen(case("films.inter"), columns={"items.title": "nope"})
    with pytest.raises(InputError, match="there is no catalogue"):
        seen(case("log.csv"), columns={"items.title": "nope"})


def test_lists_of_a_catalogue_are_taken_apart() -> None:
    tables, _ = seen(case("log.csv"), items=case("catalogue_lists.jsonl"))
    assert tables.items is not None
    (row,) = [row for row in tables.items.collect() if row["item_id"] == "P02"]
    assert (row["category"], row["description"]) == ("Beauty > Hair > Combs", "Soft. Made of wood.")
    assert row["image"] == "https://shop.example/2.jpg"


@pytest.mark.parametrize("name", ["woo_products_german.csv", "woo_products_english.csv"])
def test_a_shop_in_its_own_language(name: str) -> None:
    tables, _ = seen(case("woo_orders.csv"), items=case(name))
    assert "items: 15 rows are 5 products" in tables.notes


def test_a_workbook_is_called_one() -> None:
    with pytest.raises(InputError, match=r"Excel.*save it as CSV UTF-8"):
        seen(case("log.csv"), items=case("products.xlsx"))


def test_returns_are_no_purchases() -> None:
    _, summary = seen(case("orders_with_returns.csv"))
    assert summary.kinds == {"purchase": 120}
    (sort,) = summary.problem_sorts
    assert (sort.column, sort.problem, sort.rows) == ("quantity", "below 0, a return or a correction; row left out", 12)


def test_a_column_can_be_an_order_alone() -> None:
    _, summary = seen(case("steps_as_clock.inter"), columns={"order": "timestamp"})
    assert (summary.events, summary.first_time) == (120, None)


REFUSED = [
    ("ratings_without_header.tsv", "looks like data, so it has no header.*--header"),
    ("list_of_items.parquet", r"item_id holds lists|item_id \(item_id\) holds lists.*item_id\[\]"),
    ("views_and_orders", r"views.csv has other columns than orders.csv.*\[\[data.logs\]\]"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_a_case_that_cannot_be_read_says_what_to_do(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        seen(case(name))


@pytest.mark.parametrize("name", ["catalogue_capital_umlaut.csv", "catalogue_cyrillic_header.csv"])
def test_headers_with_capitals_of_any_alphabet(name: str) -> None:
    tables, summary = seen(case("log.csv"), items=case(name))
    assert (summary.catalogue, summary.unknown_items) == (10, 0)
    kept = {"catalogue_capital_umlaut.csv": {"Ärmellänge", "Öko"}, "catalogue_cyrillic_header.csv": {"Цвет"}}[name]
    assert tables.items is not None
    assert kept <= {*tables.items.columns}


def test_ids_that_pandas_made_real_numbers() -> None:
    _, summary = seen(case("log_nan_ids.parquet"))
    assert (summary.rows_read, summary.events, summary.users, summary.items) == (120, 99, 12, 10)
    sorts = {(sort.column, sort.problem): sort.rows for sort in summary.problem_sorts}
    assert sorts == {
        ("user_id", "no user_id; row left out"): 20,
        ("item_id", "no item_id; row left out"): 1,
    }


def test_a_catalogue_that_is_no_utf_8_says_so() -> None:
    _, summary = seen(case("log.csv"), items=case("catalogue_windows_1252.csv"))
    (sort,) = summary.problem_sorts
    assert (sort.column, sort.rows) == ("items.title", 5)
    assert "row left out" in sort.problem
    assert "iconv -f WINDOWS-1252" in sort.problem


TIMES = [
    (["2024-05-01 08:12:00 +0200", "2024-05-01 08:12:00 -05"], "2024-05-01 06:12:00"),
    (["01.05.2024 08:12", "31.05.2024 9:00"], "2024-05-01 08:12:00"),
    (["5/1/2024 8:12 PM", "5/28/2024 9:30 AM"], "2024-05-01 20:12:00"),
    (["5/1/2024 8:12:30 p.m.", "5/28/2024 12:05:00 a.m."], "2024-05-01 20:12:30"),
    (["20240501T081200", "20240528T091200"], "2024-05-01 08:12:00"),
    (["202405010812", "202405280912"], "2024-05-01 08:12:00"),
    (["Wed, 01 May 2024 08:12:00 GMT", "Tue, 28 May 2024 08:12:00 GMT"], "2024-05-01 08:12:00"),
    (["May 1, 2024 8:12 AM", "May 28, 2024 9:12 AM"], "2024-05-01 08:12:00"),
    (["01/May/2024:08:12:00 +0200", "28/May/2024:08:12:00 +0200"], "2024-05-01 06:12:00"),
    (["Wed May 01 2024 08:12:00 GMT+0200 (CEST)"], "2024-05-01 06:12:00"),
    (["2024年5月1日 8:12", "2024年5月28日 8:12"], "2024-05-01 08:12:00"),
    (["2024-05-01 08:12:00,123", "2024-05-02 08:12:00,123"], "2024-05-01 08:12:00"),
    (["1-May-24", "28-May-24"], "2024-05-01 00:00:00"),
    (["1. Mai 2024 08:12 Uhr", "3. Dezember 2024 08:12 Uhr"], "2024-05-01 08:12:00"),
    (["01.05.2024, 08:12", "28.05.2024, 08:12"], "2024-05-01 08:12:00"),
    (["2024/05/01 08:12", "2024/05/28 08:12"], "2024-05-01 08:12:00"),
]


@pytest.mark.parametrize(("texts", "first"), TIMES)
def test_forms_of_time(texts: list[str], first: str, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user,item,timestamp\n" + "".join(f'u,i,"{text}"\n' for text in texts), encoding="utf-8")
    _, summary = seen(file)
    assert (at(summary.first_time), summary.events) == (first, len(texts))


@pytest.mark.parametrize("texts", [["01/05/2024", "02/05/2024"], ["1.5.2024 08:00"], ["13/05/2024", "05/13/2024"]])
def test_a_date_that_fits_two_forms_is_asked_for(texts: list[str], tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user,item,timestamp\n" + "".join(f"u,i,{text}\n" for text in texts), encoding="utf-8")
    with pytest.raises(InputError, match="--time-format day-first or --time-format month-first"):
        seen(file)


GIVEN = [
    ("01/05/2024", "day-first", None, "2024-05-01 00:00:00"),
    ("01/05/2024", "month-first", None, "2024-01-05 00:00:00"),
    ("1/5/24 8:12", "day-first", None, "2024-05-01 08:12:00"),
    ("45413.5", "excel", None, "2024-05-01 12:00:00"),
    ("2024-05-01 08:00", None, "Asia/Shanghai", "2024-05-01 00:00:00"),
    ("2024-05-01 08:00+02:00", None, "Asia/Shanghai", "2024-05-01 06:00:00"),
    ("13.05.2024 08:00", None, "Europe/Berlin", "2024-05-13 06:00:00"),
    ("08h12 01|05|24", "%Hh%M %d|%m|%y", None, "2024-05-01 08:12:00"),
]


@pytest.mark.parametrize(("text", "form", "zone", "first"), GIVEN)
def test_a_form_or_a_zone_that_is_given(
    text: str, form: str | None, zone: str | None, first: str, tmp_path: Path
) -> None:
    file = tmp_path / "log.csv"
    file.write_text(f"user,item,timestamp\nu,i,{text}\n", encoding="utf-8")
    _, summary = seen(file, log=Log(time_format=form, timezone=zone))
    assert at(summary.first_time) == first


PRICES = [
    (["5,00", "18,50"], [5.0, 18.5]),
    (["1.205,00 €", "1.218,50 €"], [1205.0, 1218.5]),
    (["$1,205.00", "$18.50"], [1205.0, 18.5]),
    (["1 205,00 zł", "18,50 zł"], [1205.0, 18.5]),
    (["CHF 1'205.00", "CHF 18.50"], [1205.0, 18.5]),
    (["1.205", "9,5"], [1205.0, 9.5]),
    (["EUR 5,00", "EUR 1.000"], [5.0, 1000.0]),
]


@pytest.mark.parametrize(("texts", "values"), PRICES)
def test_prices_of_a_log(texts: list[str], values: list[float], tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text("user;item;price\n" + "".join(f"u;i;{text}\n" for text in texts), encoding="utf-8")
    backend = local(threads=1)
    validated = validate(backend, read(backend, file).events, now=NOW)
    assert [row["price"] for row in validated.events.orderBy("row").collect()] == values


@pytest.mark.parametrize("word", ["NULL", r"\N", "nan", "None", "undefined", "(not set)", "N/A", " null ", "<NA>"])
def test_words_for_nobody_are_nobody(word: str, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_text(f"user,item\n{word},i\nu,i\n", encoding="utf-8")
    _, summary = seen(file)
    assert [(sort.column, sort.rows) for sort in summary.problem_sorts] == [("user_id", 1)]
    assert summary.users == 1


PLACES = [
    ('{"u":"a","orders":[{"at":"2024-05-01","lines":[{"sku":"x"},{"sku":"y"}]},{"at":"2024-05-02","lines":[]}]}',
     {"user_id": "u", "item_id": "orders[].lines[].sku", "time": "orders[].at"}, ["x", "y"]),
    ('{"session":1,"events":[{"aid":5,"ts":1714551120000},{"aid":6,"ts":1714551120001}]}',
     {"user_id": "session", "item_id": "events[].aid", "time": "events[].ts"}, ["5", "6"]),
    ('{"u":"a","basket":["x","y","z"]}', {"user_id": "u", "item_id": "basket[]"}, ["x", "y", "z"]),
    ('{"who":{"id":"a"},"what":{"product":{"id":"x"}}}', {"user_id": "who.id", "item_id": "what.product.id"}, ["x"]),
    ('{"u":"a","viewed":[{"id":"x"}],"bought":[{"sku":"y"}]}',
     {"user_id": "u", "item_id": "viewed[].id or bought[].sku"}, ["x", "y"]),
    ('{"u":"a","a.b":"x"}', {"user_id": "u", "item_id": "a.b"}, ["x"]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "columns", "items"), PLACES)
def test_places_inside_objects_and_lists(line: str, columns: dict[str, str], items: list[str], tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(line + "\n", encoding="utf-8")
    backend = local(threads=1)
    validated = validate(backend, read(backend, file, columns=columns).events, now=NOW)
    assert [row["item_id"] for row in validated.events.orderBy("row").collect()] == items


def test_places_in_nested_columns_of_parquet_and_in_json_inside_csv(tmp_path: Path) -> None:
    rows = [{"u": "a", "cart": {"lines": [{"sku": "x"}, {"sku": "y"}]}}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    (tmp_path / "log.csv").write_text('u,cart\na,"{""lines"": [{""sku"": ""x""}, {""sku"": ""y""}]}"\n')
    for name in ("log.parquet", "log.csv"):
        _, summary = seen(tmp_path / name, columns={"user_id": "u", "item_id": "cart.lines[].sku"})
        assert (summary.events, summary.items) == (2, 2), name


CARRIED = [
    "order,user,item\n1,a,x\n1,,y\n2,b,z\n",
    "order,user,item\n1,a,x\n,,y\n2,b,z\n",  # spreadsheets leave out what is the same as above
    "order,user,item\n1,,y\n1,a,x\n2,b,z\n",  # the head is not first
    "order,user,item\n1,a,x\n2,b,z\n1,,y\n",  # lines apart from each other
    "user,order,item\na,1,x\n ,1,y\nb,2,z\n",
]


@pytest.mark.parametrize("text", CARRIED)
def test_a_head_is_carried_down_its_order(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(text)
    backend = local(threads=1)
    validated = validate(backend, read(backend, tmp_path / "log.csv", log=Log(carry="order")).events, now=NOW)
    assert {(row["user_id"], row["item_id"]) for row in validated.events.collect()} == {
        ("a", "x"),
        ("a", "y"),
        ("b", "z"),
    }


KEPT = [
    (("status=paid",), {"x"}),
    (("status=paid", "status=sent"), {"x", "y"}),
    (("status!=test",), {"x", "y", "w"}),
    (("status!=test", "channel=web"), {"x"}),
    (("user_id!=b",), {"x", "z"}),
    (("status=",), {"w"}),
]


@pytest.mark.parametrize(("where", "items"), KEPT)
def test_rows_are_kept_by_the_values_of_columns(where: tuple[str, ...], items: set[str], tmp_path: Path) -> None:
    rows = ["a,x,paid,web", "b,y,sent,till", "a,z,test,web", "b,w,,till"]
    (tmp_path / "log.csv").write_text("user,item,status,channel\n" + "\n".join(rows) + "\n")
    backend = local(threads=1)
    tables = read(backend, tmp_path / "log.csv", log=Log(where=where))
    assert {row["item_id"] for row in tables.events.collect()} == items
    assert any(f"left out {4 - len(items)} rows" in note for note in tables.notes)


def test_a_condition_that_no_row_meets_names_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item,status\na,x,paid\n")
    with pytest.raises(InputError, match="none of the 1 rows has status=done; found paid 1"):
        seen(tmp_path / "log.csv", log=Log(where=("status=done",)))


FALLBACKS = [
    ("user,session,item\na,s1,x\n,s2,x\n", "user or session"),
    ("user,session,item\na,s1,x\nNULL,s2,x\n", "user or session"),
    ("user,session,item\na,s1,x\n(not set),s2,x\n", "user or session"),
    ("user,mail,session,item\na,,s1,x\n,,s2,x\n", "user or mail or session"),
    ("user,item,session\n  ,x,s1\na,x,s2\n", "user or session"),
]


@pytest.mark.parametrize(("text", "mapped"), FALLBACKS)
def test_a_guest_is_a_session(text: str, mapped: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(text)
    _, summary = seen(tmp_path / "log.csv", columns={"user_id": mapped})
    assert (summary.events, summary.users) == (2, 2)


HEADERLESS = ["1\t1\t1714551120\n", "u1,p7,2024-05-01\n", "17;4711;5\n", "1|2|3\n", "7,8,9,10\n"]


@pytest.mark.parametrize("text", HEADERLESS)
def test_a_file_without_a_header(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(text * 2)
    with pytest.raises(InputError, match="looks like data"):
        seen(tmp_path / "log.csv")
    names = ("user_id", "item_id", "x", "y")[
        : len(text.replace("\t", ",").replace(";", ",").replace("|", ",").split(","))
    ]
    _, summary = seen(tmp_path / "log.csv", log=Log(header=names))
    assert (summary.rows_read, summary.users, summary.items) == (2, 1, 1)


def test_parts_whose_columns_stand_in_another_order(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\na,x\n")
    (tmp_path / "b.csv").write_text("item;user\ny;b\n")  # another delimiter, too
    (tmp_path / "c.csv").write_text("sep=|\nitem|user\nz|c\n")
    (tmp_path / "d.csv").write_text("")  # an empty part is nothing
    backend = local(threads=1)
    rows = read(backend, tmp_path).events.collect()
    assert {(row["user_id"], row["item_id"]) for row in rows} == {("a", "x"), ("b", "y"), ("c", "z")}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_folders_of_days(ending: str, tmp_path: Path) -> None:
    for day in ("2024-05-01", "2024-05-02"):
        folder = tmp_path / f"dt={day}" / "country=DE"
        folder.mkdir(parents=True)
        line = {"csv": "user,item\na,x\n", "jsonl": '{"user":"a","item":"x"}\n'}[ending]
        (folder / f"part-0.{ending}").write_text(line)
    (tmp_path / "_SUCCESS").write_text("")
    _, summary = seen(tmp_path)
    assert summary.rows_read == 2
