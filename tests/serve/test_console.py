"""The console: every page for every role, forms that nobody else can send, and texts that stay texts."""

import json
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from endcap.abtest import report
from endcap.data.catalog import Catalog
from endcap.engine.engine import Engine
from endcap.engine.requests import Had, Reason, Slot
from endcap.engine.rules import ACTIONS
from endcap.engine.shelf import Shelf
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.console import page as pages
from endcap.serve.console.cards import said
from endcap.serve.console.plots import axis_of, columns, lines, spark
from endcap.serve.console.slow import Slow
from endcap.serve.console.texts import Words, sentences_of, texts_of
from endcap.serve.console.traffic import Traffic, quantile
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.figures import Span
from endcap.store.records import Event, Shown, Visitor
from tests.engine.artifacts import trained
from tests.serve.conftest import KEYS, READER, SECRET, bearer
from tests.serve.storefronts import photo

SCRIPT = "<script>alert(1)</script>"
PLACES = (
    "/console", "/console?period=day", "/console?period=month&until=1000000000", "/console/quality", "/console/models",
    "/console/people", "/console/people?q=ann", "/console/people?q=s1&slot=cart", "/console/people?q=nobody",
    "/console/people?q=ann&slot=product", "/console/rules", "/console/experiments",
    "/console/experiments?replay=candidate", "/console/server", "/console/server?period=month",
    "/console/products", "/console/products?q=green", "/console/products?q=nothing+like+it", "/console/products?id=i2",
    "/console/products?id=lost", f"/console/products?id={SCRIPT}",
)  # fmt: skip
EDITING = (
    "/console/rules/new", *(f"/console/rules/new?action={action}" for action in ACTIONS), "/console/rules/edit?id=up",
)  # fmt: skip
HOUR = 3_600.0


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows what products are, and one that counts."""
    folder = tmp_path_factory.mktemp("shops")
    trained("gru", folder / "shop", use=("tabular", "text"), epochs=1)
    trained("transitions", folder / "counted")
    shutil.copytree(folder / "counted", folder / "shop-versions" / "earlier")
    (folder / "report.html").write_text("<h1>Which model</h1>", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def filled(shops: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day of visits, an A/B test, a rule; ids and titles that are no friends of a page."""
    path = tmp_path_factory.mktemp("store") / "shop.db"
    engine = Engine.open(shops / "shop", f"sqlite:///{path}")
    store, random, now = engine.store, np.random.default_rng(0), time.time()
    assert store is not None
    engine.set_role("candidate", shops / "counted", share=0.5, by="mei")
    test = f"{engine.live.name}:{engine.versions['candidate'].name}"
    events, given = [], []
    for n in range(160):
        arm, at = ("control", "candidate")[n % 2], now - 20 * HOUR + n * 300
        visitor, list_id = Visitor(user_id=f"u{n}"), uuid.UUID(int=int(random.integers(2**62)) << 64).hex
        model = engine.versions["candidate" if arm == "candidate" else "live"].name
        pool = {"place": 1, "pool": ["i2", "i3", "i4", "i5"], "chance": 0.25}
        given.append(Shown(list_id, visitor, at, "home", model, ("i1", "i2", "i9"), test, arm, (pool,)))
        events.append(Event(visitor, f"i{n % 16}", "view", time=at + 1))
        if n % 3:
            events.append(Event(visitor, "i2", "click", time=at + 5, recommendation_id=list_id))
        if n % 5 < 2 + n % 2:
            events.append(Event(visitor, "i2", "purchase", time=at + 9, price=20.0))
    events += [Event(Visitor(user_id="ann"), f"i{n}", "view", time=now - 60 + n) for n in range(4)]
    events += [Event(Visitor(session_id="s1"), "i7", "cart", time=now - 50), Event(Visitor("ann"), "lost", "view")]
    events += [Event(Visitor(user_id=SCRIPT), SCRIPT, "view", time=now - 40)]
    store.record(events, now=now)
    store.log_shown(given)
    engine.put_items([{"item_id": "i7", "title": SCRIPT}, {"item_id": f'new"{SCRIPT}', "title": "New", "price": 5}])
    engine.put_rule("up", {"action": "hide", "filter": "price > 1000", "note": SCRIPT}, by="mei")
    engine.put_rule(f"{SCRIPT}'\"", {"action": "floor", "price": 1, "ends": now - 5}, by=SCRIPT)
    engine.close()
    return path


