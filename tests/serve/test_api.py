"""What the routes do, on the small engine."""

import time

import pytest
from starlette.testclient import TestClient

from endcap.serve.answers import ListAnswer, RecordedAnswer, VisitorAnswer
from endcap.store.records import Visitor
from tests.serve.conftest import Open, code
from tests.serve.fakes import FakeEngine, FakeStore


@pytest.fixture
def store(engine: FakeEngine) -> FakeStore:
    assert engine.store is not None
    return engine.store


def test_the_last_event_counts_in_the_next_list(client: TestClient) -> None:
    for item_id in ("rum", "milk"):
        client.post("/v1/events", json={"session_id": "s1", "item_id": item_id, "kind": "view"})
    answer = client.post("/v1/recommendations", json={"session_id": "s1", "k": 2}).json()
    assert [item["id"] for item in answer["items"]] == ["milk", "rum"]
    assert answer["items"][0] == {"id": "milk", "score": 1.0, "reason": None, "title": "Milk", "price": 2.5}
    ListAnswer.model_validate(answer, strict=True)


def test_a_request_as_the_engine_gets_it(client: TestClient, engine: FakeEngine) -> None:
    body = {
        "user_id": "u1", "session_id": "s1", "item_id": "tea", "cart": ["rum"], "goal": "purchase", "slot": "cart",
        "k": 3, "filter": "price < 5", "exclude": ["milk"], "diversity": 0.5, "explain": True,
        "history": ["tea", {"item_id": "gone", "kind": "cart", "time": "2026-01-02T03:04:05Z", "price": 2}],
    }  # fmt: skip
    answer = client.post("/v1/recommendations", json=body).json()
    assert answer["unknown"] == ["gone"]  # ignored and named
    assert answer["items"][0]["reason"] == {
        "text": "because", "events": ["gone"], "titles": [], "features": [], "kind": "popular", "rule": None,
        "had": None,
    }  # fmt: skip
    ((ask,),) = engine.asked
    assert ask.visitor == Visitor("u1", "s1")
    assert [(step.item_id, step.kind, step.time, step.price) for step in ask.history or ()] == [
        ("tea", "view", None, None),
        ("gone", "cart", 1767323045.0, 2.0),
    ]
    assert (ask.cart, ask.goal, ask.slot, ask.k) == (("rum",), "purchase", "cart", 3)
    assert (ask.filter, ask.exclude, ask.diversity, ask.explain) == ("price < 5", ("milk",), 0.5, True)


def test_an_unknown_visitor_gets_a_list(client: TestClient) -> None:
    assert len(client.post("/v1/recommendations", json={"user_id": "nobody knows"}).json()["items"]) == 3
    assert len(client.post("/v1/recommendations", json={}).json()["items"]) == 3


def test_what_the_engine_refuses_is_422(client: TestClient) -> None:
    response = client.post("/v1/recommendations", json={"filter": "wrong"})
    assert (response.status_code, code(response)) == (422, "invalid")
    assert "column 1" in response.json()["error"]["message"]


def test_one_event_a_list_or_a_batch(client: TestClient, store: FakeStore) -> None:
    event = {"user_id": "u1", "item_id": "tea", "kind": "view"}
    for body, n in ((event, 1), ([event, event], 2), ({"events": [event] * 3}, 3)):
        answer = client.post("/v1/events", json=body).json()
        assert answer == {"accepted": n, "duplicates": 0}
        RecordedAnswer.model_validate(answer, strict=True)
    assert len(store.events) == 6


def test_an_event_as_the_store_gets_it(client: TestClient, store: FakeStore) -> None:
    now = time.time()
    event = {
        "event_id": "e1", "user_id": "u1", "session_id": "s1", "item_id": "a/ü 茶", "kind": "purchase", "value": 2.5,
        "quantity": 2, "time": now, "recommendation_id": "r1", "attributes": {"coupon": "X", "sizes": [1, 2]},
    }  # fmt: skip
    review = {"user_id": "u1", "item_id": "tea", "kind": "review", "value": 4}
    assert client.post("/v1/events", json=[event, review]).status_code == 200
    bought, reviewed = store.events
    assert (bought.price, bought.rating, bought.quantity, bought.time) == (2.5, None, 2.0, now)
    assert (bought.item_id, bought.event_id, bought.recommendation_id) == ("a/ü 茶", "e1", "r1")
    assert bought.visitor == Visitor("u1", "s1")
    assert bought.attributes == {"coupon": "X", "sizes": [1, 2]}
    assert (reviewed.price, reviewed.rating, reviewed.time) == (None, 4.0, None)


