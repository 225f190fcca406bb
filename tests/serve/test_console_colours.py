"""One colour a model on every page of the console, also where the system has colours of its own; parts have names."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from endcap.engine.engine import Engine
from endcap.serve.console.page import PAGES
from endcap.serve.console.plots import shades_of
from endcap.store.records import Event, Visitor
from tests.browser import Open, axe, browser, open_page, served
from tests.serve.test_console import app_of, browser_of, filled, send, shops, shown
from tests.serve.test_console_browser import settled

__all__ = ["axe", "browser", "filled", "open_page", "shops"]


@pytest.fixture(scope="module")
def long(filled: Path, shops: Path) -> Path:
    """Somebody has a history that is longer than its card."""
    engine = Engine.open(shops / "shop", f"sqlite:///{filled}")
    assert engine.store is not None
    now = time.time()
    engine.store.record([Event(Visitor("long"), f"i{n % 16}", "view", time=now - 100 + n) for n in range(60)], now=now)
    engine.close()
    return filled


@pytest.fixture(scope="module")
def shop(shops: Path, long: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(app_of(shops, long, tmp_path_factory.mktemp("served"))) as address:
        yield address


def colours(text: str, name: str) -> set[str]:
    """Of the swatches before a name."""
    return set(re.findall(rf'swatch (c\d)"></span>(?:<[^>]+>)*{re.escape(name)}', text))


def test_the_live_model_has_one_colour_on_every_page(shops: Path, filled: Path, tmp_path: Path) -> None:
    with browser_of(app_of(shops, filled, tmp_path)) as client:
        names = client.get("/v1/models").json()["models"]
        live, candidate = names["live"], names["candidate"]
        overview = shown(client, "/console?period=day")
        tests, people = shown(client, "/console/experiments"), shown(client, "/console/people?q=ann")
        models = shown(client, "/console/models")
        for role, model, shade in (("live", live, "c0"), ("candidate", candidate, "c1")):
            assert colours(overview, model) == {shade}
            assert colours(tests, role) == {shade}
            assert colours(people, role.title()) == {shade}
            assert colours(models, role.title()) == {shade}
        send(client, "models/beside", role="candidate", path="")
        assert colours(shown(client, "/console?period=day"), live) == {"c0"}


def test_models_without_a_role_do_not_take_its_colour() -> None:
    found = shades_of(["a", "b", "live", "z"], {"live": "live"})
    assert found["live"] == "c0"
    assert len(set(found.values())) == 4
    assert shades_of(["a", "live"], {"live": "live", "shadow": "a"}) == {"a": "c2", "live": "c0"}
    assert shades_of(["live"], {"live": "live", "again": "live"}) == {"live": "c0"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_models_stay_where_the_system_has_its_own(open_page: Open, shop: str, scheme: str) -> None:
    page = open_page(scheme=scheme, forced_colors="active")
    settled(page, f"{shop}/console?period=day")
    found = page.eval_on_selector_all(".swatch", "all => all.map(each => getComputedStyle(each).backgroundColor)")
    lines = page.eval_on_selector_all(".plot .line", "all => all.map(each => getComputedStyle(each).stroke)")
    assert len(set(found)) == 2
    assert len(set(lines)) == 2


def test_parts_have_names_of_their_own_and_scroll_by_keyboard(open_page: Open, shop: str, axe: str) -> None:
    page = open_page()
    for place in (*PAGES.values(), "/console/people?q=long"):
        settled(page, f"{shop}{place}")
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.evaluate(axe)
        rules = ["landmark-unique", "scrollable-region-focusable"]
        found = page.evaluate("rules => axe.run(document, {runOnly: rules})", rules)["violations"]
        assert [f"{each['id']}: {node['target']}" for each in found for node in each["nodes"]] == [], place


def test_four_models_leave_no_hole(open_page: Open, shop: str) -> None:
    page = open_page()
    settled(page, f"{shop}/console/models")
    page.evaluate(
        "const roles = document.querySelector('.roles');"
        "while (roles.children.length < 4) roles.append(roles.firstElementChild.cloneNode(true))"
    )
    lefts = page.eval_on_selector_all(".roles > .card", "all => all.map(each => each.getBoundingClientRect().left)")
    assert [lefts.count(left) for left in sorted(set(lefts))] == [2, 2]