Serve = Callable[..., TestClient]
HERE, THERE = "http://localhost:8000", "https://api.shop.example"


def app_of(shops: Path, filled: Path, folder: Path, *, db: bool = True, **settings: Any) -> FastAPI:
    copy = shutil.copy(filled, folder / f"{uuid.uuid4().hex}.db")
    engine = Engine.open(shops / "shop", f"sqlite:///{copy}" if db else None)
    return create_app(engine, ServeConfig(out=shops / "shop", **settings))


def browser_of(app: FastAPI, url: str = HERE) -> TestClient:
    return TestClient(app, base_url=url, headers={"Accept-Language": "en"})


@pytest.fixture(scope="module")
def apps(shops: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, FastAPI]]:
    """One without keys and one with, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("apps")
    (folder / "keys.toml").write_text(KEYS, encoding="utf-8")
    made = {"open": app_of(shops, filled, folder), "keyed": app_of(shops, filled, folder, keys=folder / "keys.toml")}
    with ExitStack() as stack:
        for app in made.values():
            stack.enter_context(TestClient(app))
        yield made


@pytest.fixture
def reading(apps: dict[str, FastAPI]) -> TestClient:
    """A browser of its own, on a server that is shared. Without keys: everything is open to this machine."""
    return browser_of(apps["open"])


@pytest.fixture
def keyed(apps: dict[str, FastAPI]) -> TestClient:
    return browser_of(apps["keyed"], THERE)


@pytest.fixture
def serve_shop(shops: Path, filled: Path, tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda url=HERE, **settings: stack.enter_context(
            browser_of(app_of(shops, filled, tmp_path, **settings), url)
        )


@pytest.fixture
def client(serve_shop: Serve) -> TestClient:
    """A server that may be changed, without keys."""
    return serve_shop()


def token(client: TestClient, path: str = "/console/rules/new?action=hide") -> str:
    found = re.search(r'name="token" value="(\w+)"', client.get(path).text)
    assert found is not None
    return found[1]


def log_in(client: TestClient, secret: str) -> Any:
    return client.post("/console/login", data={"key": secret, "token": token(client, "/console/login")})


def shown(client: TestClient, path: str) -> str:
    """A page, once its figures are there."""
    for _ in range(100):
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        if 'role="status"><span class="bar"' not in answer.text and "http-equiv" not in answer.text:
            return answer.text
        time.sleep(0.1)
    raise AssertionError(f"{path} is never ready")


def words(text: str) -> str:
    """Without tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def send(client: TestClient, place: str, **fields: Any) -> Any:
    return client.post(f"/console/{place}", data={"token": token(client), **fields}, follow_redirects=False)


# Pages


def test_every_slot_has_its_words() -> None:
    for language in ("en", "zh"):
        assert {f"slot.{slot}" for slot in get_args(Slot)} <= texts_of(language).keys(), language


@pytest.mark.parametrize("path", [*PLACES, *EDITING])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_there_in_both_languages(reading: TestClient, path: str, language: str) -> None:
    reading.headers["Accept-Language"] = language
    text = shown(reading, path)
    assert f'<html lang="{"zh-Hans" if language == "zh" else "en"}"' in text
    assert SCRIPT not in text  # it is in ids, titles, notes and names
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script>", text)  # the policy forbids them, so they would be lost