def test_an_event_id_counts_once(client: TestClient) -> None:
    event = {"event_id": "e1", "user_id": "u1", "item_id": "tea", "kind": "view"}
    assert client.post("/v1/events", json=event).json() == {"accepted": 1, "duplicates": 0}
    answer = client.post("/v1/events", json=[event, event | {"event_id": "e2"}]).json()
    assert answer == {"accepted": 1, "duplicates": 1}


def test_the_catalogue_changes(client: TestClient, engine: FakeEngine) -> None:
    assert client.put("/v1/items/tea", json={"price": 1.5, "brand": None}).json() == {"revision": 1}
    assert engine.rows["tea"] == {"title": "Tea", "price": 1.5, "brand": None, "item_id": "tea"}
    new = [{"item_id": "gin", "colour": ["clear", "a|b"], "image": ["http://x/a|b.jpg"]}, {"item_id": "ale"}]
    assert client.post("/v1/items", json={"items": new}).json() == {"revision": 2}
    assert engine.rows["gin"]["colour"] == "clear|a/b"  # as catalogues write several values
    assert engine.rows["gin"]["image"] == "http://x/a%7Cb.jpg"
    assert client.post("/v1/items", json=new[1]).json() == {"revision": 3}
    assert client.delete("/v1/items/tea").json() == {"revision": 4}
    ids = [item["id"] for item in client.post("/v1/recommendations", json={}).json()["items"]]
    assert ids == ["milk", "rum", "gin", "ale"]


def test_a_product_as_it_is_now(client: TestClient) -> None:
    client.put("/v1/items/a%2Fb", json={"title": "New", "price": 3})
    assert client.get("/v1/items/a%2Fb").json() == {"item_id": "a/b", "title": "New", "price": 3}
    response = client.get("/v1/items/nothing")
    assert (response.status_code, code(response)) == (404, "not_found")


def test_a_photo_is_its_bytes(client: TestClient, engine: FakeEngine) -> None:
    assert client.put("/v1/items/gin/photo", content=b"JPEG").json() == {"revision": 1}
    assert engine.photos == {"gin": b"JPEG"}
    assert client.put("/v1/items/gin/photo", content=b"").status_code == 422


@pytest.mark.parametrize(
    ("path", "item_id"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),  # some proxies decode it
        ("a%2Fphoto", "a/photo"),
        ("%E8%8C%B6", "茶"),
        ("100%25", "100%"),
        ("a%20b+c", "a b+c"),
        ("%3Cb%3E'%3B--", "<b>';--"),
    ],
)
def test_ids_in_paths(client: TestClient, engine: FakeEngine, path: str, item_id: str) -> None:
    assert client.put(f"/v1/items/{path}", json={"title": "x"}).status_code == 200
    assert engine.rows[item_id] == {"title": "x", "item_id": item_id}
    assert client.put(f"/v1/items/{path}/photo", content=b"JPEG").status_code == 200
    assert item_id in engine.photos
    assert client.get(f"/v1/items/{path}/similar").status_code == 200
    assert client.delete(f"/v1/items/{path}").status_code == 200
    assert item_id not in engine.rows


def test_similar_products(client: TestClient) -> None:
    answer = client.get("/v1/items/tea/similar", params={"k": 1}).json()
    assert [item["id"] for item in answer["items"]] == ["milk"]
    ListAnswer.model_validate(answer, strict=True)
    for path, status in [
        ("nothing/similar", 404), ("nothing/similar?filter=wrong", 404), ("tea/similar?filter=wrong", 422),
        ("tea/similar?k=0", 422), ("tea/similar?k=many", 422),
    ]:  # fmt: skip
        assert client.get(f"/v1/items/{path}").status_code == status


