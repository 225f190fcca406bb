"""In and out: login, logout, and the files that pages name."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from endcap.serve.assets import FOR_EVER
from endcap.serve.console.form import Sent
from endcap.serve.console.page import Anyone
from endcap.serve.console.render import STATIC
from endcap.serve.console.session import PATH, Session
from endcap.serve.errors import Refused
from endcap.serve.keys import rate_of

router = APIRouter()

TRIES = rate_of("10/minute")
"""Of an address, to log in."""


@router.get(f"{PATH}/")
def slash(page: Anyone) -> Response:
    """The first page, as some type it."""
    return page.to(PATH)


@router.get(f"{PATH}/login")
def login(page: Anyone) -> Response:
    """Asks for a key; who needs none is let through."""
    return page("login.html", wrong=False) if page.session.role is None else page.to(PATH)


@router.post(f"{PATH}/login")
def log_in(request: Request, page: Anyone, form: Sent) -> Response:
    """Opens a session with a nonce of its own, so that one that was planted before is worth nothing."""
    page.desk.serving.rates.check(TRIES, ("console login", request.client.host if request.client else ""))
    try:
        session = page.desk.sessions.log_in(form["key"])
    except Refused as refused:
        return page("login.html", wrong=True, status=refused.status_code)
    return page.kept(page.to(PATH), session)


@router.post(f"{PATH}/logout")
def log_out(page: Anyone, form: Sent) -> Response:
    """Forgets who it was."""
    ended = Session(page.desk.sessions.read(None).nonce)
    return page.kept(page.to(f"{PATH}/login"), ended)


@router.get(f"{PATH}/static/{{name}}")
def file(name: str, request: Request) -> Response:
    """A style or a script; its address changes with it."""
    if name not in STATIC:
        raise Refused(404, "not_found", "there is no such file")
    return STATIC[name].response(request, FOR_EVER)