def test_who_may_only_read_sees_all_and_changes_nothing(keyed: TestClient) -> None:
    assert log_in(keyed, READER).status_code == 200
    for path in PLACES:
        text = shown(keyed, path)
        assert [form for form in re.findall(r'<form method="post" action="([^"]+)', text) if "logout" not in form] == []
        assert "/console/rules/new" not in text
    for path in EDITING:
        assert keyed.get(path).status_code == 403
    own = token(keyed, "/console")
    for path, fields in (
        ("rules/preview", {"id": "x", "action": "hide", "filter": "price > 1", "new": "yes"}),
        ("rules/publish", {"id": "x", "body": '{"action": "hide", "filter": "price > 1"}'}),
        ("rules/take-back", {"id": "up"}),
        ("people/forget", {"q": "ann"}),
        ("models/promote", {"path": "counted"}),
        ("models/roll-back", {}),
        ("models/beside", {"role": "shadow", "path": "counted"}),
    ):
        answer = keyed.post(f"/console/{path}", data={"token": own, **fields}, follow_redirects=False)
        assert (answer.status_code, "may not do this" in answer.text) == (403, True), path
    assert len(keyed.get("/v1/rules", headers=bearer(READER)).json()["rules"]) == 2


@pytest.mark.parametrize(
    "path", [*PLACES, *EDITING, "/console/report", "/console/photo?item=i1", "/console/people/export?q=ann"]
)
def test_without_a_key_there_is_the_login_alone(keyed: TestClient, path: str) -> None:
    answer = keyed.get(path, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")
    answer = keyed.get(path, headers=bearer(SECRET), follow_redirects=False)  # a key of the API is no session
    assert answer.status_code == 303


def test_logging_in_and_out(keyed: TestClient) -> None:
    assert "none of the server" in log_in(keyed, "not-a-key-of-this-server").text
    before = keyed.cookies["endcap_console"]
    answer = log_in(keyed, SECRET)
    assert (answer.status_code, answer.url.path) == (200, "/console")
    assert "backend" in answer.text
    session = keyed.cookies["endcap_console"]
    assert session != before
    (cookie,) = [each for each in answer.history[0].headers.get_list("set-cookie") if "endcap_console" in each]
    assert {"HttpOnly", "SameSite=strict", "Secure", "Path=/console"} <= {part.strip() for part in cookie.split(";")}
    own = token(keyed, "/console")
    assert keyed.post("/console/logout", data={"token": own}).url.path == "/console/login"
    assert keyed.get("/console", follow_redirects=False).status_code == 303
    keyed.cookies.set(
        "endcap_console",
        session[:-9] + ("y" if session[-9] == "x" else "x") + session[-8:],
        domain="api.shop.example",
        path="/console",
    )
    assert keyed.get("/console", follow_redirects=False).status_code == 303


def test_a_session_ends_with_its_key(serve_shop: Serve, keys: Path) -> None:
    client = serve_shop(THERE, keys=keys)
    log_in(client, SECRET)
    keys.write_text(keys.read_text(encoding="utf-8").replace(SECRET, "another-secret-of-the-backend"), encoding="utf-8")
    restarted = serve_shop(THERE, keys=keys)
    restarted.cookies = client.cookies
    assert restarted.get("/console", follow_redirects=False).status_code == 303


def test_a_replica_takes_the_session_of_another(keyed: TestClient, serve_shop: Serve, keys: Path) -> None:
    log_in(keyed, SECRET)
    other = serve_shop(THERE, keys=keys)
    other.cookies = keyed.cookies
    assert other.get("/console/rules", follow_redirects=False).status_code == 200


def test_guessing_keys_is_slow(serve_shop: Serve, keys: Path) -> None:
    client = serve_shop(THERE, keys=keys)
    statuses = [log_in(client, f"a-wrong-secret-number-{n}").status_code for n in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[-1] == 429
    assert log_in(client, SECRET).headers["retry-after"]


# Forms


@pytest.mark.parametrize("given", ["", "0" * 64, "of another session"])
def test_a_form_of_another_page_is_refused(reading: TestClient, apps: dict[str, FastAPI], given: str) -> None:
    if given == "of another session":
        given = token(browser_of(apps["open"]))
    token(reading)
    for path in ("rules/publish", "rules/take-back", "rules/preview", "people/forget", "models/roll-back", "logout"):
        answer = reading.post(f"/console/{path}", data={"token": given, "id": "up", "q": "ann"})
        assert answer.status_code == 403, path
        assert "too old" in answer.text
    assert len(reading.get("/v1/rules").json()["rules"]) == 2


def test_forms_of_other_sites_and_names_of_this_machine_are_refused(reading: TestClient) -> None:
    own = token(reading)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        assert (
            reading.post("/console/rules/take-back", data={"token": own, "id": "up"}, headers=headers).status_code
            == 403
        )
    assert reading.get("/console", headers={"Host": "evil.example"}).status_code == 403


def test_forms_that_are_none(reading: TestClient) -> None:
    assert reading.post("/console/rules/publish", content=b"\xff\xfe").status_code == 400
    many = "&".join(f"a{n}=1" for n in range(300))
    assert reading.post("/console/rules/publish", content=many.encode()).status_code == 400
    assert reading.post("/console/rules/publish", content=b"a" * 70_000).status_code == 413
    assert send(reading, "rules/publish", id="x", body="{no json").status_code == 422
    assert send(reading, "rules/publish", id="x", body="[]").status_code == 422
    assert send(reading, "rules/publish", id="", body='{"action": "floor", "price": 1}').status_code == 422


def test_no_page_can_be_framed_or_run_what_is_not_ours(reading: TestClient) -> None:
    for path in ("/console", "/console/login", "/console/nothing", "/console/report", "/console/photo?item=i1"):
        headers = reading.get(path, follow_redirects=False).headers
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert "script-src 'self';" in policy or "script" not in policy


def test_what_is_not_there(reading: TestClient) -> None:
    for path in ("nothing", "static/nothing.css", "static/..%2fpage.py", "rules/edit?id=none", "rules/new?action=dance",
                 "people/export?q=nobody"):  # fmt: skip
        assert reading.get(f"/console/{path}").status_code == 404, path
    assert reading.get("/console?period=year").status_code == 422
    assert reading.get("/console?until=nan").status_code == 422
    assert reading.get("/consolation").json()["error"]["code"] == "not_found"  # the API's, not the console's


# Rules


def test_a_rule_from_the_form_to_the_list_and_back(client: TestClient) -> None:
    rule = {"action": "only", "filter": "colour:red", "slots": ["home", "cart"], "note": "for spring"}
    preview = send(client, "rules/preview", id="red-only", new="yes", body="", **rule)
    text = words(preview.text)
    assert "Shows only: colour:red" in text
    assert "4 of 17 products match" in text
    assert re.search(r"Of the shelves of the 12 latest visitors \d+ change", text)
    assert client.get("/v1/rules").json()["rules"][0]["id"] != "red-only"  # nothing is published yet
    body = unescape(re.search(r'name="body" value="([^"]*)"', preview.text)[1])  # type: ignore[index]
    assert json.loads(body) == {
        "action": "only",
        "filter": "colour:red",
        "slots": ["home", "cart"],
        "note": "for spring",
    }
    assert send(client, "rules/publish", id="red-only", body=body).headers["location"].endswith("done=published")
    given = client.post("/v1/recommendations", json={"session_id": "new", "k": 16}).json()["items"]
    assert {item["id"] for item in given} == {"i0", "i1", "i2", "i3"}
    listed = words(shown(client, "/console/rules?done=published"))
    assert "Published. The next shelf follows it." in listed
    assert "local published red-only" in listed
    assert send(client, "rules/take-back", id="red-only").status_code == 303
    assert len(client.post("/v1/recommendations", json={"session_id": "new", "k": 16}).json()["items"]) == 16
    back = re.search(r'name="id" value="red-only".*?name="body" value="([^"]*)"', client.get("/console/rules").text)
    assert back is not None
    again = send(client, "rules/preview", id="red-only", new="no", body=unescape(back[1]))
    assert "Shows only: colour:red" in words(again.text)  # put back, by way of a preview


def test_a_preview_of_a_chosen_visitor(reading: TestClient) -> None:
    body = json.dumps({"action": "pin", "item_ids": ["i9"]})
    text = send(reading, "rules/preview", id="x", new="yes", body=body, visitor="ann", slot="product").text
    before, after = shelves(text)["ann"]
    assert before
    assert after[0] == "i9"
    assert 'value="ann"' in text
    stranger = send(reading, "rules/preview", id="x", new="yes", body=body, visitor="stranger").text
    assert "No such visitor" in stranger


def shelves(text: str) -> dict[str, tuple[list[str], list[str]]]:
    """Visitor -> the ids on their shelf before and after."""
    found = {}
    for section in text.split('class="card shopper')[1:]:
        name = re.search(r'id="shopper-\d+" dir="auto">([^<]*)<', section)
        assert name is not None
        before, _, after = section.partition('class="one after"')
        found[name[1]] = tuple(re.findall(r'<li data-id="([^"]+)"', part) for part in (before, after))
    return found


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": "x", "action": "hide", "filter": "nothing:red"}, "This shop has no column “nothing”."),
        ({"id": "x", "action": "hide", "filter": "((("}, "Here a condition is missing"),
        ({"id": "", "action": "floor", "price": "3"}, "found the rule's name"),
        ({"id": "up", "action": "floor", "price": "3"}, "choose another name"),
        ({"id": "x", "action": "floor", "price": "cheap"}, "price"),
        ({"id": "x", "action": "pin", "item_ids": "\n \n"}, "No product is chosen"),
        (
            {"id": "x", "action": "floor", "price": "3", "starts": "2030-01-02T00:00", "ends": "2030-01-01T00:00"},
            "ends",
        ),
        ({"id": "x", "action": "floor", "price": "3", "starts": "tomorrow"}, "starts"),
        ({"id": "x", "action": "at_most", "n": "2", "of": "colour"}, "of"),
    ],
)
def test_a_form_says_what_is_wrong_and_keeps_what_was_written(
    reading: TestClient, fields: dict[str, str], said: str
) -> None:
    answer = send(reading, "rules/preview", new="yes", body="", note=SCRIPT, **fields)
    assert answer.status_code == 422
    problem = re.search(r'role="alert"[^>]*>(.*?)</p>', answer.text)
    assert problem is not None
    assert said in unescape(problem[1])
    assert SCRIPT not in answer.text
    for name, value in fields.items():
        assert name == "starts" or value.strip() in unescape(answer.text)  # a field for a date holds no other text


