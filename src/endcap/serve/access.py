"""Who may do what: the key of a request, what it is good for, and from which pages."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endcap.serve.asgi import for_http
from endcap.serve.errors import Refused
from endcap.serve.keys import LOCAL_KEY, Keys, PublicKey, SecretKey

OPEN = ("/v1/health/live", "/v1/health/ready", "/docs", "/openapi.json", "/widget", "/shop/", "/photo/")
"""What needs no key: it tells nothing of the shop, or is what the shop shows to everybody. Home, "/", is too."""
PUBLIC_POSTS = ("/v1/events", "/v1/pages", "/v1/recommendations", "/v1/search", "/v1/visitors")
READING_POSTS = ("/v1/pages", "/v1/recommendations", "/v1/search")


@dataclass(frozen=True)
class Caller:
    """Who calls."""

    key: SecretKey | PublicKey | None  # None: this machine, without keys
    signers: tuple[PublicKey, ...]  # whose visitor tokens are good here

    @property
    def name(self) -> str:
        """For the log of changes."""
        return "local" if self.key is None else self.key.name

    @property
    def is_anybody(self) -> bool:
        """Whether it may be anybody on the internet: a page of the shop, or its visitor."""
        return isinstance(self.key, PublicKey) or (self.key is None and self.signers != (LOCAL_KEY,))


def access(app: ASGIApp, keys: Keys | None) -> ASGIApp:
    """Middleware: refuses what a key may not do, answers CORS, and leaves the Caller in the scope.

    Without keys there is no password, so pages elsewhere must not drive a server on a developer's machine: neither by
    a request across sites nor by a name of theirs that leads to this machine (DNS rebinding).
    """
    signers = tuple(keys.public.values()) if keys else (LOCAL_KEY,)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        headers, key = Headers(scope=scope), None
        if keys is None:
            _local(headers)
        else:
            key = _key(keys, headers, scope["query_string"])
        scope["caller"] = Caller(key, signers)
        if isinstance(key, PublicKey):
            await _for_page(app, key, headers)(scope, receive, send)
        else:
            if keys is not None and not _is_open(scope["path"]):
                _may(key, scope["method"], scope["path"])
            await app(scope, receive, send)

    return for_http(app, serve)


def _is_open(path: str) -> bool:
    return path == "/" or path.startswith(OPEN)


def _for_page(app: ASGIApp, key: PublicKey, headers: Headers) -> ASGIApp:
    """What a public key may do, for the pages that it is for."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        origin, method = headers.get("origin"), scope["method"]
        if origin not in key.origins and not (origin is None and method == "GET"):
            raise Refused(403, "origin", f"this key is not for pages of {origin or 'no origin'}; see its origins")
        asked = headers.get("access-control-request-method") if method == "OPTIONS" else None
        if not _is_public(asked or method, scope["path"]):
            raise Refused(403, "not_allowed", "a public key may not do this; a secret one may, on the shop's machines")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and origin is not None:
                found = MutableHeaders(scope=message)
                found["Access-Control-Allow-Origin"] = origin
                found.add_vary_header("Origin")
            await send(message)

        await (app if asked is None else _preflight(asked))(scope, receive, sending)

    return serve


def _preflight(method: str) -> Response:
    allowed = {"Access-Control-Allow-Methods": method, "Access-Control-Allow-Headers": "Content-Type"}
    return Response(status_code=204, headers={**allowed, "Access-Control-Max-Age": "600"})


def _is_public(method: str, path: str) -> bool:
    if method == "POST":
        return path in PUBLIC_POSTS
    return method == "GET" and (path == "/v1/suggest" or (path.startswith("/v1/items/") and path.endswith("/similar")))


def _key(keys: Keys, headers: Headers, query: bytes) -> SecretKey | PublicKey | None:
    """The key that a request brings; raises Refused (401) where it is none of ours."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    secret = given.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")
    public = parse_qs(query.decode("latin-1")).get("key", [None])[0] if secret is None else None
    found = keys.find_secret(secret) if secret else keys.public.get(public or "")
    if found is None and (secret or public):
        raise _unknown("found a key that is none of this server's")
    return found


def _may(key: SecretKey | None, method: str, path: str) -> None:
    if key is None:
        raise _unknown("found no key; expected Authorization: Bearer SECRET, or ?key=PUBLIC from a page")
    if key.role == "read" and method not in {"GET", "HEAD"} and path not in READING_POSTS:
        raise Refused(403, "not_allowed", 'this key may read alone; use one with role = "write"')


def _unknown(message: str) -> Refused:
    return Refused(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


def _local(headers: Headers) -> None:
    host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
    if not is_loopback(_split(f"//{host}").hostname or ""):
        raise Refused(403, "local_only", f"found host {host!r}; without a file of keys only this machine may ask")
    elsewhere = site in {"cross-site", "same-site"} and headers.get("sec-fetch-mode") != "navigate"
    if elsewhere or (origin is not None and _split(origin).netloc != host):
        raise Refused(403, "local_only", "found a page of another site; give it a public key with its origin")


@lru_cache(256)  # the same few names come with every request
def is_loopback(name: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # such as [::1 without its end
        return urlsplit("")
