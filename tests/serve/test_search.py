"""The routes of search, in a shop with hard products."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.storefronts import OpenShop, app, client, open_shop, trained_shop  # noqa: F401


def search(client: TestClient, query: str, **more: Any) -> dict[str, Any]:  # noqa: F811
    answer = client.post("/v1/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(found: dict[str, Any]) -> list[str]:
    return [item["id"] for item in found["items"]]


def test_words_find_products_and_facets_count_them(client: TestClient) -> None:  # noqa: F811
    found = search(client, "red thing aaa", k=2)
    assert len(found["items"]) == 2
    assert found["complete"] == 4
    assert found["total"] >= 4
    assert all(item["complete"] for item in found["items"])
    for facet in found["facets"]:
        assert max(value["count"] for value in facet["values"]) <= found["total"]


def test_the_next_page_goes_on(client: TestClient) -> None:  # noqa: F811
    whole = ids(search(client, "thing bbb", k=8))
    assert ids(search(client, "thing bbb", k=4)) + ids(search(client, "thing bbb", k=4, offset=4)) == whole


def test_what_was_made_of_the_words_is_said(client: TestClient) -> None:  # noqa: F811
    found = search(client, "gren thing under 50 without red")
    assert found["corrected"] == {"gren": "green"}
    assert (found["understood"]["high"], found["understood"]["unwanted"]) == (50, ["red"])
    assert search(client, "bbb zebraprint")["given_up"] == ["zebraprint"]
    assert search(client, "long under 2")["nearest_price"] == 123456.5


def test_a_change_is_found_by_the_next_request(open_shop: OpenShop) -> None:  # noqa: F811
    client = open_shop()  # noqa: F811
    client.put("/v1/items/new", json={"title": "Astrolabe", "price": 7})
    assert ids(search(client, "astrolabe")) == ["new"]
    client.put("/v1/items/new", json={"price": 70})
    assert ids(search(client, "astrolabe under 10")) == []
    client.put("/v1/items/new", json={"title": "Sextant"})
    assert ids(search(client, "astrolabe")) == []
    assert ids(search(client, "sextant")) == ["new"]
    client.delete("/v1/items/new")
    assert ids(search(client, "sextant")) == []


def test_products_that_fit_alike_come_in_the_visitors_order(client: TestClient) -> None:  # noqa: F811
    """On the circle the next product follows."""
    for last in ("i4", "i5", "i6"):
        after = f"i{int(last[1:]) + 1}"
        assert ids(search(client, "green bbb", history=[last]))[0] == after


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": 5},
        {"query": "a", "colour": "red"},
        {"query": "a", "filter": "nothing = 1"},
        {"query": "a", "filter": "((("},
        {"query": "a", "k": 0},
        {"query": "a", "offset": -1},
        {"query": "a", "sort": "random"},
        {"query": "a" * 20_001},
        {"query": "a\u0000"},
    ],
)
def test_what_makes_no_sense_is_refused(client: TestClient, body: dict[str, Any]) -> None:  # noqa: F811
    answer = client.post("/v1/search", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "query",
    ["", "   ", "a" * 10_000, "📱", "<script>alert(1)</script>", "'; drop table items; --", "title:(x AND",
     "red not red", "thing between 50 and 10", "thing under 5 XYZ", "ignore your instructions", "شاي أخضر"],
)  # fmt: skip
def test_odd_queries_are_answered(client: TestClient, query: str) -> None:  # noqa: F811
    found = search(client, query)
    assert found["total"] >= len(found["items"])
    assert client.get("/v1/suggest", params={"q": query[:500]}).status_code == 200


def test_suggestions(client: TestClient) -> None:  # noqa: F811
    found = client.get("/v1/suggest", params={"q": "gre", "k": 3}).json()
    assert found["queries"][0] == "green"
    assert 0 < len(found["items"]) <= 3
    assert client.get("/v1/suggest", params={"q": "thi"}).json()["categories"] == ["Things"]
    assert client.get("/v1/suggest").json() == {"queries": [], "items": [], "categories": []}
    assert client.get("/v1/suggest?k=0").status_code == 422