@pytest.mark.parametrize("body", [
    {"action": ["x"]}, {"action": "dance"}, {}, {"action": "pin", "item_ids": 5, "slots": 7},
    {"action": "pin", "item_ids": [1, None], "note": {"a": 1}, "starts": "x"},
    {"action": "floor", "price": float("nan")},
])  # fmt: skip
@pytest.mark.parametrize("place", ["rules/preview", "rules/edit", "rules/publish"])
def test_rules_that_nobody_would_write(reading: TestClient, place: str, body: dict[str, Any]) -> None:
    answer = send(reading, place, id="x", new="yes", body=json.dumps(body))
    assert answer.status_code in (422, 200 if place == "rules/edit" else 422)
    assert send(reading, place, id="x", new="yes", body="[" * 20_000).status_code == 422


def test_the_form_finds_products(reading: TestClient) -> None:
    found = reading.get("/console/rules/products", params={"q": "green bbb"}).json()["products"]
    assert [each["id"] for each in found] == ["i4", "i5", "i6"]
    assert reading.get("/console/rules/products", params={"q": "I12"}).json()["products"][0]["id"] == "i12"


# People, models, data, tests


def test_a_visitor_beside_what_each_model_makes_of_them(reading: TestClient) -> None:
    text = shown(reading, "/console/people?q=ann")
    assert "no product of the catalogue" in text  # ann looked at one
    assert re.findall(r'id="list-(\w+)"', text) == ["live", "candidate"]
    assert "because of" in text or "popular with people" in text  # as the products have something in common or not
    assert "these are like it" in shown(reading, "/console/people?q=U15")
    assert "What they did" in shown(reading, "/console/people?q=u15")


