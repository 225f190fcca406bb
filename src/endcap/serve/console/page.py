"""What every page is made of: who asks, in which language, and what all pages share."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from endcap.engine.engine import Engine, Role
from endcap.engine.version import Version
from endcap.serve.console.session import COOKIE, Session, Sessions
from endcap.serve.console.slow import Slow
from endcap.serve.console.texts import COOKIE as LANGUAGE
from endcap.serve.console.texts import LANGUAGES, Words, language_of
from endcap.serve.console.traffic import Traffic
from endcap.serve.errors import Refused
from endcap.serve.serving import Serving
from endcap.store.store import Store

PAGES = {
    "overview": "/console",
    "quality": "/console/quality",
    "models": "/console/models",
    "people": "/console/people",
    "rules": "/console/rules",
    "experiments": "/console/experiments",
}
THEMES = ("light", "dark")
ROLES: tuple[Role, ...] = ("live", "candidate", "shadow")
"""In the order in which pages show them."""
FOLDER = Path(__file__).parent
FIELDS = 200
"""Of a form."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; "
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

    @cached_property
    def engine(self) -> Engine:
        """Raises Refused where something else answers in its place."""
        found = self.serving.engine
        if not isinstance(found, Engine):
            raise Refused(501, "no_engine", "this server has no engine that the console could show")
        return found

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

    def __call__(self, template: str, *, active: str = "", status: int = 200, **values: Any) -> Response:
        """A template with what all of them know."""
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
            version=static_version(),
            shop=getattr(self.desk.serving.engine, "name", ""),
            live=str(self.desk.serving.engine.about["models"]["live"]),
            done=self.request.query_params.get("done", ""),
            **values,
        )  # fmt: skip
        return self.kept(HTMLResponse(text, status, SAFE))

    def to(self, path: str, **query: str) -> Response:
        """Another page, after something was done."""
        return self.kept(RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303, SAFE))

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
    return Page(request, desk, session, Words(language_of(request)))


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


class Form(Mapping[str, str]):
    """The fields of a form that was sent; of one with several values the last, `several` has all."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs, self._last = pairs, {name: value.strip() for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._last.get(name, "")

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def several(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for each, value in self._pairs if each == name]


async def form_of(request: Request) -> Form:
    """The form of a request; raises Refused where it is not one that this session was shown."""
    try:
        text = (await request.body()).decode()
        form = Form(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS))
    except ClientDisconnect:
        raise Refused(400, "disconnected", "the form did not arrive") from None
    except ValueError:
        raise Refused(400, "form", f"found no form in UTF-8 with at most {FIELDS} fields") from None
    desk = desk_of(request)
    desk.sessions.check(desk.sessions.read(request.cookies.get(COOKIE)), form["token"])
    return form


def change_of(page: Writing, form: Annotated[Form, Depends(form_of)]) -> Form:
    """A form that changes something."""
    return form


Sent = Annotated[Form, Depends(form_of)]
Change = Annotated[Form, Depends(change_of)]


@cache
def environment() -> Environment:
    """Of the templates; everything is escaped that is not Markup, and an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "percent": percent, "moment": moment, "day": day, "seconds": seconds}
    return made


@cache
def static() -> dict[str, bytes]:
    """The files that pages name, in memory."""
    return {path.name: path.read_bytes() for path in sorted((FOLDER / "static").iterdir())}


@cache
def static_version() -> str:
    """Changes with any of them, so that browsers may keep them for good."""
    return hashlib.sha256(b"".join(static().values())).hexdigest()[:10]


def number(value: float | None, places: int = 0) -> str:
    """Thousands apart; a dash where it is not known."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{places}f}".replace("-", "−")


def percent(value: float | None, places: int = 1) -> str:
    """A share in hundredths."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{places}%}".replace("-", "−")


def moment(value: float | None) -> str:
    """Day and minute, UTC."""
    return _written(value, "%Y-%m-%d %H:%M")


def day(value: float | None) -> str:
    """UTC."""
    return _written(value, "%Y-%m-%d")


def seconds(value: float | None) -> str:
    """A short time: 4.2 ms, 1.3 s."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _written(value: float | None, form: str) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    try:
        return datetime.fromtimestamp(value, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return "–"
