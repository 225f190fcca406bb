"""Where photos of products come from, and how browsers get them."""

import io
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, ImageOps

from endcap.data.catalog import Catalog
from endcap.data.photos.decode import quiet
from endcap.data.photos.files import File, opened
from endcap.data.photos.find import find as belonging
from endcap.data.photos.problems import PhotoError

LARGE = 300_000  # bytes; a larger photo is made smaller
SIDE = 900  # pixels of one that was
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp", "AVIF": "image/avif"}
"""What browsers show; everything else is made into WebP."""
READ = (*SHOWN, "BMP", "TIFF")
SAMPLE = 100  # photos of which it is seen how high they are
UPRIGHT = 1.15
ORIENTATION = 0x0112  # of Exif; from 5 on the sides change places


class Folder:
    """The photos of a folder or a zip, by item; it stays open."""

    def __init__(self, images: Path, catalog: Catalog, aliases: Mapping[str, str]) -> None:
        """Raises InputError where `images` cannot be read."""
        self._open = ExitStack()
        files = self._open.enter_context(opened(images))
        self.files: dict[str, File] = {}
        for match in belonging(catalog, files.files, aliases).matches:
            if match.file is not None and not match.is_clip:
                self.files.setdefault(catalog.item_ids[match.item - 1], match.file)

    @cached_property
    def is_upright(self) -> bool:
        """Whether most photos are clearly higher than wide, by some of them."""
        sizes = [size for item_id in list(self.files)[:: len(self.files) // SAMPLE + 1]
                 if (data := self.read(item_id)) and (size := _size(data))]  # fmt: skip
        return 2 * sum(height >= UPRIGHT * width for width, height in sizes) > len(sizes)

    def read(self, item_id: str) -> bytes | None:
        """The bytes of a product's first photo; None where it has none that can be read."""
        file = self.files.get(item_id)
        try:
            return None if file is None else file.read()
        except PhotoError:
            return None


def remote(image: object) -> str | None:
    """The address of a photo elsewhere; None where a catalogue's cell is none."""
    try:
        parts = urlsplit(f"https:{image}" if str(image).startswith("//") else str(image))
        return parts.geturl() if parts.scheme in {"http", "https"} and parts.hostname else None
    except ValueError:
        return None


def origins(catalog: Catalog) -> set[str]:
    """Where the photos of a catalogue are that are not here."""
    found = {remote(cells[0]) for cells in catalog.lists("image") if cells}
    return {f"{parts.scheme}://{parts.netloc}" for address in found if address and (parts := urlsplit(address))}


def _size(data: bytes) -> tuple[int, int] | None:
    """Width and height, as the photo is shown; None where it is none."""
    try:
        with quiet(), Image.open(io.BytesIO(data), formats=READ) as image:
            turned = image.getexif().get(ORIENTATION, 1) > 4
            return (image.height, image.width) if turned else (image.width, image.height)
    except Exception:  # Pillow's readers raise whatever they stumble over
        return None


def web(data: bytes) -> tuple[bytes, str] | None:
    """A photo as browsers show it, and its type; None where it is none."""
    try:
        with quiet(), Image.open(io.BytesIO(data), formats=READ) as image:
            if image.format in SHOWN and len(data) <= LARGE:
                return data, SHOWN[image.format]
            image.draft("RGB", (SIDE, SIDE))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((SIDE, SIDE))
            made = io.BytesIO()
            upright.convert("RGBA" if "A" in upright.getbands() else "RGB").save(made, "WEBP", quality=85)
            return made.getvalue(), "image/webp"
    except Exception:  # Pillow's readers raise whatever they stumble over; the product has a tile then
        return None
