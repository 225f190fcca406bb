"""The page of a product: what was done with it, where it was shown, what rules do with it."""

import csv
import io
import re
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from endcap.data.catalog import Catalog
from endcap.engine.rules import parse_rule
from endcap.engine.shelf import Shelf
from endcap.serve.console.products import touches
from tests.serve.test_console import apps, client, filled, reading, serve_shop, shops, shown, words

__all__ = ["apps", "client", "filled", "reading", "serve_shop", "shops"]


def test_a_product_says_how_it_fares(reading: TestClient) -> None:
    text = words(shown(reading, "/console/products?id=i2&period=day"))
    clicked, bought = ([n for n in range(160) if kept(n)] for kept in (lambda n: n % 3, lambda n: n % 5 < 2 + n % 2))
    assert "on shelves 160 " in text
    assert f"clicked there {len(clicked)} " in text
    assert f" sold {len(bought)} " in text
    assert f"revenue ${20 * len(bought):,}.00" in text
    assert f"Home page 160 {len(clicked)} {len(clicked) / 160:.1%} 0" in text
    assert "The model knows it" in text
    assert "No rule is about this product." in text


def test_its_buttons_open_a_form_that_is_filled_in(reading: TestClient) -> None:
    page = shown(reading, "/console/products?id=i2")
    links = re.findall(r'href="(/console/rules/new\?action=(\w+)&amp;item=i2)"', page)
    assert [action for _, action in links] == ["pin", "boost", "bury", "hide"]
    pinned = reading.get("/console/rules/new?action=pin&item=i2").text
    assert re.search(r"<textarea[^>]*>i2</textarea>", pinned)
    assert 'value="pin i2"' in pinned
    hidden = reading.get("/console/rules/new?action=hide&item=i2").text
    assert "1 of 17 products match" in words(hidden)


def test_products_are_found_by_words_that_are_mistyped(reading: TestClient) -> None:
    text = shown(reading, "/console/products?q=geren")
    found = re.findall(r'class="product-link" href="/console/products\?id=(\w+)"', text)
    assert found
    assert found == re.findall(
        r'"product-link" href="/console/products\?id=(\w+)', shown(reading, "/console/products?q=green")
    )
    assert "green" in words(text)


def test_products_elsewhere_lead_to_their_page(reading: TestClient) -> None:
    text = shown(reading, "/console/people?q=ann")
    assert {"i0", "i1", "i2", "i3", "lost"} <= {*re.findall(r'href="/console/products\?id=(\w+)"', text)}


def test_a_new_product_and_one_that_is_gone(client: TestClient) -> None:
    client.put("/v1/items/w1", json={"title": "Steel watch"})
    assert "New: known by what it is" in shown(client, "/console/products?id=w1")
    client.delete("/v1/items/w1")
    text = shown(client, "/console/products?id=w1")
    assert "Out of the shop" in text
    assert "rules/new" not in text
    assert "No product of the catalogue" in shown(client, "/console/products?id=never-there")


@pytest.mark.parametrize(
    ("rule", "touched"),
    [
        ({"action": "pin", "item_ids": ["tea"]}, "tea"),
        ({"action": "complement", "beside": ["milk"], "item_ids": ["tea"]}, "milk tea"),
        ({"action": "hide", "filter": "price > 3"}, "milk"),
        ({"action": "only", "filter": "price > 3"}, "tea jam"),
        ({"action": "floor", "price": 3}, "tea jam"),
        ({"action": "boost", "filter": 'size:"L"'}, ""),  # a column that is not there
        ({"action": "at_most", "n": 2, "of": "brand"}, ""),
    ],
)
def test_which_rules_are_about_a_product(rule: dict[str, Any], touched: str) -> None:
    table = pa.table({"item_id": ["milk", "tea", "jam"], "price": [4.0, 2.0, None]})
    shelf = Shelf.of(Catalog.from_table(table, ["milk", "tea", "jam"]), {})
    found = [each for each in shelf.index if touches(parse_rule(rule), each, shelf.find(each), shelf)]
    assert found == touched.split()


@pytest.mark.parametrize(
    "path",
    [
        "/console?period=day",
        "/console/products",
        "/console/products?id=i2&period=day",
        "/console/server",
        "/console/quality",
        "/console/experiments",
    ],
)
def test_every_table_and_plot_of_a_page_is_a_file(reading: TestClient, path: str) -> None:
    page = shown(reading, path)
    links = [each.replace("&amp;", "&") for each in re.findall(r'class="as-file" href="([^"]+)"', page)]
    assert len(links) == len(set(links)) >= 1
    for link in links:
        answer = reading.get(link)
        assert answer.status_code == 200, link
        assert "attachment" in answer.headers["content-disposition"]
        if "csv=" in link:
            rows = [*csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))]
            assert len(rows) > 1, link
            assert {len(row) for row in rows} == {len(rows[0])}
        else:
            assert answer.text.startswith("<svg")
            assert 'class="column' in answer.text or 'class="line' in answer.text
    missing = reading.get(f"{path}{'&' if '?' in path else '?'}csv=nothing")
    assert (missing.status_code, "has no csv" in missing.text) == (404, True)
