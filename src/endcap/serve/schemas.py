"""What bodies and answers look like: checked where they enter, shown at /docs."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import to_json

from endcap.data.schema import KINDS
from endcap.engine.requests import Goal, Slot
from endcap.serve.errors import BRANCH

AHEAD = 300.0
"""Seconds that the clock of a sender may be ahead of ours."""
MOST_K = 100
MOST_EVENTS = 1000
MOST_ATTRIBUTES = 4096  # bytes of JSON
MOST_VALUES = 100  # of a list
LONGEST_TEXT = 20_000
LONGEST_NAME = 64  # of a column
LARGEST = 1e15

# PostgreSQL keeps no NUL in a text.
NO_NUL = r"^[^\x00]*$"
Id = Annotated[str, Field(min_length=1, max_length=512, pattern=NO_NUL)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT, pattern=NO_NUL)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=NO_NUL)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
FilterText = Annotated[str, Field(max_length=2000, pattern=NO_NUL, examples=["category:Dairy AND price < 5"])]
Token = Annotated[str, Field(max_length=1024, description="of a visitor: what POST /v1/visitors gave")]
Signature = Annotated[str, Field(max_length=128, description="hex HMAC-SHA256 of user_id by the signing secret")]
K = Annotated[int, Field(ge=1, le=MOST_K)]


def _value(value: Any) -> Any:
    """One check for all that a cell may hold; a union would give an error for each of its branches."""
    if isinstance(value, list):
        if len(value) > MOST_VALUES:
            raise ValueError(f"expected at most {MOST_VALUES} values")
        return [_scalar(each) for each in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT or "\0" in value:
            raise ValueError(f"expected at most {LONGEST_TEXT:,} characters, none of them NUL")
    elif isinstance(value, int | float):
        if not abs(value) <= LARGEST:  # NaN is not
            raise ValueError(f"expected a number of at most {LARGEST:g}")
    elif value is not None:
        raise ValueError("expected text, a number, true, false, null, or a list of these")
    return value


def _kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"expected one of {', '.join(KINDS)}")
    return value


def _seconds(value: Any) -> Any:
    """ISO 8601 as seconds since 1970."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise ValueError("expected seconds since 1970, or such as 2026-11-25T10:00:00Z with its zone") from None


def _past(value: float) -> float:
    if value > time.time() + AHEAD:
        hint = "; these look like milliseconds" if value > 1e11 else "; leave it out for now"
        raise ValueError(f"lies in the future; expected seconds since 1970{hint}")
    return value


def _small(value: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(to_json(value)) > MOST_ATTRIBUTES:
        raise ValueError(f"expected at most {MOST_ATTRIBUTES:,} bytes of JSON")
    return value


Kind = Annotated[str, AfterValidator(_kind), WithJsonSchema({"type": "string", "enum": list(KINDS)})]
Time = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0, allow_inf_nan=False),
    AfterValidator(_past),
    WithJsonSchema({
        "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "format": "date-time"}],
        "description": "seconds since 1970, or ISO 8601 with a zone",
    }),
]  # fmt: skip
_CELL = {
    "type": ["string", "number", "boolean", "null"],
    "maxLength": LONGEST_TEXT, "pattern": NO_NUL, "minimum": -LARGEST, "maximum": LARGEST,
}  # fmt: skip
_CELLS = {"type": "array", "maxItems": MOST_VALUES, "items": _CELL}
Value = Annotated[Any, AfterValidator(_value), WithJsonSchema({"anyOf": [_CELL, _CELLS]})]
"""A cell of the catalogue, or an attribute of an event."""
Attributes = Annotated[dict[Name, Value], AfterValidator(_small)]


class Body(BaseModel):
    """A key that nobody reads is a mistake, not a wish."""

    model_config = ConfigDict(extra="forbid")


