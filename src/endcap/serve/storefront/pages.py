"""How pages are made: templates, the visitor's language and colours, and what a browser is allowed to do on them."""

import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from endcap.data.errors import InputError
from endcap.demo_training import figure
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.serve.assets import assets, templates
from endcap.serve.errors import response_of
from endcap.serve.serving import caller_of
from endcap.serve.storefront import language as languages
from endcap.serve.storefront.basket import Basket, basket_of
from endcap.serve.storefront.catalogue import Product, label, tree
from endcap.serve.storefront.guest import Guest, guest_of, remember, set_cookie
from endcap.serve.storefront.language import Language
from endcap.serve.storefront.past import shortened
from endcap.serve.storefront.shop import Shop, has_prices, image_sources, shop_of
from endcap.serve.storefront.variants import swatch
from endcap.serve.widget.routes import SCRIPT
from endcap.store.errors import Unavailable

HERE = Path(__file__).parent
STATIC = assets(HERE / "static")
THEMES = ("light", "dark")
NAVIGATION = 9
SUMMARY = 160
"""Characters of a description that search engines show."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {images}; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Referrer-Policy": "same-origin",  # with no-referrer, forms would come from the origin `null`
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Accept-Language",
}


@dataclass(frozen=True)
class Page:
    """A request for a page, with all that every page shows."""

    request: Request

    @cached_property
    def shop(self) -> Shop:
        """Behind the pages."""
        return shop_of(self.request)

    @cached_property
    def version(self) -> Version:
        """The model, with the catalogue, that this page was begun with."""
        return self.shop.version

    @property
    def shelf(self) -> Shelf:
        """The catalogue."""
        return self.version.shelf

    @cached_property
    def listed(self) -> Shelf:
        """The catalogue without what rules hide everywhere: what departments, searches and doors are made of."""
        return self.shop.engine.listed(self.version)

    @cached_property
    def guest(self) -> Guest:
        """Who looks at it."""
        return guest_of(self.request)

    @cached_property
    def basket(self) -> Basket:
        """Their cart, of products that are still in the shop."""
        return basket_of(self.request, self.guest.key)

    @cached_property
    def say(self) -> Language:
        """In their language."""
        asked, cookies = self.request.query_params.get("lang"), self.request.cookies
        accepted = self.request.headers.get("accept-language", "")
        return languages.language(languages.preferred(asked, cookies.get(languages.COOKIE), accepted))

    def label(self, column: str) -> str:
        """What a column is called for people."""
        return self.say.texts.get(f"column.{column}") or label(column)

    def money(self, product: Product, pieces: int = 1) -> str:
        """A price as text."""
        price = None if product.price is None else product.price * pieces
        return self.say.money(price, product.currency or self.shop.config.currency)

    @property
    def origin(self) -> str:
        """What addresses of the shop begin with elsewhere."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}"

    @property
    def canonical(self) -> str:
        """The one address of this page: without what was chosen, but for the page's number and what was searched."""
        kept = [pair for pair in self.request.query_params.multi_items() if pair[0] in {"page", "q"}]
        return f"{self.origin}{self.request.url.path}{'?' if kept else ''}{urlencode(kept)}"

    def in_language(self, name: str) -> str:
        """The address of this page in another language."""
        query = [pair for pair in self.request.query_params.multi_items() if pair[0] != "lang"]
        path = self.request.url.path if self.request.method == "GET" else "/"
        return f"{path}?{urlencode([*query, ('lang', name)])}"

    def render(self, template: str, /, *, code: int = 200, **values: Any) -> HTMLResponse:
        """A page, with the cookies that its browser does not have yet."""
        theme = self.request.cookies.get("endcap_theme")
        key = caller_of(self.request).key
        large, small = tree(self.listed).departments()
        text = TEMPLATES.get_template(template).render(
            page=self,
            say=self.say,
            shop=self.shop,
            guest=self.guest,
            public_key=None if key is None and self.guest.key.name == "local" else self.guest.key.public,
            basket=self.basket,
            made_up=self.shop.people,
            departments=large[:NAVIGATION],
            has_more=len(large) + len(small) > NAVIGATION or bool(small),
            theme=theme if theme in THEMES else None,
            upright=self.shop.folder is not None and self.shop.folder.is_upright,
            has_prices=has_prices(self.shelf),
            **values,
        )
        policy = POLICY.format(images=image_sources(self.shelf))
        response = HTMLResponse(text, code, headers={**HEADERS, "Content-Security-Policy": policy})
        if self.guest.is_new:
            remember(response, self.guest, self.request)
        if self.request.query_params.get("lang") in languages.LOCALES:
            set_cookie(response, self.request, languages.COOKIE, self.say.name, days=365)
        return response


class PageRoute(APIRoute):
    """A route whose errors are pages too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Around FastAPI's own."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except (HTTPException, InputError, RequestValidationError, ValidationError, Unavailable) as error:
                plain = response_of(error)
                if "text/html" not in request.headers.get("accept", ""):
                    return plain
                return Page(request).render("problem.html", code=plain.status_code, status=plain.status_code)

        return handle


def summary(text: str) -> str:
    """As much of a text as is shown beside a link."""
    words = " ".join(text.replace("•", " ").split())
    return words if len(words) <= SUMMARY else f"{words[: SUMMARY - 1].rsplit(' ', 1)[0]}…"


def asset(name: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"/widget.js?{SCRIPT.tag}" if name == "widget.js" else f"/shop/static/{name}?{STATIC[name].tag}"


def _environment() -> Environment:
    found = templates(HERE / "templates")
    found.globals |= {"asset": asset, "shortened": shortened, "swatch": swatch, "nonce": lambda: secrets.token_hex(8)}
    found.filters["summary"] = summary
    found.filters["figure"] = figure
    found.filters["json"] = lambda value: to_json(value).decode()
    return found


TEMPLATES = _environment()
