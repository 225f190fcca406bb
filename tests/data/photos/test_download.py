"""Photos from a server of our own on 127.0.0.1, which misbehaves in every way that it can."""

import asyncio
import gzip
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from endcap.data.errors import InputError
from endcap.data.photos.album import album
from endcap.data.photos.download import Downloads, Network, download, is_public
from tests.data.photos.pictures import BLUE, RED, photo, shop

PHOTO = photo(RED)
NETWORK = Network(allow_private=True, seconds=5, longest_wait=0.05)

Handler = Callable[["Shop", web.Request], Awaitable[web.StreamResponse]]


class Shop:
    """The server, what it was asked and how many requests it had at once."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.now = self.most = 0
        self.address = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.path.strip("/").split("/")[0].split(".")[0]
        self.asked[request.path] += 1
        self.agents.add(request.headers["User-Agent"])
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await ANSWERS[name](self, request)
        finally:
            self.now -= 1


async def good(shop: Shop, request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.01)
    return web.Response(body=PHOTO, content_type="image/png")


async def page(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(body=PHOTO, content_type="text/html")


async def disguised(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"<html>not found</html>", content_type="image/jpeg")


async def octets(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(body=PHOTO, content_type="application/octet-stream")


async def empty(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"", content_type="image/png")


async def missing(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(status=404, body=PHOTO)


async def endless(shop: Shop, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(request)
    while True:
        await response.write(PHOTO[:8] + bytes(1 << 16))


async def slow(shop: Shop, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/png"})
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"\0")
        await asyncio.sleep(0.05)
    return response


async def cut(shop: Shop, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "image/png", "Content-Length": "100000"})
    await response.prepare(request)
    await response.write(PHOTO)
    assert request.transport
    request.transport.close()
    return response


async def bomb(shop: Shop, request: web.Request) -> web.StreamResponse:
    body = gzip.compress(bytes(10_000_000))
    return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "image/png"})


async def busy(shop: Shop, request: web.Request) -> web.StreamResponse:
    if shop.asked[request.path] < 3:
        return web.Response(status=503, headers={"Retry-After": "3600"})
    return web.Response(body=PHOTO)


async def always_busy(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(status=429, headers={"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"})


async def once(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(status=500) if shop.asked[request.path] == 1 else web.Response(body=PHOTO)


async def hops(shop: Shop, request: web.Request) -> web.StreamResponse:
    """`/hops/3` redirects three times."""
    left = int(request.path.rpartition("/")[2])
    return web.Response(body=PHOTO) if not left else web.Response(status=302, headers={"Location": str(left - 1)})


async def away(shop: Shop, request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": request.query["to"]})


ANSWERS: dict[str, Handler] = {
    handler.__name__: handler
    for handler in (
        good,
        page,
        disguised,
        octets,
        empty,
        missing,
        endless,
        slow,
        cut,
        bomb,
        busy,
        always_busy,
        once,
        hops,
        away,
    )
}


@pytest.fixture
def server() -> Iterator[Shop]:
    """Runs in a thread of its own, with an event loop of its own."""
    shop = Shop()
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        application = web.Application()
        application.router.add_get("/{path:.*}", shop.answer)
        runner = web.AppRunner(application, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        shop.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield shop
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def fetch(server: Shop, path: str, folder: Path, network: Network = NETWORK) -> tuple[bytes | None, str]:
    """What was read of a path, and the problem."""
    address = server.address + path
    got = download([address], folder, network=network)
    return got.files[address].read() if address in got.files else None, got.problems.get(address, "")


@pytest.mark.parametrize(
    "path", ["/good", "/octets", "/hops/0", "/hops/5", "/good/a b.jpg", "/good/商品.jpg?size=1&x=%7C"]
)
def test_a_photo_is_fetched_once(server: Shop, tmp_path: Path, path: str) -> None:
    for _ in range(2):
        assert fetch(server, path, tmp_path) == (PHOTO, "")
    assert set(server.asked.values()) == {1}
    assert all(agent.startswith("endcap/") for agent in server.agents)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/page", "is text/html, not a photo"),
        ("/disguised", "is no photo: begins with b'<html>not found<'"),
        ("/empty", "is empty (0 bytes)"),
        ("/missing", "HTTP 404"),
        ("/endless", "is larger than 0.25 MiB"),
        ("/slow", "took more than 0.3 s"),
        ("/bomb", "is compressed, though that was not asked for"),
        ("/hops/6", "redirects more than 5 times"),
        ("/away?to=ftp://x/y.jpg", "redirects to 'ftp://x/y.jpg', which is neither http nor https"),
        ("/away?to=file:///etc/passwd", "redirects to 'file:///etc/passwd', which is neither http nor https"),
        ("/away?to=http://[::1", "redirects to 'http://[::1', which is no valid address"),
        ("/always_busy", "HTTP 429: busy"),
    ],
)
def test_what_is_no_photo_is_refused_and_says_why(server: Shop, tmp_path: Path, path: str, problem: str) -> None:
    network = Network(allow_private=True, seconds=0.3, longest_wait=0.02, most_bytes=1 << 18)
    assert fetch(server, path, tmp_path, network) == (None, problem)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_connection_that_breaks_is_a_problem(server: Shop, tmp_path: Path) -> None:
    data, problem = fetch(server, "/cut", tmp_path)
    assert data is None
    assert problem.startswith("no answer: ")


def test_a_host_without_a_certificate_is_no_safe_one(server: Shop, tmp_path: Path) -> None:
    address = server.address.replace("http:", "https:") + "/good"
    assert download([address], tmp_path, network=NETWORK).problems[address].startswith("no safe connection: ")


def test_a_host_that_is_busy_is_asked_again_after_its_wait(server: Shop, tmp_path: Path) -> None:
    begun = time.monotonic()
    assert fetch(server, "/busy", tmp_path, Network(allow_private=True, longest_wait=0.2)) == (PHOTO, "")
    assert 0.4 <= time.monotonic() - begun < 5  # it asked for an hour
    assert server.asked["/busy"] == 3


def test_what_failed_is_tried_again_in_the_next_run(server: Shop, tmp_path: Path) -> None:
    assert fetch(server, "/once", tmp_path) == (None, "HTTP 500")
    assert fetch(server, "/once", tmp_path) == (PHOTO, "")


def test_one_host_is_asked_for_no_more_than_its_limit_at_once(server: Shop, tmp_path: Path) -> None:
    addresses = [f"{server.address}/good/{n}.png" for n in range(40)]
    done: list[tuple[int, int]] = []
    got = download(addresses, tmp_path, network=NETWORK, on_progress=lambda *each: done.append(each))
    assert (len(got.files), got.problems, server.most) == (40, {}, 4)
    assert done == [(n, 40) for n in range(1, 41)]


def test_a_host_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    got = download([f"{address}/{n}.jpg" for n in range(100)], tmp_path, network=NETWORK)
    told = Counter(problem.partition(":")[0] for problem in got.problems.values())
    assert sum(told.values()) == 100
    assert told["no connection"] <= 8
    assert told["127.0.0.1 did not answer 5 times; not asked again in this run"] >= 92


def refused(address: str, folder: Path) -> str:
    got = download([address], folder, network=Network(seconds=5))
    assert got.files == {}
    return got.problems[address]


SELVES = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "[::]",
    "0177.0.0.1",
    "127.0.0.1.",
]


@pytest.mark.parametrize("host", SELVES)
def test_this_machine_is_never_asked(server: Shop, tmp_path: Path, host: str) -> None:
    port = server.address.rpartition(":")[2]
    assert refused(f"http://{host}:{port}/good", tmp_path)
    assert not server.asked


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]"]
)
def test_private_addresses_are_refused_at_once(tmp_path: Path, host: str) -> None:
    begun = time.monotonic()
    assert "is a private address" in refused(f"http://{host}/x.jpg", tmp_path)
    assert time.monotonic() - begun < 2


def test_a_name_may_not_lead_to_this_machine_whatever_it_led_to_before(
    server: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the answers change between a check and the connection; here each is checked for itself."""
    real, answers = socket.getaddrinfo, iter(["93.184.215.14", "127.0.0.1"])
    port = int(server.address.rpartition(":")[2])

    def rebound(host: str, *rest: object, **named: object) -> object:
        if host != "rebind.example":
            return real(host, *rest, **named)  # type: ignore[arg-type]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers, "127.0.0.1"), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    next(answers)  # what a check before would have seen
    assert refused(f"http://rebind.example:{port}/good", tmp_path).endswith("rebind.example is a private address")
    assert not server.asked


