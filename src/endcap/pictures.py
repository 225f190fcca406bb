"""Photos inside a page: small JPEGs as data addresses, and heat over a photo."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from endcap.data.photos.album import Album

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB"""

_STOPS = (0.0, 0.5, 1.0)
_RAMP = ((30, 40, 90), (225, 90, 30), (255, 235, 120))  # cold, warm, hot: also apart in grey


def address(picture: Picture) -> str:
    """A JPEG as a `data:` address, which a page shows without a file beside it."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture)).decode()


def jpeg(picture: Picture) -> bytes:
    """The file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=82, optimize=True)
    return file.getvalue()


def first(album: Album | None, item: int) -> str | None:
    """The first photo of an item (its index, from 1) as an address; None where it has none."""
    if album is None:
        return None
    row = int(np.searchsorted(album.owners, item))  # owners ascend
    has = row < len(album) and album.owners[row] == item
    return address(album.pixels[row]) if has else None


def heated(picture: Picture, heat: NDArray[np.float32]) -> Picture:
    """The photo in grey under `heat` (height, width) from 0 to 1."""
    grey = picture.mean(2, keepdims=True)  # (height, width, 1)
    ramp = np.stack([np.interp(heat, _STOPS, [stop[channel] for stop in _RAMP]) for channel in range(3)], axis=2)
    share = 0.2 + 0.55 * heat[..., None]  # of the heat: the photo stays visible
    return np.clip((1 - share) * grey + share * ramp, 0, 255).astype(np.uint8)
