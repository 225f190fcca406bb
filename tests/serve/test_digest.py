"""The week's figures, and how they are sent."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from endcap.cli import main
from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.serve.console.texts import Words
from endcap.serve.digest import digest, week_before
from endcap.serve.webhook import Delivery, check_address, send
from endcap.store.records import Event, Shown, Visitor
from tests.serve.storefronts import trained_shop

__all__ = ["trained_shop"]

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC).timestamp()
DAY = 86_400.0


class Hook:
    """A webhook that answers as it is told, and keeps what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                hook.got.append(json.loads(body))
                self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?secret=s3cret"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def bought(user: str, item: str, at: float, price: float, quantity: float = 1.0) -> Event:
    return Event(Visitor(user), item, "purchase", time=at, price=price, quantity=quantity)


@pytest.fixture
def engine(trained_shop: Path, tmp_path: Path) -> Iterator[Engine]:
    """Last week two orders of 30 and one of 40; the week before one of 50. Today's do not count yet."""
    made = Engine.open(trained_shop, f"sqlite:///{tmp_path / 'shop.db'}")
    assert made.store is not None
    list_id, last, before = "a" * 32, NOW - 3 * DAY, NOW - 10 * DAY
    made.store.log_shown([
        Shown(list_id, Visitor("ann"), last - 60, "home", "m", ("i1", "i2")),
        Shown("b" * 32, Visitor("bo"), last - 60, "home", "m", ("i1", "i2")),
    ])  # fmt: skip
    made.store.record([
        Event(Visitor("ann"), "i1", "click", time=last - 30, recommendation_id=list_id),
        bought("ann", "i1", last, 15.0, 2.0), bought("bo", "i2", last - 2 * DAY, 30.0), bought("cy", "i1", last, 40.0),
        bought("ann", "i2", before, 50.0), bought("ann", "i3", NOW - 60, 1_000.0),
    ], now=NOW)  # fmt: skip
    yield made
    made.close()


def test_the_week_is_told_beside_the_one_before(engine: Engine) -> None:
    found = digest(engine, Words("en"), now=NOW)
    figures = found.body["figures"]
    assert (found.body["since"], found.body["until"]) == ("2026-11-24", "2026-11-30")
    assert figures["revenue"] == {"value": 100.0, "before": 50.0}
    assert figures["orders"] == {"value": 3.0, "before": 1.0}
    assert figures["by_lists"]["value"] == 30.0
    assert figures["click_rate"] == {"value": 0.5, "before": None}
    assert figures["conversion"]["value"] == 0.5
    assert [each["item_id"] for each in found.body["top"]] == ["i1", "i2"]
    assert [each["item_id"] for each in found.body["risers"]] == ["i1"]
    assert [each["item_id"] for each in found.body["fallers"]] == ["i2"]
    assert found.text.splitlines()[0] == f"{engine.name}, 2026-11-24 to 2026-11-30"
    assert "Revenue: $100.00, 100% more than before ($50.00)" in found.text
    assert "Sold most: red thing aaa, red thing aaa" in found.text
    assert "i3" not in json.dumps(found.body)  # today is not over
    assert "销售额：US$100.00" in digest(engine, Words("zh"), now=NOW).text


def test_a_week_without_anything_says_so(engine: Engine) -> None:
    found = digest(engine, Words("en"), now=NOW + 90 * DAY)
    assert "Nothing happened" in found.text
    assert found.body["figures"]["revenue"] == {"value": None, "before": None}


def test_the_days_are_those_of_the_shop() -> None:
    span = week_before(NOW, ZoneInfo("Asia/Shanghai"))
    assert datetime.fromtimestamp(span.since, ZoneInfo("Asia/Shanghai")) == datetime(
        2026, 11, 24, tzinfo=ZoneInfo("Asia/Shanghai")
    )
    assert span.until == span.since + 7 * DAY


def test_it_is_posted(engine: Engine, trained_shop: Path, tmp_path: Path, hook: Hook) -> None:
    hook.statuses = [503]
    main_ended("digest", str(trained_shop), "--db", f"sqlite:///{tmp_path / 'shop.db'}", "--url", hook.url)
    assert len(hook.got) == 2
    assert hook.got[0] == hook.got[1]
    assert {"shop", "since", "until", "figures", "top", "text", "simulated"} <= hook.got[1].keys()


def main_ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.mark.parametrize("statuses", [[500, 429], [503, 502, 504]])
def test_it_is_tried_again(hook: Hook, statuses: list[int]) -> None:
    hook.statuses = list(statuses)
    assert send(hook.url, {"text": "x"}, Delivery(timeout=5, wait=0.01)) == len(statuses) + 1


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (302, 1), (500, 3)])
def test_what_is_not_taken_is_said_without_secrets(hook: Hook, status: int, tries: int) -> None:
    hook.statuses = [status] * 3
    with pytest.raises(InputError, match=f"status {status}") as raised:
        send(hook.url, {"text": "x"}, Delivery(timeout=5, tries=3, wait=0.01))
    assert len(hook.got) == tries
    assert "s3cret" not in str(raised.value)


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    with pytest.raises(InputError, match="in 2 tries"):
        send(url, {}, Delivery(timeout=5, tries=2, wait=0.01))


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(InputError, match=r"no answer within 0\.2 seconds"):
            send(url, {}, Delivery(timeout=0.2, tries=1))


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com",
        "ftp://example.com/x",
        "http://",
        "https://",
        "http://[::1",
        "http://a:99999/",
        "http://a b/",
        "",
    ],
)
def test_an_address_that_is_none_is_refused_before_anything_is_read(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one such as"):
        check_address(url)
    assert main_ended("digest", str(tmp_path / "nothing"), "--url", url) == 2
