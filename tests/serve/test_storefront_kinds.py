"""Products that are one for people: one card, and the others beside each of them."""

import re

from starlette.testclient import TestClient

from tests.serve.storefronts import OpenShop, open_shop, trained_shop
from tests.serve.test_storefront import titles

__all__ = ["open_shop", "trained_shop"]


def with_kinds(open_shop: OpenShop) -> TestClient:
    client = open_shop()
    slacks = [
        {"item_id": f"s{n}", "title": "Slacks", "category": "Legwear", "colour": colour, "price": price}
        for n, (colour, price) in enumerate([("Dark Blue", 9), ("Beige", 7), ("Azure Mist", 8)])
    ]
    milks = [{"item_id": f"m{n}", "title": "Milk", "category": "Dairy"} for n in range(3)]
    client.post("/v1/items", json=[*slacks, *milks, {"item_id": "sock", "title": "Sock", "category": "Legwear"}])
    return client


def chips(page: str) -> list[tuple[str, str]]:
    found = re.search(r'<nav class="choice siblings".*?</nav>', page, re.DOTALL)
    return re.findall(r'href="/shop/product/(\w+)".*?<bdi>(.*?)</bdi>', found[0], re.DOTALL) if found else []


def test_a_group_is_one_card_with_the_cheapest_price(open_shop: OpenShop) -> None:
    client = with_kinds(open_shop)
    page = client.get("/shop/category/Legwear").text
    assert sorted(titles(page)) == ["Slacks", "Sock"]
    assert "2 products" in page
    assert "3 kinds" in page
    assert "from $7.00" in page
    assert titles(client.get("/shop/search?q=slacks").text) == ["Slacks"]
    assert "起" in client.get("/shop/category/Legwear?lang=zh").text


def test_a_filter_may_leave_another_kind(open_shop: OpenShop) -> None:
    page = with_kinds(open_shop).get("/shop/category/Legwear?high=7").text
    assert 'href="/shop/product/s1"' in page


def test_kinds_are_told_apart_by_what_they_differ_in(open_shop: OpenShop) -> None:
    client = with_kinds(open_shop)
    page = client.get("/shop/product/s1").text
    assert chips(page) == [("s0", "Dark Blue"), ("s1", "Beige"), ("s2", "Azure Mist")]
    assert 'href="/shop/product/s1" aria-current="true"' in page
    assert page.count('class="dot"') == 2  # a colour that nobody knows is only read
    assert chips(client.get("/shop/product/m1").text) == [("m0", "m0"), ("m1", "m1"), ("m2", "m2")]
    assert chips(client.get("/shop/product/sock").text) == []
    client.post("/v1/items", json=[{"item_id": f"m{n}", "price": n + 1} for n in range(3)])
    assert [label for _, label in chips(client.get("/shop/product/m1").text)] == ["$1.00", "$2.00", "$3.00"]


def test_counts_are_of_cards(open_shop: OpenShop) -> None:
    client = open_shop()
    rows = [
        {"item_id": f"{title}-{n}", "title": title, "category": "Legwear > Long", "colour": colour}
        for title in ("Slacks", "Jeans", "Chinos") for n, colour in enumerate(("blue", "blue", "red"))
    ]  # fmt: skip
    client.post("/v1/items", json=[*rows, {"item_id": "sock", "title": "Sock", "category": "Legwear", "colour": "red"}])
    page = client.get("/shop/category/Legwear").text
    assert "4 products" in page
    assert re.search(r"Long <small>3</small>", page)
    counts = re.findall(r'name="colour" value="(\w+)".*?<small>(\d+)</small>', page, re.DOTALL)
    assert counts == [("red", "4"), ("blue", "3")]


def test_small_departments_are_under_more(open_shop: OpenShop) -> None:
    client = open_shop()
    assert "All departments" in client.get("/").text
    many = [{"item_id": f"p{n}", "title": f"Pot {n}", "category": "Pots"} for n in range(300)]
    client.post("/v1/items", json=many)
    page = client.get("/").text
    navigation = page.partition('class="departments')[2].partition("</nav>")[0]
    assert "Pots" in navigation
    assert "Things" in navigation
    assert "饮料" not in navigation  # two products of more than three hundred
    assert "More departments" in navigation
    every = client.get("/shop/categories").text
    assert "饮料" in every.partition("More departments")[2].rpartition("More departments")[2]
