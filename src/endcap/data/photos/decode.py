"""A photo's bytes as a square of RGB pixels, whatever the bytes are."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from endcap.data.photos.problems import PhotoError

Pixels = NDArray[np.uint8]

MOST_PIXELS = 50_000_000
"""Of a photo before it is made small; a larger one is refused by its header."""

SMALLEST = 32
"""Pixels that each side of a photo must have."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_ORIENTATION = 0x0112  # in EXIF
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def decode(data: bytes, size: int, *, smallest: int = SMALLEST) -> Pixels:
    """(size, size, 3) upright, over white where it is transparent, the first picture of several; raises PhotoError.

    The shape of the picture is kept: what is missing to a square has the colour of its border.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _refuse(image, smallest)
            image.draft(None, (size, size))  # a JPEG is decoded at the next larger eighth
            image.load()
            return squared(image.transpose(way) if (way := _turn(image)) is not None else image, size)
    except PhotoError:
        raise
    except UnidentifiedImageError:
        raise PhotoError(_unlike_a_photo(data)) from None
    except Image.DecompressionBombError:
        raise PhotoError(f"too many pixels; at most {MOST_PIXELS / 1e6:g} million are decoded") from None
    except (
        Exception
    ) as error:  # Pillow's readers raise whatever they stumble over: OSError, SyntaxError, struct.error …
        raise PhotoError(f"broken: {' '.join(str(error).split())[:200] or type(error).__name__}") from None


def squared(image: Image.Image, size: int) -> Pixels:
    """(size, size, 3) with the picture in the middle, its longer side filling the square."""
    rgb = _rgb(image)
    scale = size / max(rgb.size)
    width, height = (max(1, round(side * scale)) for side in rgb.size)
    small = np.asarray(rgb.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))
    if width == height:
        return small
    square = np.empty((size, size, 3), np.uint8)
    square[:] = _border(small)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = small
    return square


@contextmanager
def quiet() -> Iterator[None]:
    """Without Pillow's warnings; around threads, not inside them, because Python's filters are the whole process's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _refuse(image: Image.Image, smallest: int) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        most = f"at most {MOST_PIXELS / 1e6:g} million are decoded"
        raise PhotoError(f"{width:,} x {height:,} px are too many; {most}")
    if min(width, height) < smallest:
        raise PhotoError(f"{width:,} x {height:,} px are too small; expected at least {smallest} a side", "too small")


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no fault of the picture
        return None


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_stretched(np.asarray(image, np.float64))).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _stretched(grey: NDArray[np.float64]) -> Pixels:
    """Grey of 32 bits has no agreed white: its own range is taken, unless it is one of 8 bits."""
    grey = np.nan_to_num(grey, posinf=0, neginf=0)
    low, high = grey.min(), grey.max()
    if low < 0 or high > 255 or 0 < high <= 1:
        grey = (grey - low) * (255 / max(high - low, 1e-9))
    return grey.astype(np.uint8)


def _border(pixels: Pixels) -> Pixels:
    """(3,) the median of its outermost pixels."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.partition(edge, len(edge) // 2, axis=0)[len(edge) // 2]


def _unlike_a_photo(data: bytes) -> str:
    if not data:
        return "is empty (0 bytes)"
    beginning = data[:40].decode("utf-8", "replace")
    return f"is no photo: begins with {beginning!r}" if beginning.isprintable() else "is no photo that can be read"
