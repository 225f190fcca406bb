"""Who may do what, from where."""

import hashlib
import hmac
import time

import pytest
from itsdangerous import URLSafeTimedSerializer
from starlette.testclient import TestClient

from tests.serve.conftest import READER, SECRET, SHOP, SIGNING, Open, bearer, code
from tests.serve.fakes import FakeEngine

EVENT = {"session_id": "s1", "item_id": "tea", "kind": "view"}
PAGE = {"Origin": SHOP}


def token(client: TestClient) -> tuple[str, str]:
    answer = client.post("/v1/visitors?key=pk_shop", headers=PAGE).json()
    assert answer["expires"] > time.time() + 86_400
    return answer["visitor"], answer["session_id"]


def signature(user_id: str) -> str:
    return hmac.new(SIGNING.encode(), user_id.encode(), hashlib.sha256).hexdigest()


def test_without_a_key_nothing_is_told(keyed: TestClient) -> None:
    for method, path in [
        ("GET", "/v1/users/u1"), ("POST", "/v1/events"), ("DELETE", "/v1/items/tea"), ("GET", "/metrics"),
        ("GET", "/v1/rules"), ("GET", "/v1/models"), ("GET", "/nothing/here"),
    ]:  # fmt: skip
        response = keyed.request(method, path)
        assert (response.status_code, code(response)) == (401, "unauthorized")
        assert response.headers["WWW-Authenticate"] == "Bearer"
    for path in (
        "/v1/health/live", "/v1/health/ready", "/docs", "/openapi.json", "/docs/static/swagger-ui.css", "/widget",
        "/widget.js",
    ):  # fmt: skip
        assert keyed.get(path).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [bearer("wrong"), bearer(""), bearer(SECRET + "x"), {"X-API-Key": "wrong"}, {"Authorization": f"Basic {SECRET}"}],
)
def test_a_wrong_key_is_401(keyed: TestClient, headers: dict[str, str]) -> None:
    assert keyed.post("/v1/events", json=EVENT, headers=headers).status_code == 401


def test_wrong_public_keys_and_secrets_in_the_query_are_401(keyed: TestClient) -> None:
    assert keyed.post("/v1/events?key=pk_other", json=EVENT, headers=PAGE).status_code == 401
    assert keyed.post(f"/v1/events?key={SECRET}", json=EVENT, headers=PAGE).status_code == 401


@pytest.mark.parametrize("headers", [bearer(SECRET), {"X-API-Key": SECRET}])
def test_a_secret_key_does_all(keyed: TestClient, engine: FakeEngine, headers: dict[str, str]) -> None:
    assert keyed.post("/v1/events", json=EVENT, headers=headers).json() == {"accepted": 1, "duplicates": 0}
    assert keyed.put("/v1/items/gin", json={"price": 9}, headers=headers).status_code == 200
    assert keyed.put("/v1/rules/r", json={"action": "floor", "price": 1}, headers=headers).status_code == 200
    assert engine.store is not None
    assert engine.store.log == [("backend", "r")]  # who did it


def test_a_reading_key_changes_nothing(keyed: TestClient, engine: FakeEngine) -> None:
    may = bearer(READER)
    assert keyed.post("/v1/recommendations", json={}, headers=may).status_code == 200
    assert keyed.get("/v1/items/tea/similar", headers=may).status_code == 200
    for method, path in [
        ("POST", "/v1/events"), ("PUT", "/v1/items/tea"), ("DELETE", "/v1/users/u1"), ("PUT", "/v1/models"),
        ("PUT", "/v1/rules/r"), ("POST", "/v1/items"),
    ]:  # fmt: skip
        response = keyed.request(method, path, json=EVENT, headers=may)
        assert (response.status_code, code(response)) == (403, "not_allowed")
    assert engine.revision == 0


