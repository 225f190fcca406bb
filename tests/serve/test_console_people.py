"""People that one can choose by: their last products, what they did in words, and who belongs together."""

import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from endcap.engine.engine import Engine
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.console.render import midnight
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.records import Event, Visitor
from tests.serve.storefronts import trained_shop
from tests.serve.test_console import browser_of, shown, words

__all__ = ["trained_shop"]


@pytest.fixture(scope="module")
def client(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """ann has been here for long and bought today, bo bought long ago, a session came today."""
    engine = Engine.open(trained_shop, f"sqlite:///{tmp_path_factory.mktemp('people') / 'shop.db'}")
    now = time.time()
    ann, bo, guest = Visitor(user_id="ann"), Visitor(user_id="bo"), Visitor(session_id="guest")
    assert engine.store is not None
    engine.store.record([
        *(Event(bo, item, "purchase", time=1e9) for item in ("i12", "i13")),
        *(Event(ann, f"i{n}", "view", time=1e9 + n) for n in range(4)),
        Event(ann, "i2", "cart", time=now - 2), Event(ann, "i2", "purchase", time=now - 1, price=10),
        Event(ann, "i3", "purchase", time=now - 1, price=10),
        Event(guest, "i8", "view", time=now - 1),
    ], now=now)  # fmt: skip
    app = create_app(engine, ServeConfig(out=trained_shop, shop=StorefrontConfig(currency="EUR")))
    with browser_of(app) as opened:
        yield opened


def people(client: TestClient, path: str) -> dict[str, str]:
    """Id -> the card of each visitor on a page."""
    found = re.findall(r'<a class="card person"(.*?)</a>', shown(client, path), re.DOTALL)
    return {unescape(re.findall(r'person-id" dir="auto">([^<]+)', each)[0]): each for each in found}


def test_a_visitor_is_told_in_words_and_photos(client: TestClient) -> None:
    found = people(client, "/console/people")
    assert set(found) == {"ann", "bo", "guest"}
    assert "4 views, 1 into the cart, 1 order, mostly Quarter 0" in words(found["ann"])
    assert "1 order, mostly Quarter 3" in words(found["bo"])  # two products at one moment are one order
    assert re.findall(r"photo\?item=(\w+)", found["ann"]) == ["i3", "i2", "i1"]
    assert re.findall(r"photo\?item=(\w+)", found["guest"]) == ["i8"]


@pytest.mark.parametrize(
    ("who", "names"),
    [("all", {"ann", "bo", "guest"}), ("bought", {"ann"}), ("new", {"guest"}), ("known", {"ann", "bo"})],
)
def test_they_are_chosen_among(client: TestClient, who: str, names: set[str]) -> None:
    assert set(people(client, f"/console/people?who={who}")) == names
    text = words(shown(client, "/console/people"))
    assert "Everyone 3 Bought today 1 New today 1 Customers 2" in text


def test_who_is_looked_for_by_a_part_of_the_id(client: TestClient) -> None:
    assert set(people(client, "/console/people?q=UES")) == {"guest"}


def test_no_such_choice_is_refused(client: TestClient) -> None:
    assert client.get("/console/people?who=rich").status_code == 422


def test_prices_have_their_currency(client: TestClient) -> None:
    assert "€10.00" in shown(client, "/console/people?q=ann")
    client.headers["Accept-Language"] = "zh"
    assert "€10.00" in shown(client, "/console/people?q=ann")


def test_a_day_begins_at_the_shops_midnight() -> None:
    now = 1_796_095_800.0  # 2026-12-01 03:30 UTC
    assert midnight(now, ZoneInfo("UTC")) == now - 3.5 * 3600
    assert midnight(now, ZoneInfo("Asia/Shanghai")) == now - 11.5 * 3600
    assert midnight(now, ZoneInfo("America/New_York")) == now - 22.5 * 3600