def test_export_and_forget(client: TestClient) -> None:
    found = client.get("/console/people/export?q=ann")
    assert found.headers["content-disposition"].startswith("attachment")
    assert {event["item_id"] for event in found.json()["events"]} == {"i0", "i1", "i2", "i3", "lost"}
    assert client.get("/console/people/export?q=s1").json()["events"][0]["item_id"] == "i7"
    for visitor in ("ann", "s1"):
        assert send(client, "people/forget", q=visitor).status_code == 303
        assert client.get(f"/console/people/export?q={visitor}").status_code == 404
    assert send(client, "people/forget", q="ann").status_code == 404
    assert client.get("/v1/users/ann").status_code == 404


def test_models_change_places(client: TestClient) -> None:
    text = shown(client, "/console/models")
    assert {"shop", "counted", "shop-versions/earlier"} <= set(re.findall(r'<code dir="auto">([^<]+)', text))
    first = client.get("/v1/models").json()["models"]
    assert send(client, "models/beside", role="candidate", path="").status_code == 303
    assert send(client, "models/promote", path="shop-versions/earlier").status_code == 303
    assert client.get("/v1/models").json()["models"]["live"] != first["live"]
    assert "local" in words(shown(client, "/console/models"))
    assert send(client, "models/roll-back").status_code == 303
    assert client.get("/v1/models").json()["models"]["live"] == first["live"]
    assert send(client, "models/beside", role="shadow", path="counted").status_code == 303
    assert send(client, "models/beside", role="candidate", path="counted", share="25").status_code == 303
    about = client.get("/v1/models").json()
    assert (set(about["models"]), about["share"]) == ({"live", "shadow", "candidate"}, 0.25)


