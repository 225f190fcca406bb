"""One shape for everything that goes wrong: `{"error": {"code", "message", "details"}}`."""

import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endcap.data.errors import InputError
from endcap.serve.asgi import for_http
from endcap.serve.gather import Overloaded
from endcap.store.errors import Unavailable

log = logging.getLogger(__name__)

AGAIN = {"Retry-After": "1"}
MOST_DETAILS = 20
LONGEST = 80  # characters of a value that an answer repeats
BRANCH = ":"
"""Starts the tags of unions in schemas: they are no part of a place in the body."""

_OF_STATUS = {
    404: ("not_found", "there is nothing at this path; see /docs"),
    405: ("method_not_allowed", "this path does not take this method; see /docs"),
}


class Refused(HTTPException):
    """A request that is not carried out, with its status and why."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code = code


async def handle(request: Request, error: Exception) -> Response:
    """The answer that an exception is; also for FastAPI, which has answers of its own for some."""
    return response_of(error)


def errors(app: ASGIApp, answer: Callable[[Request, Exception], Awaitable[Response]] = handle) -> ASGIApp:
    """Middleware: an exception becomes an answer, never a traceback. What nobody expected has an id in the log."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await app(scope, receive, sending)
        except Exception as error:
            if started:
                raise
            response = await answer(Request(scope, receive), error)
            await response(scope, receive, send)

    return for_http(app, serve)


def response_of(error: Exception) -> Response:
    """The answer that an exception is."""
    match error:
        case Refused():
            return _response(error.status_code, error.code, error.detail, headers=error.headers)
        case HTTPException():
            code, message = _OF_STATUS.get(error.status_code, ("refused", str(error.detail)))
            return _response(error.status_code, code, message, headers=error.headers)
        case RequestValidationError() | ValidationError():
            details = [_detail(problem) for problem in error.errors()]
            message = "; ".join(f"{each['place']}: {each['problem']}" for each in details[:3])
            return _response(422, "invalid", message, details[:MOST_DETAILS])
        case InputError():
            return _response(422, "invalid", str(error))
        case Overloaded():
            return _response(503, "overloaded", "too many requests wait; try again", headers=AGAIN)
        case Unavailable():
            return _response(503, "unavailable", "the database cannot be reached; try again", headers=AGAIN)
    number = uuid.uuid4().hex[:12]
    log.error("error %s", number, exc_info=error)
    return _response(500, "internal", f"something went wrong; the server's log has it as {number}")


def _detail(problem: Mapping[str, Any]) -> dict[str, str]:
    place = ".".join(str(part) for part in problem["loc"] if not str(part).startswith(BRANCH))
    found = problem.get("input")
    shown = repr(found[:LONGEST] if isinstance(found, str | bytes) else found)[:LONGEST]
    text = problem["msg"].removeprefix("Value error, ")
    return {"place": place or "body", "problem": text, "found": shown}


def _response(
    status: int, code: str, message: str, details: Sequence[Any] = (), *, headers: Mapping[str, str] | None = None
) -> Response:
    body = to_json({"error": {"code": code, "message": message, "details": details}})
    return Response(body, status, headers, "application/json")
