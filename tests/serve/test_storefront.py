"""The shop's pages: as they are sent, and in a browser."""

import html
import io
import json
import re
import string
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.errors import Unavailable
from endcap.store.records import Visitor
from tests.browser import SIZES, Open, axe, browser, count_shifts, faults, open_page, served, shifts
from tests.engine.artifacts import trained
from tests.serve.storefronts import HARD, SCRIPT, OpenShop, app, client, open_shop, photo, shop_app, trained_shop

__all__ = ["app", "axe", "browser", "client", "open_page", "open_shop", "trained_shop"]

KEYS = """
[[keys]]
name = "pages"
public = "pk_shop"
signing_secret = "signing-secret-of-the-pages"
origins = ["http://localhost:8000"]
"""
TEXTS = Path(__file__).parents[2] / "src/endcap/serve/storefront/texts"
PAGES = (
    "/", "/shop/categories", "/shop/category/Things", "/shop/category/Things%20%3E%20Quarter%200?sort=dear",
    "/shop/search?q=red", "/shop/search?q=nothing+like+it", "/shop/search", "/shop/cart", "/shop/checkout", "/shop/you",
    "/shop/product/i3", "/shop/product/none",
    *[f"/shop/product/{quote(each['item_id'], safe='')}" for each in HARD],
)  # fmt: skip


def hidden(page: str, name: str = "form") -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def engine_of(client: TestClient) -> Engine:
    return client.app.state.serving.engine  # type: ignore[attr-defined]


def session_of(client: TestClient) -> Visitor:
    """The visitor whose cookie a client has."""
    found = re.search(r"<code>(?:<bdi>)?([^<…]+)", client.get("/shop/you").text)
    assert found
    rows = engine_of(client).store.events_table()["user_id"].to_pylist()  # type: ignore[union-attr]
    return next(Visitor(session_id=each[8:]) for each in rows if each.startswith(f"session:{found[1]}"))


def events_of(client: TestClient) -> list[tuple[str, str, float | None]]:
    """What the store has of a client's session."""
    store = engine_of(client).store
    assert store is not None
    return [(each.kind, each.item_id, each.quantity) for each in store.histories([session_of(client)])[0]]


def titles(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'class="name" dir="auto">([^<]*)</span>', page)]


def put(client: TestClient, item_id: str, **fields: Any) -> Any:
    form = hidden(client.get("/shop/cart").text) if "form" not in fields and client.cookies.get("endcap_cart") else None
    form = form or hidden(client.get("/shop/product/i1", headers={"Sec-Purpose": "prefetch"}).text)
    return client.post("/shop/cart", content=urlencode({"form": form, "item_id": item_id, **fields}))


# As pages are sent


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_safe(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == (404 if path.endswith("none") else 200)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Frame-Options"] == "DENY"
    page = response.text
    assert "<script>" not in page
    assert not re.search(r"<[^>]+\s(style|on\w+)=", re.sub(r'"[^"]*"', '""', page))  # nothing inline
    assert not re.search(r'(src|href)="https?://(?!localhost:8000/)', page)  # nothing from elsewhere
    assert SCRIPT not in page
    assert "javascript:" not in page
    assert page.count("<h1") == 1


def test_a_session_is_a_signed_cookie_that_scripts_cannot_read(client: TestClient) -> None:
    cookie = client.get("/").headers["set-cookie"]
    assert cookie.startswith("endcap_visitor=")
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "set-cookie" not in client.get("/").headers
    client.cookies.clear()
    client.cookies.set("endcap_visitor", "forged.cookie")
    assert "endcap_visitor" in client.get("/").headers["set-cookie"]


def test_pages_speak_english_and_chinese(client: TestClient) -> None:
    assert '<html lang="en"' in client.get("/").text
    page = client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).text
    assert '<html lang="zh"' in page
    assert "大家都在买" in page
    assert "猜你喜欢" in client.get("/shop/cart?lang=zh").text
    assert '<html lang="zh"' in client.get("/").text  # it is kept
    assert '<html lang="en"' in client.get("/?lang=en").text


def test_both_languages_say_the_same() -> None:
    english, chinese = (json.loads((TEXTS / f"{name}.json").read_text(encoding="utf-8")) for name in ("en", "zh"))
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        fields = [{each for _, each, _, _ in string.Formatter().parse(one) if each} for one in (text, chinese[name])]
        assert fields[0] == fields[1], name


