"""What `endcap check` advises of small logs whose faults are known."""

from pathlib import Path

import pytest

from endcap.data.advice import Advice, advise
from endcap.data.backend import local
from endcap.data.check import summarise
from endcap.data.logs import LogConfig, read_logs
from endcap.data.schema import validate, validate_items

NOW = 1_800_000_000.0


def advised(tmp_path: Path, log: str, catalogue: str | None = None) -> tuple[Advice, ...]:
    (tmp_path / "log.csv").write_text(log, encoding="utf-8")
    if catalogue:
        (tmp_path / "items.csv").write_text(catalogue, encoding="utf-8")
    logs = (LogConfig(str(tmp_path / "log.csv")),)
    backend = local(threads=1)
    tables = read_logs(backend, logs, tmp_path / "items.csv" if catalogue else None)
    validated = validate(backend, tables.events, now=NOW)
    items = None if tables.items is None else validate_items(backend, tables.items)
    summary = summarise(backend, validated, items, broken=tables.problems)
    return advise(backend, logs, tables, validated, items, summary)


ADVICE = [
    (
        "order,user,item,kind\n1,a,x,buy\n1,,y,buy\n2,b,z,buy\n",
        "1 rows lack user but share their `order`",
        "--carry order",
    ),
    ("user,session,item,kind\na,s1,x,view\n,s2,y,view\n", "`session` is filled in the 1 rows", "user or session"),
    ("user,item,status,kind\na,x,paid,buy\na,x,wc-cancelled,buy\n", "wc-cancelled 1", "--where 'status!=wc-cancelled'"),
    ("user,item,kind\nguest,x,view\na,y,view\n", "guest 1", "--where 'user!=guest'"),
    ("user,item,kind\n游客,x,view\na,y,view\n", "游客 1", "--where 'user!=游客'"),
    ("user,item,kind\na,POST,buy\na,y,buy\n", "POST 1", "--where 'item!=POST'"),
    ("user,item,kind\na,x,wish\na,y,buy\n", "wish 1", "--kind wish=cart"),
    ("order_id,user,item\n1,a,x\n2,b,y\n", "`order_id` looks like orders", "--kind purchase"),
    ("user,item,kind,time\na,x,buy,2024-05-01\nb,x,buy,2024-05-01\n", "all 2 events are at 2024-05-01 00:00:00", None),
    ("user,item,kind\na,4.00638E+12,buy\n", "cut short by a spreadsheet", None),
]


@pytest.mark.parametrize(("log", "text", "option"), ADVICE)
def test_what_is_advised(log: str, text: str, option: str | None, tmp_path: Path) -> None:
    (found,) = advised(tmp_path, log)
    assert text in found.text
    assert option is None or option in " ".join(found.options)


def test_a_good_log_needs_no_advice(tmp_path: Path) -> None:
    assert advised(tmp_path, "user,item,kind,time\na,x,view,2024-05-01\nb,y,buy,2024-05-02\n") == ()


CATALOGUES = [
    ("item_id,title\n1,tea\n", "none of the 1 items of the log is in the catalogue: the log has 1.0, the catalogue 1"),
    ("item_id,category\n1.0,Toys/Indoor\n", "categories have `/`"),
    ("item_id,title\n1.0,tea\n2,a,b\n", "1 of 2 rows of the catalogue could not be read"),
]


@pytest.mark.parametrize(("catalogue", "text"), CATALOGUES)
def test_what_is_advised_of_a_catalogue(catalogue: str, text: str, tmp_path: Path) -> None:
    (found,) = advised(tmp_path, "user,item,kind\na,1.0,view\n", catalogue)
    assert text in found.text
