"""Photos as bytes, and the small shop that they belong to."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from endcap.data.catalog import Catalog

Colour = tuple[int, int, int]
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def photo(colour: Colour = RED, size: tuple[int, int] = (40, 40), form: str = "PNG", **options: Any) -> bytes:
    return encoded(Image.new("RGB", size, colour), form, **options)


def shop(**images: str | None) -> Catalog:
    """Item id -> its image column."""
    return of_rows([*images.items()])


def of_rows(rows: list[tuple[str, str | None]]) -> Catalog:
    table = pa.table({"item_id": [row[0] for row in rows], "image": pa.array([row[1] for row in rows], pa.string())})
    return Catalog.from_table(table, [row[0] for row in rows])


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def laid_out(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
