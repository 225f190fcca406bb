"""`/widget.js` for the pages of any shop, and `/widget`, the guide to it."""

import html
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from endcap.serve.assets import FOR_EVER, Asset, templates
from endcap.serve.serving import caller_of

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ANYWHERE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Module scripts are loaded by the rules of CORS."""

SCRIPT = Asset.of(HERE / "widget.js")
REPORTS = templates(HERE.parents[1] / "templates").get_template("page.css").render()
STYLE = Asset(REPORTS.encode() + (HERE / "guide.css").read_bytes(), "text/css; charset=utf-8")

router = APIRouter(include_in_schema=False)


@router.get("/widget.js")
async def script(request: Request) -> Response:
    """The web component."""
    return SCRIPT.response(request, "public, max-age=3600", ANYWHERE)


@router.get("/widget.css")
async def style(request: Request) -> Response:
    """The look of the guide: that of the reports, and a little more."""
    return STYLE.response(request, FOR_EVER)


@router.get("/widget")
def guide(request: Request) -> Response:
    """How to put a shelf into a page, with one that works where no key is needed."""
    shown = _guide(str(request.base_url).rstrip("/"), live=caller_of(request).key is None)
    return HTMLResponse(shown, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})


@cache
def _guide(api: str, *, live: bool) -> str:
    text = (HERE / "guide.md").read_text(encoding="utf-8").replace("https://api.shop.example", api)
    title, _, rest = text.partition("\n")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(rest).replace("<pre>", '<pre tabindex="0">')
    return _PAGE.format(
        title=html.escape(title.removeprefix("# ")),
        style=STYLE.tag,
        script='<script type="module" src="/widget.js"></script>' if live else "",
        shelf=_SHELF if live else "",
        body=body,
    )


_SHELF = (
    '<endcap-shelf heading="A shelf of this server" image="/photo/{id}" href="/shop/product/{id}?list={list}">'
    "</endcap-shelf>"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/widget.css?{style}">
{script}
</head>
<body>
<main>
<h1>{title}</h1>
{shelf}
{body}
</main>
</body>
</html>
"""