def test_a_page_speaks_for_its_visitor(keyed: TestClient, engine: FakeEngine) -> None:
    visitor, session_id = token(keyed)
    for event in ({"item_id": "rum", "kind": "view"}, {"item_id": "rum", "kind": "view", "session_id": session_id}):
        response = keyed.post(f"/v1/events?key=pk_shop&visitor={visitor}", json=event, headers=PAGE)
        assert response.json() == {"accepted": 1, "duplicates": 0}
    assert engine.store is not None
    assert {event.visitor.session_id for event in engine.store.events} == {session_id}
    answer = keyed.post("/v1/recommendations?key=pk_shop", json={"visitor": visitor}, headers=PAGE).json()
    assert answer["items"][0]["id"] == "rum"
    assert keyed.get(f"/v1/items/tea/similar?key=pk_shop&visitor={visitor}").status_code == 200


def test_a_beacon_is_plain_text_without_headers(keyed: TestClient) -> None:
    visitor, _ = token(keyed)
    body = f'{{"visitor": "{visitor}", "events": [{{"item_id": "rum", "kind": "click"}}]}}'
    headers = {**PAGE, "Content-Type": "text/plain;charset=UTF-8"}
    assert keyed.post("/v1/events?key=pk_shop", content=body, headers=headers).json()["accepted"] == 1


def test_a_page_may_do_nothing_else(keyed: TestClient) -> None:
    visitor, _ = token(keyed)
    for method, path in [
        ("GET", "/v1/users/u1"), ("DELETE", "/v1/users/u1"), ("PUT", "/v1/items/tea"), ("DELETE", "/v1/items/tea"),
        ("GET", "/v1/rules"), ("PUT", "/v1/models"), ("GET", "/metrics"), ("POST", "/v1/items"),
        ("PUT", "/v1/items/x/similar"), ("GET", "/v1/items/x%2Fsimilar"), ("GET", "/v1/events"),
    ]:  # fmt: skip
        response = keyed.request(method, f"{path}?key=pk_shop&visitor={visitor}", headers=PAGE)
        assert (response.status_code, code(response)) == (403, "not_allowed"), path


def test_a_page_of_another_shop_may_not(keyed: TestClient) -> None:
    visitor, _ = token(keyed)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://shop.example"}, {}):
        response = keyed.post(f"/v1/events?key=pk_shop&visitor={visitor}", json=EVENT, headers=headers)
        assert (response.status_code, code(response)) == (403, "origin")
        assert "access-control-allow-origin" not in response.headers
    wrong = keyed.get("/v1/items/tea/similar?key=pk_shop", headers={"Origin": "https://evil.example"})
    assert wrong.status_code == 403


@pytest.mark.parametrize(
    ("visitor", "expected"),
    [
        (None, "visitor_missing"),
        ("forged", "visitor_forged"),
        (URLSafeTimedSerializer("another secret", "endcap visitor").dumps("s1"), "visitor_forged"),
        (URLSafeTimedSerializer(SIGNING, "another use").dumps("s1"), "visitor_forged"),
        (URLSafeTimedSerializer(SIGNING, "endcap visitor").dumps({"session_id": "s1"}), "visitor_forged"),
    ],
    ids=("none", "no token", "another secret", "another use", "no session"),  # a token holds the time of its making
)
def test_forged_tokens(keyed: TestClient, engine: FakeEngine, visitor: str | None, expected: str) -> None:
    event = {"item_id": "tea", "kind": "view", "visitor": visitor}
    response = keyed.post("/v1/events?key=pk_shop", json=event, headers=PAGE)
    assert (response.status_code, code(response)) == (403, expected)
    assert engine.store is not None
    assert not engine.store.events


def test_expired_tokens(serve: Open, keys: object, monkeypatch: pytest.MonkeyPatch) -> None:
    client = serve(keys=keys, visitor_days=30)
    visitor, _ = token(client)
    later = time.time() + 31 * 86_400
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    response = client.post("/v1/recommendations?key=pk_shop", json={"visitor": visitor}, headers=PAGE)
    assert (response.status_code, code(response)) == (403, "visitor_expired")


