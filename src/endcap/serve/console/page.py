"""What every page is made of: who asks, in which language, and what all pages share."""

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import urlencode

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from endcap.engine.engine import Engine, Role
from endcap.engine.requests import Slot
from endcap.engine.version import Version
from endcap.serve.console.files import file_of
from endcap.serve.console.plots import ROLE_SHADES, Plot, Sheet
from endcap.serve.console.render import environment
from endcap.serve.console.session import COOKIE, Session, Sessions
from endcap.serve.console.slow import FRESH, Slow
from endcap.serve.console.texts import COOKIE as LANGUAGE
from endcap.serve.console.texts import LANGUAGES, Words, language_of
from endcap.serve.console.traffic import Traffic
from endcap.serve.errors import Refused
from endcap.serve.serving import Serving
from endcap.serve.storefront.shop import Shop
from endcap.store.store import Store

T = TypeVar("T")

PAGES = {
    "overview": "/console",
    "products": "/console/products",
    "quality": "/console/quality",
    "models": "/console/models",
    "people": "/console/people",
    "rules": "/console/rules",
    "experiments": "/console/experiments",
    "server": "/console/server",
}
THEMES = ("light", "dark")
ROLES: tuple[Role, ...] = ("live", "candidate", "shadow", "again", "new")
"""In the order in which pages show them."""
SLOTS: tuple[Slot, ...] = get_args(Slot)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: http: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send forms from the origin null
}


@dataclass(frozen=True)
class Desk:
    """What the pages of one server share."""

    serving: Serving
    sessions: Sessions
    traffic: Traffic
    slow: Slow
    zone: tzinfo  # of the shop
    front: Shop | None  # what the shop's pages are made from, photos above all

    @cached_property
    def engine(self) -> Engine:
        """Raises Refused where something else answers in its place."""
        found = self.serving.engine
        if not isinstance(found, Engine):
            raise Refused(501, "no_engine", "this server has no engine that the console could show")
        return found

    @property
    def shop(self) -> Shop:
        """What the shop's pages are made from; raises Refused where something else answers in the engine's place."""
        if self.front is None:
            raise Refused(501, "no_engine", "this server has no engine that the console could show")
        return self.front

    @property
    def versions(self) -> dict[Role, Version]:
        """The models at work."""
        found = self.engine.versions
        return {role: found[role] for role in ROLES if role in found}

    @property
    def store(self) -> Store:
        """Raises Refused where there is none."""
        if self.engine.store is None:
            raise Refused(409, "no_database", "this server has no database; start it with --db")
        return self.engine.store


class SignedOut(Exception):  # noqa: N818  a state, not a mistake
    """A page that needs a key was asked for without one."""


@dataclass(frozen=True)
class Page:
    """Makes the pages of one request; `page("rules.html", …)` is one."""

    request: Request
    desk: Desk
    session: Session
    words: Words
    made: list[float] = field(default_factory=list)  # when the page's figures were, in seconds

    def figure(self, key: Hashable, make: Callable[[], T], *, seconds: float = FRESH) -> T | None:
        """What `make` gives, as it was some `seconds` ago; None where it is not ready. The page says how old it is."""
        found = self.desk.slow.get(key, make, seconds=seconds)
        if found is None:
            return None
        self.made.append(found.at)
        return found.value

    def __call__(
        self,
        template: str,
        *,
        active: str = "",
        status: int = 200,
        files: Iterable[Sheet | Plot] | None = None,
        **values: Any,
    ) -> Response:
        """A template with what all of them know; or one of its tables or plots as a file, where the address asks so."""
        if files is not None and (file := file_of(files, self.request.query_params)) is not None:
            return file
        text = environment().get_template(template).render(
            t=self.words,
            active=active,
            session=self.session,
            open=self.desk.sessions.open,
            token=self.desk.sessions.token(self.session),
            pages=PAGES,
            languages=LANGUAGES,
            other=[self._address(lang=each) for each in LANGUAGES],
            theme=next((each for each in THEMES if each == self.request.cookies.get("endcap_theme")), ""),
            shop=getattr(self.desk.serving.engine, "name", ""),
            live=str(self.desk.serving.engine.about["models"]["live"]),
            role_shades=ROLE_SHADES,
            pages_of_shop=self.desk.serving.config.has_storefront,
            zone=self.desk.serving.config.timezone,
            as_of=min(self.made, default=time.time()),
            simulated=self.desk.front is not None and self.desk.front.is_simulated,
            file=lambda kind, name: self._address(**{kind: name}),
            done=self.request.query_params.get("done", ""),
            **values,
        )  # fmt: skip
        return self.kept(HTMLResponse(text, status, SAFE))

    def part(self, template: str, **values: Any) -> str:
        """A part of a page, for a script that puts it in the place of an older one."""
        return environment().get_template(template).render(t=self.words, **values)

    def to(self, path: str, part: str = "", **query: str) -> Response:
        """Another page, after something was done; part: the id of what is looked at there."""
        address = (f"{path}?{urlencode(query)}" if query else path) + (f"#{part}" if part else "")
        return self.kept(RedirectResponse(address, 303, SAFE))

    def kept(self, response: Response, session: Session | None = None) -> Response:
        """The response with the session's cookie, and that of the language where it was chosen just now."""
        secure = self.request.url.scheme == "https"
        if session is not None or self.session.new:
            self.desk.sessions.keep(response, session or self.session, secure=secure)
        if self.request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(LANGUAGE, self.words.language, max_age=31_536_000, samesite="lax", secure=secure)
        return response

    def _address(self, **changed: str) -> str:
        query = {name: value for name, value in self.request.query_params.items() if name != "done"} | changed
        path = self.request.url.path if self.request.method == "GET" else PAGES["overview"]
        return f"{path}?{urlencode(query)}"


def desk_of(request: Request) -> Desk:
    """The one of this server."""
    found: Desk = request.app.state.desk
    return found


def page_of(request: Request) -> Page:
    """For anyone, logged in or not."""
    desk = desk_of(request)
    session = desk.sessions.read(request.cookies.get(COOKIE))
    words = Words(language_of(request), desk.serving.config.shop.currency, desk.zone)
    return Page(request, desk, session, words)


def read_page(page: Annotated[Page, Depends(page_of)]) -> Page:
    """For who may read; raises SignedOut."""
    if page.session.role is None:
        raise SignedOut
    return page


Anyone = Annotated[Page, Depends(page_of)]
Reading = Annotated[Page, Depends(read_page)]


def write_page(page: Reading) -> Page:
    """For who may change something; raises Refused (403)."""
    if not page.session.writes:
        raise Refused(403, "not_allowed", 'this key may read alone; log in with one of role = "write"')
    return page


Writing = Annotated[Page, Depends(write_page)]
