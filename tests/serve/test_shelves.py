"""What a visitor sees on shelves and of photos, in a browser: the figures of benchmarks/shelves.py on a small shop."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image

from tests.browser import Open, browser, open_page, served
from tests.serve.storefronts import app, trained_shop

__all__ = ["app", "browser", "open_page", "trained_shop"]

PROPORTIONS = {"i1": (85, 128), "i2": (128, 128), "i3": (384, 128)}
COUNTING = (Path(__file__).parents[2] / "benchmarks/shelves.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shop(app: FastAPI) -> Iterator[str]:
    """A shop with a photo upright, one square and one wide."""
    with served(app) as address:
        for item, size in PROPORTIONS.items():
            made = io.BytesIO()
            Image.new("RGB", size, "red").save(made, "PNG")
            assert httpx2.put(f"{address}/v1/items/{item}/photo", content=made.getvalue()).is_success
        yield address


def opened(page: Any, address: str) -> Any:
    """A page whose lists have all their products."""
    page.add_init_script(COUNTING)
    page.goto(address)
    assert page.evaluate("settled()")
    return page


@pytest.mark.parametrize("width", ["desk", "phone"])
@pytest.mark.parametrize("item", PROPORTIONS)
def test_the_photo_of_a_product_is_seen_whole(shop: str, open_page: Open, item: str, width: str) -> None:
    page = opened(open_page(width), f"{shop}/shop/product/{item}")
    assert page.evaluate("productPhoto()")["visible"] == pytest.approx(1, abs=0.001)


def test_the_console_shows_a_photo_wherever_the_shop_does(shop: str) -> None:
    for item in (*PROPORTIONS, "i4"):
        paths = (f"/photo/{item}", f"/console/photo?item={item}")
        kinds = [httpx2.get(shop + path).headers["Content-Type"] for path in paths]
        assert kinds[0] == kinds[1], item


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_no_card_has_words_beyond_it(shop: str, open_page: Open, width: str) -> None:
    for path in ("/", "/shop/product/long", "/shop/category/Things"):
        lists = opened(open_page(width), shop + path).evaluate("lists()")
        cards = [card for shown in lists for card in shown["cards"]]
        assert cards
        assert not [card["id"] for card in cards if card["over"]], path
