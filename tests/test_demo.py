"""The demonstration: who may be stepped into, what its database holds, and the shop that it ends with."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from endcap import artifact as artifacts
from endcap import demo
from endcap.compare import check
from endcap.data.dataset import DataConfig, Dataset
from endcap.data.places import write
from endcap.demo_rules import RULES
from endcap.engine.engine import Engine
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.store.records import Event, Visitor
from endcap.store.store import Store

KINDS = ("Dairy", "Bread", "Fruit")
DAY = 86_400.0


def write_shop(folder: Path, *, log: bool = True) -> Path:
    """Six products of each of three kinds without prices; who buys of a kind stays with it."""
    folder.mkdir()
    items = [f"{kind}-{n},{kind} number {n},Food > {kind}" for kind in KINDS for n in range(6)]
    (folder / "items.csv").write_text("\n".join(["item_id,title,category", *items]), encoding="utf-8")
    if log:
        rows = ["user_id,item_id,kind,time,price"]
        for user in range(30):
            for step in range(8 + user // 10):
                at = 1_600_000_000 + DAY * step + 60 * user
                rows.append(f"u{user},{KINDS[user % 3]}-{(user + step) % 6},purchase,{at},{1 + step % 3}.25")
        (folder / "events.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def dataset(rows: list[tuple[str, str, float]], categories: dict[str, str], **columns: Any) -> Dataset:
    """A prepared log of (user, item, time) with a catalogue of categories."""
    users, items, times = zip(*rows, strict=True)
    given = {"kind": ["purchase"] * len(rows), "part": ["train"] * len(rows), "price": [None] * len(rows)} | columns
    events = pa.table(
        {"row": range(1, len(rows) + 1), "user_id": users, "item_id": items, "time": times}
        | {name: pa.array(values, pa.float64() if name == "price" else pa.string()) for name, values in given.items()}
    )
    catalogue = pa.table({"item_id": list(categories), "category": list(categories.values())})
    return Dataset("log", events, catalogue, {}, {"format": "delimited"})


def test_its_models_can_be_compared(tmp_path: Path) -> None:
    configs = demo.configs()
    check(configs, tmp_path / "new")
    assert {config.model.name for config in configs} == {*demo.MODELS, "own", "hybrid"}


def test_households_have_long_and_unlike_histories() -> None:
    had = {
        "long": ("milk", 5),
        "like it": ("milk", 4),
        "unlike": ("bread", 3),
        "third": ("fruit", 2),
        "short": ("tea", 1),
    }
    rows = [(user, item, float(n)) for user, (item, times) in had.items() for n in range(times)]
    log = dataset(rows, {item: f"Food > {item}" for item in ("milk", "bread", "fruit", "tea")})
    assert demo.households(log) == ("long", "unlike", "third")
    assert demo.households(log, 9) == ("long", "unlike", "third", "short", "like it")
    unnamed = dataset(rows, dict.fromkeys(("milk", "bread", "fruit", "tea")))
    assert demo.households(unnamed) == ("long", "like it", "unlike")


def test_a_long_log_is_cut_by_users_never_within_one() -> None:
    rows = [(f"u{user}", "milk", float(n)) for user in range(20) for n in range(10)]
    events = dataset(rows, {"milk": "Food"}).table
    assert demo.some_users(events, ("u3",), 200) is None
    some = demo.some_users(events, ("u3", "u9"), 55)
    assert some is not None
    assert some[:2] == ["u3", "u9"]
    assert len(set(some)) == 5
    assert some == demo.some_users(events, ("u3", "u9"), 55)
    assert demo.some_users(events, ("u3", "u9"), 5) == ["u3", "u9"]


def test_a_price_is_the_median_of_what_was_paid_in_training() -> None:
    bought = [
        ("milk", 1.0, "purchase", "train"), ("milk", 1.5, "purchase", "train"), ("milk", 9.0, "purchase", "train"),
        ("milk", 0.0, "purchase", "train"), ("milk", 50.0, "purchase", "test"), ("milk", 50.0, "view", "train"),
        ("fuel", 0.0025, "purchase", "train"), ("tea", 5.0, "purchase", "valid"), ("bread", None, "purchase", "train"),
    ]  # fmt: skip
    items, prices, kinds, parts = zip(*bought, strict=True)
    told = dict.fromkeys(items, "Food")
    log = dataset([("u", item, 1.0) for item in items], told, price=prices, kind=kinds, part=parts)
    assert demo.paid(log) == {"milk": 1.5}
    names_one = pa.table({"item_id": ["tea", "milk"], "price": [3.0, None]})
    assert demo.paid(replace(log, items=names_one)) == {}
    assert demo.paid(replace(log, items=None)) == {}
    assert demo.paid(replace(log, facts={"format": "hm"})) == {}  # of whose prices nobody knows the unit


@pytest.fixture
def compared(tmp_path: Path) -> tuple[Path, DataConfig]:
    """A folder as a comparison leaves it, and its data."""
    shop, out = write_shop(tmp_path / "shop"), tmp_path / "out"
    (config, *_) = demo.shop(shop)
    rows = [(f"u{user}", f"{KINDS[user % 3]}-1", float(n)) for user in range(30) for n in range(8 + user // 10)]
    dataset(rows, {f"{kind}-1": f"Food > {kind}" for kind in KINDS}, price=[2.5] * len(rows)).save(out / "data")
    return out, config.data


def test_the_database_is_filled_once(compared: tuple[Path, DataConfig]) -> None:
    out, data = compared
    stocked = demo.stock(out, data)
    store = Store.open(stocked.db)
    assert len(store.events_table()) == 30 * 9
    prices = {change.item_id: (change.row or {}).get("price") for change in store.items_since(0)}
    assert len(prices) == 18
    assert {item_id for item_id, price in prices.items() if price == 2.5} == {f"{kind}-1" for kind in KINDS}
    assert {int(user[1:]) % 3 for user in stocked.households} == {0, 1, 2}
    revision = store.revisions().items
    store.record([Event(Visitor(stocked.households[0]), "Dairy-1", "view")], now=2e9)
    again = demo.stock(out, data)
    assert again.households == stocked.households
    assert "(0 of them new)" in again.notes[0]
    assert store.revisions().items == revision
    assert len(store.events_table()) == 30 * 9 + 1
    store.close()


def test_what_no_shop_sells_is_hidden_once_in_the_shop_of_the_complete_journey(
    compared: tuple[Path, DataConfig],
) -> None:
    out, data = compared
    goods = Dataset.load(out / "data")
    assert goods.items is not None
    till = {name: pa.array(["GROCERY"] * len(goods.items)) for name in ("department", "product_category")}
    items = pa.table({name: goods.items[name] for name in goods.items.column_names} | till)
    replace(goods, items=items, facts=goods.facts | {"format": "completejourney"}).save(out / "data")
    stocked = demo.stock(out, data)
    assert "hidden by rules, in the console under Rules: demo-no-fuel" in stocked.notes[-1]
    store = Store.open(stocked.db)
    assert [rule_id for rule_id, _ in store.rules()] == sorted(RULES)
    store.delete_rule("demo-no-fuel", by="ann", now=1.0)
    assert "demo-no-fuel" not in " ".join(demo.stock(out, data).notes)
    assert [rule_id for rule_id, _ in store.rules()] == sorted({*RULES} - {"demo-no-fuel"})
    store.close()


def test_in_a_shop_of_ones_own_nothing_is_hidden_and_what_has_no_price_is_said(
    compared: tuple[Path, DataConfig],
) -> None:
    out, data = compared
    goods = Dataset.load(out / "data")
    assert goods.items is not None
    prices = pa.array([2.5, None, None])
    replace(goods, items=goods.items.append_column("price", prices)).save(out / "data")
    stocked = demo.stock(out, data)
    assert "2 of 3 products have no price, and are shown all the same" in stocked.notes[-1]
    store = Store.open(stocked.db)
    assert store.rules() == []
    store.close()


def test_of_a_long_log_it_holds_some_users_and_says_so(compared: tuple[Path, DataConfig]) -> None:
    out, data = compared
    stocked = demo.stock(out, data, most=60)
    store = Store.open(stocked.db)
    users = set(store.events_table()["user_id"].to_pylist())
    store.close()
    assert set(stocked.households) < users
    assert len(users) < 8
    assert f"in the database are {len(users)} of 30 users" in stocked.notes[1]


@pytest.fixture
def run_demo(
    monkeypatch: pytest.MonkeyPatch, endcap: Callable[..., str]
) -> Callable[..., tuple[ServeConfig | None, str]]:
    """Runs it; gives what it would have served, and what it printed."""
    monkeypatch.setattr("endcap.demo.MODELS", ("popular", "transitions"))
    served: list[ServeConfig] = []

    def serve(config: ServeConfig, *, on_open: Callable[[str], None]) -> None:
        served.append(config)
        on_open(f"http://{config.host}:{config.port}")

    monkeypatch.setattr("endcap.serve.commands.run", serve)

    def run(*arguments: object) -> tuple[ServeConfig | None, str]:
        said = endcap("demo", *arguments)
        return (served.pop() if served else None), said

    return run


@pytest.fixture
def visit() -> Iterator[Callable[[ServeConfig], TestClient]]:
    """A visitor of what would have been served."""
    open_clients = []

    def opened(config: ServeConfig) -> TestClient:
        app = create_app(Engine.open(config.out, config.db), config)
        client = TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"})
        open_clients.append(client.__enter__())
        return open_clients[-1]

    yield opened
    for client in open_clients:
        client.__exit__()


def test_it_ends_with_a_shop_and_its_households(run_demo: Any, visit: Any, tmp_path: Path) -> None:
    shop, out = write_shop(tmp_path / "shop"), tmp_path / "out"
    config, said = run_demo("--shop", shop, "--out", out, "--port", 0)
    assert config is not None
    assert "the shop is open: http://127.0.0.1:0" in said
    assert (config.host, config.storefront, config.out) == ("127.0.0.1", True, out / "shop")
    assert "simulated" not in said
    known = artifacts.load(config.out).catalog
    assert not (known.prices > 0).any()  # the model was trained without what pages show
    client = visit(config)
    home = client.get("/").text
    named = re.findall(r"Customer <bdi>(u\d+)</bdi>", home)
    assert len(named) == 3
    assert {int(user[1:]) % 3 for user in named} == {0, 1, 2}
    assert set(re.findall(r"mostly (\w+)", home)) == set(KINDS)
    assert re.search(r'class="price">\$[123]\.25<', home)
    form = re.search(r'name="form" value="([^"]+)"', home)
    assert form
    client.post("/shop/household", data={"form": form[1], "user_id": named[0]})
    assert 'href="/console/report"' in client.get("/console/models").text
    assert client.get("/console/report").text == (out / "report.html").read_text(encoding="utf-8")
    assert len(re.findall(r'class="kind" title="bought"', client.get("/shop/you").text)) >= 8


def test_simulated_visits_are_called_so_on_every_page(
    run_demo: Any, visit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("endcap.demo.MODELS", ("popular",))
    shop, out = write_shop(tmp_path / "shop", log=False), tmp_path / "out"
    config, said = run_demo("--shop", shop, "--out", out)
    assert "THE VISITS ARE SIMULATED" in said
    client = visit(config)
    for page in ("/", "/shop/you", "/shop/product/Dairy-1", "/shop/cart"):
        assert "visits that its shelves learned from are simulated" in client.get(page).text
    home = client.get("/").text
    assert "Nobody real" in home
    assert len(re.findall(r"Made-up <bdi>visitor-\d+</bdi>", home)) == 3
    assert "Real shoppers" not in home
    assert "访问是模拟的" in client.get("/?lang=zh").text
    assert "simulated" not in client.get("/?lang=zh").text
    again = demo.stock(out, demo.shop(shop)[0].data)
    assert "(0 of them new)" in again.notes[0]


def test_another_shop_is_refused_before_anything_is_trained(
    run_demo: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / demo.DATABASE).touch()
    write(out / demo.ABOUT_SHOP, "{}")
    with pytest.raises(AssertionError, match="another shop"):
        run_demo("--shop", write_shop(tmp_path / "shop"), "--out", out)
    assert not (out / "data").exists()