def test_prices_are_written_as_the_language_has_them(client: TestClient) -> None:
    assert "$123,456.50" in client.get("/shop/product/long").text
    assert "CN¥25.00" in client.get(f"/shop/product/{quote('绿茶')}").text
    assert "¥25.00" in client.get(f"/shop/product/{quote('绿茶')}?lang=zh").text
    assert '<p class="price"></p>' in client.get("/shop/product/bare").text


def test_a_category_is_filtered_sorted_and_paged(client: TestClient) -> None:
    quarter = "/shop/category/" + quote("Things > Quarter 0", safe="")
    assert len(titles(client.get(quarter).text)) == 4
    page = client.get("/shop/category/Things?sort=cheap").text
    prices = [float(each) for each in re.findall(r'class="price">\$(\d+\.\d+)<', page)]
    assert prices == sorted(prices)
    assert titles(page)[-1] == "x" * 300  # without a price
    assert set(titles(client.get("/shop/category/Things?low=20&high=29").text)) == {"green thing bbb"}
    assert titles(client.get("/shop/category/Things?stocked=1&high=2").text) == ["Few left"]
    some = client.get("/shop/category/Things?brand=brand+1&brand=brand+2").text
    assert len(titles(some)) == 8
    assert titles(client.get("/shop/category/Things?page=99999").text) == titles(
        client.get("/shop/category/Things").text
    )
    assert client.get("/shop/category/Things?low=29&high=20").text.count('class="card"') == 4  # reversed
    assert client.get("/shop/category/Nothing").status_code == 404
    odd = "/shop/category/Things?page=-3&low=nan&high=cheap&sort=up&brand=%22%20OR%20brand:*&stocked=maybe"
    assert client.get(odd).status_code == 200


def test_the_best_of_a_category_comes_first(client: TestClient) -> None:
    client.get("/shop/product/i3")
    first = re.search(r'class="card" href="([^"]*)"', client.get("/shop/category/Things").text)
    assert first
    assert first[1] == "/shop/product/i4"  # after i3 on the circle


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("red thing", ["red thing aaa"] * 4),
        ("RED aa", ["red thing aaa"] * 4),
        ("gree", ["绿茶 Green tea", *["green thing bbb"] * 4]),
        ("gren bbb", ["green thing bbb"] * 4),
        ("绿茶", ["绿茶 Green tea"]),
        ("龙井", ["绿茶 Green tea"]),
        ("quarter ccc", ["blue thing ccc"] * 4),
        ("   ", []),
        ("'; DROP TABLE --", []),
    ],
)
def test_search(client: TestClient, words: str, expected: list[str]) -> None:
    page = client.get(f"/shop/search?{urlencode({'q': words})}").text
    assert sorted(titles(page)[: len(expected)]) == sorted(expected)
    assert bool(titles(page)) == bool(expected)


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ("gren thing", "Shown for “green” instead of “gren”."),
        ("red blue thing", "Nothing has this as well: "),
        ("thing without red", "Without: red."),
        ("thing under $5", "At most $5.00."),
        ("thing 5元以下", "At most $5.00."),  # what holds, in the currency of the prices
        ("long under 2", "Nothing is in this price range; the nearest price is $123,456.50."),
    ],
)
def test_search_says_what_was_made_of_the_words(client: TestClient, words: str, note: str) -> None:
    page = unescape(client.get(f"/shop/search?{urlencode({'q': words})}").text)
    assert note in page.partition("<main")[2]
    if "without" in words:
        assert not any("red" in title for title in titles(page))


def test_search_knows_what_changed(open_shop: OpenShop) -> None:
    client = open_shop()
    client.put("/v1/items/i1", json={"title": "Unheard of"})
    client.put("/v1/items/new", json={"title": "Unheard of too"})
    assert titles(client.get("/shop/search?q=unheard").text) == ["Unheard of", "Unheard of too"]
    client.delete("/v1/items/new")
    assert titles(client.get("/shop/search?q=unheard").text) == ["Unheard of"]
    assert "Unheard of" not in titles(client.get("/shop/search?q=red+thing").text)[:3]


def test_a_look_counts_once_somebody_looks(client: TestClient) -> None:
    client.get("/shop/product/i2", headers={"Sec-Purpose": "prefetch;prerender"})
    client.get("/shop/product/i3?list=r1")
    assert events_of(client) == [("view", "i3", None)]
    store = engine_of(client).store
    assert store is not None
    assert store.results(["r1"])["item_id"].to_pylist() == ["i3"]


