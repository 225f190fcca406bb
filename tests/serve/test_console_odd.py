"""Odd rows on the console: corrected, hidden, or called right."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from endcap.engine.engine import Engine
from endcap.engine.oddrows import look_through
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from tests.engine.artifacts import trained
from tests.serve.conftest import KEYS, READER
from tests.serve.test_console import browser_of, log_in, shown, token, words

THERE = "https://api.shop.example"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("gru", tmp_path_factory.mktemp("odd") / "shop", use=("tabular", "text"))


@pytest.fixture
def engine(told: Path, tmp_path: Path) -> Engine:
    """i1 costs a hundred thousand, and one product is nothing but an id that is no friend of a page."""
    made = Engine.open(told, f"sqlite:///{tmp_path / 'shop.db'}")
    made.put_items([{"item_id": "i1", "price": 99_999.0}, {"item_id": 'ba"re</b>'}])
    look_through(made)
    return made


@pytest.fixture
def client(engine: Engine, told: Path) -> Iterator[TestClient]:
    with ExitStack() as stack:
        yield stack.enter_context(browser_of(create_app(engine, ServeConfig(out=told))))


def rows(client: TestClient) -> dict[str, str]:
    """item_id -> its row."""
    found = re.findall(
        r'<li class="odd-row.*?(?=<li class="odd-row|</section>)', shown(client, "/console/models"), re.DOTALL
    )
    return {unescape(re.findall(r'name="item_id" value="([^"]*)"', row)[0]): row for row in found}


def fields(row: str, action: str) -> dict[str, str]:
    """What a form of a row sends when nothing is typed into it."""
    (form,) = re.findall(rf'<form method="post" action="/console/{action}"(.*?)</form>', row, re.DOTALL)
    inputs = re.findall(r"<input ([^>]*)>", form)
    pairs = [(re.search(r'name="([^"]*)"', each), re.search(r'value="([^"]*)"', each)) for each in inputs]
    return {unescape(name[1]): unescape(value[1]) if value else "" for name, value in pairs if name}


def test_a_row_shows_its_product(client: TestClient) -> None:
    row = rows(client)["i1"]
    assert 'src="/console/photo?item=i1"' in row
    assert 'href="/shop/product/i1"' in row
    assert 'href="/console/products?id=i1"' in row
    assert "red thing aaa" in words(row)
    assert "99,999" in words(row)
    assert "nearest products cost" in words(row)


def test_without_the_shops_pages_there_is_no_link_to_them(engine: Engine, told: Path) -> None:
    with browser_of(create_app(engine, ServeConfig(out=told, storefront=False))) as client:
        assert "/shop/product/" not in rows(client)["i1"]


def test_a_corrected_price_is_in_the_catalogue(client: TestClient, engine: Engine) -> None:
    sent = fields(rows(client)["i1"], "models/odd/correct") | {"price": "11.5"}
    answer = client.post("/console/models/odd/correct", data=sent, follow_redirects=False)
    assert answer.status_code == 303
    assert "i1" not in rows(client)
    assert engine.live.shelf.row("i1")["price"] == 11.5
    near = client.get("/v1/items/i2/similar").json()["items"]
    assert [each["price"] for each in near if each["id"] == "i1"] == [11.5]
    assert "Corrected" in client.get(answer.headers["location"]).text


def test_an_empty_row_gets_words(client: TestClient, engine: Engine) -> None:
    sent = fields(rows(client)['ba"re</b>'], "models/odd/correct") | {
        "title": "Blue thing",
        "category": "Things > Quarter 2",
    }
    client.post("/console/models/odd/correct", data=sent)
    assert engine.live.shelf.row('ba"re</b>')["title"] == "Blue thing"
    assert engine.live.shelf.row('ba"re</b>')["category"] == "Things > Quarter 2"
    assert 'ba"re</b>' not in rows(client)


@pytest.mark.parametrize("price", ["", "cheap", "-3", "1e99", "nan", "inf"])
def test_what_cannot_be_is_said_at_the_row_and_changes_nothing(client: TestClient, engine: Engine, price: str) -> None:
    sent = fields(rows(client)["i1"], "models/odd/correct") | {"price": price}
    answer = client.post("/console/models/odd/correct", data=sent, follow_redirects=False)
    assert answer.status_code == 422
    (alert,) = re.findall(r'role="alert">([^<]+)', answer.text)
    assert unescape(alert) == (
        "Price is empty." if not price else f"“{price}” is no price: expected a number such as 12.50."
    )
    assert engine.live.shelf.row("i1")["price"] == 99_999.0


def test_what_is_right_is_not_shown_again(client: TestClient, engine: Engine) -> None:
    sent = fields(rows(client)["i1"], "models/odd/right")
    assert client.post("/console/models/odd/right", data=sent, follow_redirects=False).status_code == 303
    assert "i1" not in rows(client)
    assert engine.store is not None
    kept = next(row for row in engine.store.odd_rows() if row.item_id == "i1")
    assert kept.right_by == "local"


def test_hiding_goes_by_way_of_the_rules_preview(client: TestClient) -> None:
    sent = fields(rows(client)['ba"re</b>'], "rules/preview")
    preview = client.post("/console/rules/preview", data=sent)
    assert preview.status_code == 200
    assert "Hides:" in words(preview.text)
    publish = fields(preview.text, "rules/publish")
    assert client.post("/console/rules/publish", data=publish, follow_redirects=False).status_code == 303
    (rule,) = client.get("/v1/rules").json()["rules"]
    assert rule["rule"]["action"] == "hide"
    assert "hidden by a rule" in words(rows(client)['ba"re</b>'])
    shelf = client.post("/v1/recommendations", json={"session_id": "new", "k": 16}).json()["items"]
    assert 'ba"re</b>' not in {each["id"] for each in shelf}


@pytest.mark.parametrize("action", ["correct", "right"])
def test_a_row_that_is_none_any_more_is_refused(client: TestClient, engine: Engine, action: str) -> None:
    sent = fields(rows(client)["i1"], f"models/odd/{action}") | {"price": "5"}
    engine.put_items([{"item_id": "i1", "price": 12.0}])
    answer = client.post(f"/console/models/odd/{action}", data=sent, follow_redirects=False)
    assert answer.status_code == 422
    assert "has changed since" in answer.text
    assert engine.live.shelf.row("i1")["price"] == 12.0


def test_who_may_only_read_sees_them_alone(engine: Engine, told: Path, tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(KEYS, encoding="utf-8")
    with browser_of(create_app(engine, ServeConfig(out=told, keys=tmp_path / "keys.toml")), THERE) as client:
        log_in(client, READER)
        text = shown(client, "/console/models")
        assert "red thing aaa" in text
        assert "/console/models/odd/" not in text
        own: dict[str, Any] = {
            "token": token(client, "/console"),
            "item_id": "i1",
            "column": "price",
            "value": "99,999",
        }
        for action in ("correct", "right"):
            assert client.post(f"/console/models/odd/{action}", data=own | {"price": "1"}).status_code == 403


def test_a_form_of_another_page_is_refused(client: TestClient) -> None:
    sent = fields(rows(client)["i1"], "models/odd/right") | {"token": "x"}
    assert client.post("/console/models/odd/right", data=sent).status_code == 403
    assert "i1" in rows(client)
