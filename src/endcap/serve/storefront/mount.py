"""Puts the widget and the shop's pages into the server."""

from fastapi import FastAPI

from endcap.engine.engine import Engine
from endcap.serve.serving import Serving
from endcap.serve.storefront import actions, photos, views
from endcap.serve.storefront.shop import Shop
from endcap.serve.widget import routes as widget


def add_pages(app: FastAPI, serving: Serving) -> None:
    """The widget always; the shop as the config says, by default where there are no keys, so on this machine alone.

    Raises InputError where the shop's photos cannot be read.
    """
    app.include_router(widget.router)
    config = serving.config
    wanted = config.keys is None if config.storefront is None else config.storefront
    if wanted and isinstance(serving.engine, Engine):  # a shop needs the catalogue; a small engine of a test has none
        app.state.shop = Shop.of(serving, serving.engine)
        app.state.shop.warm()
        for pages in (views, actions, photos):
            app.include_router(pages.router)
