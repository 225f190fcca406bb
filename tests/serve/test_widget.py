"""The widget: as it is sent, and on the pages of another shop."""

import gzip
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from endcap.serve.widget.routes import SCRIPT
from endcap.store.store import Store
from tests.browser import SIZES, Open, axe, browser, count_shifts, faults, open_page, served, shifts
from tests.serve.storefronts import HARD, OpenShop, open_shop, shop_app, trained_shop
from tests.serve.storefronts import SCRIPT as MARKUP

__all__ = ["axe", "browser", "open_page", "open_shop", "trained_shop"]

ROOT = Path(__file__).parents[2]
SIGNING = "signing-secret-of-the-pages"
KEYS = """
[[keys]]
name = "backend"
secret = "secret-of-the-shop-backend"
role = "write"

[[keys]]
name = "pages"
public = "pk_shop"
signing_secret = "{signing}"
origins = ["{origin}"]
"""

FOCUSED = """(() => { const one = document.activeElement.shadowRoot?.activeElement;
    if (!one) return { tag: document.activeElement.tagName };
    const { outlineStyle, outlineWidth } = getComputedStyle(one);
    const [name, href] = ['aria-label', 'href'].map(each => one.getAttribute(each));
    return { name, href, outline: `${outlineStyle} ${outlineWidth}` }
})()"""
"""What has the focus on a shelf."""

Put = Callable[..., Any]
"""`put('<endcap-shelf …>')` is a page of the shop with these shelves."""


# As it is sent


def test_the_script_is_small_and_for_any_page(open_shop: OpenShop) -> None:
    client = open_shop()
    answer = client.get("/widget.js")
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(gzip.compress(answer.content, 9)) <= 8_000
    assert client.get("/widget.js", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/widget.js", headers={"Accept-Encoding": "identity"}).content == answer.content
    assert not re.search(r"^\s*import\s|\bimport\(|innerHTML|eval\(", answer.text, re.MULTILINE)


def test_the_guide_is_the_documentation(open_shop: OpenShop) -> None:
    guide = (ROOT / "src/endcap/serve/widget/guide.md").read_text(encoding="utf-8")
    assert guide == (ROOT / "docs/widget.md").read_text(encoding="utf-8")
    answer = open_shop().get("/widget")
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "hash_hmac" in answer.text
    assert "http://localhost:8000/widget.js" in answer.text  # of this very server
    assert "api.shop.example" not in answer.text


def test_every_attribute_event_and_variable_is_documented() -> None:
    script, guide = SCRIPT.body.decode(), (ROOT / "docs/widget.md").read_text(encoding="utf-8")
    attributes = re.search(r"observedAttributes = \[(.*?)\]", script, re.DOTALL)
    assert attributes
    for name in re.findall(r"'([\w-]+)'", attributes[1]):
        assert f"`{name}`" in guide, name
    for name in {*re.findall(r"--endcap-[\w-]+", script), *re.findall(r"endcap:(?:changed|forget|click)", script)}:
        assert name in guide, name
    for name in re.findall(r"part: '(\w+)'", script):
        assert f"`{name}`" in guide, name


# On the pages of another shop


class Shop:
    """Another shop: one page, whatever it is."""

    def __init__(self) -> None:
        self.address, self.page = "", HTMLResponse("")
        self.app = Starlette(routes=[Route("/", lambda request: self.page)])


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Shop]:
    shop = Shop()
    with served(shop.app) as shop.address:
        yield shop


@pytest.fixture(scope="module")
def app(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory, elsewhere: Shop) -> FastAPI:
    """A server with keys."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "keys.toml").write_text(KEYS.format(signing=SIGNING, origin=elsewhere.address), encoding="utf-8")
    return shop_app(trained_shop, folder, keys=folder / "keys.toml")


@pytest.fixture(scope="module")
def api(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture
def store(app: FastAPI) -> Store:
    found: Store = app.state.serving.engine.store
    return found


@pytest.fixture
def put(api: str, open_page: Open, elsewhere: Shop) -> Put:
    def placed(shelves: str, width: str = "desk", page: Any = None) -> Any:
        page = page or open_page(width)
        policy = f"default-src 'none'; script-src {api}; connect-src {api}; img-src {api} data:; style-src 'none'"
        body = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,">'
            f'<script type="module" src="{api}/widget.js"></script>'
            f"<main><h1>A shop</h1>{shelves.replace('KEY', 'key=pk_shop')}<p>The rest of the page</p></main>"
        )
        elsewhere.page = HTMLResponse(body, headers={"Content-Security-Policy": policy})
        page.goto(elsewhere.address)
        return page

    return placed


def cards(page: Any) -> list[str]:
    """Ids on the first shelf, once they are there."""
    page.locator("endcap-shelf [part=card]").first.wait_for()
    found = page.locator("endcap-shelf").first.locator("[part=card]")
    return found.evaluate_all("links => links.map(link => decodeURIComponent(link.pathname.split('/').pop()))")


def kept(page: Any) -> dict[str, str]:
    """What the browser keeps for the shop."""
    return dict(page.evaluate("Object.entries(localStorage)"))


def until(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    """Beacons are on their own way."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def sent(store: Store) -> list[tuple[str, str, str]]:
    """Kind, product and visitor of every event that names a list."""
    rows = store.events_of_lists().to_pylist()
    return [(row["kind"], row["item_id"], row["user_id"]) for row in rows]


