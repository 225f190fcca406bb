"""The application: routes, what stands before them, and what runs beside them."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from endcap.engine.engine import Engine as RealEngine
from endcap.engine.oddrows import watch
from endcap.serve import search
from endcap.serve.access import access
from endcap.serve.api import router
from endcap.serve.config import ServeConfig
from endcap.serve.console.app import console
from endcap.serve.errors import errors, handle
from endcap.serve.headers import path_as_sent, safe_headers
from endcap.serve.interface import Engine
from endcap.serve.keys import load_keys, rate_of
from endcap.serve.limits import body_limit, deadline, rate_limit
from endcap.serve.memory import give_back
from endcap.serve.metrics import measured
from endcap.serve.openapi import add_docs, openapi_of
from endcap.serve.serving import Serving
from endcap.serve.storefront.mount import add_pages, front_of
from endcap.store.errors import Unavailable

log = logging.getLogger(__name__)

ABOUT = """Recommendations in which the last click already counts: post what visitors do to `/v1/events`, ask for lists
at `/v1/recommendations`. Secret keys go in `Authorization: Bearer …`, public ones in `?key=…`."""


def create_app(engine: Engine, config: ServeConfig) -> FastAPI:
    """Serves an engine, and closes it in the end; raises InputError where the file of keys, or the
    folder of photos, cannot be used."""
    keys = None if config.keys is None else load_keys(config.keys)
    serving = Serving.of(engine, config)
    front = front_of(serving)
    app = FastAPI(
        title="Endcap",
        version="1",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,  # operations are called as their functions: put_item
        lifespan=_beside(serving),
        exception_handlers={HTTPException: handle, RequestValidationError: handle},
        middleware=[
            Middleware(measured, metrics=serving.metrics),
            Middleware(safe_headers),
            Middleware(errors),
            Middleware(console, serving=serving, keys=keys, front=front),
            Middleware(path_as_sent),
            Middleware(access, keys=keys),
            Middleware(errors),  # once more: within access, so that pages may read what went wrong
            Middleware(rate_limit, rates=serving.rates, address_rate=rate_of(config.address_rate)),
            Middleware(deadline, seconds=config.timeout),
            Middleware(body_limit, most=config.body, photo=config.photo),
        ],
    )
    app.state.serving = serving
    app.include_router(router)
    app.include_router(search.router)
    add_pages(app, serving, front)
    add_docs(app)
    app.openapi = openapi_of(app)  # type: ignore[method-assign]
    return app


def _beside(serving: Serving) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        give_back()
        watching, ended = asyncio.create_task(_keep_fresh(serving)), threading.Event()
        if isinstance(serving.engine, RealEngine) and serving.engine.store is not None:
            watch(serving.engine, ended)
        try:
            yield
        finally:
            watching.cancel()
            ended.set()
            await run_in_threadpool(serving.close)

    return lifespan


async def _keep_fresh(serving: Serving) -> None:
    """Requests take over what is new; so does a server that nobody asks, which would load a model at its first one."""
    while True:
        await asyncio.sleep(serving.config.refresh)
        try:
            await run_in_threadpool(serving.engine.refresh)
        except Unavailable:
            log.warning("the database is away")
        except Exception:
            log.exception("what is new in the store could not be taken over")
