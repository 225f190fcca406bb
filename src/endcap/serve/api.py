"""The routes: each parses, asks the engine, and answers."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from endcap.data.errors import InputError
from endcap.engine.alike import Likeness
from endcap.engine.rules import RULE
from endcap.serve import bodies
from endcap.serve.answers import (
    ForgottenAnswer,
    HealthAnswer,
    ListAnswer,
    PageAnswer,
    ProductAnswer,
    RecordedAnswer,
    RevisionAnswer,
    RuleAnswer,
    RulesAnswer,
    VisitorAnswer,
    reply,
)
from endcap.serve.bodies import PathId, Raw, body_of, content, takes
from endcap.serve.errors import Refused
from endcap.serve.keys import PublicKey
from endcap.serve.schemas import Beside, FilterText, ItemBody, ItemsBody, K, NewItemBody, Promote, RollBack, Token
from endcap.serve.serving import By, Here, Serving, caller_of, serving_of
from endcap.serve.translate import ask_of, asks_of, events_of, list_of, page_of, row_of, rows_of
from endcap.serve.visitors import Claim, new_session, sign

router = APIRouter()


def says(model: type) -> dict[int | str, dict[str, Any]]:
    """For /docs: what a good answer is."""
    return {200: {"model": model}}


# The two busiest do without what FastAPI does for arguments and answers: its share of a request falls by a third.


@router.post("/v1/recommendations", responses=says(ListAnswer), openapi_extra=takes(bodies.ASK), tags=["visitors"])
async def recommend(request: Request) -> Response:
    """A list for a visitor, best first. The last event that was acknowledged counts."""
    here, caller = serving_of(request), caller_of(request)
    body = await bodies.read(request, bodies.ASK)
    token = request.query_params.get("visitor")
    return reply(list_of(await here.recommend(ask_of(body, token, lambda claim: here.visitor(claim, caller)))))


@router.post("/v1/pages", responses=says(PageAnswer), openapi_extra=takes(bodies.PAGE), tags=["visitors"])
async def recommend_page(request: Request) -> Response:
    """All shelves of a page at once: no product stands on two of them, none beside itself or what lies in the cart."""
    here, caller = serving_of(request), caller_of(request)
    body = await bodies.read(request, bodies.PAGE)
    token = request.query_params.get("visitor")
    asks = asks_of(body, token, lambda claim: here.visitor(claim, caller))
    return reply(page_of(asks, await here.page(asks)))


@router.post("/v1/events", responses=says(RecordedAnswer), openapi_extra=takes(bodies.EVENTS), tags=["visitors"])
async def record_events(request: Request) -> Response:
    """Keeps one event or many; answers when they are on the disk. An event_id that was there before counts once."""
    here, caller = serving_of(request), caller_of(request)
    body = await bodies.read(request, bodies.EVENTS)
    token = request.query_params.get("visitor")
    apart = isinstance(caller.key, PublicKey)
    new = await here.record(events_of(body, token, lambda claim: here.visitor(claim, caller), apart=apart))
    here.metrics.events.labels("accepted").inc(sum(new))
    here.metrics.events.labels("duplicate").inc(len(new) - sum(new))
    return reply({"accepted": sum(new), "duplicates": len(new) - sum(new)})


@router.post("/v1/visitors", responses=says(VisitorAnswer), tags=["visitors"])
def create_visitor(here: Here, by: By) -> Response:
    """A token for a new anonymous visitor, signed by the public key that asks."""
    if by.key is not None and not isinstance(by.key, PublicKey):
        raise Refused(403, "not_allowed", "visitors are signed by a public key; ask with ?key=pk_…")
    session_id, expires = new_session(), time.time() + here.config.visitor_days * 86_400
    token = sign(by.key or by.signers[0], session_id)
    return reply({"visitor": token, "session_id": session_id, "expires": expires})


@router.get("/v1/items/{item_id:path}/similar", responses=says(ListAnswer), tags=["visitors"])
def similar_items(
    item_id: PathId,
    here: Here,
    by: By,
    k: Annotated[K, Query()] = 10,
    filter: Annotated[FilterText | None, Query()] = None,  # noqa: A002
    visitor: Annotated[Token | None, Query()] = None,
    likeness: Annotated[Likeness, Query(alias="by")] = "content",
) -> Response:
    """The products most like one, by all that is known of them, or by their photos alone; new ones too."""
    here.visitor(Claim(token=visitor), by)
    try:
        return reply(list_of(here.engine.similar(item_id, k, filter, by=likeness)))
    except InputError as error:
        if filter is not None and _is_known(here, item_id, likeness):
            raise
        raise Refused(404, "not_found", str(error)) from error


@router.put(
    "/v1/items/{item_id:path}/photo",
    responses=says(RevisionAnswer),
    openapi_extra={"requestBody": content({"type": "string", "format": "binary"}, "image/*")},
    tags=["catalogue"],
)
def put_photo(item_id: PathId, photo: Raw, here: Here) -> Response:
    """The photo of a product, as the bytes of an image file; the next answer knows it."""
    return reply({"revision": here.engine.put_items([{"item_id": item_id}], {item_id: photo})})


@router.put(
    "/v1/items/{item_id:path}", responses=says(RevisionAnswer), openapi_extra=takes(bodies.ITEM), tags=["catalogue"]
)
def put_item(item_id: PathId, body: Annotated[ItemBody, Depends(body_of(bodies.ITEM))], here: Here) -> Response:
    """Changes a product, or adds a new one; the next answer knows it."""
    return reply({"revision": here.engine.put_items([row_of(body) | {"item_id": item_id}])})


@router.get("/v1/items/{item_id:path}", responses=says(ProductAnswer), tags=["catalogue"])
def get_item(item_id: PathId, here: Here) -> Response:
    """A product as it is now: the columns that have a value, those of several as lists. 404 where the shop has none."""
    found = here.engine.item(item_id)
    if not found:
        raise Refused(404, "not_found", f"there is no product {item_id!r}")
    return reply(found)


@router.post("/v1/items", responses=says(RevisionAnswer), openapi_extra=takes(bodies.ITEMS), tags=["catalogue"])
def put_items(
    body: Annotated[NewItemBody | list[NewItemBody] | ItemsBody, Depends(body_of(bodies.ITEMS))], here: Here
) -> Response:
    """Changes or adds products together."""
    return reply({"revision": here.engine.put_items(rows_of(body))})


@router.delete("/v1/items/{item_id:path}", responses=says(RevisionAnswer), tags=["catalogue"])
def delete_item(item_id: PathId, here: Here) -> Response:
    """Takes a product out of the shop; one that was never there is no mistake."""
    return reply({"revision": here.engine.delete_items([item_id])})


@router.get("/v1/users/{user_id:path}", tags=["people"])
def export_user(user_id: PathId, here: Here) -> Response:
    """Everything that is known of a user."""
    found = here.store.export(user_id)
    if not any(isinstance(each, list | dict) and each for each in found.values()):
        raise Refused(404, "not_found", f"nothing is known of user {user_id!r}")
    return reply(found)


@router.delete("/v1/users/{user_id:path}", responses=says(ForgottenAnswer), tags=["people"])
def forget_user(user_id: PathId, here: Here) -> Response:
    """Forgets a user: gone from the next answer and the next training."""
    return reply({"events": here.store.forget(user_id, now=time.time())})


@router.get("/v1/rules", responses=says(RulesAnswer), tags=["rules"])
def list_rules(here: Here) -> Response:
    """All rules that are published."""
    return reply({"rules": [{"id": rule_id, "rule": body} for rule_id, body in here.store.rules()]})


@router.get("/v1/rules/{rule_id:path}", responses=says(RuleAnswer), tags=["rules"])
def get_rule(rule_id: PathId, here: Here) -> Response:
    """One rule."""
    return reply({"id": rule_id, "rule": _rule(here, rule_id)})


@router.put("/v1/rules/{rule_id:path}", responses=says(RevisionAnswer), openapi_extra=takes(RULE), tags=["rules"])
def put_rule(
    rule_id: PathId, body: Annotated[dict[str, Any], Depends(body_of(bodies.OBJECT))], here: Here, by: By
) -> Response:
    """Publishes a rule; docs/rules.md has every sort. The next answer follows it."""
    return reply({"revision": here.engine.put_rule(rule_id, body, by=by.name)})


@router.delete("/v1/rules/{rule_id:path}", responses=says(RevisionAnswer), tags=["rules"])
def delete_rule(rule_id: PathId, here: Here, by: By) -> Response:
    """Takes a rule back."""
    _rule(here, rule_id)
    return reply({"revision": here.store.delete_rule(rule_id, by=by.name, now=time.time())})


@router.get("/v1/models", tags=["models"])
def get_models(here: Here) -> Response:
    """What answers, and beside it."""
    return reply(here.engine.about)


@router.put("/v1/models", openapi_extra=takes(bodies.MODELS), tags=["models"])
def set_models(
    body: Annotated[Promote | RollBack | Beside, Depends(body_of(bodies.MODELS))], here: Here, by: By
) -> Response:
    """Promotes an artifact, rolls back, or lets one answer beside the live one. No request is lost meanwhile."""
    match body:
        case Promote():
            here.engine.promote(_artifact(here, body.path), by=by.name)
        case RollBack():
            here.engine.roll_back(by=by.name)
        case Beside():
            path = None if body.path is None else _artifact(here, body.path)
            here.engine.set_role(body.action, path, share=body.share, by=by.name)
    return reply(here.engine.about)


@router.get("/v1/health/live", responses=says(HealthAnswer), tags=["server"])
async def is_live() -> Response:
    """Whether the process answers."""
    return reply({"status": "live"})


@router.get("/v1/health/ready", responses=says(HealthAnswer), tags=["server"])
def is_ready(here: Here) -> Response:
    """Whether requests should come here: the model is loaded and the database can be reached (else 503)."""
    if here.engine.store is not None:
        here.engine.store.ping()
    return reply({"status": "ready"})


@router.get("/metrics", response_class=Response, tags=["server"])
def get_metrics(here: Here) -> Response:
    """For Prometheus; of all workers together."""
    return Response(here.metrics.page(here.engine), media_type="text/plain; version=0.0.4; charset=utf-8")


def _rule(here: Serving, rule_id: str) -> Mapping[str, Any]:
    found = dict(here.store.rules()).get(rule_id)
    if found is None:
        raise Refused(404, "not_found", f"there is no rule {rule_id!r}")
    return found


def _artifact(here: Serving, path: str) -> Path:
    """A folder beside OUT; a key is not for reading the rest of the disk."""
    home = here.config.out.resolve().parent
    found = (home / path).resolve()
    if not found.is_relative_to(home) or found == home:
        raise InputError(f"found path {path!r}; expected an artifact in the folder that holds {here.config.out.name}")
    return found


def _is_known(here: Serving, item_id: str, likeness: Likeness) -> bool:
    try:
        here.engine.similar(item_id, 1, by=likeness)
    except InputError:
        return False
    return True
