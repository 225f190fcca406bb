"""The whole of it: HTTP, engine, model, store."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from starlette.testclient import TestClient

from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.run import serve
from tests.engine.artifacts import trained
from tests.postgres import Postgres, postgres
from tests.serve.conftest import code

__all__ = ["postgres"]

START = 60.0
SCRIPT = """
import sys
from pathlib import Path
from endcap.serve.config import ServeConfig
from endcap.serve.run import serve
if __name__ == "__main__":
    out, db, port, workers = sys.argv[1:]
    serve(ServeConfig(out=Path(out), db=db, port=int(port), workers=int(workers), grace=5))
"""


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two artifacts of the same circle of products, on which i4 comes after i3."""
    folder = tmp_path_factory.mktemp("shops")
    trained("transitions", folder / "counted")
    trained("gru", folder / "told", use=("tabular", "text"))
    return folder


@pytest.fixture
def opened(shops: Path, tmp_path: Path) -> Iterator[Callable[[str], TestClient]]:
    with ExitStack() as stack:

        def client(name: str) -> TestClient:
            db = f"sqlite:///{tmp_path / 'shop.db'}"
            app = create_app(Engine.open(shops / name, db), ServeConfig(out=shops / name, db=db))
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield client


@pytest.fixture
def counted(opened: Callable[[str], TestClient]) -> TestClient:
    """It knows exactly what comes next."""
    return opened("counted")


@pytest.fixture
def told(opened: Callable[[str], TestClient]) -> TestClient:
    """It knows what products are."""
    return opened("told")


def ids(client: Any, **ask: Any) -> list[str]:
    answer = client.post("/v1/recommendations", json=ask)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def post(client: Any, *items: str, **who: Any) -> None:
    events = [{"item_id": item_id, "kind": "view", **who} for item_id in items]
    answer = client.post("/v1/events", json=events)
    assert answer.json() == {"accepted": len(items), "duplicates": 0}, answer.text


def test_the_next_answer_knows_the_last_event(counted: TestClient) -> None:
    post(counted, "i3", session_id="s1")
    assert ids(counted, session_id="s1")[0] == "i4"
    post(counted, "i8", session_id="s1")
    assert ids(counted, session_id="s1")[0] == "i9"
    post(counted, "i12", session_id="s1", user_id="u1")  # logs in: what the session did is the user's
    assert ids(counted, user_id="u1")[0] == "i13"
    assert not {"i3", "i8", "i12"} & set(ids(counted, user_id="u1", k=16))


def test_the_next_answer_knows_the_catalogue(told: TestClient) -> None:
    expected = ids(told, history=["i4"], k=3)
    assert told.delete(f"/v1/items/{expected[0]}").json() == {"revision": 1}
    assert ids(told, history=["i4"], k=2) == expected[1:]
    new = {
        "title": "green thing bbb",
        "category": "Things > Quarter 1",
        "brand": "brand 1",
        "price": 21,
        "colour": "green",
    }
    assert told.put("/v1/items/a%2Fnew", json=new).status_code == 200
    photo = io.BytesIO()
    Image.new("RGB", (64, 64), "green").save(photo, "JPEG")
    assert told.put("/v1/items/a%2Fnew/photo", content=photo.getvalue()).status_code == 200
    assert "a/new" in ids(told, history=["i4"], k=16)
    assert ids(told, k=16, filter='title:"green thing bbb" AND price > 20.5 AND NOT brand:"brand 2"')
    for one, other in ((expected[1], "a/new"), ("a%2Fnew", expected[1])):
        assert other in [item["id"] for item in told.get(f"/v1/items/{one}/similar?k=16").json()["items"]]
    assert told.put("/v1/items/a%2Fnew/photo", content=b"no photo").status_code == 422


def test_filters_rules_and_reasons(counted: TestClient) -> None:
    response = counted.post("/v1/recommendations", json={"filter": "nothing:red"})
    assert (response.status_code, code(response)) == (422, "invalid")
    assert counted.put("/v1/rules/red", json={"action": "only", "filter": "colour:red"}).status_code == 200
    assert set(ids(counted, k=16)) == {"i0", "i1", "i2", "i3"}
    assert counted.delete("/v1/rules/red").status_code == 200
    assert len(ids(counted, k=16)) == 16
    answer = counted.post("/v1/recommendations", json={"history": ["i4", "nothing"], "explain": True, "k": 1}).json()
    assert answer["unknown"] == ["nothing"]
    assert answer["items"][0]["reason"]["events"] == ["i4"]


def test_a_user_is_forgotten(counted: TestClient) -> None:
    post(counted, "i3", user_id="u1")
    assert counted.get("/v1/users/u1").json()["events"][0]["item_id"] == "i3"
    nobody = ids(counted, user_id="nobody")
    assert counted.delete("/v1/users/u1").json() == {"events": 1}
    assert counted.get("/v1/users/u1").status_code == 404
    assert ids(counted, user_id="u1") == nobody


