"""The picture of a product: its photo from the store, a file of the shop's, an address; else a tile."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from endcap.engine.shelf import Shelf
from endcap.serve.bodies import PathId
from endcap.serve.storefront.catalogue import find, levels, product
from endcap.serve.storefront.pictures import remote, web
from endcap.serve.storefront.seen import heat_map
from endcap.serve.storefront.shop import Shop, shop_of
from endcap.serve.storefront.tiles import plain_tile, tile

CACHE = "private, max-age=600"
SAFE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}

router = APIRouter(include_in_schema=False)


@router.get("/photo/{item_id:path}/seen")
def seen(request: Request, item_id: PathId) -> Response:
    """The photo under what the network looked at."""
    shop = shop_of(request)
    version = shop.version
    item, told = find(version.shelf, item_id), version.artifact.described
    photo = next(iter(shop.photos(version.shelf.ids[item - 1])), None) if item else None
    made = heat_map(shop.heat_maps, None if told is None else told.encoders.photos, photo)
    return _sent(request, made, "image/jpeg")


@router.get("/photo/{item_id:path}")
def photo(request: Request, item_id: PathId, tile_only: Annotated[str | None, Query(alias="tile")] = None) -> Response:
    """A picture for every product; `?tile` where a page has found that its photo cannot be loaded."""
    shop = shop_of(request)
    shelf = shop.version.shelf
    return picture(request, shop, shelf, find(shelf, item_id), tile_only=tile_only is not None)


def picture(request: Request, shop: Shop, shelf: Shelf, item: int, *, tile_only: bool = False) -> Response:
    """The photo of an item, else a tile; of none (0) a plain one."""
    if item and not tile_only:
        own = shelf.ids[item - 1]
        for data in shop.photos(own):
            if data and (found := web(data)) is not None:
                return _sent(request, *found)
        if address := remote(shelf.shown(item).get("image")):
            return RedirectResponse(address, headers={"Cache-Control": CACHE})
    drawn = product(shelf, item) if item else None
    svg = tile(drawn.title, drawn.category, drawn.item_id) if drawn else tile("", ())
    return _sent(request, svg.encode("utf-8", "replace"), "image/svg+xml")


@router.get("/shop/pattern/{category:path}")
def pattern(request: Request, category: PathId) -> Response:
    """A picture for a category, whatever it is called."""
    return _sent(request, plain_tile(levels(category)).encode("utf-8", "replace"), "image/svg+xml")


def _sent(request: Request, data: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": CACHE, **SAFE}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)
