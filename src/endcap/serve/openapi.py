"""The page at /docs and what it is made of; nothing of it comes from another host."""

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from pydantic import TypeAdapter
from starlette.responses import HTMLResponse

from endcap.serve.access import OPEN, PUBLIC_POSTS
from endcap.serve.answers import ErrorAnswer
from endcap.serve.bodies import BODIES

STATIC = Path(fastapi_offline.__file__).parent / "static"
REF = "#/components/schemas/{model}"
SCHEMES = {
    "secret": {"type": "http", "scheme": "bearer", "description": "A secret key, of the shop's own machines."},
    "secret_header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
    "public": {"type": "apiKey", "in": "query", "name": "key", "description": "A public key, of the shop's pages."},
}
SECRET: list[dict[str, list[str]]] = [{"secret": []}, {"secret_header": []}]
REFUSALS = {
    "400": "the body did not arrive", "401": "no key, or a wrong one", "403": "the key may not do this",
    "404": "not there", "409": "there is no database", "413": "the body is too large",
    "422": "what is wrong with it", "429": "too many requests; Retry-After says when",
    "503": "too busy, or the database is away; Retry-After says when",
}  # fmt: skip


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """For `app.openapi`: with bodies that the server reads itself, keys, and the shape of errors."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            page = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            app.openapi_schema = _completed(page)
        return app.openapi_schema

    return openapi


def _completed(page: dict[str, Any]) -> dict[str, Any]:
    kinds: dict[str, TypeAdapter[Any]] = {**BODIES, "Error": TypeAdapter(ErrorAnswer)}
    named, shared = TypeAdapter.json_schemas(
        [(name, "validation", kind) for name, kind in kinds.items()], ref_template=REF
    )
    schemas = page.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's shape of errors, not ours
        schemas.pop(unused, None)
    schemas.update(shared.get("$defs", {}))
    schemas.update({str(name): schema for (name, _), schema in named.items()})
    page["components"]["securitySchemes"] = SCHEMES
    for path, methods in page["paths"].items():
        for method, about in methods.items():
            public = path.endswith(("/similar", "/suggest")) or (method == "post" and path in PUBLIC_POSTS)
            about["security"] = [] if path in OPEN else [*SECRET, *([{"public": []}] if public else [])]
            about["responses"] |= {status: _refusal(text) for status, text in REFUSALS.items()}
    return page


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": REF.format(model="Error")}}}}


def add_docs(app: FastAPI) -> None:
    """Swagger UI, out of a package; its one inline script is allowed by its hash."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=app.title,
        swagger_js_url="/docs/static/swagger-ui-bundle.js",
        swagger_css_url="/docs/static/swagger-ui.css",
        swagger_favicon_url="/docs/static/favicon.png",
    ).body
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in scripts)
    policy = (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
    )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    app.mount("/docs/static", StaticFiles(directory=STATIC))
