"""Several logs as one, and what is said of each."""

from pathlib import Path

import pytest

from endcap.data.backend import local
from endcap.data.errors import InputError
from endcap.data.logs import LogConfig, read_logs
from endcap.data.schema import validate

NOW = 1_800_000_000.0


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_views_and_orders_are_one_log(tmp_path: Path) -> None:
    views = write(tmp_path / "views.csv", "visitor_id,product_id,ts\na,x,2024-05-01\nb,y,2024-05-02\n")
    orders = write(
        tmp_path / "orders.csv", "customer,sku,day,price,act\na,x,03.05.2024,5,bought\nb,x,31.05.2024,5,sent\n"
    )
    logs = (
        LogConfig(views, kind="view"),
        LogConfig(orders, columns={"time": "day", "kind": "act"}, kinds={"bought": "purchase", "sent": "cart"}),
    )
    backend = local(threads=1)
    validated = validate(backend, read_logs(backend, logs).events, now=NOW)
    rows = validated.events.orderBy("row").collect()
    assert [(row["row"], row["user_id"], row["item_id"], row["kind"], row["price"]) for row in rows] == [
        (1, "a", "x", "view", None),
        (2, "b", "y", "view", None),
        (3, "a", "x", "purchase", 5.0),
        (4, "b", "x", "cart", 5.0),
    ]
    assert [row["time"] - 1_714_521_600 for row in rows] == [0, 86_400, 2 * 86_400, 30 * 86_400]


def test_each_log_has_its_zone_and_its_rows(tmp_path: Path) -> None:
    here = write(tmp_path / "a.csv", "user,item,time,status\na,x,2024-05-01 08:00,ok\na,x,2024-05-01 08:00,test\n")
    there = write(tmp_path / "b.csv", "a,y,2024-05-01 08:00\n")
    logs = (
        LogConfig(here, where=("status=ok",), timezone="Asia/Shanghai"),
        LogConfig(there, header=("user", "item", "time")),
    )
    backend = local(threads=1)
    rows = read_logs(backend, logs).events.collect()
    assert len(rows) == 2
    times = [row["time"] for row in validate(backend, read_logs(backend, logs).events, now=NOW).events.collect()]
    assert sorted(times) == [1_714_521_600, 1_714_521_600 + 8 * 3600]


def test_a_log_without_times_beside_one_that_has_them_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", "user,item,time\na,x,2024-05-01\n")
    other = write(tmp_path / "b.csv", "user,item\na,x\n")
    backend = local(threads=1)
    with pytest.raises(InputError, match=r"b\.csv has no times"):
        read_logs(backend, (LogConfig(one), LogConfig(other)))