def test_models_are_chosen_among_those_that_are_there(reading: TestClient, tmp_path: Path) -> None:
    for path in ("../shop", str(tmp_path), "shop-versions", "", ".", "shop/../counted"):
        assert send(reading, "models/promote", path=path).status_code == 422, path
    for fields in ({"role": "live", "path": "counted"}, {"role": "candidate", "path": "counted", "share": "all"},
                   {"role": "candidate", "path": "counted", "share": "100"}):  # fmt: skip
        assert send(reading, "models/beside", **fields).status_code == 422, fields


def test_the_report_of_a_comparison_may_do_nothing(reading: TestClient) -> None:
    answer = reading.get("/console/report")
    assert answer.text == "<h1>Which model</h1>"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"]


def test_a_product_has_a_picture(reading: TestClient) -> None:
    for item in ("i1", "lost", SCRIPT):
        answer = reading.get("/console/photo", params={"item": item})
        assert answer.headers["content-type"].startswith("image/")
        assert SCRIPT not in answer.text


def test_a_product_has_the_very_picture_that_the_shop_shows(serve_shop: Serve, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "i1.jpg").write_bytes(photo("red"))
    client = serve_shop(shop=StorefrontConfig(images=tmp_path / "images"))
    client.put("/v1/items/i2", json={"image": "http://photos.example/i2.jpg"})
    client.follow_redirects = False
    for item in ("i1", "i2", "i3"):
        shown, here = client.get(f"/photo/{item}"), client.get("/console/photo", params={"item": item})
        assert (here.status_code, here.content) == (shown.status_code, shown.content)
        assert here.headers.get("location") == shown.headers.get("location")
    assert client.get("/console/photo", params={"item": "i1"}).content == photo("red")


def test_the_data_page_names_what_is_wrong(reading: TestClient) -> None:
    text = words(shown(reading, "/console/quality"))
    assert "2 ids in events" in text
    assert "events, users and times are there" in text
    assert "The catalogue: 17 products" in text
    assert re.search(r"Without category 1 ", text)


def test_the_overview_adds_up(reading: TestClient) -> None:
    page = shown(reading, "/console?period=day")
    clicked, bought = (
        [n for n in range(160) if n % 3],
        [n for n in range(160) if n % 5 < 2 + n % 2],
    )
    names, values = (re.findall(rf'class="figure-{part}">([^<]+)<', page) for part in ("name", "value"))
    assert dict(zip(names, values, strict=True)) == {
        "Revenue": f"${20 * len(bought):,}",
        "Orders": str(len(bought)),
        "Average basket": "$20.00",
        "Conversion": f"{len(bought) / 160:.1%}",
        "Revenue by shelves": f"${20 * len(set(clicked) & {*bought}):,}",  # clicked on, then bought
        "Clicks per shelf": f"{len(clicked) / 160:.1%}",
        "Products never shown": "14",
    }
    assert f"Purchases {len(bought)} " in words(page)
    assert "Shelves shown 160" in words(page)
    empty = words(shown(reading, "/console?period=day&until=1000000000"))
    assert "Nothing happened in this period" in empty