def test_a_shelf_on_a_page_of_another_shop(put: Put, api: str) -> None:
    page = put(
        '<endcap-shelf KEY title="For you" slot="product" item="i3" k="5" href="/p/{id}" currency="EUR" lang="de">'
    )
    assert cards(page)[0] == "i4"
    assert len(cards(page)) == 5
    region = page.get_by_role("region", name="For you")
    assert region.get_by_role("listitem").count() == 5
    first = region.get_by_role("link").first
    assert first.get_attribute("href") == "/p/i4"
    assert "20,00\xa0€" in first.inner_text() or "21,00\xa0€" in first.inner_text()
    assert page.locator("endcap-shelf").get_attribute("title") is None  # it would be a tooltip
    (token,) = kept(page).values()
    page.reload()
    cards(page)
    assert list(kept(page).values()) == [token]


def test_impressions_count_once_and_clicks_with_their_list(put: Put, store: Store, app: FastAPI) -> None:
    page = put('<endcap-shelf KEY heading="For you" k="3"></endcap-shelf>')
    page.evaluate("addEventListener('endcap:click', event => { window.told = event.detail; event.preventDefault() })")
    before = len(sent(store))
    shown = cards(page)
    until(lambda: len(sent(store)) == before + 3)
    page.mouse.wheel(0, 500)
    page.mouse.wheel(0, -500)
    page.locator("endcap-shelf [part=card]").nth(1).click()
    until(lambda: len(sent(store)) == before + 4)
    new = sent(store)[before:]
    assert [each[:2] for each in new] == [*[("impression", item) for item in shown], ("click", shown[1])]
    assert len({visitor for *_, visitor in new}) == 1
    assert page.evaluate("told.item.id") == shown[1]
    engine = app.state.serving.engine
    engine.flush()
    lists = {each.recommendation_id for each in store.shown()}
    assert page.evaluate("told.list") in lists


def test_a_shelf_asks_anew_when_something_changes(put: Put, api: str) -> None:
    page = put('<endcap-shelf KEY heading="Similar" slot="product" item="i3" k="2"></endcap-shelf>')
    assert cards(page)[0] == "i4"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "recommendations" in request.url else None)
    page.evaluate(
        """() => { const shelf = document.querySelector('endcap-shelf');
        shelf.setAttribute('k', 3); shelf.setAttribute('item', 'i8'); shelf.setAttribute('lang', 'zh');
        dispatchEvent(new Event('endcap:changed')) }"""
    )
    page.locator("endcap-shelf [part=card][href='/products/i9']").wait_for()
    assert len(cards(page)) == 3
    assert len(asked) == 1  # what changes together is asked together
    visitor, token = next(iter(kept(page).items()))
    assert visitor.startswith("endcap:visitor:")
    page.evaluate(
        """([api, visitor]) => fetch(`${api}/v1/events?key=pk_shop`, {method: 'POST', body: JSON.stringify(
            {visitor, item_id: 'i12', kind: 'view'})})
            .then(() => document.querySelector('endcap-shelf').setAttribute('slot', 'home'))""",
        [api, token],
    )
    page.locator("endcap-shelf [part=card][href='/products/i13']").wait_for()


def test_reasons_are_in_the_language_of_the_page(put: Put, api: str) -> None:
    page = put('<endcap-shelf KEY heading="For you" k="6" explain></endcap-shelf>')
    cards(page)
    visitor = next(iter(kept(page).values()))
    events = [("i8", "purchase"), ("i1", "view")]  # i2, of the same category, is next
    page.evaluate(
        """async ([api, visitor, events]) => { for (const [item_id, kind] of events) await fetch(
            `${api}/v1/events?key=pk_shop`, {method: 'POST', body: JSON.stringify({visitor, item_id, kind})}) }""",
        [api, visitor, events],
    )
    found = {}
    for lang in ("en", "zh"):
        with page.expect_response(lambda response: "recommendations" in response.url):
            page.evaluate("lang => document.querySelector('endcap-shelf').setAttribute('lang', lang)", lang)
        page.wait_for_timeout(100)
        found[lang] = page.locator("endcap-shelf [part=reason]").all_inner_texts()
        assert len(found[lang]) == 6
    assert any(text.startswith("because of ") for text in found["en"])
    assert any(text.startswith("因为：") for text in found["zh"])
    assert not [text for text in found["zh"] if re.search("because|many|popular", text)]
    assert not [text for text in found["en"] if re.search("[\u4e00-\u9fff]", text)]


