"""Files that pages load: read once, compressed once, named by their content."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A text file as it is sent."""

    body: bytes
    media_type: str

    @classmethod
    def of(cls, path: Path) -> "Asset":
        """Reads a file whose ending is one of TYPES."""
        return cls(path.read_bytes(), f"{TYPES[path.suffix]}; charset=utf-8")

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