def test_models_change_without_a_lost_request(counted: TestClient) -> None:
    def ask(n: int) -> str:
        return counted.post("/v1/recommendations", json={"history": [f"i{n % 16}"]}).raise_for_status().json()["model"]

    first = ask(0)
    with ThreadPoolExecutor(4) as threads:
        asked = threads.map(ask, range(200))
        promoted = counted.put("/v1/models", json={"action": "promote", "path": "told"})
        assert promoted.status_code == 200, promoted.text
        answered = list(asked)
    assert set(answered) <= {first, promoted.json()["models"]["live"]}
    assert ask(0) == promoted.json()["models"]["live"] != first
    assert counted.put("/v1/models", json={"action": "roll_back"}).status_code == 200
    assert ask(0) == first
    response = counted.put("/v1/models", json={"action": "promote", "path": "nothing"})
    assert (response.status_code, code(response)) == (422, "invalid")


class Server:
    """A process of its own, as `endcap serve` starts it."""

    def __init__(self, out: Path, db: str, workers: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        arguments = [sys.executable, "-c", SCRIPT, str(out), db, str(self.port), str(workers)]
        self.process = subprocess.Popen(
            arguments, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    def wait(self) -> "Server":
        ends = time.monotonic() + START
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                if self.http.get("/v1/health/ready").status_code == 200:
                    return self
            except httpx2.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.stop())

    def stop(self) -> str:
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            _, words = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return words

    def end(self) -> None:
        """At once, as kill -9 does it."""
        self.http.close()
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()

    def post(self, path: str, *, json: Any) -> httpx2.Response:
        """On a connection of its own, so that any worker may answer."""
        return httpx2.post(f"http://127.0.0.1:{self.port}{path}", json=json, timeout=10)


Start = Callable[..., Server]


@pytest.fixture
def start(shops: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def started(db: str, workers: int = 1) -> Server:
            server = Server(shops / "counted", db, workers)
            stack.callback(server.end)
            return server

        yield started


def children(server: Server) -> list[int]:
    found = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="utf-8")
    return [int(pid) for pid in found.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
def test_two_workers_are_one_server(start: Start, shops: Path, tmp_path: Path) -> None:
    server = start(f"sqlite:///{tmp_path / 'shop.db'}", workers=2).wait()
    while len(children(server)) < 2:
        time.sleep(0.05)

    def click(n: int) -> str:
        post(server, f"i{n}", session_id=f"s{n}")
        return ids(server, session_id=f"s{n}")[0]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(click, range(15))) == [f"i{n + 1}" for n in range(15)]
    counted = [line for line in server.http.get("/metrics").text.splitlines() if "endcap_events_total" in line]
    assert 'endcap_events_total{result="accepted"} 15.0' in counted  # of both workers
    with pytest.raises(InputError, match=f"port {server.port} of 127.0.0.1 taken"):
        serve(ServeConfig(out=shops / "counted", port=server.port))
    os.kill(children(server)[0], signal.SIGKILL)  # the other one goes on, and a new one comes
    post(server, "i3", session_id="later")
    words = server.stop()
    assert server.process.returncode == 0, words
    assert "Traceback" not in words


def test_two_replicas_on_one_postgresql(start: Start, postgres: Postgres) -> None:
    db = postgres.database()
    first, second = start(db), start(db)  # both bring the new database up to date
    first.wait()
    second.wait()
    for n in range(10):
        server, other = (first, second) if n % 2 else (second, first)
        post(server, f"i{n}", user_id=f"u{n}")
        assert ids(other, user_id=f"u{n}")[0] == f"i{n + 1}"
    assert ids(first, history=["i3"], k=16) == ids(second, history=["i3"], k=16)
    first.http.put("/v1/items/i4", json={"price": 99}).raise_for_status()
    prices = {item["id"]: item["price"] for item in second.post("/v1/recommendations", json={"k": 16}).json()["items"]}
    assert prices["i4"] == 99
    first.end()
    post(second, "i8", user_id="u3")
    assert ids(second, user_id="u3")[0] == "i9"
    postgres.crash()
    response = second.post("/v1/events", json={"user_id": "u9", "item_id": "i1", "kind": "view"})
    assert (response.status_code, code(response), response.headers["Retry-After"]) == (503, "unavailable", "1")
    postgres.start()
    post(second, "i10", user_id="u3")  # recovers by itself
    assert ids(second, user_id="u3")[0] == "i11"
    assert second.http.get("/v1/users/u3").raise_for_status().json()["events"][0]["item_id"] == "i3"
    second.stop()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"host": "0.0.0.0"}, "without keys"),
        ({"out": Path("nowhere")}, "nowhere is no artifact"),
        ({"keys": Path("none.toml")}, "cannot read the keys"),
        ({"rate": "often"}, "found rate 'often'"),
        ({"host": "192.0.2.1", "keys": "real"}, "cannot listen at 192.0.2.1"),
        ({"db": "mysql://x/y"}, "mysql"),
        ({"db": "postgresql://127.0.0.1:1/shop"}, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_before_it_starts(
    shops: Path, keys: Path, changes: dict[str, Any], expected: str
) -> None:
    if changes.get("keys") == "real":
        changes = {**changes, "keys": keys}
    with pytest.raises(InputError, match=expected):
        serve(ServeConfig(**{"out": shops / "counted", "db": None, "port": 0, **changes}))
