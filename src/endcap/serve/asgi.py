"""How our middleware is written: a function that wraps an application."""

from starlette.types import ASGIApp, Receive, Scope, Send


def for_http(app: ASGIApp, serve: ASGIApp) -> ASGIApp:
    """Requests go to `serve`; what is none, such as the lifespan, passes it by to `app`."""

    async def either(scope: Scope, receive: Receive, send: Send) -> None:
        await (serve if scope["type"] == "http" else app)(scope, receive, send)

    return either
