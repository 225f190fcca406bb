"""The routes of search: each parses, asks the engine, and answers."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from endcap.engine.searching import Hits, Sought
from endcap.serve import bodies
from endcap.serve.answers import SearchAnswer, SuggestAnswer, reply
from endcap.serve.bodies import body_of, takes
from endcap.serve.search_body import SearchBody
from endcap.serve.serving import By, Here
from endcap.serve.storefront.facets import facets
from endcap.serve.translate import step_of
from endcap.serve.visitors import Claim

router = APIRouter(tags=["visitors"])

MOST_SUGGESTED = 20


@router.post("/v1/search", responses={200: {"model": SearchAnswer}}, openapi_extra=takes(bodies.SEARCH))
def search(
    body: Annotated[SearchBody, Depends(body_of(bodies.SEARCH))],
    here: Here,
    by: By,
    visitor: Annotated[str | None, Query(max_length=1024)] = None,
) -> Response:
    """What fits some words, best first: what has everything, then what comes close; and what was made of the words."""
    claim = Claim(body.user_id, body.session_id, body.visitor or visitor, body.user_signature)
    sought = Sought(
        query=body.query,
        visitor=here.visitor(claim, by),
        history=None if body.history is None else tuple(step_of(each) for each in body.history),
        k=body.k,
        offset=body.offset,
        filter=body.filter,
        sort=body.sort,
    )
    return reply(_found(here.engine.search(sought), sought, with_facets=body.facets))


@router.get("/v1/suggest", responses={200: {"model": SuggestAnswer}})
def suggest(
    here: Here,
    by: By,
    q: Annotated[str, Query(max_length=500)] = "",
    k: Annotated[int, Query(ge=1, le=MOST_SUGGESTED)] = 6,
    visitor: Annotated[str | None, Query(max_length=1024)] = None,
) -> Response:
    """What a query that is being typed may become, and the products and categories that it finds already."""
    here.visitor(Claim(token=visitor), by)
    shelf, found = here.engine.suggest(q, k)
    items = [{**shelf.shown(item), "id": shelf.ids[item - 1]} for item in found.items.tolist()]
    return reply({"queries": found.queries, "items": items, "categories": found.categories})


def _found(hits: Hits, sought: Sought, *, with_facets: bool) -> Mapping[str, Any]:
    """What is sent of a search; totals and facets are those of the whole list."""
    found, shelf = hits.found, hits.shelf
    page = slice(sought.offset, sought.offset + sought.k)
    shown = zip(found.items[page].tolist(), found.scores[page].tolist(), found.complete[page].tolist(), strict=True)
    everything = np.ones(len(shelf) + 1, dtype=bool)
    counted = facets(shelf, found.items, {}, everything) if with_facets and len(found.items) else []
    wishes = asdict(found.wishes)
    return {
        "items": [{**shelf.shown(item), "id": shelf.ids[item - 1], "score": score, "complete": complete}
                  for item, score, complete in shown],
        "total": len(found.items),
        "complete": found.exact,
        "facets": [
            {"column": facet.column,
             "values": [{"value": each.name, "label": each.label, "count": each.size} for each in facet.values]}
            for facet in counted
        ],
        "understood": {**wishes, "words": list(found.reading.typed)},
        "corrected": hits.corrected,
        "given_up": found.given_up,
        "nearest_price": found.nearest,
        "model": hits.model,
    }  # fmt: skip