def test_without_its_server_a_shelf_is_not_there_and_the_page_is_whole(put: Put, api: str) -> None:
    page = put('<endcap-shelf KEY heading="For you" api="http://127.0.0.1:1"></endcap-shelf>')
    page.locator("endcap-shelf").wait_for(state="hidden")
    assert page.get_by_text("The rest of the page").is_visible()
    page.problems[:] = [each for each in page.problems if "Content Security Policy" not in each and "fetch" not in each]

    page = put('<endcap-shelf KEY heading="For you"></endcap-shelf>')
    cards(page)
    page.route("**/v1/recommendations*", lambda route: route.fulfill(status=503, body="busy"))
    page.evaluate("dispatchEvent(new Event('endcap:changed'))")
    page.locator("endcap-shelf").wait_for(state="hidden")
    page.unroute("**/v1/recommendations*")
    page.evaluate("dispatchEvent(new Event('endcap:changed'))")
    assert cards(page)
    page.problems[:] = [each for each in page.problems if "Failed to load resource" not in each]


def test_a_token_that_is_worn_out_is_replaced(put: Put) -> None:
    page = put('<endcap-shelf KEY heading="For you"></endcap-shelf>')
    cards(page)
    page.evaluate("for (const name of Object.keys(localStorage)) localStorage.setItem(name, 'forged')")
    page.reload()
    assert cards(page)
    assert "forged" not in kept(page).values()
    page.problems[:] = [each for each in page.problems if "403" not in each]


def test_a_signed_user_is_believed_and_no_other(put: Put, store: Store) -> None:
    signature = hmac.new(SIGNING.encode(), b"ann", hashlib.sha256).hexdigest()
    page = put(f'<endcap-shelf KEY heading="For you" k="2" user="ann" user-signature="{signature}"></endcap-shelf>')
    before = len(sent(store))
    assert cards(page)[0] == "i9"  # after the last purchase of hers
    until(lambda: len(sent(store)) == before + 2)
    assert {visitor for *_, visitor in sent(store)[before:]} == {"ann"}
    page = put(f'<endcap-shelf KEY heading="For you" user="bo & co" user-signature="{signature}"></endcap-shelf>')
    page.locator("endcap-shelf").wait_for(state="hidden")
    page.problems[:] = [each for each in page.problems if "403" not in each]


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_texts_stay_texts(put: Put, app: FastAPI, width: str) -> None:
    """Markup, Arabic, 300 letters with and without spaces, and a product of which nothing is known."""
    hard = {f"i{n}": each for n, each in zip(range(10, 16), HARD, strict=False)}
    unknown = {"title": None, "price": None, "image": None}
    app.state.serving.engine.put_items([{**unknown, **each, "item_id": item_id} for item_id, each in hard.items()])
    chosen = f"k='20' filter='item_id:({', '.join(hard)})'"
    page = put(
        f"<endcap-shelf KEY heading='<b>&amp;</b>{'x' * 300}' explain currency='EUR' {chosen}></endcap-shelf>", width
    )
    shown = cards(page)
    assert set(shown) == set(hard)
    assert page.locator("endcap-shelf [part=heading]").inner_text() == f"<b>&</b>{'x' * 300}"
    titles = dict(zip(shown, page.locator("endcap-shelf [part=title]").all_inner_texts(), strict=True))
    assert titles == {item_id: each.get("title", item_id).strip() for item_id, each in hard.items()}
    assert titles["i10"] == MARKUP
    prices = dict(zip(shown, page.locator("endcap-shelf [part=price]").all_inner_texts(), strict=True))
    assert {item_id for item_id, price in prices.items() if not price} == {"i13", "i14"}
    assert page.title() == "A shop"
    assert page.locator("endcap-shelf :is(b, script, img)").count() == 0
    directions = page.locator("endcap-shelf [part=title]").evaluate_all(
        "titles => titles.map(title => getComputedStyle(title).direction)"
    )
    assert {item_id for item_id, way in zip(shown, directions, strict=True) if way == "rtl"} == {"i11"}
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[width]["width"]
    # Beside each other, equally large, with all that they hold inside.
    boxes = page.locator("endcap-shelf [part=card]").evaluate_all(
        """links => links.map(link => { const { left, right, width, height } = link.getBoundingClientRect();
        return { left, right, size: `${width} by ${height}`, inside: link.scrollWidth <= link.clientWidth } })"""
    )
    assert len({each["size"] for each in boxes}) == 1
    assert all(each["inside"] for each in boxes)
    assert all(each["right"] < following["left"] for each, following in pairwise(boxes))