def test_the_cart(client: TestClient) -> None:
    added = put(client, "i1", quantity=2, list="r7")
    assert added.url.path == "/shop/cart"
    assert "$22.00" in added.text
    form = hidden(added.text)
    said = client.post(
        "/shop/cart",
        content=urlencode({"form": form, "item_id": "i2", "quantity": 1}),
        headers={"Accept": "application/json"},
    ).json()
    assert said == {"pieces": 3, "items": ["i1", "i2"], "variant": "", "before": 0}
    put(client, "i1", quantity=5, change="set")
    put(client, "i2", quantity=0, change="set")
    page = client.get("/shop/cart").text
    assert "red thing aaa" in page
    assert "i2" not in re.findall(r'name="item_id" value="([^"]*)"', page)
    assert events_of(client) == [("cart", "i1", 2), ("cart", "i2", 1), ("cart", "i1", 3), ("remove", "i2", 1)]
    assert put(client, "i1", quantity="-1").status_code == 422
    assert put(client, "i1", quantity="1e9").status_code == 422
    assert put(client, "none", quantity=1).status_code == 404
    client.cookies.clear()
    client.cookies.set("endcap_cart", "forged")
    assert "Your cart is empty" in client.get("/shop/cart").text


def test_a_cart_that_no_browser_could_keep_is_refused(open_shop: OpenShop) -> None:
    client = open_shop()
    random = Random(1)
    rows = [{"item_id": random.randbytes(250).hex()} for _ in range(14)]
    client.post("/v1/items", json=rows)
    answers = [put(client, row["item_id"], quantity=1).status_code for row in rows]
    assert answers[0] == 200
    assert answers[-1] == 422
    assert len(client.cookies["endcap_cart"]) < 4000


def test_an_order_is_recorded_once_with_the_lists_that_led_to_it(client: TestClient) -> None:
    put(client, "i1", quantity=2, list="r8")
    put(client, "bare", quantity=1)
    page = client.get("/shop/checkout").text
    form = urlencode({"form": hidden(page), "number": hidden(page, "number")})
    cart = client.cookies["endcap_cart"]
    done = client.post("/shop/order", content=form)
    assert done.url.path == "/shop/thanks"
    assert "Thank you" in done.text
    assert "Your cart is empty" in client.get("/shop/cart").text
    client.cookies.set("endcap_cart", cart, domain="localhost.local")  # as the browser has it that sends it again
    client.post("/shop/order", content=form)  # sent twice
    bought = [each for each in events_of(client) if each[0] == "purchase"]
    assert bought == [("purchase", "i1", 2), ("purchase", "bare", 1)]
    store = engine_of(client).store
    assert store is not None
    rows = store.results(["r8"]).to_pylist()
    assert [(row["kind"], row["price"]) for row in rows] == [("cart", 11.0), ("purchase", 11.0)]
    assert client.get("/shop/thanks?order=forged").status_code == 404


@pytest.mark.parametrize("path", ["/shop/cart", "/shop/order", "/shop/forget", "/shop/household"])
def test_a_form_of_another_site_does_nothing(client: TestClient, path: str) -> None:
    client.get("/shop/product/i3")
    other = TestClient(client.app, base_url="http://localhost:8000")
    theirs = hidden(other.get("/shop/product/i1").text)
    for form in ("", "wrong", theirs):
        body = urlencode({"form": form, "item_id": "i1", "quantity": "1", "user_id": "ann"})
        assert client.post(path, content=body).status_code == 403
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        body = urlencode({"form": hidden(client.get("/shop/you").text), "item_id": "i1"})
        assert client.post(path, content=body, headers=headers).status_code == 403
    assert events_of(client) == [("view", "i3", None)]


def test_forgetting_leaves_nothing(client: TestClient) -> None:
    client.get("/shop/product/i3")
    put(client, "i4", quantity=1)
    page = client.get("/shop/you").text
    assert "red thing aaa" in page
    visitor, before = session_of(client), client.cookies["endcap_visitor"]
    client.post("/v1/recommendations", json={"session_id": visitor.session_id})
    ask = client.get("/shop/forget").text
    assert "2 events" in ask
    assert session_of(client) == visitor  # asking deletes nothing
    done = client.post("/shop/forget", content=urlencode({"form": hidden(ask)}))
    assert done.url.path == "/shop/you"
    assert "Forgotten: 2 events. Nothing is left." in done.text
    assert client.cookies["endcap_visitor"] != before
    assert "Your cart is empty" in client.get("/shop/cart").text
    assert "Nothing yet" in client.get("/shop/you").text
    engine = engine_of(client)
    engine.flush()
    assert engine.store is not None
    assert engine.store.histories([visitor]) == [[]]
    assert not any(visitor.session_id == each.visitor.session_id for each in engine.store.shown())
    assert visitor.session_id not in str(engine.store.events_table().to_pylist())


