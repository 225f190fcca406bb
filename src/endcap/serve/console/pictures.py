"""The picture of a product: its photo from the store, else an address of the catalogue, else a tile."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import RedirectResponse, Response

from endcap.serve.console.page import SAFE, Reading
from endcap.serve.console.session import PATH
from endcap.serve.storefront.pictures import web
from endcap.serve.storefront.tiles import tile

router = APIRouter()

CACHE = {"Cache-Control": "private, max-age=600"}


@router.get(f"{PATH}/photo")
def photo(page: Reading, item: Annotated[str, Query(max_length=512)]) -> Response:
    """A product that is unknown has a tile too."""
    shelf = page.desk.engine.live.shelf
    found = shelf.find(item)
    shown = shelf.shown(found) if found else {}
    own = shelf.ids[found - 1] if found else item
    if page.desk.engine.store is not None and (data := page.desk.store.photos([own]).get(own)):
        sent = web(data)
        if sent is not None:
            return Response(sent[0], media_type=sent[1], headers=SAFE | CACHE)
    if str(shown.get("image", "")).startswith("https://"):
        return RedirectResponse(str(shown["image"]), headers=SAFE | CACHE)
    drawn = tile(str(shown.get("title", item)), str(shown.get("category") or "").split(" > "))
    return Response(drawn, media_type="image/svg+xml", headers=SAFE | CACHE)
