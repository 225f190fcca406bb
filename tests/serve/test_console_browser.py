"""The console in a real browser: a walk through it, and what those meet who do not see or do not use a mouse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from endcap.serve.console.slow import Slow
from tests.browser import Open, axe, browser, faults, open_page, served
from tests.serve.conftest import KEYS, SECRET, bearer
from tests.serve.test_console import SCRIPT, app_of, filled, shops

__all__ = ["axe", "browser", "filled", "open_page", "shops"]

PLACES = (
    "", "/quality", "/models", "/people", "/people?q=ann", "/rules", "/rules/new", "/rules/new?action=pin",
    "/rules/edit?id=up", "/rules/new?action=boost", "/rules/new?action=complement", "/experiments?replay=candidate",
    "/products", "/products?id=i2", "/server",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(shops: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with keys."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "keys.toml").write_text(KEYS, encoding="utf-8")
    with served(app_of(shops, filled, folder, keys=folder / "keys.toml")) as address:
        yield address


def entered(page: Any, shop: str) -> Any:
    """Logged in."""
    page.goto(f"{shop}/console")
    page.get_by_label("Secret key").fill(SECRET)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{shop}/console")
    return page


def settled(page: Any, address: str) -> Any:
    """A page once its figures are there: it loads itself again until then."""
    page.goto(address)
    while page.locator("h1").count() == 0 or page.locator(".waiting, [data-reload]").count():
        page.wait_for_timeout(100)
        page.wait_for_load_state()
    return page


def shown(page: Any, place: int) -> list[str]:
    """The ids on the shelf of somebody new in a preview: before (0) and after (1)."""
    shelf = page.locator(".shopper").last.locator(".one").nth(place)
    return [each.get_attribute("data-id") for each in shelf.locator(".shop-cards li").all()]


def given(shop: str, k: int = 16) -> list[str]:
    """What the API answers to somebody new."""
    answer = httpx2.post(f"{shop}/v1/recommendations", json={"session_id": "new", "k": k}, headers=bearer(SECRET))
    return [item["id"] for item in answer.json()["items"]]


def test_a_rule_from_login_to_roll_back(open_page: Open, shop: str) -> None:
    page = entered(open_page(), shop)
    page.get_by_role("link", name="Rules").click()
    page.get_by_role("link", name="New rule").first.click()
    page.get_by_role("link", name="Show only").click()
    page.get_by_label("Name of the rule").fill("red-only")
    page.get_by_label("What is asked for").select_option("colour")
    page.get_by_label("Value of colour").fill("red")
    page.locator(".matches-count", has_text="4 of 17 products match").wait_for()  # while it is made
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="Somebody new").wait_for()
    before, after = (shown(page, place) for place in (0, 1))
    assert set(after) == {"i0", "i1", "i2", "i3"} != set(before)
    assert len(given(shop)) == 16  # nothing is published yet
    page.get_by_role("button", name="Publish").click()
    page.get_by_role("status").get_by_text("Published").wait_for()
    assert set(given(shop)) == {"i0", "i1", "i2", "i3"}  # the shelf obeys
    rule = page.locator("li.rule", has_text="red-only")
    rule.get_by_text("Take back …").click()
    rule.get_by_role("button", name="Take back now").click()
    page.get_by_role("status").get_by_text("Taken back").wait_for()
    assert len(given(shop)) == 16
    assert "backend took back red-only" in " ".join(page.locator("ol.log li").first.inner_text().split())
    page.get_by_role("button", name="Log out").click()
    page.get_by_label("Secret key").wait_for()


def test_products_are_pinned_by_their_titles(open_page: Open, shop: str) -> None:
    page = entered(open_page(), shop)
    page.goto(f"{shop}/console/rules/new?action=pin")
    page.get_by_label("Name of the rule").fill("window")
    for words in ("green bbb", "I12"):
        page.get_by_label("Find by title").fill(words)
        page.locator(".found button").first.click()
    assert page.get_by_label("Products").input_value() == "i4\ni12"
    page.get_by_label("First place").fill("2")
    page.get_by_role("button", name="Preview").click()
    assert shown(page, 1)[1:3] == ["i4", "i12"]
    page.get_by_role("button", name="Change").click()
    assert page.get_by_label("Products").input_value() == "i4\ni12"  # nothing is lost on the way


def test_conditions_change_where_they_stand_and_keep_the_focus(open_page: Open, shop: str) -> None:
    page = entered(open_page(), shop)
    page.goto(f"{shop}/console/rules/new?action=hide")
    page.get_by_label("Name of the rule").fill("kept")
    page.get_by_label("Value of category").select_option("> Things > Quarter 0")
    page.locator(".matches-count", has_text="4 of 17").wait_for()
    page.get_by_role("button", name="Add a condition").click()
    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("What is asked for").select_option("price")
    second.get_by_label("Lowest price").fill("12")
    page.locator(".matches-count", has_text="1 of 17").wait_for()
    second.get_by_label("Lowest price").press("Tab")
    assert page.evaluate("document.activeElement.name") == "high-1"
    page.get_by_role("button", name="Advanced").click()
    page.get_by_label("The condition as text").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Advanced"
    assert page.get_by_label("The condition as text").input_value() == 'category:"> Things > Quarter 0" AND price:12..'
    page.get_by_label("The condition as text").fill("colour:purple")
    page.locator(".matches", has_text="None of the 17 products matches").wait_for()
    assert page.get_by_label("Name of the rule").input_value() == "kept"
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Publish").click()
    assert page.evaluate("document.activeElement.id") == "nothing"  # the browser wants the tick first


def test_models_change_places_and_roll_back(open_page: Open, shop: str) -> None:
    page = settled(entered(open_page(), shop), f"{shop}/console/models")
    live = page.locator(".role-live .role-name").inner_text()
    choice = page.locator(".choices > li", has_text="shop-versions/earlier")
    choice.get_by_text("Make live …").click()
    choice.get_by_role("button", name="Make live now").click()
    page.get_by_role("status").get_by_text("Live now").wait_for()
    assert page.locator(".role-live .role-name").inner_text() != live
    page.get_by_text("Roll back …").click()
    page.get_by_role("button", name="Roll back now").click()
    page.get_by_role("status").get_by_text("Rolled back").wait_for()
    assert page.locator(".role-live .role-name").inner_text() == live


def test_what_was_stored_does_not_run(open_page: Open, shop: str) -> None:
    page = settled(entered(open_page(), shop), f"{shop}/console/people?q={SCRIPT}")
    assert page.locator(".visitor-id").inner_text() == SCRIPT
    page.goto(f"{shop}/console/rules/new?action=pin")
    page.get_by_label("Find by title").fill("alert")
    assert page.locator(".found button").first.inner_text().endswith(SCRIPT)


def test_in_chinese_on_a_phone_in_the_dark(open_page: Open, shop: str) -> None:
    page = entered(open_page(width="phone"), shop)
    page.get_by_role("link", name="中文").click()
    page.get_by_role("heading", name="概览").wait_for()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="浅色或深色").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.get_by_role("link", name="规则").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"  # kept, and from the server
    assert page.get_by_role("heading", level=1).inner_text() == "规则"


@pytest.mark.parametrize(("width", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_pages_fit_and_have_no_serious_fault(open_page: Open, shop: str, axe: str, width: str, scheme: str) -> None:
    def look(place: str) -> None:
        assert faults(page, axe) == [], place
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place

    page = open_page(width=width, scheme=scheme)
    page.on("dialog", lambda dialog: page.problems.append(f"a dialog: {dialog.message}"))  # of a script in the store
    page.goto(f"{shop}/console/login")
    look("login")
    entered(page, shop)
    for place in PLACES:
        settled(page, f"{shop}/console{place}")
        look(place)
    page.goto(f"{shop}/console/rules/edit?id=up")
    page.get_by_role("button", name="Preview").click()
    page.locator(".shelf-preview").wait_for()
    look("preview that matches nothing")
    page.goto(f"{shop}/console/rules/new?action=hide")
    page.get_by_label("Name of the rule").fill("red")
    page.get_by_label("What is asked for").select_option("colour")
    page.get_by_label("Value of colour").fill("red")
    page.locator(".matches-count").wait_for()
    look("form")
    page.get_by_role("button", name="Advanced").click()
    page.get_by_label("The condition as text").fill("colr:red")
    page.get_by_text("no column").wait_for()
    look("advanced")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("alert").wait_for()
    assert page.evaluate("document.activeElement.id") == "filter"
    look("what is wrong")
    page.problems.remove("Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)")
    page.get_by_label("The condition as text").fill("colour:red")
    page.get_by_role("button", name="Preview").click()
    page.locator(".shelf-preview").wait_for()
    look("preview")


def test_a_page_that_waits_for_its_figures_comes_by_itself(
    open_page: Open, shop: str, axe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = entered(open_page(), shop)
    with monkeypatch.context() as patched:
        patched.setattr(Slow, "get", lambda self, key, make, *, seconds: None)
        page.goto(f"{shop}/console/quality")
        page.locator(".waiting").wait_for()
        assert faults(page, axe) == []
    page.locator(".waiting").wait_for(state="detached")
    assert page.locator("h1").count() == 1


def test_everything_works_without_scripts(open_page: Open, shop: str) -> None:
    page = entered(open_page(java_script_enabled=False), shop)
    page.goto(f"{shop}/console/rules/new?action=floor")
    page.get_by_label("Name of the rule").fill("not-cheap")
    page.get_by_label("Lowest price").fill("25")
    page.get_by_role("button", name="Preview").click()
    assert "Shows nothing below a price of 25." in page.locator(".draft").inner_text()
