"""Bodies are checked as they come, without FastAPI's way through Python's json: no NaN, no bottomless nesting.

Beacons of pages cannot say that they are JSON: `navigator.sendBeacon` sends text/plain where another origin is asked.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Depends
from pydantic import BeforeValidator, TypeAdapter
from starlette.requests import ClientDisconnect, Request

from endcap.engine.rules import RULE
from endcap.serve.errors import Refused
from endcap.serve.schemas import (
    AnyEvents,
    AnyItems,
    AskBody,
    Beside,
    EventBody,
    EventsBody,
    Id,
    ItemBody,
    ItemsBody,
    ModelsBody,
    NewItemBody,
    PageBody,
    Promote,
    RollBack,
)
from endcap.serve.search_body import SearchBody

T = TypeVar("T")


def _unquoted(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("expected UTF-8, percent-encoded") from None


EVENTS: TypeAdapter[EventBody | list[EventBody] | EventsBody] = TypeAdapter(AnyEvents)
ASK = TypeAdapter(AskBody)
PAGE = TypeAdapter(PageBody)
SEARCH = TypeAdapter(SearchBody)
ITEM = TypeAdapter(ItemBody)
ITEMS: TypeAdapter[NewItemBody | list[NewItemBody] | ItemsBody] = TypeAdapter(AnyItems)
MODELS: TypeAdapter[Promote | RollBack | Beside] = TypeAdapter(ModelsBody)
OBJECT: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
BODIES: Mapping[str, TypeAdapter[Any]] = {
    "Events": EVENTS, "Ask": ASK, "Page": PAGE, "Search": SEARCH, "Item": ITEM, "Items": ITEMS,
    "Models": MODELS, "Rule": RULE,
}  # fmt: skip
"""By the names that /docs gives them."""

PathId = Annotated[Id, BeforeValidator(_unquoted)]
"""An id of the path, which is matched as it was sent: a slash of the id is %2F there."""


async def read(request: Request, kind: TypeAdapter[T]) -> T:
    """The body; raises ValidationError (422)."""
    return kind.validate_json(await raw(request))


async def raw(request: Request) -> bytes:
    """The body as it came."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise Refused(400, "disconnected", "the body did not arrive") from None


def body_of(kind: TypeAdapter[T]) -> Callable[[Request], Awaitable[T]]:
    """The body as an argument of a route."""

    async def dependency(request: Request) -> T:
        return await read(request, kind)

    return dependency


Raw = Annotated[bytes, Depends(raw)]


def takes(kind: TypeAdapter[Any]) -> dict[str, Any]:
    """For /docs: a body that FastAPI does not read itself."""
    name = next(name for name, each in BODIES.items() if each is kind)
    return {"requestBody": content({"$ref": f"#/components/schemas/{name}"})}


def content(schema: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    """As OpenAPI writes a body."""
    return {"required": True, "content": {media_type: {"schema": schema}}}
