"""What pages are made of: templates, and files that are read once, compressed once, and named by their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

TOKENS = Path(__file__).parents[1] / "templates" / "tokens.css"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A text file as it is sent."""

    body: bytes
    media_type: str

    @classmethod
    def of(cls, path: Path) -> "Asset":
        """Reads a file whose ending is one of TYPES; a style begins with the colours and fonts of all pages."""
        tokens = TOKENS.read_bytes() if path.suffix == ".css" else b""
        return cls(tokens + path.read_bytes(), f"{TYPES[path.suffix]}; charset=utf-8")

    @cached_property
    def tag(self) -> str:
        """Changes with the content."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @cached_property
    def zipped(self) -> bytes:
        """As most browsers take it."""
        return gzip.compress(self.body, 9, mtime=0)

    def response(self, request: Request, cache: str, headers: Mapping[str, str] | None = None) -> Response:
        """The file, or that the browser has it already."""
        told = {"ETag": f'"{self.tag}"', "Cache-Control": cache, "Vary": "Accept-Encoding", **(headers or {})}
        if f'"{self.tag}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=told)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.zipped, headers=told | {"Content-Encoding": "gzip"}, media_type=self.media_type)
        return Response(self.body, headers=told, media_type=self.media_type)


def assets(folder: Path) -> dict[str, Asset]:
    """The files of a folder by their names."""
    return {path.name: Asset.of(path) for path in sorted(folder.iterdir())}


def templates(folder: Path) -> Environment:
    """Of Jinja; everything is escaped that is not Markup, and an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
