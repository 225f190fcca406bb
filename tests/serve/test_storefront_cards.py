"""What cards look like, by what the catalogue has: upright photos, prices, brands."""

import io
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image
from starlette.testclient import TestClient

from endcap.serve.storefront.catalogue import Product
from endcap.serve.storefront.config import StorefrontConfig
from tests.browser import Open, browser, count_shifts, open_page, served, shifts
from tests.serve.storefronts import OpenShop, app, client, open_shop, trained_shop
from tests.serve.test_storefront import hidden

__all__ = ["app", "browser", "client", "open_page", "open_shop", "trained_shop"]


def photos(folder: Path, width: int, height: int) -> Path:
    """Photos of one form."""
    folder.mkdir()
    for item in ("i1", "i2", "i3"):
        made = io.BytesIO()
        Image.new("RGB", (width, height), "red").save(made, "JPEG")
        (folder / f"{item}.jpg").write_bytes(made.getvalue())
    return folder


@pytest.mark.parametrize(("size", "ratio"), [((85, 128), 0.8), ((100, 100), 1.0), ((300, 100), 1.0)])
def test_cards_stand_as_most_photos_do(
    open_shop: OpenShop, open_page: Open, tmp_path: Path, size: tuple[int, int], ratio: float
) -> None:
    images = photos(tmp_path / "images", *size)
    client = open_shop(shop=StorefrontConfig(images=images))
    with served(client.app) as address:
        page = open_page()
        count_shifts(page)
        page.goto(f"{address}/shop/category/Things")
        box = page.locator(".card img").first.bounding_box()
        assert box["width"] / box["height"] == pytest.approx(ratio, rel=0.01)
        page.goto(address)
        page.locator("endcap-shelf [part=card]").first.wait_for()
        box = page.locator("endcap-shelf [part=image]").first.bounding_box()
        assert box["width"] / box["height"] == pytest.approx(ratio, rel=0.01)
        page.wait_for_timeout(200)
        assert shifts(page) <= 0.02


def test_a_department_shows_the_photo_of_a_product_that_has_one(open_shop: OpenShop, tmp_path: Path) -> None:
    client = open_shop(shop=StorefrontConfig(images=photos(tmp_path / "images", 85, 128)))
    client.put("/v1/items/i2", json={"category": "Quite new"})
    assert '<img src="/photo/i2" alt="" width="320" height="160"' in client.get("/").text


def test_where_nothing_has_a_price_none_is_waited_for(open_shop: OpenShop, client: TestClient) -> None:
    assert 'data-prices="none"' not in client.get("/").text
    free = open_shop()
    ids = [*(f"i{n}" for n in range(20)), "long", "few", "arabic", "绿茶", 'html"><b>/x']
    free.post("/v1/items", json=[{"item_id": item_id, "price": None} for item_id in ids])
    page = free.get("/shop/product/i1").text
    assert 'data-prices="none"' in page
    form = {"form": hidden(page), "item_id": "i1", "quantity": 2}
    cart = free.post("/shop/cart", content=urlencode(form)).text
    assert 'class="sum"' not in cart
    assert "This catalogue has no prices" in cart


@pytest.mark.parametrize(
    ("title", "brand", "expected"),
    [
        ("Milk, Private brand", "Private", None),
        ("Milk of ACME", "Acme", None),
        ("Milk", "Acme", "Acme"),
        ("Milk", None, None),
    ],
)
def test_a_brand_is_said_once(title: str, brand: str | None, expected: str | None) -> None:
    assert Product("1", title, brand=brand).by == expected
