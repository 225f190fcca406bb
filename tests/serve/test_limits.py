"""How much and how fast."""

import doctest
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from endcap.serve import limits
from endcap.serve.keys import rate_of
from endcap.serve.limits import Rates
from tests.serve.conftest import KEYS, SECRET, SHOP, Open, bearer, code
from tests.serve.fakes import FakeEngine

PAGE = {"Origin": SHOP}


def chunks(n: int) -> Iterator[bytes]:
    for _ in range(n):
        yield b" " * 1000


def test_a_body_that_says_it_is_too_large(client: TestClient, engine: FakeEngine) -> None:
    response = client.post("/v1/events", content=b" " * 1_000_001)
    assert (response.status_code, code(response)) == (413, "too_large")
    response = client.post("/v1/events", content=b"", headers={"Content-Length": "9" * 5000})
    assert response.status_code == 413


def test_a_body_that_does_not_say_it(client: TestClient) -> None:
    response = client.post("/v1/events", content=chunks(1001))
    assert (response.status_code, code(response)) == (413, "too_large")
    assert client.post("/v1/events", content=chunks(999)).status_code == 422


def test_photos_may_be_larger(client: TestClient, engine: FakeEngine) -> None:
    assert client.put("/v1/items/tea/photo", content=b"x" * 2_000_000).status_code == 200
    assert client.put("/v1/items/tea/photo", content=chunks(10_001)).status_code == 413
    assert len(engine.photos["tea"]) == 2_000_000
    assert client.put("/v1/items/a%2Fphoto", content=b" " * 1_000_001).status_code == 413  # no photo


def test_a_rate_lets_bursts_through_and_then_an_even_pace() -> None:
    rates, rate = Rates(), rate_of("3/minute")
    waits = [rates.hit(rate, "s1", now=now) for now in (0.0, 0.0, 0.0, 1.0, 20.0, 20.5, 300.0)]
    assert waits == pytest.approx([0, 0, 0, 19, 0, 19.5, 0])
    assert rates.hit(rate, "s2", now=0.0) == 0  # each name for itself


def test_the_docstring_is_true() -> None:
    assert doctest.testmod(limits) == (0, 2)


def test_rates_forget_who_has_gone() -> None:
    rates, rate = Rates(), rate_of("10/second")
    for n in range(25_000):
        rates.hit(rate, n, now=n / 100)
    assert len(rates._due) < 15_000


def test_a_visitor_who_asks_too_much_is_429(serve: Open, keys: object) -> None:
    client = serve(keys=keys, rate="3/minute")
    one, other = (client.post("/v1/visitors?key=pk_shop", headers=PAGE).json()["visitor"] for _ in range(2))

    def ask(visitor: str) -> int:
        body = {"item_id": "tea", "kind": "view", "visitor": visitor}
        return client.post("/v1/events?key=pk_shop", json=body, headers=PAGE).status_code

    assert [ask(one) for _ in range(4)] == [200, 200, 200, 429]
    assert ask(other) == 200
    response = client.post("/v1/recommendations?key=pk_shop", json={"visitor": one}, headers=PAGE)
    assert (response.status_code, code(response)) == (429, "too_many_requests")
    assert 0 < int(response.headers["Retry-After"]) <= 21
    assert response.headers["Access-Control-Allow-Origin"] == SHOP
    assert client.post("/v1/recommendations", json={}, headers=bearer(SECRET)).status_code == 200


def test_an_address_cannot_have_ever_new_visitors(serve: Open, keys: object) -> None:
    client = serve(keys=keys, address_rate="5/hour")
    found = [client.post("/v1/visitors?key=pk_shop", headers=PAGE).status_code for _ in range(7)]
    assert found == [200] * 5 + [429] * 2


def test_whoever_has_no_key_is_limited_too_but_for_health(serve: Open, keys: object) -> None:
    client = serve(keys=keys, address_rate="5/hour")
    assert [client.get("/widget.js").status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert client.get("/v1/health/live").status_code == 200


def test_a_key_may_have_a_rate(serve: Open, keys: object, tmp_path: object) -> None:
    keys.write_text(KEYS.replace('name = "backend"', 'name = "backend"\nrate = "2/minute"'))  # type: ignore[attr-defined]
    client = serve(keys=keys)
    found = [client.post("/v1/recommendations", json={}, headers=bearer(SECRET)).status_code for _ in range(3)]
    assert found == [200, 200, 429]


def test_an_answer_that_takes_too_long_is_given_up(engine: FakeEngine, serve: Open) -> None:
    client = serve(timeout=0.05)
    engine.pause = 0.3
    response = client.post("/v1/recommendations", json={})
    assert (response.status_code, code(response)) == (503, "timeout")
    assert response.headers["Retry-After"] == "1"


def test_overload_is_503_for_those_who_find_no_place(engine: FakeEngine, serve: Open) -> None:
    client = serve(waiting=3, batch=1)
    engine.pause = 0.05
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda n: client.post("/v1/recommendations", json={}), range(12)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert 0 < len(refused) < 12
    for answer in refused:
        assert (answer.status_code, code(answer), answer.headers["Retry-After"]) == (503, "overloaded", "1")
    assert client.post("/v1/recommendations", json={}).status_code == 200


def test_requests_at_the_same_time_share_a_call(engine: FakeEngine, client: TestClient) -> None:
    engine.pause = 0.02
    event = {"user_id": "u1", "item_id": "tea", "kind": "view"}

    def ask(n: int) -> list[int]:
        posted = client.post("/v1/events", json=[event] * n)
        return [posted.json()["accepted"], client.post("/v1/recommendations", json={"k": 1 + n % 3}).status_code]

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, range(1, 33))) == [[n, 200] for n in range(1, 33)]
    assert len(engine.asked) < 32
    assert sum(map(len, engine.asked)) == 32


def test_no_request_is_lost_while_models_change(engine: FakeEngine, client: TestClient) -> None:
    done = threading.Event()

    def swap() -> None:
        for n in range(20):
            client.put("/v1/models", json={"action": "promote", "path": f"versions/{n}"})
            client.put("/v1/models", json={"action": "roll_back"})
        done.set()

    def ask(n: int) -> list[str]:
        seen = []
        while not done.is_set():
            answer = client.post("/v1/recommendations", json={"session_id": str(n)})
            assert answer.status_code == 200
            seen.append(answer.json()["model"])
        return seen

    with ThreadPoolExecutor(5) as threads:
        asking = [threads.submit(ask, n) for n in range(4)]
        threads.submit(swap).result()
        models = {model for each in asking for model in each.result()}
    assert "first" in models
    assert len(models) > 1
