"""The picture of a product, the very one that the shop shows."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from endcap.serve.console.page import Reading
from endcap.serve.console.session import PATH
from endcap.serve.storefront.photos import picture

router = APIRouter()


@router.get(f"{PATH}/photo")
def photo(page: Reading, item: Annotated[str, Query(max_length=512)]) -> Response:
    """A product that is unknown has a tile too, and one that was taken out of the shop its photo."""
    shelf = page.desk.engine.live.shelf
    found = picture(page.request, page.desk.shop, shelf, shelf.find(item))
    policy = found.headers.get("Content-Security-Policy", "default-src 'none'")
    found.headers.update({"X-Frame-Options": "DENY", "Content-Security-Policy": f"{policy}; frame-ancestors 'none'"})
    return found
