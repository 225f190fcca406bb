"""Bytes of every kind as a square of RGB."""

import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from endcap.data.photos.decode import decode, quiet
from endcap.data.photos.problems import PhotoError
from tests.data.photos.pictures import BLUE, GREEN, RED, WHITE, Colour, encoded, photo


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with quiet():
        yield


def close(pixels: NDArray[np.uint8], colour: Colour) -> bool:
    return bool((abs(pixels.reshape(-1, 3).astype(int) - colour) <= 12).all())


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("sides", [(40, 40), (400, 300), (300, 400), (33, 1000)])
def test_every_format_becomes_a_square_of_the_size_asked_for(form: str, sides: tuple[int, int]) -> None:
    pixels = decode(photo(RED, sides, form), 48)
    assert (pixels.shape, pixels.dtype) == ((48, 48, 3), np.uint8)
    assert close(pixels, RED)


def test_the_shape_of_the_picture_is_kept_and_the_rest_has_the_colour_of_its_border() -> None:
    image = Image.new("RGB", (100, 50), BLUE)
    image.paste(RED, (40, 10, 60, 40))
    pixels = decode(encoded(image), 100)
    assert close(pixels[:25], BLUE)
    assert close(pixels[75:], BLUE)
    assert close(pixels[37:63, 42:58], RED)
    assert close(pixels[40:60, :38], BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright_as_its_exif_says(orientation: int) -> None:
    upright = Image.new("RGB", (80, 80), WHITE)
    upright.paste(RED, (0, 0, 40, 40))
    upright.paste(GREEN, (40, 0, 80, 40))
    inverse = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
               5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
               8: Image.Transpose.ROTATE_270}  # fmt: skip
    stored = upright.transpose(inverse[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("JPEG", "TIFF", "PNG", "WEBP"):
        pixels = decode(encoded(stored, form, exif=exif, quality=95), 80)
        assert close(pixels[6:34, 6:34], RED), form
        assert close(pixels[6:34, 46:74], GREEN), form


def test_transparency_is_over_white() -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    half = Image.new("LA", (40, 40), (0, 128))
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    keyed = photo(RED)
    assert close(decode(encoded(clear), 40), WHITE)
    assert close(decode(encoded(clear, "WEBP", lossless=True), 40), WHITE)
    assert close(decode(encoded(half), 40), (127, 127, 127))
    assert close(decode(encoded(palette, transparency=0), 40), WHITE)
    assert close(decode(encoded(palette), 40), RED)
    assert close(decode(encoded(Image.new("RGB", (40, 40), RED), transparency=RED), 40), WHITE)
    assert close(decode(keyed, 40), RED)


def test_cmyk_grey_and_bilevel_are_rgb() -> None:
    cmyk = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    assert close(decode(encoded(cmyk, "JPEG", quality=95), 40), (255, 0, 0))
    assert close(decode(encoded(cmyk, "TIFF"), 40), (255, 0, 0))
    assert close(decode(encoded(Image.new("L", (40, 40), 100), "JPEG"), 40), (100, 100, 100))
    assert close(decode(encoded(Image.new("1", (40, 40), 1)), 40), WHITE)


@pytest.mark.parametrize(("value", "grey"), [(65_535, 255), (32_768, 128), (0, 0)])
def test_grey_of_16_bits_keeps_its_brightness(value: int, grey: int) -> None:
    image = Image.fromarray(np.full((40, 40), value, np.uint16))
    for form in ("PNG", "TIFF"):
        assert close(decode(encoded(image, form), 40), (grey,) * 3)


def test_grey_of_32_bits_takes_its_own_range() -> None:
    ramp = np.linspace(-3, 5, 1600, dtype=np.float32).reshape(40, 40)
    pixels = decode(encoded(Image.fromarray(ramp), "TIFF"), 40)
    assert (pixels.min(), pixels.max()) == (0, 255)
    ramp[0, 0] = np.nan
    decode(encoded(Image.fromarray(ramp), "TIFF"), 40)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_of_several_pictures_the_first_counts(form: str) -> None:
    first, second = (Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE))
    assert close(decode(encoded(first, form, save_all=True, append_images=[second]), 40), RED)


def test_damaged_exif_is_no_fault_of_the_picture() -> None:
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(100)):
        assert close(decode(photo(RED, form="JPEG", exif=exif), 40), RED)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be as large, with hardly any pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))


@pytest.mark.parametrize("sides", [(30_000, 30_000), (10_000, 9_500), (8_000, 8_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(sides: tuple[int, int]) -> None:
    with pytest.raises(PhotoError, match="too many"):
        decode(png_header(*sides), 96)


def test_a_real_bomb_takes_no_memory_to_refuse() -> None:
    bomb = encoded(Image.new("1", (30_000, 3_000), 1))
    assert len(bomb) < 100_000
    with pytest.raises(PhotoError, match="30,000 x 3,000 px are too many; at most 50 million"):
        decode(bomb, 96)


def test_too_small_is_a_problem_of_its_own() -> None:
    for sides in ((31, 400), (400, 31), (1, 1)):
        with pytest.raises(PhotoError, match="too small; expected at least 32 a side") as error:
            decode(photo(RED, sides), 48)
        assert error.value.kind == "too small"
    assert decode(photo(RED, (8, 8)), 48, smallest=8).shape == (48, 48, 3)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"<html><body>404 Not Found</body></html>", "is no photo: begins with '<html>"),
        (b"\0" * 1000, "is no photo that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "is no photo"),  # would start Ghostscript
        (b"\xff\xd8\xff", "is no photo|broken"),
    ],
)
def test_what_is_no_photo_says_what_it_is(data: bytes, problem: str) -> None:
    with pytest.raises(PhotoError, match=problem) as error:
        decode(data, 48)
    assert error.value.kind == "broken"
    assert "\n" not in str(error.value)


def noise(sides: tuple[int, int] = (200, 200)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (*sides, 3), dtype=np.uint8))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_a_cut_off_photo_is_broken(form: str) -> None:
    data = encoded(noise(), form)
    with pytest.raises(PhotoError) as error:
        decode(data[: len(data) // 2], 48)
    assert error.value.kind == "broken"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_flipped_bytes_give_a_square_or_a_problem_and_nothing_else(form: str) -> None:
    rng = np.random.default_rng(1)
    data = np.frombuffer(encoded(noise((48, 48)), form, exif=Image.Exif()), np.uint8)
    for _ in range(60):
        damaged = data.copy()
        where = rng.integers(0, min(len(data), rng.choice([40, 400, len(data)])), rng.integers(1, 8))
        damaged[where] = rng.integers(0, 256, len(where))
        with suppress(PhotoError):
            assert decode(damaged.tobytes(), 32).shape == (32, 32, 3)


def test_a_large_jpeg_is_not_decoded_at_its_full_size() -> None:
    data = encoded(noise((2000, 3000)), "JPEG")

    def seconds(work: Callable[[], object]) -> float:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun

    whole = min(seconds(lambda: Image.open(io.BytesIO(data)).load()) for _ in range(3))
    assert min(seconds(lambda: decode(data, 96)) for _ in range(3)) < whole
