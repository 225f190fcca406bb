"""What every answer carries, and how paths are read."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endcap.serve.asgi import for_http

SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def safe_headers(app: ASGIApp) -> ASGIApp:
    """Middleware: nothing that is answered is a page, or worth keeping, unless it says so itself."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in SAFE if pair[0] not in there)]
            await send(message)

        await app(scope, receive, sending)

    return for_http(app, serve)


def path_as_sent(app: ASGIApp) -> ASGIApp:
    """Middleware: routes match the path as it was sent, so that %2F is a slash of an id and / one of the path."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("raw_path"):
            scope["path"] = scope["raw_path"].decode("latin-1")
        await app(scope, receive, send)

    return for_http(app, serve)
