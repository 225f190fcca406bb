"""The console as a part of the server: everything at /console, before keys are asked for, with a login of its own."""

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from endcap.serve.access import access
from endcap.serve.asgi import for_http
from endcap.serve.config import zone_of
from endcap.serve.console import (
    entrance,
    experiments,
    models,
    overview,
    people,
    pictures,
    planning,
    products,
    quality,
    rules,
    server,
)
from endcap.serve.console.page import Desk, SignedOut, page_of
from endcap.serve.console.session import PATH, Sessions
from endcap.serve.console.slow import Slow
from endcap.serve.console.traffic import Traffic
from endcap.serve.errors import Refused, errors, response_of
from endcap.serve.keys import Keys
from endcap.serve.limits import body_limit, deadline
from endcap.serve.serving import Serving
from endcap.serve.storefront.shop import Shop
from endcap.store.store import Store

log = logging.getLogger(__name__)

MOST = 64_000
"""Bytes of a form."""


def console(app: ASGIApp, serving: Serving, keys: Keys | None, front: Shop | None) -> ASGIApp:
    """Middleware: answers what is at /console, and lets everything else pass; it reads the metrics as requests come."""
    traffic = Traffic(lambda: serving.metrics.page(serving.engine))
    zone = zone_of(serving.config.timezone)
    pages = pages_of(Desk(serving, Sessions(keys, _secret(serving)), traffic, Slow(), zone, front))

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if traffic.due():
            asyncio.get_running_loop().run_in_executor(None, _read, traffic)
        inside = scope["path"] == PATH or scope["path"].startswith(f"{PATH}/")
        await (pages if inside else app)(scope, receive, send)

    return for_http(app, serve)


def pages_of(desk: Desk) -> FastAPI:
    """The pages as an application; without keys they are for this machine alone, as everything is."""
    guard = [Middleware(access, keys=None)] if desk.sessions.open else []
    pages = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _wrong, RequestValidationError: _wrong},
        middleware=[
            Middleware(errors, answer=_wrong),
            *guard,
            Middleware(deadline, seconds=desk.serving.config.timeout),
            Middleware(body_limit, most=MOST, photo=MOST),
        ],
    )
    pages.state.desk = desk
    for part in (entrance, pictures, overview, quality, models, people, rules, planning, experiments, products, server):
        pages.include_router(part.router)
    return pages


def _secret(serving: Serving) -> bytes:
    """What sessions are signed with; without a database that others share, good until the server ends."""
    store = serving.engine.store
    return store.secret("console") if isinstance(store, Store) else secrets.token_bytes(32)


def _read(traffic: Traffic) -> None:
    try:
        traffic.keep()
    except Exception:
        log.exception("the metrics could not be read")


async def _wrong(request: Request, error: Exception) -> Response:
    """A page that says what is wrong, with the status and words that the API has for it; the login where that is it."""
    page = page_of(request)
    if isinstance(error, SignedOut):
        if request.method == "GET":
            return page.to(f"{PATH}/login")
        error = Refused(401, "unauthorized", "the session has ended; log in again")
    found = response_of(error)
    problem: Mapping[str, str] = json.loads(bytes(found.body))["error"]
    response = page("problem.html", status=found.status_code, code=problem["code"], message=problem["message"])
    if "retry-after" in found.headers:
        response.headers["Retry-After"] = found.headers["retry-after"]
    return response