def test_a_household_of_a_demonstration_keeps_its_history(open_shop: OpenShop) -> None:
    client = open_shop()
    step = {"form": hidden(client.get("/").text), "user_id": "ann"}
    client.post("/shop/household", content=urlencode(step))
    page = client.get("/shop/you").text
    assert "nothing of it is deleted here" in page
    assert 'action="/shop/forget"' not in page
    form = hidden(client.get("/shop/product/i3").text)
    answer = client.post("/shop/forget", content=urlencode({"form": form}), headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert "not yours to delete" in answer.text
    store = engine_of(client).store
    assert store is not None
    (history,) = store.histories([Visitor("ann")])
    assert [event.kind for event in history][:9] == ["purchase"] * 9
    client.post("/shop/household", content=urlencode({"form": form, "user_id": ""}))
    client.get("/shop/product/i5")
    client.post("/shop/forget", content=urlencode({"form": hidden(client.get("/shop/you").text)}))
    assert "Nothing yet" in client.get("/shop/you").text


def test_stepping_into_a_household(client: TestClient) -> None:
    assert client.get("/shop/households").json() == [
        {"user_id": "ann", "events": 9, "likes": ["Quarter 0", "Quarter 1", "Quarter 2"]},
        {"user_id": "bo & co", "events": 4, "likes": ["Quarter 0"]},
    ]
    form = hidden(client.get("/shop/you").text)
    home = client.post("/shop/household", content=urlencode({"form": form, "user_id": "ann"}))
    assert "You are customer <bdi>ann</bdi>" in home.text
    assert "Because you bought" in html.unescape(home.text)
    assert len(re.findall(r'class="kind" title="bought"', client.get("/shop/you").text)) == 9
    user = re.search(r'user="ann" user-signature="(\w{64})"', home.text)
    assert user
    form = hidden(client.get("/shop/you").text)
    assert client.post("/shop/household", content=urlencode({"form": form, "user_id": "none"})).status_code == 404
    home = client.post("/shop/household", content=urlencode({"form": form, "user_id": ""}))
    assert "You are customer" not in home.text
    assert "Nothing yet" in client.get("/shop/you").text


def test_who_steps_out_of_a_household_is_who_they_were(client: TestClient) -> None:
    client.get("/shop/product/i3")
    put(client, "i4", quantity=2)
    before = session_of(client)
    for user_id in ("ann", "bo & co", "", ""):
        form = hidden(client.get("/shop/you").text)
        client.post("/shop/household", content=urlencode({"form": form, "user_id": user_id}))
        assert ("Your cart is empty" in client.get("/shop/cart").text) == bool(user_id)
    assert session_of(client) == before
    assert "2 pieces" in client.get("/shop/cart").text
    done = client.post("/shop/forget", content=urlencode({"form": hidden(client.get("/shop/forget").text)}))
    assert "Forgotten: 2 events" in done.text
    store = engine_of(client).store
    assert store is not None
    assert before.session_id not in str(store.events_table().to_pylist())


def test_nobody_steps_into_users_of_a_real_shop(open_shop: OpenShop) -> None:
    client = open_shop(shop=StorefrontConfig())
    page = client.get("/").text
    assert "Step into" not in page
    assert client.get("/shop/households").json() == []
    client.get("/shop/product/i3")
    form = hidden(client.get("/shop/product/i3").text)
    assert client.post("/shop/household", content=urlencode({"form": form, "user_id": "ann"})).status_code == 404


def test_a_shop_with_keys_is_open_to_all_and_its_machinery_is_not(open_shop: OpenShop, tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(KEYS, encoding="utf-8")
    client = open_shop(keys=tmp_path / "keys.toml", storefront=True, address_rate="40/hour")
    for path in ("/", "/shop/product/i1", "/widget.js", "/shop/cart", "/shop/static/shop.css"):
        assert client.get(path).status_code == 200, path
    assert put(client, "i1").status_code == 200
    assert ("cart", "i1", 1.0) in events_of(client)
    assert [client.get(path).status_code for path in ("/metrics", "/v1/rules", "/v1/models")] == [401] * 3
    found = {client.get("/shop/product/i2").status_code for _ in range(40)}
    assert found == {200, 429}  # not as often as anybody likes


def test_what_is_similar_is_shown_where_products_are_known(tmp_path: Path) -> None:
    """A model that only counts, and was told nothing of products, cannot say what is like one."""
    for use in ((), ("tabular", "text")):
        app = shop_app(trained("transitions", tmp_path / f"{len(use)}", use=use), tmp_path / f"{len(use)}" / "shop")
        client = TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"})
        page = client.get("/shop/product/i3").text
        assert ('<endcap-shelf slot="similar"' in page) == bool(use)
        assert '<endcap-shelf slot="product"' in page
        engine_of(client).close()


def test_named_households_come_in_their_order(open_shop: OpenShop) -> None:
    client = open_shop(shop=StorefrontConfig(demo=True, households=("bo & co", "ann", "nobody")))
    assert [each["user_id"] for each in client.get("/shop/households").json()] == ["bo & co", "ann"]


def test_a_photo_comes_from_where_there_is_one(trained_shop: Path, open_shop: OpenShop, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "i1.jpg").write_bytes(photo("red"))
    (images / "i2.bmp").write_bytes(photo("red", "BMP"))
    (images / "i4.png").write_bytes(b"no photo")
    client = open_shop(shop=StorefrontConfig(images=images))
    client.put("/v1/items/i3/photo", content=photo("blue", "PNG"))
    client.put("/v1/items/i5/photo", content=photo("blue", "TIFF", 1200))
    for item, expected in (("i1", "image/jpeg"), ("i2", "image/webp"), ("i3", "image/png"), ("i5", "image/webp")):
        answer = client.get(f"/photo/{item}")
        assert answer.headers["Content-Type"] == expected
        assert max(Image.open(io.BytesIO(answer.content)).size) <= 900
        assert client.get(f"/photo/{item}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    client.put("/v1/items/far", json={"image": "https://img.example/a.jpg|b.jpg"})
    far = client.get("/photo/far", follow_redirects=False)
    assert far.headers["Location"] == "https://img.example/a.jpg"
    assert "img-src 'self' data: https://img.example;" in client.get("/").headers["Content-Security-Policy"]
    for item in ("i4", "i6", "bare", "none", quote('html"><b>/x', safe="")):
        answer = client.get(f"/photo/{item}")
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
    assert client.get("/photo/i1?tile=").headers["Content-Type"] == "image/svg+xml"


def test_a_folder_of_photos_that_is_not_there_is_said_at_the_start(trained_shop: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        shop_app(trained_shop, tmp_path, shop=StorefrontConfig(images=tmp_path / "nothing"))


def test_without_a_database_the_pages_are_whole(open_shop: OpenShop) -> None:
    client = open_shop(db=False)
    for path in (
        "/",
        "/shop/categories",
        "/shop/category/Things",
        "/shop/search?q=red",
        "/shop/product/i3",
        "/shop/you",
    ):
        assert client.get(path).status_code == 200
    assert "red thing" in put(client, "i1", quantity=1).text
    page = client.get("/shop/checkout").text
    form = {"form": hidden(page), "number": hidden(page, "number")}
    assert "Thank you" in client.post("/shop/order", content=urlencode(form)).text
    assert client.post("/shop/forget", content=urlencode({"form": hidden(page)})).status_code == 200


def test_where_the_database_is_away_the_pages_are_whole(open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch) -> None:
    client = open_shop()
    page = client.get("/shop/product/i3").text

    def away(*_: object, **__: object) -> None:
        raise Unavailable("stopped")

    for name in ("read", "write"):
        monkeypatch.setattr(f"endcap.store.database.Database.{name}", away)
    for path in ("/", "/shop/category/Things", "/shop/product/i3", "/shop/you", "/photo/i3"):
        assert client.get(path).status_code == 200
    answer = client.post("/shop/cart", content=urlencode({"form": hidden(page), "item_id": "i1", "quantity": 1}))
    assert answer.status_code == 503
    assert "The shop is busy" in answer.text


def test_a_shop_is_there_only_where_it_is_wanted(open_shop: OpenShop) -> None:
    client = open_shop(storefront=False)
    assert client.get("/").status_code == 404
    assert client.get("/widget.js").status_code == 200


def test_what_a_rule_hides_everywhere_is_in_no_department_and_no_search(open_shop: OpenShop) -> None:
    client = open_shop()
    engine: Engine = client.app.state.serving.engine  # type: ignore[attr-defined]
    engine.put_rule("no-tea", {"action": "hide", "filter": 'title:"绿茶 Green tea"'}, by="ann")
    engine.put_rule("home-alone", {"action": "hide", "filter": 'title:"Few left"', "slots": ["home"]}, by="ann")
    assert "绿茶" not in client.get("/shop/categories").text
    assert client.get(f"/shop/category/{quote('饮料 > 茶')}").status_code == 404
    assert "Green tea" not in client.get("/shop/search?q=green").text.partition("<main")[2]
    assert "Few left" in client.get("/shop/search?q=few").text  # that one is hidden on one page alone
    assert client.get(f"/shop/product/{quote('绿茶')}").status_code == 200  # who had it still finds it
    engine.store.delete_rule("no-tea", by="ann", now=1.0)  # type: ignore[union-attr]
    assert client.get(f"/shop/category/{quote('饮料 > 茶')}").status_code == 200


# In a browser


@pytest.fixture(scope="module")
def shop(app: FastAPI) -> Iterator[str]:
    """The address of the shop."""
    with served(app) as address:
        yield address


def shelf(page: Any, heading: str) -> Any:
    """A shelf that has its products."""
    found = page.locator("endcap-shelf").filter(has=page.get_by_role("heading", name=heading, exact=True))
    found.scroll_into_view_if_needed()
    found.locator("[part=card]").first.wait_for()
    return found


def shown(page: Any, heading: str) -> list[str]:
    """Ids on a shelf."""
    addresses = shelf(page, heading).locator("[part=card]").evaluate_all("links => links.map(link => link.pathname)")
    return [each.rpartition("/")[2] for each in addresses]


def test_a_visit(shop: str, open_page: Open) -> None:
    page = open_page()
    page.goto(shop)
    assert shown(page, "What many like")
    page.locator(".departments").get_by_text("Things").click()
    page.locator(".chips").get_by_text("Quarter 1").click()
    page.locator(".cards a").first.click()
    looked = page.url.rpartition("/")[2].partition("?")[0]
    after = f"i{(int(looked[1:]) + 1) % 16}"
    assert shown(page, "Often next")[0] == after  # on the circle

    page.goto(f"{shop}/shop/product/i8")
    assert shown(page, "Often next")[0] == "i9"
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_text("Added to your cart").wait_for()
    assert page.locator("[data-count]").text_content() == "1"
    assert page.evaluate("window.same")  # no reload
    page.goto(f"{shop}/shop/product/i9")
    page.get_by_role("spinbutton", name="Quantity").fill("3")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_text("Added to your cart").wait_for()

    page.locator(".tools").get_by_role("link", name="Cart").click()
    assert shown(page, "For you")[0] == "i10"
    page.evaluate("window.same = true")
    page.get_by_role("spinbutton").first.fill("2")
    page.get_by_role("spinbutton").first.press("Enter")
    page.get_by_text("5 pieces").wait_for()
    page.get_by_role("button", name="Remove").last.click()
    page.get_by_text("2 pieces").wait_for()
    assert page.evaluate("window.same")
    assert page.locator("[data-count]").text_content() == "2"

    page.get_by_role("link", name="Checkout").click()
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    page.goto(shop)
    assert shown(page, "For you")

    page.get_by_role("link", name="中文").click()
    assert shown(page, "猜你喜欢")
    page.set_viewport_size(SIZES["phone"])
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES["phone"]["width"]
    page.get_by_role("link", name="本店对你的了解").first.click()
    drawer = page.get_by_role("dialog")
    drawer.get_by_role("link", name="green thing bbb").first.wait_for()
    drawer.get_by_role("link", name="忘记我").click()
    page.get_by_role("button", name="是的，忘记我").click()
    page.get_by_text("什么都没有留下").wait_for()
    page.goto(shop)
    assert shown(page, "大家都在买")  # again a page for somebody of whom nothing is known
    page.get_by_role("link", name="本店对你的了解").first.click()
    page.get_by_role("dialog").get_by_text("暂时什么都没有").wait_for()


def test_shelves_change_at_once_without_a_reload(shop: str, open_page: Open) -> None:
    page = open_page()
    page.goto(f"{shop}/shop/product/i3")
    page.goto(shop)
    assert shown(page, "New for you")[1] == "i4"  # the first of what is next; before it stands one of the category
    page.evaluate(
        """token => fetch('/v1/events', {method: 'POST', body: JSON.stringify(
            {visitor: token, item_id: 'i11', kind: 'view'})}).then(() => dispatchEvent(new Event('endcap:changed')))""",
        page.locator("endcap-shelf").first.get_attribute("visitor"),
    )
    shelf(page, "New for you").locator("[part=card][href*='/i12?']").first.wait_for()
    assert "i12" in shown(page, "New for you")[:2]


def test_the_reason_of_a_shelf_is_its_heading(shop: str, open_page: Open) -> None:
    page = open_page()
    page.goto(f"{shop}/shop/product/i5")
    page.evaluate(
        """() => { const shelf = document.querySelector('endcap-shelf').cloneNode();
        for (const name of ['slot', 'item', 'filter']) shelf.removeAttribute(name);
        shelf.setAttribute('because', JSON.stringify({i5: 'Because of the fifth'}));
        document.querySelector('main').prepend(shelf); }"""
    )
    page.get_by_role("heading", name="Because of the fifth").wait_for()


@pytest.mark.parametrize("height", [300, 3000])  # shelves come one after the other, or all at once
def test_no_two_shelves_of_a_page_share_a_product(shop: str, open_page: Open, height: int) -> None:
    page = open_page()
    page.set_viewport_size({"width": 1280, "height": height})
    page.goto(shop)
    everything(page)
    first = shelves_of(page)
    assert first
    assert len({tuple(each) for each in first}) == len(first)
    for item in ("i5", "i6", "i12"):
        page.goto(f"{shop}/shop/product/{item}")
        everything(page)
        found = [each for one in shelves_of(page) for each in one]
        assert found
        assert len(found) == len(set(found))
        assert item not in found
    page.goto(shop)
    everything(page)
    home = shelves_of(page)
    found = [each for one in home for each in one]
    assert len(found) == len(set(found))
    assert not {"i5", "i6", "i12"} & {*found}  # they know where these are


def test_a_shelf_alone_on_a_page_may_ask_anew_before_its_answer(shop: str, open_page: Open) -> None:
    page = open_page()
    page.goto(f"{shop}/shop/product/i3")
    shelf(page, "Often next")
    page.evaluate(
        """async () => { const shelf = document.querySelector('endcap-shelf[slot=product]');
        for (const k of [3, 4, 5]) { shelf.setAttribute('k', k); for (let n = 3; n; n--) await Promise.resolve(); } }"""
    )
    page.locator("endcap-shelf[slot=product] [part=card]").nth(4).wait_for()  # and no error, which would fail here


def everything(page: Any) -> None:
    """Scrolls through the page until all shelves have come."""
    for _ in range(8):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(50)
    page.wait_for_function(
        "[...document.querySelectorAll('endcap-shelf')].every(each => each.hidden"
        " || each.shadowRoot.querySelector('[part=card]'))"
    )


def shelves_of(page: Any) -> list[list[str]]:
    """The ids on each shelf that is shown."""
    found: list[list[str]] = page.evaluate(
        """[...document.querySelectorAll('endcap-shelf')].filter(each => !each.hidden).map(each =>
          [...each.shadowRoot.querySelectorAll('[part=card]')].map(card =>
            decodeURIComponent(card.pathname.split('/').pop())))"""
    )
    return found


@pytest.mark.parametrize("path", ["/", "/widget"])
def test_a_shelf_has_the_colours_of_the_page(shop: str, open_page: Open, path: str) -> None:
    page = open_page()
    page.goto(shop + path)
    page.locator("endcap-shelf [part=card]").first.focus()
    ring = page.locator("endcap-shelf [part=card]").first.evaluate(
        "card => { const { outlineStyle, outlineColor } = getComputedStyle(card); return [outlineStyle, outlineColor] }"
    )
    edge = page.locator("endcap-shelf [part=arrow]").first.evaluate("arrow => getComputedStyle(arrow).borderColor")
    accent, line = page.evaluate(
        """['accent', 'line'].map(name => {
        const probe = document.body.appendChild(document.createElement('i'));
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color })"""
    )
    assert ring == ["solid", accent]
    assert edge == line


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_nothing_moves_while_a_page_comes(shop: str, open_page: Open, width: str) -> None:
    page = open_page(width)
    count_shifts(page)
    for path in ("/", "/shop/product/i3", "/shop/category/Things", "/"):
        page.goto(shop + path)
        if page.locator("endcap-shelf").count():
            page.locator("endcap-shelf [part=card]").first.wait_for()
        page.wait_for_timeout(100)
        assert shifts(page) <= 0.02, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(shop: str, open_page: Open, axe: str, scheme: str) -> None:
    page = open_page(scheme=scheme)
    rules = () if scheme == "light" else ("color-contrast",)  # of what differs between the two
    page.goto(f"{shop}/shop/product/i3")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_text("Added to your cart").wait_for()
    for path in (
        "/", "/shop/categories", "/shop/category/Things", "/shop/search?q=nothing+like+it", "/shop/product/long",
        "/shop/cart", "/shop/checkout", "/shop/you", "/?lang=zh", "/widget",
    ):  # fmt: skip
        page.goto(shop + path)
        if page.locator("endcap-shelf").count():
            page.locator("endcap-shelf [part=card]").first.wait_for()
        assert faults(page, axe, *rules) == [], path
    page.goto(f"{shop}/?lang=en")
    page.locator("[data-do=drawer]").click()
    page.get_by_role("link", name="Forget me").wait_for()
    page.wait_for_timeout(300)  # the drawer slides in, and is pale meanwhile
    assert faults(page, axe, *rules) == []


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_hard_products_fit_and_run_no_script(shop: str, open_page: Open, width: str) -> None:
    page = open_page(width)
    for item in HARD:
        page.goto(f"{shop}/shop/product/{quote(item['item_id'], safe='')}")
        button = page.get_by_role("button", name="Add to cart")
        assert button.is_disabled() == (item.get("stock") == 0)
        if button.is_enabled():
            button.click()
            page.get_by_text("Added to your cart").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[width]["width"], item
    for path in ("/", "/shop/categories", "/shop/category/Things", "/shop/search?q=long", "/shop/cart", "/shop/you"):
        page.goto(shop + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[width]["width"], path
        assert "hacked" not in page.title()


def test_a_photo_that_cannot_be_loaded_becomes_its_tile(shop: str, open_page: Open) -> None:
    page = open_page()
    page.route("**/photo/i3", lambda route: route.abort())
    page.goto(f"{shop}/shop/product/i3")
    page.locator(".picture img[src$='/photo/i3?tile=']").wait_for()
    page.problems.clear()  # the browser says that a photo was not there


def test_a_page_without_scripts_is_whole(shop: str, open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(f"{shop}/shop/product/i3")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="Checkout").click()
    page.get_by_role("button", name="Place order").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    page.goto(f"{shop}/shop/you")
    page.get_by_role("link", name="Forget me").click()
    page.get_by_role("button", name="Yes, forget me").click()
    page.get_by_text("1 order. Nothing is left.").wait_for()
    page.get_by_text("Nothing yet").wait_for()
    page.goto(f"{shop}/shop/category/Things")
    page.get_by_label("brand 1").check()
    page.get_by_role("button", name="Apply").click()
    assert "brand=brand+1" in page.url


def test_colours_are_kept(shop: str, open_page: Open) -> None:
    page = open_page(scheme="light")
    page.goto(shop)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto(f"{shop}/shop/cart")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_another_site_can_neither_frame_nor_drive_the_shop(shop: str, open_page: Open, app: FastAPI) -> None:
    page = open_page()
    page.goto(f"{shop}/shop/product/i3")
    form = page.locator("[name=form]").first.get_attribute("value")
    evil = f"""<iframe src="{shop}/shop/cart"></iframe>
        <form method=post action="{shop}/shop/cart"><input name=form value="{form}"><input name=item_id value=i1>
        <input name=quantity value=1><button>Win</button></form>"""
    page.route("http://evil.localhost/", lambda route: route.fulfill(body=evil, content_type="text/html"))
    page.goto("http://evil.localhost/")
    page.wait_for_load_state("networkidle")
    assert page.frames[1].url.startswith("chrome-error:")
    page.get_by_role("button", name="Win").click()
    page.wait_for_load_state("networkidle")
    page.goto(f"{shop}/shop/cart")
    page.get_by_text("Your cart is empty").wait_for()
    page.problems.clear()  # the browser says what it refused