def test_a_test_is_told_with_intervals(reading: TestClient) -> None:
    text = shown(reading, "/console/experiments")
    assert "Conversion" in text
    assert text.count('class="whisker"') >= 6
    replayed = words(shown(reading, "/console/experiments?replay=candidate"))
    assert re.search(r"Places left to chance \? .*? 160 in 160 shelves", replayed)


def test_without_a_database_a_page_says_so(serve_shop: Serve) -> None:
    client = serve_shop(db=False)
    for path in ("/console", "/console/rules", "/console/people"):
        answer = client.get(path)
        assert (answer.status_code, "There is no database" in answer.text) == (409, True)


def test_another_engine_has_no_console(serve: Callable[..., TestClient]) -> None:
    assert serve().get("/console").status_code == 501


# Words and figures


def test_both_languages_have_the_same_texts() -> None:
    english, chinese = texts_of("en"), texts_of("zh")
    assert {key.removesuffix(".one") for key in english} == set(chinese)
    for key, text in chinese.items():
        assert set(re.findall(r"{(\w+)}", text)) <= set(re.findall(r"{(\w+)}", english[key])) | {"month", "n"}, key


def test_every_text_of_a_template_is_there() -> None:
    folder = Path(pages.__file__).parent
    found = "".join(path.read_text(encoding="utf-8") for path in [*folder.glob("templates/*"), *folder.glob("*.py")])
    named = {key for key in re.findall(r"""\b(?:t|words)\(["']([\w.@]+)["']""", found) if not key.endswith(".")}
    assert len(named) > 200
    assert named <= set(texts_of("en"))


def test_the_language_is_asked_for_or_kept(reading: TestClient) -> None:
    assert 'lang="zh-Hans"' in reading.get("/console/rules", headers={"Accept-Language": "zh-CN,en;q=0.5"}).text
    assert 'lang="zh-Hans"' in reading.get("/console/rules?lang=zh").text
    assert "规则" in reading.get("/console/rules").text
    assert 'data-theme="dark"' in reading.get("/console/rules", headers={"Cookie": "endcap_theme=dark"}).text
    assert (
        "data-theme"
        not in reading.get("/console/rules", headers={"Cookie": "endcap_theme=x"}).text.partition(">")[2][:80]
    )


def test_verdicts_are_said_in_chinese() -> None:
    said = Words("zh").said
    random = np.random.default_rng(0)
    for bought in ((0.1, 0.5), (0.5, 0.1), (0.3, 0.3), (0.0, 0.0)):
        lists, events = [], []
        for n in range(400):
            arm = n % 2
            lists.append(Shown(f"l{n}", Visitor(f"u{n}"), 1.0, "home", "m", ("a",), "x", ("control", "candidate")[arm]))
            if random.random() < bought[arm]:
                events.append({"user_id": f"u{n}", "item_id": "a", "kind": "purchase", "time": 2.0})
        found = report(lists, _table(events), _table([], list_id=True), share=0.5)
        for sentence in (found.verdict, *found.warnings):
            assert "lang=" not in said(sentence), sentence
    assert str(said("something <new>")) == '<span lang="en">something &lt;new&gt;</span>'
    assert Words("en").said("something <new>") == "something <new>"
    assert all(pattern.groups >= template.count("{") for pattern, template in sentences_of("zh"))


def _table(events: list[dict[str, Any]], *, list_id: bool = False) -> pa.Table:
    texts = ["user_id", "item_id", "kind", *(["recommendation_id"] if list_id else [])]
    columns = dict.fromkeys(texts, pa.string()) | dict.fromkeys(["time", "price", "quantity"], pa.float64())
    return pa.table({name: pa.array([event.get(name) for event in events], kind) for name, kind in columns.items()})


