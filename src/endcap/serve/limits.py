"""How much and how fast: bodies, rates, time."""

import asyncio
import ipaddress
import time
from collections.abc import Hashable

from limits import RateLimitItem
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endcap.serve.asgi import for_http
from endcap.serve.errors import AGAIN, Refused
from endcap.serve.keys import rate_of

SWEEP = 10_000


class Rates:
    """So many requests in so much time for each name, at once or spread; counted in the memory of this worker.

    The generic cell rate algorithm: one number for each name. The storage in memory of `limits`, whose notation is
    used, looks through all its names in a thread after every request: .3 ms of processor with 50,000 visitors.

    >>> rates, once = Rates(), rate_of("2/minute")
    >>> [round(rates.hit(once, "tea", now=now)) for now in (0.0, 1.0, 2.0, 30.0)]
    [0, 0, 28, 0]
    """

    def __init__(self) -> None:
        self._due: dict[Hashable, float] = {}  # when all that was asked would be done at the even pace
        self._sweep = SWEEP

    def hit(self, rate: RateLimitItem, name: Hashable, *, now: float | None = None) -> float:
        """Counts a request; above 0 it is one too many and was not counted, but may come again in so many seconds."""
        now = time.monotonic() if now is None else now
        window = rate.get_expiry()
        due = max(self._due.get(name, now), now) + window / rate.amount
        if due - now > window + 1e-9:
            return due - now - window
        self._due[name] = due
        if len(self._due) > self._sweep:
            self._due = {each: at for each, at in self._due.items() if at > now}
            self._sweep = max(SWEEP, 2 * len(self._due))
        return 0.0

    def check(self, rate: RateLimitItem, name: Hashable) -> None:
        """Raises Refused (429) where it is one too many."""
        wait = self.hit(rate, name)
        if wait > 0:
            raise Refused(
                429, "too_many_requests", f"more than {rate.amount} requests in {rate.get_expiry()} s; try again",
                headers={"Retry-After": str(int(wait) + 1)},
            )  # fmt: skip


def rate_limit(app: ASGIApp, rates: Rates, address_rate: RateLimitItem) -> ASGIApp:
    """Middleware: the rates of a key, and of an address that may be anybody's, with each public key and with none.

    Visitors are counted when they are known.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        caller = scope["caller"]
        key = caller.key
        watched = scope["path"].startswith("/v1/health/")  # who watches the server is never too many
        if caller.is_anybody and not watched:
            rates.check(address_rate, ("address", None if key is None else key.name, _network(scope)))
        if key is not None and key.rate is not None:
            rates.check(rate_of(key.rate), ("key", key.name))
        await app(scope, receive, send)

    return for_http(app, serve)


def _network(scope: Scope) -> str:
    """The address, or of IPv6 the first half: the other one is the visitor's to choose."""
    address = scope["client"][0] if scope.get("client") else ""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    except ValueError:
        return address


def body_limit(app: ASGIApp, most: int, photo: int) -> ASGIApp:
    """Middleware: a body beyond the limit is refused, by its Content-Length or once too much of it has come.

    Starlette has one that answers in plain text.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        limit = photo if scope["method"] == "PUT" and scope["path"].endswith("/photo") else most
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and (len(length) > 12 or int(length) > limit):
            raise _too_large(limit)
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise _too_large(limit)
            return message

        await app(scope, receiving, send)

    return for_http(app, serve)


def deadline(app: ASGIApp, seconds: float) -> ASGIApp:
    """Middleware: a request that takes too long is given up; what it asked of the store may still be done."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(seconds):
                await app(scope, receive, send)
        except TimeoutError:
            message = f"the answer took more than {seconds:g} s; try again, with the same event_id for events"
            raise Refused(503, "timeout", message, headers=AGAIN) from None

    return for_http(app, serve)


def _too_large(most: int) -> Refused:
    return Refused(413, "too_large", f"the body is over {most:,} bytes; send less at a time")
