"""Sizes and colours of one product: chosen before the cart, and said from there to the order."""

from typing import Any
from urllib.parse import urlencode

from itsdangerous import URLSafeSerializer
from starlette.testclient import TestClient

from endcap.serve.keys import LOCAL_KEY
from tests.browser import Open, browser, open_page, served
from tests.serve.storefronts import OpenShop, open_shop, trained_shop
from tests.serve.test_storefront import events_of, hidden

__all__ = ["browser", "open_page", "open_shop", "trained_shop"]

SHIRT = {"item_id": "shirt", "title": "Shirt", "price": 10, "size": "S|M|L", "colour": "Dark Blue|White"}


def with_shirt(open_shop: OpenShop) -> TestClient:
    client = open_shop()
    client.put("/v1/items/shirt", json={name: value for name, value in SHIRT.items() if name != "item_id"})
    client.put("/v1/items/scarf", json={"title": "Scarf", "colour": "Red", "size": "One size"})
    return client


def add(client: TestClient, item_id: str, *, accept: str = "text/html", **fields: Any) -> Any:
    form = {"form": hidden(client.get("/shop/product/i1").text), "item_id": item_id, **fields}
    return client.post("/shop/cart", content=urlencode(form), headers={"Accept": accept})


def test_nothing_goes_into_the_cart_without_its_size(open_shop: OpenShop) -> None:
    client = with_shirt(open_shop)
    page = client.get("/shop/product/shirt").text
    assert page.count('type="radio"') == 5
    assert "checked" not in page  # nothing is chosen for anybody
    for fields in ({}, {"size": "M"}, {"size": "XXL", "colour": "White"}):
        refused = add(client, "shirt", **fields)
        assert refused.status_code == 422
        assert "Please choose first: Colour, Size" in refused.text
        assert add(client, "shirt", accept="application/json", **fields).json()["error"]["code"] == "choice"
    assert "Your cart is empty" in client.get("/shop/cart").text
    assert not [each for each in events_of(client) if each[0] == "cart"]


def test_the_cart_and_the_order_say_which(open_shop: OpenShop) -> None:
    client = with_shirt(open_shop)
    add(client, "shirt", size="M", colour="White", quantity=2)
    page = add(client, "shirt", size="L", colour="Dark Blue").text
    assert "White · M" in page
    assert "Dark Blue · L" in page
    assert "3 pieces" in page
    page = add(client, "shirt", variant="White · M", change="set", quantity=0).text
    assert "White · M" not in page
    checkout = client.get("/shop/checkout").text
    assert "Dark Blue · L" in checkout
    form = {"form": hidden(checkout), "number": hidden(checkout, "number")}
    assert "Dark Blue · L" in client.post("/shop/order", content=urlencode(form)).text
    assert events_of(client)[-1] == ("purchase", "shirt", 1.0)


def test_what_has_one_value_needs_no_choice(open_shop: OpenShop) -> None:
    client = with_shirt(open_shop)
    assert 'type="radio"' not in client.get("/shop/product/scarf").text
    assert "1 piece" in add(client, "scarf").text


def test_a_cart_of_before_there_was_a_choice_is_still_read(open_shop: OpenShop) -> None:
    client = with_shirt(open_shop)
    old = URLSafeSerializer(LOCAL_KEY.signing_secret, "endcap cart").dumps([["i1", 2, None], ["shirt", 1, "r1"]])
    client.cookies.set("endcap_cart", str(old))
    assert "3 pieces" in client.get("/shop/cart").text
    assert "2 pieces" in add(client, "i1", variant="", change="set", quantity=1).text


def test_choosing_undoing_and_taking_out(open_shop: OpenShop, open_page: Open) -> None:
    client = with_shirt(open_shop)
    with served(client.app) as address:
        page = open_page()
        page.goto(f"{address}/shop/product/shirt")
        page.get_by_role("button", name="Add to cart").click()
        assert page.locator("[data-toast]").is_hidden()  # the browser asks for the choice
        page.get_by_label("M", exact=True).check(force=True)
        page.get_by_label("White").check(force=True)
        page.get_by_role("button", name="Add to cart").click()
        page.get_by_role("button", name="Undo").click()
        page.locator("[data-count]").wait_for(state="hidden")
        page.get_by_role("button", name="Add to cart").click()
        page.get_by_role("link", name="View cart").click()
        page.get_by_text("White · M").wait_for()
        page.get_by_role("button", name="Remove").click()
        page.get_by_text("Your cart is empty").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("White · M").wait_for()