def test_plots_draw_what_is_known() -> None:
    axis = axis_of(Span(0.0, 86_400, 4), Words("en"))
    assert axis.labels == ("Jan 1", "Jan 2", "Jan 3", "Jan 4")
    plot = lines("rate", "Rate", axis, {"a": [1.0, 3.0, None, 2.0]}, form="{:g}".format, shades={"a": "c0"})
    assert plot.lines[0].path.count("M") == 2  # a gap
    assert len(plot.lines[0].dots) == 1
    assert [tick.text for tick in plot.y_ticks] == ["0", "1", "2", "3"]
    assert [row[1] for row in plot.rows] == ["1", "3", "–", "2"]
    bars = columns("n", "N", axis, [0, 4, 2, 1], form="{:g}".format)
    assert len(bars.columns) == 3
    assert bars.columns[0].height == 2 * bars.columns[1].height
    assert bars.columns[-1].part
    assert spark([]) == spark([0.0, 0.0]) == ""


def test_quantiles_of_buckets() -> None:
    buckets = [0.0, 0.0, 0.0, 10.0, 10.0, 20.0, *[20.0] * 8]  # ten within 5 to 10 ms, ten within 20 to 50 ms
    assert quantile(buckets, 0.5) == pytest.approx(0.010)
    assert quantile(buckets, 0.25) == pytest.approx(0.0075)
    assert quantile(buckets, 0.75) == pytest.approx(0.035)
    assert quantile([0.0] * 14, 0.5) is None
    assert quantile([0.0] * 13 + [5.0], 0.5) == 10.0  # slower than all that is told apart


def test_the_course_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """# TYPE endcap_requests counter
endcap_requests_total{{method="POST",route="/v1/recommendations",status="200"}} {good}
endcap_requests_total{{method="POST",route="/v1/recommendations",status="503"}} {bad}
"""
    counts = iter([(0, 0), (60, 0), (60, 6)])

    def metrics() -> bytes:
        good, bad = next(counts)
        return text.format(good=good, bad=bad).encode()

    traffic, clock = Traffic(metrics), iter([1_000.0, 1_060.0, 1_120.0])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    traffic.keep()
    traffic.keep()
    found = traffic.during(Span(940.0, 60, 4), traffic.read())
    assert found is not None
    assert np.isnan(found[0]).all()
    assert found[1:3, :3].tolist() == [[60, 0, 0], [6, 0, 6]]
    assert np.isnan(found[3]).all()


def test_slow_figures_are_made_once_and_failures_again() -> None:
    slow, made = Slow(wait=5), []

    def make() -> int:
        made.append(1)
        return len(made)

    found = [slow.get("a", make, seconds=60) for _ in range(3)]
    assert [each.value for each in found if each] == [1, 1, 1]
    assert len({each.at for each in found if each}) == 1  # and it is known of when they are
    again = slow.get("a", make, seconds=0)
    assert again is not None
    assert again.value in (1, 2)
    impatient = Slow(wait=0.01)
    assert impatient.get("b", lambda: time.sleep(0.2), seconds=60) is None

    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            slow.get("c", fail, seconds=60)


@pytest.mark.parametrize(
    ("language", "reason", "text"),
    [
        ("en", Reason("", kind="had", had=Had("purchase", 4, 11, 9)), "buys this every 9 days, last 11 days ago"),
        ("zh", Reason("", kind="had", had=Had("purchase", 4, 11, 9)), "大约每 9 天买一次，上次是 11 天前"),
        ("en", Reason("", kind="had", had=Had("view", 1, days=0, same=False)), "looked at one like this today"),
        ("zh", Reason("", kind="had", had=Had("purchase", 1, days=1)), "昨天买过这件商品"),
        ("en", Reason("", kind="rule", rule="pin-watch"), "by rule pin-watch"),
        ("zh", Reason("", kind="taste"), "口味相近的人喜欢"),
        ("en", Reason(""), "many like it"),
    ],
)
def test_reasons_are_told_in_the_language_of_the_page(language: str, reason: Reason, text: str) -> None:
    shelf = Shelf.of(Catalog.from_table(None, []), {})
    assert said(reason, Words(language), shelf) == text