def test_people_may_see_and_take_back(client: TestClient) -> None:
    assert client.get("/v1/users/a%2Fb").status_code == 404
    client.post("/v1/events", json={"user_id": "a/b", "item_id": "rum", "kind": "view"})
    assert client.get("/v1/users/a%2Fb").json() == {"user_id": "a/b", "events": ["rum"]}
    assert client.delete("/v1/users/a%2Fb").json() == {"events": 1}
    assert client.get("/v1/users/a%2Fb").status_code == 404
    assert client.post("/v1/recommendations", json={"user_id": "a/b"}).json()["items"][0]["id"] == "tea"
    assert client.delete("/v1/users/a%2Fb").json() == {"events": 0}


def test_rules(client: TestClient) -> None:
    assert client.get("/v1/rules").json() == {"rules": []}
    rule = {"action": "hide", "filter": "brand:Acme"}
    assert client.put("/v1/rules/no-acme", json=rule).json() == {"revision": 1}
    assert client.get("/v1/rules/no-acme").json() == {"id": "no-acme", "rule": rule}
    assert client.get("/v1/rules").json()["rules"] == [{"id": "no-acme", "rule": rule}]
    assert client.delete("/v1/rules/no-acme").json() == {"revision": 2}
    assert client.get("/v1/rules/no-acme").status_code == 404
    assert client.delete("/v1/rules/no-acme").status_code == 404
    for wrong in ({}, {"action": "hide"}, {"action": "hide", "filter": "("}, {"action": "sing"}, {**rule, "x": 1}):
        response = client.put("/v1/rules/no-acme", json=wrong)
        assert (response.status_code, code(response)) == (422, "invalid")


def test_models(client: TestClient, engine: FakeEngine) -> None:
    assert client.get("/v1/models").json()["models"] == {"live": "first"}
    assert client.put("/v1/models", json={"action": "promote", "path": "shop-versions/2"}).json()["models"] == {
        "live": "2"
    }
    assert client.put("/v1/models", json={"action": "roll_back"}).json()["models"] == {"live": "first"}
    response = client.put("/v1/models", json={"action": "roll_back"})
    assert (response.status_code, code(response)) == (422, "invalid")
    assert client.put("/v1/models", json={"action": "candidate", "path": "b", "share": 0.1}).status_code == 200
    assert client.put("/v1/models", json={"action": "shadow"}).status_code == 200
    assert engine.beside["candidate"][1] == 0.1
    assert engine.beside["shadow"] == (None, 0.0)
    assert client.put("/v1/models", json={"action": "new", "path": "other"}).status_code == 200
    assert engine.beside["new"][0] is not None
    assert client.put("/v1/models", json={"action": "new"}).status_code == 200
    assert engine.beside["new"] == (None, 0.0)


@pytest.mark.parametrize("path", ["../../etc", "/etc", "..", ".", "shop/../.."])
def test_models_come_from_one_folder(client: TestClient, path: str) -> None:
    response = client.put("/v1/models", json={"action": "promote", "path": path})
    assert (response.status_code, code(response)) == (422, "invalid")


def test_visitors(client: TestClient) -> None:
    first, second = (client.post("/v1/visitors").json() for _ in range(2))
    VisitorAnswer.model_validate(first, strict=True)
    assert first["session_id"] != second["session_id"]


def test_health(client: TestClient, store: FakeStore) -> None:
    assert client.get("/v1/health/ready").json() == {"status": "ready"}
    store.away = True
    assert client.get("/v1/health/live").json() == {"status": "live"}
    response = client.get("/v1/health/ready")
    assert (response.status_code, code(response)) == (503, "unavailable")
    assert response.headers["Retry-After"] == "1"


def test_a_database_that_is_away_is_503_and_comes_back(client: TestClient, store: FakeStore) -> None:
    event = {"user_id": "u1", "item_id": "tea", "kind": "view"}
    store.away = True
    for path, body in (("/v1/events", event), ("/v1/recommendations", {})):
        response = client.post(path, json=body)
        assert (response.status_code, code(response), response.headers["Retry-After"]) == (503, "unavailable", "1")
    store.away = False
    assert client.post("/v1/events", json=event).json()["accepted"] == 1


def test_without_a_database_there_are_lists_alone(engine: FakeEngine, serve: Open) -> None:
    engine.store = None
    client = serve()
    assert client.get("/v1/health/ready").status_code == 200
    response = client.get("/v1/users/u1")
    assert (response.status_code, code(response)) == (409, "no_database")


def test_the_engine_is_closed_in_the_end(engine: FakeEngine, serve: Open) -> None:
    client = serve()
    client.__exit__()
    assert engine.closed
