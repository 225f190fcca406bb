"""A search as it is sent."""

from typing import Annotated

from pydantic import ConfigDict, Field

from endcap.search.wishes import Sort
from endcap.serve.schemas import LONGEST_TEXT, NO_NUL, AnyStep, Body, FilterText, Id, K, Signature, Token


class SearchBody(Body):
    """Words, and who asks; bounds of the price, an order and what is not wanted may stand in the words."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "red dress under 50 without polyester", "session_id": "s1"},
                {"query": "牛奶", "k": 5, "filter": "in_stock"},
            ]
        }
    )

    query: Annotated[str, Field(max_length=LONGEST_TEXT, pattern=NO_NUL)]
    user_id: Id | None = None
    session_id: Id | None = None
    history: Annotated[list[AnyStep], Field(max_length=1000)] | None = None
    k: K = 24
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0
    filter: FilterText | None = None
    sort: Sort | None = None  # in place of the one that the words ask for
    facets: bool = True
    visitor: Token | None = None
    user_signature: Signature | None = None
