"""Pictures of products without a photo: unlike each other, and dark in the dark."""

import io
from typing import Any

import pytest
from fastapi import FastAPI
from PIL import Image, ImageStat

from endcap.serve.storefront.tiles import plain_tile, tile
from tests.browser import Open, browser, open_page, served
from tests.serve.storefronts import app, trained_shop

__all__ = ["app", "browser", "open_page", "trained_shop"]


def lightness(page: Any) -> float:
    """Of the first card's picture, 0 to 255."""
    page.locator(".card img").first.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.card img').complete")
    image = Image.open(io.BytesIO(page.locator(".card img").first.screenshot()))
    return float(ImageStat.Stat(image.convert("L")).mean[0])


def test_a_tile_is_always_the_same_and_products_of_a_category_differ() -> None:
    made = [tile("Fluid milk", ("Dairy", "Milk"), str(seed)) for seed in range(30)]
    assert made == [tile("Fluid milk", ("Dairy", "Milk"), str(seed)) for seed in range(30)]
    assert len({*made}) >= 20
    assert plain_tile(("Dairy",)) != plain_tile(("Bakery",))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tiles_follow_the_page(app: FastAPI, open_page: Open, scheme: str) -> None:
    with served(app) as address:
        page = open_page(scheme=scheme)
        page.goto(f"{address}/shop/category/Things")
        before = lightness(page)
        assert (before > 150) == (scheme == "light")
        page.get_by_role("button", name="Light or dark").click()
        page.wait_for_timeout(200)
        assert (lightness(page) > 150) != (scheme == "light")
        page.reload()
        assert (lightness(page) > 150) != (scheme == "light")