def test_a_redirect_is_checked_as_the_first_address_is(
    server: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host counts as public here, so that its redirect to the network within is what is refused."""
    monkeypatch.setattr("endcap.data.photos.download.is_public", lambda address: address == "127.0.0.1")
    for target in ("http://169.254.169.254/latest/meta-data", "http://10.0.0.1/x.jpg", "http://[::1]/x.jpg"):
        problem = refused(f"{server.address}/away?to={target}", tmp_path)
        assert "is a private address" in problem


PUBLIC = ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "192.0.2.1",
    "127.1",
    "x",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_open_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("ftp://x/y.jpg", "is neither http nor https"),
        ("file:///etc/passwd", "is neither http nor https"),
        ("http://", "names no host"),
        ("http://[::1", "is no valid address"),
        ("http://x:99999/y.jpg", "is no valid address"),
    ],
)
def test_only_http_and_https_are_asked(tmp_path: Path, address: str, problem: str) -> None:
    assert refused(address, tmp_path) == problem


def test_a_folder_that_cannot_be_written_is_an_error(server: Shop, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="set ENDCAP_CACHE"):
        fetch(server, "/good", tmp_path / "file")


def test_nothing_asked_is_nothing_done(tmp_path: Path) -> None:
    assert download([], tmp_path, network=NETWORK) == Downloads()


def test_an_album_downloads_what_the_catalogue_names(server: Shop, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "b.png").write_bytes(photo(BLUE))
    catalog = shop(
        a=f"{server.address}/good/1.png|{server.address}/missing.png", b=f"{server.address}/good/1.png|b.png"
    )
    for _ in range(2):
        made = album(catalog, tmp_path / "photos", size=32, cache=tmp_path / "cache", network=NETWORK)
        address = f"{server.address}/good/1.png"
        assert (made.owners.tolist(), made.names) == ([1, 2, 2], (address, address, "b.png"))
        assert made.problems[0] == ("a", f"{server.address}/missing.png", "HTTP 404")
        assert made.counts.failed == 1
    assert server.asked == {"/good/1.png": 1, "/missing.png": 2}


def test_it_works_where_an_event_loop_runs_already(server: Shop, tmp_path: Path) -> None:
    """As in a notebook."""

    async def within() -> tuple[bytes | None, str]:
        return fetch(server, "/good", tmp_path)

    assert asyncio.run(within()) == (PHOTO, "")
