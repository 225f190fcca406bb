"""What pages say of themselves and of products: for people, search engines, and who shares an address."""

import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from starlette.testclient import TestClient

from endcap.data.catalog import Catalog
from endcap.engine.shelf import Shelf
from endcap.serve.storefront.catalogue import facts
from endcap.serve.storefront.config import StorefrontConfig
from tests.browser import Open, browser, open_page, served
from tests.serve.storefronts import HARD, OpenShop, app, client, open_shop, trained_shop

__all__ = ["app", "browser", "client", "open_page", "open_shop", "trained_shop"]


def data_of(page: str) -> list[dict]:
    (found,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    return json.loads(found)


def test_a_page_has_one_address_in_both_languages(client: TestClient) -> None:
    page = client.get("/shop/category/Things?sort=cheap&page=2&lang=en").text
    assert '<link rel="canonical" href="http://localhost:8000/shop/category/Things?page=2">' in page
    assert 'hreflang="zh" href="http://localhost:8000/shop/category/Things?sort=cheap&amp;page=2&amp;lang=zh"' in page
    assert len(re.findall(r'<meta name="description" content="[^"]{10,}"', page)) == 1
    assert "<title>A shop that learns as you look · Endcap</title>" in client.get("/").text


def test_a_product_is_described_for_machines(client: TestClient) -> None:
    product, crumbs = data_of(client.get("/shop/product/few").text)
    assert product["@type"] == "Product"
    assert (product["name"], product["offers"]["price"], product["offers"]["priceCurrency"]) == (
        "Few left",
        "2.00",
        "USD",
    )
    assert [each["name"] for each in crumbs["itemListElement"]] == ["Home", "Things"]
    assert data_of(client.get(f"/shop/product/{'html%22%3E%3Cb%3E%2Fx'}").text)[0]["name"] == HARD[0]["title"]


def test_data_in_a_page_breaks_no_policy(client: TestClient, open_page: Open) -> None:
    with served(client.app) as address:  # a refused script would be an error of the page
        page = open_page()
        page.goto(f"{address}/shop/product/few")
        assert page.locator("script[type='application/ld+json']").count() == 1


@pytest.mark.parametrize("size", [(85, 128), (200, 200), (300, 100), (2000, 1500)])
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_a_photo_is_whole_and_at_most_twice_as_large(
    open_shop: OpenShop, open_page: Open, tmp_path: Path, width: str, size: tuple[int, int]
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    made = io.BytesIO()
    Image.new("RGB", size, "red").save(made, "JPEG")
    (images / "i1.jpg").write_bytes(made.getvalue())
    client = open_shop(shop=StorefrontConfig(images=images))
    with served(client.app) as address:
        page = open_page(width)
        page.goto(f"{address}/shop/product/i1")
        page.wait_for_function("document.querySelector('.picture img').complete")
        frame, photo = (page.locator(each).bounding_box() for each in (".picture", ".picture img"))
        assert photo["width"] / photo["height"] == pytest.approx(size[0] / size[1], rel=0.02)
        assert photo["width"] <= 2 * size[0] + 1
        assert photo["width"] >= min(2 * size[0], frame["width"]) * 0.6  # as large as it may be, where it fits
        for start, side in (("x", "width"), ("y", "height")):
            assert frame[start] - 1 <= photo[start]
            assert photo[start] + photo[side] <= frame[start] + frame[side] + 1


def test_what_a_product_does_not_have_and_what_its_title_says_are_no_facts() -> None:
    row = {"item_id": "1", "title": "Milk White, 1 l", "product_type": "MILK WHITE", "eco": "No", "activity": "Gym"}
    shelf = Shelf.of(Catalog.from_table(pa.table({k: [v] for k, v in row.items()}), ["1"]), {})
    assert facts(shelf, 1) == [("Activity", "Gym")]
