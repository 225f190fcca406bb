"""What the server makes of what it should not get: a clear 4xx, never a traceback, never half of it."""

import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.conftest import Open, code
from tests.serve.fakes import FakeEngine

EVENT = {"session_id": "s1", "item_id": "tea", "kind": "view"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"k": 0}, "k"),
        ({"k": 10_000}, "k"),
        ({"k": "ten"}, "k"),
        ({"diversity": 1.5}, "diversity"),
        ({"slot": "roof"}, "slot"),
        ({"goal": "click"}, "goal"),
        ({"user": "u1"}, "user"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 513}, "user_id"),
        ({"user_id": "a\0b"}, "user_id"),
        ({"user_id": 5}, "user_id"),
        ({"history": ["x"] * 1001}, "history"),
        ({"history": [{"item_id": "x", "kind": "sniff"}]}, "history.0.kind"),
        ({"history": [None]}, "history.0"),
        ({"history": "x"}, "history"),
        ({"filter": "x" * 2001}, "filter"),
        ({"exclude": [["x"]]}, "exclude.0"),
        ([], "body"),
        ("text", "body"),
        (None, "body"),
    ],
)
def test_requests(client: TestClient, engine: FakeEngine, body: Any, place: str) -> None:
    response = client.post("/v1/recommendations", json=body)
    assert (response.status_code, code(response)) == (422, "invalid")
    assert [detail["place"] for detail in response.json()["error"]["details"]] == [place]
    assert not engine.asked


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "sniff"}, "kind"),
        ({"item_id": None}, "item_id"),
        ({"item_id": "a\0"}, "item_id"),
        ({"value": 1e300}, "value"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"time": 4e9}, "time"),  # the future
        ({"time": 1.7e12}, "time"),  # milliseconds
        ({"time": -5}, "time"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-01-01T00:00:00"}, "time"),  # of which zone?
        ({"price": 3}, "price"),
        ({"attributes": {"a": {"deep": 1}}}, "attributes.a"),
        ({"attributes": {"a": "x" * 5000}}, "attributes"),
        ({"attributes": {"a": "\0"}}, "attributes.a"),
        ({"attributes": {"": 1}}, "attributes..[key]"),
        ({"attributes": {"a": [1] * 101}}, "attributes.a"),
        ({"attributes": {"a": [[1]]}}, "attributes.a"),
        ({"attributes": []}, "attributes"),
    ],
)
def test_events(client: TestClient, engine: FakeEngine, changes: dict[str, Any], place: str) -> None:
    response = client.post("/v1/events", json=[EVENT, EVENT | changes])
    assert (response.status_code, code(response)) == (422, "invalid")
    assert [detail["place"] for detail in response.json()["error"]["details"]] == [f"1.{place}"]
    assert engine.store is not None
    assert not engine.store.events  # all or nothing


@pytest.mark.parametrize("body", [[], {"events": []}, [EVENT] * 1001, {"events": [EVENT], "more": 1}, [[EVENT]]])
def test_batches(client: TestClient, body: Any) -> None:
    response = client.post("/v1/events", json=body)
    assert (response.status_code, code(response)) == (422, "invalid")


def test_events_of_nobody(client: TestClient) -> None:
    response = client.post("/v1/events", json=[EVENT, {"item_id": "tea", "kind": "view"}])
    assert "event 1" in response.json()["error"]["message"]
    assert response.status_code == 422


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "\xff",
        '{"value": NaN, "session_id": "s", "item_id": "t", "kind": "view"}',
        '{"value": Infinity, "session_id": "s", "item_id": "t", "kind": "view"}',
        '{"value": 1e999, "session_id": "s", "item_id": "t", "kind": "view"}',
        '{"attributes": {"x": NaN}, "session_id": "s", "item_id": "t", "kind": "view"}',
        '{"session_id": "\\ud800", "item_id": "t", "kind": "view"}',
        '{"session_id": "\\u0000", "item_id": "t", "kind": "view"}',
        "[" * 100_000,
        '{"attributes":' * 50_000,
        f'{{"value": {"9" * 5000}, "session_id": "s", "item_id": "t", "kind": "view"}}',
    ],
)
def test_what_is_no_json_of_ours(client: TestClient, text: str) -> None:
    for method, path in [
        ("POST", "/v1/events"), ("POST", "/v1/recommendations"), ("PUT", "/v1/items/tea"), ("POST", "/v1/items"),
        ("PUT", "/v1/rules/r1"), ("PUT", "/v1/models"),
    ]:  # fmt: skip
        response = client.request(method, path, content=text.encode("latin-1"))
        if path == "/v1/items/tea" and response.status_code == 200:
            assert "session_id" in text  # any column is one of the shop's
            continue
        assert (response.status_code, code(response)) == (422, "invalid"), path


@pytest.mark.parametrize(
    "item_id", ["'; DROP TABLE events; --", "<script>alert(1)</script>", "{{7*7}}", "../../etc", "茶🍵"]
)
def test_ids_are_ids(client: TestClient, engine: FakeEngine, item_id: str) -> None:
    assert client.post("/v1/events", json=EVENT | {"item_id": item_id, "user_id": item_id}).status_code == 200
    assert engine.store is not None
    assert engine.store.events[0].item_id == item_id
    response = client.post("/v1/recommendations", json={"user_id": item_id, "history": [item_id]})
    assert response.json()["unknown"] == [item_id]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "row",
    [
        {"price": -1},
        {"price": "cheap"},
        {"title": "a\0"},
        {"title": "x" * 20_001},
        {"weight": {"kg": 3}},
        {"weight": [[1]]},
        {"stock": 10**30},
        {"w" * 65: 1},
        {"": 1},
        {"a\0": 1},
        {"item_id": "other"},
    ],
)
def test_rows_of_the_catalogue(client: TestClient, engine: FakeEngine, row: dict[str, Any]) -> None:
    response = client.put("/v1/items/tea", json=row)
    assert (response.status_code, code(response)) == (422, "invalid")
    assert engine.revision == 0


@pytest.mark.parametrize("path", ["/v1/items/", "/v1/items/%00", "/v1/items/%FF", f"/v1/items/{'x' * 513}"])
def test_paths(client: TestClient, engine: FakeEngine, path: str) -> None:
    for method in ("PUT", "DELETE"):
        response = client.request(method, path, json={})
        assert (response.status_code, code(response)) == (422, "invalid")
    assert engine.revision == 0


def test_there_is_one_shape_for_errors(client: TestClient) -> None:
    for method, path, status, expected in [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/docs/static/nothing.js", 404, "not_found"),
        ("PATCH", "/v1/events", 405, "method_not_allowed"),
        ("POST", "/v1/users/u1", 405, "method_not_allowed"),
        ("GET", "/v1/events/", 404, "not_found"),
    ]:
        response = client.request(method, path)
        assert (response.status_code, code(response)) == (status, expected)


def test_what_nobody_expected_has_a_number_in_the_log(
    engine: FakeEngine, serve: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> list[object]:
        raise ZeroDivisionError("of the disk at /secret")

    monkeypatch.setattr(engine, "recommend", broken)
    monkeypatch.setattr(engine, "delete_items", broken)
    client = serve()
    for response in (client.post("/v1/recommendations", json={}), client.delete("/v1/items/tea")):
        assert (response.status_code, code(response)) == (500, "internal")
        number = response.json()["error"]["message"].split()[-1]
        assert "secret" not in response.text
        (record,) = [each for each in caplog.records if number in each.getMessage()]
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