class EventBody(Body):
    """What a visitor did; `value` is the rating of a review, the price of one piece otherwise."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"session_id": "s1", "item_id": "4711", "kind": "purchase", "value": 3.5, "quantity": 2}]
        }
    )

    event_id: Id | None = None  # the same id twice counts once
    user_id: Id | None = None
    session_id: Id | None = None
    item_id: Id
    kind: Kind
    value: Number | None = None
    quantity: Annotated[Number, Field(gt=0)] | None = None
    time: Time | None = None
    recommendation_id: Id | None = None
    attributes: Attributes = {}
    visitor: Token | None = None
    user_signature: Signature | None = None


class EventsBody(Body):
    """Events with one signature for all."""

    events: Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS)]
    visitor: Token | None = None
    user_signature: Signature | None = None


def _sort_of_events(body: Any) -> str:
    if isinstance(body, list):
        return ":list"
    return ":events" if isinstance(body, dict) and "events" in body else ":event"


AnyEvents = Annotated[
    Annotated[EventBody, Tag(f"{BRANCH}event")]
    | Annotated[list[EventBody], Field(min_length=1, max_length=MOST_EVENTS), Tag(f"{BRANCH}list")]
    | Annotated[EventsBody, Tag(f"{BRANCH}events")],
    Discriminator(_sort_of_events),
]


class StepBody(Body):
    """An event of a history."""

    item_id: Id
    kind: Kind = "view"
    time: Time | None = None
    rating: Number | None = None
    price: Number | None = None
    quantity: Number | None = None


AnyStep = Annotated[
    Annotated[Id, Tag(f"{BRANCH}id")] | Annotated[StepBody, Tag(f"{BRANCH}step")],
    Discriminator(lambda step: ":id" if isinstance(step, str) else ":step"),
]


class AskBody(Body):
    """Who, where, and what may be shown; without a history of its own the visitor's last events count."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"session_id": "s1", "k": 5},
                {"history": ["4711", {"item_id": "4712", "kind": "cart"}], "filter": "price < 5", "explain": True},
                {"user_id": "u17", "slot": "product", "item_id": "4711"},
            ]
        }
    )

    user_id: Id | None = None
    session_id: Id | None = None
    history: Annotated[list[AnyStep], Field(max_length=1000)] | None = None
    item_id: Id | None = None
    cart: Annotated[list[Id], Field(max_length=100)] = []
    goal: Goal | None = None
    slot: Slot = "home"
    k: K = 10
    filter: FilterText | None = None
    exclude: Annotated[list[Id], Field(max_length=1000)] = []
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0
    explain: bool = False
    one_per_group: bool = True  # of products that read alike, or are colours and sizes of one, at most one
    visitor: Token | None = None
    user_signature: Signature | None = None


class ShelfBody(Body):
    """A list of a page; what the page shows and what lies in the cart are the page's, where it has none of its own."""

    slot: Slot = "home"
    k: K = 12
    filter: FilterText | None = None
    item_id: Id | None = None
    cart: Annotated[list[Id], Field(max_length=100)] | None = None
    diversity: Annotated[float, Field(ge=0, le=1)] = 0.0
    explain: bool | None = None


class PageBody(Body):
    """All shelves of a page in their order: no product stands on two of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"session_id": "s1", "item_id": "4711", "shelves": [{"slot": "similar"}, {"slot": "product", "k": 6}]}
            ]
        }
    )

    user_id: Id | None = None
    session_id: Id | None = None
    history: Annotated[list[AnyStep], Field(max_length=1000)] | None = None
    item_id: Id | None = None
    cart: Annotated[list[Id], Field(max_length=100)] = []
    goal: Goal | None = None
    exclude: Annotated[list[Id], Field(max_length=1000)] = []
    explain: bool = False
    shelves: Annotated[list[ShelfBody], Field(min_length=1, max_length=12)]
    visitor: Token | None = None
    user_signature: Signature | None = None


class ItemBody(BaseModel):
    """Columns of the catalogue, the shop's own too; those left out stay as they are, null clears."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"title": "Green tea", "category": "Drinks > Tea", "price": 2.5, "stock": 12}]},
    )
    __pydantic_extra__: dict[str, Value] = Field(init=False)

    title: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    price: Annotated[Number, Field(ge=0)] | None = None
    rating: Number | None = None
    rating_count: Annotated[Number, Field(ge=0)] | None = None
    stock: Value = None
    description: Text | None = None
    image: Value = None

    @model_validator(mode="after")
    def _columns(self) -> Self:
        for name in self.model_extra or {}:
            if not 0 < len(name) <= LONGEST_NAME or "\0" in name:
                raise ValueError(f"found a column {name[:80]!r}; expected a name of 1 to {LONGEST_NAME} characters")
            if name == "item_id":
                raise ValueError("found item_id beside the id in the path; leave it out")
        return self


class NewItemBody(ItemBody):
    """A product with its id."""

    item_id: Id


class ItemsBody(Body):
    """Products to be changed together."""

    items: Annotated[list[NewItemBody], Field(min_length=1, max_length=1000)]


AnyItems = Annotated[
    Annotated[NewItemBody, Tag(f"{BRANCH}item")]
    | Annotated[list[NewItemBody], Field(min_length=1, max_length=1000), Tag(f"{BRANCH}list")]
    | Annotated[ItemsBody, Tag(f"{BRANCH}items")],
    Discriminator(
        lambda body: ":list" if isinstance(body, list) else ":items" if body and "items" in body else ":item"
    ),
]


class Promote(Body):
    """Makes an artifact live."""

    action: Literal["promote"]
    path: Annotated[str, Field(max_length=512, pattern=NO_NUL, description="in the folder that holds OUT")]


class RollBack(Body):
    """Makes the artifact live that was before."""

    action: Literal["roll_back"]


class Beside(Body):
    """Lets an artifact answer unheard, for a share of the visitors, or in a slot; without a path this ends."""

    action: Literal["shadow", "candidate", "again", "new"]
    path: Annotated[str, Field(max_length=512, pattern=NO_NUL)] | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 0.0


ModelsBody = Annotated[Promote | RollBack | Beside, Field(discriminator="action")]
