"""The shop on a phone, and enlarged to 400 %."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from tests.browser import Open, browser, open_page, served
from tests.serve.storefronts import app, trained_shop

__all__ = ["app", "browser", "open_page", "trained_shop"]


@pytest.fixture(scope="module")
def shop(app: FastAPI) -> Iterator[str]:
    """The address of the shop."""
    with served(app) as address:
        yield address


def test_products_are_there_without_scrolling(shop: str, open_page: Open) -> None:
    page = open_page("phone")
    page.goto(f"{shop}/shop/category/Things")
    assert page.locator(".card").first.bounding_box()["y"] < 600
    page.mouse.wheel(0, 1200)
    page.wait_for_timeout(300)
    for part in (".filters summary", ".sorts"):  # they stay in reach
        assert 0 <= page.locator(part).first.bounding_box()["y"] < 60
    page.evaluate("scrollTo(0, 0)")
    page.locator(".filters summary").click()
    assert page.get_by_label("brand 1").is_visible()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_nothing_is_too_wide_at_400_percent(shop: str, open_page: Open, language: str) -> None:
    page = open_page(language=language)
    page.set_viewport_size({"width": 320, "height": 640})
    for path in ("/", "/shop/category/Things", "/shop/product/i3", "/shop/cart"):
        page.goto(shop + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 320, path
    assert page.locator(".tool.words").bounding_box()["height"] < 50


def test_all_departments_are_outside_of_what_scrolls(shop: str, open_page: Open) -> None:
    page = open_page("phone")
    page.goto(shop)
    box = page.get_by_role("link", name="All departments").first.bounding_box()
    assert box["x"] + box["width"] <= 390
