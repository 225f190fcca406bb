"""Forms: read without a package for uploads, and taken from the session that was shown them alone."""

from collections.abc import Iterator, Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends
from starlette.requests import ClientDisconnect, Request

from endcap.serve.console.page import Writing, desk_of
from endcap.serve.console.session import COOKIE
from endcap.serve.errors import Refused

FIELDS = 200
"""Of a form."""


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
