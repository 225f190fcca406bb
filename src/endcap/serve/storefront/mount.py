"""Puts the widget and the shop's pages into the server."""

from fastapi import FastAPI

from endcap.engine.engine import Engine
from endcap.serve.serving import Serving
from endcap.serve.storefront import actions, photos, views
from endcap.serve.storefront.shop import Shop
from endcap.serve.widget import routes as widget


def front_of(serving: Serving) -> Shop | None:
    """What the shop's pages and the console's pictures are made from; a small engine of a test has no catalogue.

    Raises InputError where the shop's photos cannot be read.
    """
    return Shop.of(serving, serving.engine) if isinstance(serving.engine, Engine) else None


def add_pages(app: FastAPI, serving: Serving, front: Shop | None) -> None:
    """The widget always; the shop as the config says, by default where there are no keys, so on this machine alone."""
    app.include_router(widget.router)
    if serving.config.has_storefront and front is not None:
        app.state.shop = front
        front.warm()
        for pages in (views, actions, photos):
            app.include_router(pages.router)
