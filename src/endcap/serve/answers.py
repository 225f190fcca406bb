"""What the API says, as /docs shows it. Answers are written from plain values; a test holds them against these."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import Response


class HadAnswer(BaseModel):
    """What the visitor did with the product before, or with one that reads alike."""

    kind: str = Field(description="purchase, cart or view: the weightiest")
    times: int = Field(description="so many events of that kind")
    days: int | None = Field(description="since the last one; null where that is not known, or longer ago than a year")
    every: int | None = Field(description="days from one purchase to the next, where they come regularly")
    same: bool = Field(description="whether it was the very product")


class ReasonAnswer(BaseModel):
    """Why a product stands there."""

    text: str = Field(description="for people, in English")
    events: list[str] = Field(description="ids of other items of the history, without which its score is lower")
    titles: list[str] = Field(description="of these items")
    features: list[str]
    kind: str = Field(description="rule, had, events, taste (people with such a history like it) or popular")
    rule: str | None = Field(description="the id of the rule that placed it")
    had: HadAnswer | None


class ItemAnswer(BaseModel):
    """A place of a list; beside these whatever is known of title, category, brand, price, currency and image."""

    model_config = ConfigDict(extra="allow")

    id: str
    score: float | None  # null where a rule put it there
    reason: ReasonAnswer | None  # null unless explain


class ProductAnswer(BaseModel):
    """A product of the catalogue, with the columns that it has a value in."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"item_id": "4711", "title": "Green tea", "price": 2.5, "colour": ["green"]}]},
    )

    item_id: str


class ListAnswer(BaseModel):
    """A list, best first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "recommendation_id": "5c1e2d…",
                    "items": [{"id": "4711", "score": 7.25, "reason": None, "title": "Green tea", "price": 2.5}],
                    "model": "transformer-1f2e3d4c",
                    "unknown": [],
                    "notes": [],
                }
            ]
        }
    )

    recommendation_id: str = Field(description="for the events that follow from this list; empty where none is kept")
    items: list[ItemAnswer]
    model: str = Field(description="the version that answered")
    unknown: list[str] = Field(description="ids of the request that are no products; they were ignored")
    notes: list[str]


class ShelfAnswer(ListAnswer):
    """A list of a page; one without items has too few to be a shelf."""

    slot: str


class PageAnswer(BaseModel):
    """The lists of a page, in the order in which they were asked for."""

    shelves: list[ShelfAnswer]


class HitAnswer(BaseModel):
    """A product of a search; beside these whatever is known of it, as in a list."""

    model_config = ConfigDict(extra="allow")

    id: str
    score: float
    complete: bool = Field(description="whether it has all that was asked for")


class CountAnswer(BaseModel):
    """A value by which a search can be narrowed down."""

    value: str
    label: str = Field(description="for people")
    count: int


class FacetAnswer(BaseModel):
    """A column of few values, counted over the whole list."""

    column: str
    values: list[CountAnswer]


class UnderstoodAnswer(BaseModel):
    """What was read of a query."""

    text: str = Field(description="what is left of it beside the wishes")
    words: list[str] = Field(description="what was looked for, as it was typed")
    low: float | None
    high: float | None
    currency: str | None
    sort: str = Field(description="best, cheap, dear or rating")
    unwanted: list[str]


class SearchAnswer(BaseModel):
    """What fits some words, best first."""

    items: list[HitAnswer]
    total: int = Field(description="products of the whole list")
    complete: int = Field(description="how many of them have all that was asked for; they come first")
    facets: list[FacetAnswer]
    understood: UnderstoodAnswer
    corrected: dict[str, str] = Field(description="a word as it was typed: as it was looked for")
    given_up: list[str] = Field(description="words and bounds that nothing has together with the rest")
    nearest_price: float | None = Field(description="where no price is within the bounds: the nearest one")
    model: str = Field(description="whose order products have that fit alike")


class SuggestedAnswer(BaseModel):
    """A product that is found already; beside the id whatever is known of it."""

    model_config = ConfigDict(extra="allow")

    id: str


class SuggestAnswer(BaseModel):
    """For a list below the field."""

    queries: list[str]
    items: list[SuggestedAnswer]
    categories: list[str]


class RecordedAnswer(BaseModel):
    """Events that are kept now."""

    accepted: int
    duplicates: int = Field(description="their event_id was there before")


class RevisionAnswer(BaseModel):
    """A change that every later answer knows."""

    revision: int


class VisitorAnswer(BaseModel):
    """Who a page may speak for."""

    visitor: str = Field(description="the token; keep it where the page keeps such things, and send it along")
    session_id: str
    expires: float = Field(description="seconds since 1970")


class ForgottenAnswer(BaseModel):
    """A user who is not known any more."""

    events: int = Field(description="how many were deleted")


class RuleAnswer(BaseModel):
    """A rule with its id."""

    id: str
    rule: dict[str, Any]


class RulesAnswer(BaseModel):
    """All that are published."""

    rules: list[RuleAnswer]


class HealthAnswer(BaseModel):
    """That it works."""

    status: str


class Problem(BaseModel):
    """What went wrong."""

    code: str = Field(examples=["invalid"])
    message: str = Field(examples=["k: Input should be greater than or equal to 1"])
    details: list[dict[str, str]] = Field(examples=[[{"place": "k", "problem": "…", "found": "0"}]])


class ErrorAnswer(BaseModel):
    """The one shape of everything that goes wrong."""

    error: Problem


def reply(value: Any, status: int = 200) -> Response:
    """JSON; it has no NaN, so null instead."""
    return Response(to_json(value, inf_nan_mode="null", fallback=str), status, media_type="application/json")