def test_a_page_cannot_be_another_session_or_any_user(keyed: TestClient, engine: FakeEngine) -> None:
    visitor, session_id = token(keyed)

    def post(**body: str) -> str:
        body = {"item_id": "tea", "kind": "view", "visitor": visitor, **body}
        response = keyed.post("/v1/events?key=pk_shop", json=[body], headers=PAGE)
        return "" if response.status_code == 200 else code(response)

    assert post(session_id="of another") == "visitor_other"
    assert post(user_id="u1") == "user_signature"
    assert post(user_id="u1", user_signature="0" * 64) == "user_signature"
    assert post(user_id="u1", user_signature=signature("u2")) == "user_signature"
    assert post(user_id="u1", user_signature=signature("u1")) == ""
    assert engine.store is not None
    (event,) = engine.store.events
    assert (event.visitor.user_id, event.visitor.session_id) == ("u1", session_id)


def test_a_page_cannot_use_up_the_ids_of_orders(keyed: TestClient) -> None:
    visitor, _ = token(keyed)
    order = {"event_id": "order-1", "item_id": "tea", "kind": "purchase", "value": 3}
    for accepted in (1, 0):
        response = keyed.post(f"/v1/events?key=pk_shop&visitor={visitor}", json=order, headers=PAGE)
        assert response.json()["accepted"] == accepted
    response = keyed.post("/v1/events", json={**order, "user_id": "u1"}, headers=bearer(SECRET))
    assert response.json()["accepted"] == 1


def test_a_backend_may_speak_for_the_visitor_of_a_page(keyed: TestClient, engine: FakeEngine) -> None:
    visitor, session_id = token(keyed)
    event = {"item_id": "tea", "kind": "purchase", "visitor": visitor, "user_id": "u1"}
    assert keyed.post("/v1/events", json=event, headers=bearer(SECRET)).status_code == 200
    assert engine.store is not None
    assert engine.store.events[0].visitor.session_id == session_id
    event["visitor"] = "forged"
    assert keyed.post("/v1/events", json=event, headers=bearer(SECRET)).status_code == 403


def test_browsers_are_told_which_pages_may_read(keyed: TestClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    response = keyed.options("/v1/events?key=pk_shop", headers={**PAGE, **asked})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == SHOP
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    assert "Origin" in response.headers["Vary"]
    for path, headers in [
        ("/v1/events?key=pk_shop", {"Origin": "https://evil.example", **asked}),
        ("/v1/items/tea?key=pk_shop", {**PAGE, "Access-Control-Request-Method": "DELETE"}),
        ("/v1/events", {**PAGE, **asked}),
    ]:
        response = keyed.options(path, headers=headers)
        assert response.status_code in {401, 403}
        assert "access-control-allow-origin" not in response.headers


def test_a_page_may_read_what_went_wrong(keyed: TestClient) -> None:
    response = keyed.post("/v1/events?key=pk_shop", json={"kind": "view"}, headers=PAGE)
    assert response.status_code == 422
    assert response.headers["Access-Control-Allow-Origin"] == SHOP


def test_pages_elsewhere_cannot_drive_a_server_without_keys(client: TestClient, engine: FakeEngine) -> None:
    for headers in (
        {"Origin": "https://evil.example", "Content-Type": "text/plain"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Host": "evil.example", "Origin": "http://evil.example"},  # a name that leads to this machine
        {"Host": "[::1"},
    ):
        response = client.post("/v1/events", json=EVENT, headers=headers)
        assert (response.status_code, code(response)) == (403, "local_only")
    assert engine.store is not None
    assert not engine.store.events
    for headers in ({"Origin": "http://localhost:8000"}, {"Host": "127.0.0.1:8000"}, {"Host": "[::1]:8000"}, {}):
        assert client.post("/v1/events", json=EVENT, headers=headers).status_code == 200
    assert (
        client.get("/docs", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status_code == 200
    )


def test_without_keys_pages_work_as_they_will_with_them(client: TestClient) -> None:
    answer = client.post("/v1/visitors").json()
    event = {"item_id": "tea", "kind": "view", "visitor": answer["visitor"]}
    assert client.post("/v1/events?key=pk_local", json=event).json()["accepted"] == 1
    assert client.post("/v1/events", json=event | {"visitor": "forged"}).status_code == 403


def test_a_secret_key_signs_no_visitors(keyed: TestClient) -> None:
    assert keyed.post("/v1/visitors", headers=bearer(SECRET)).status_code == 403