@pytest.mark.parametrize(
    ("place", "names", "sign"),
    [
        ('lang="en"', ("Back", "More"), 1),
        ('lang="zh"', ("向前", "更多"), 1),
        ('lang="ar" dir="rtl"', ("Back", "More"), -1),
    ],
    ids=["english", "chinese", "from the right"],
)
def test_a_shelf_is_for_keyboards_and_screen_readers(
    put: Put, axe: str, place: str, names: tuple[str, str], sign: int
) -> None:
    page = put(f'<div {place}><endcap-shelf KEY heading="For you" k="12"></endcap-shelf></div>', "phone")
    shown = cards(page)
    assert faults(page, axe) == []
    region = page.get_by_role("region", name="For you")
    assert region.get_by_role("heading", name="For you", level=2).count() == 1
    assert region.get_by_role("list").get_by_role("listitem").count() == len(shown)
    back, more = (region.get_by_role("group", name="For you").get_by_role("button", name=name) for name in names)
    assert back.get_attribute("aria-disabled") == "true"

    def tab() -> Any:
        page.keyboard.press("Tab")
        return page.evaluate(FOCUSED)

    # Both arrows, even the one that does nothing yet, so that none is lost while it has the focus; then the cards.
    walked = [tab() for _ in range(4)]
    assert [each["name"] for each in walked] == [*names, None, None]
    assert [each["href"] for each in walked[2:]] == [f"/products/{item}" for item in shown[:2]]
    assert {each["outline"] for each in walked} == {"solid 2px"}

    scrolled = "list => list.scrollLeft"
    products = region.get_by_role("list")
    assert products.evaluate(scrolled) == 0
    more.press("Enter")
    until(lambda: products.evaluate(scrolled) * sign > 100)
    until(lambda: back.get_attribute("aria-disabled") == "false")
    back.press("Space")
    until(lambda: products.evaluate(scrolled) == 0)
    assert page.evaluate(FOCUSED)["name"] == names[0]


def test_a_shelf_that_changes_says_nothing_and_keeps_the_focus(put: Put) -> None:
    page = put('<endcap-shelf KEY heading="Similar" slot="product" item="i3" k="4"></endcap-shelf>', "phone")
    cards(page)
    region = page.get_by_role("region", name="Similar")
    assert region.get_attribute("aria-busy") == "false"
    assert page.locator("endcap-shelf :is([aria-live], [role=status], [role=alert], [role=log], output)").count() == 0
    page.locator("endcap-shelf [part=card]").nth(1).focus()
    held: list[Any] = []
    page.route("**/v1/recommendations*", lambda route: held.append(route))
    page.evaluate("document.querySelector('endcap-shelf').setAttribute('item', 'i8')")
    until(lambda: bool(page.wait_for_timeout(20)) or bool(held))
    assert region.get_attribute("aria-busy") == "true"
    held[0].continue_()
    page.locator("endcap-shelf [part=card][href='/products/i9']").wait_for()
    assert region.get_attribute("aria-busy") == "false"
    assert page.evaluate(FOCUSED)["href"] == f"/products/{cards(page)[1]}"
    page.evaluate("document.querySelector('endcap-shelf').setAttribute('lang', 'zh')")
    page.get_by_role("button", name="更多").wait_for(state="attached")


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_nothing_moves_when_a_shelf_comes(put: Put, open_page: Open, width: str) -> None:
    page = open_page(width)
    count_shifts(page)
    held: list[Any] = []
    page.route("**/v1/recommendations*", lambda route: held.append(route))  # the shelf waits
    put('<endcap-shelf KEY heading="For you"></endcap-shelf>', page=page)
    until(lambda: bool(page.wait_for_timeout(20)) or bool(held))
    height = page.locator("endcap-shelf").bounding_box()["height"]
    held[0].continue_()
    cards(page)
    assert page.locator("endcap-shelf").bounding_box()["height"] == height
    assert shifts(page) <= 0.02


def test_who_is_forgotten_is_not_heard_of_again(put: Put, store: Store) -> None:
    page = put('<endcap-shelf KEY heading="For you" k="2"></endcap-shelf>')
    before = len(sent(store))
    cards(page)
    until(lambda: len(sent(store)) == before + 2)
    page.evaluate("dispatchEvent(new Event('endcap:forget'))")
    assert kept(page) == {}
    page.evaluate("document.addEventListener('click', event => event.preventDefault())")
    page.locator("endcap-shelf [part=card]").first.click()
    page.goto("about:blank")
    page.wait_for_timeout(300)
    assert len(sent(store)) == before + 2


def test_without_keys_a_shelf_needs_none(open_page: Open, trained_shop: Path, tmp_path: Path) -> None:
    with served(shop_app(trained_shop, tmp_path)) as address:
        page = open_page()
        page.goto(f"{address}/widget")
        assert cards(page)
