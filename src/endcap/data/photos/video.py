"""Frames of a product's clip, by PyAV (`pip install 'endcap[video]'`)."""

import importlib.util
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from endcap.data.photos.decode import MOST_PIXELS, Pixels, squared
from endcap.data.photos.problems import PhotoError

MOST_FRAMES = 8
MOST_SECONDS = 20.0
"""Of work for one clip; what was found until then is used."""


@dataclass(frozen=True)
class Clip:
    """What could be had of a clip."""

    frames: tuple[Pixels, ...]  # each (size, size, 3), in the order of time
    problem: str = ""


def is_installed() -> bool:
    """Whether PyAV is there."""
    return importlib.util.find_spec("av") is not None


def frames(data: bytes, size: int, *, most: int = MOST_FRAMES, seconds: float = MOST_SECONDS) -> Clip:
    """At most `most` frames from the middles of as many equal parts of the clip; never raises, broken ones say why."""
    import av

    found: list[Pixels] = []
    try:
        with av.open(io.BytesIO(data), format=_format(data), metadata_errors="replace") as container:
            for frame in _sampled(container, most, time.monotonic() + seconds):
                image = frame.to_image()
                found.append(squared(image.rotate(frame.rotation, expand=True) if frame.rotation else image, size))
    except PhotoError as error:
        return Clip(tuple(found), str(error))
    except Exception as error:  # FFmpeg's errors are of many classes: EOFError, ValueError, OSError …
        told = " ".join(str(error).split())[:200] or type(error).__name__
        return Clip(tuple(found), f"broken after {len(found)} frames: {told}" if found else f"broken: {told}")
    return Clip(tuple(found), "" if found else "has no picture")


def _format(data: bytes) -> str:
    """By its first bytes: FFmpeg, left to choose, would take a text for a playlist and open what that names."""
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return "avi"
    raise PhotoError(f"is no clip: begins with {data[:16]!r}" if data else "is empty (0 bytes)")


def _sampled(container: Any, most: int, deadline: float) -> Iterator[Any]:
    stream = next(iter(container.streams.video), None)
    if stream is None:
        return
    if (pixels := stream.width * stream.height) > MOST_PIXELS:
        raise PhotoError(f"{pixels / 1e6:,.0f} million pixels are too many; at most {MOST_PIXELS / 1e6:g} are decoded")
    start, duration = container.start_time or 0, container.duration
    if not duration:
        yield from _thinned(container.decode(stream), most, deadline)
        return
    last = None
    for part in range(most):
        target = start + int(duration * (part + 0.5) / most)  # microseconds
        container.seek(target)  # to the last whole picture before it
        frame = _shown_at(container.decode(stream), target / 1e6, deadline)
        if frame is not None and frame.pts != last:  # a clip of few frames gives each once
            last = frame.pts
            yield frame


def _shown_at(decoded: Iterator[Any], seconds: float, deadline: float) -> Any:
    """The last frame that begins by then, else the first that there is."""
    shown = None
    for frame in decoded:
        _refuse_late(deadline)
        if shown is not None and frame.time is not None and frame.time > seconds:
            break
        shown = frame
    return shown


def _thinned(decoded: Iterator[Any], most: int, deadline: float) -> list[Any]:
    """Evenly spread frames of a clip that does not say how long it is: every second one is dropped when it is full."""
    kept: list[Any] = []
    step = 1
    for number, frame in enumerate(decoded):
        _refuse_late(deadline)
        if number % step == 0:
            kept.append(frame)
        if len(kept) > most:
            kept, step = kept[::2], step * 2
    return kept[:most]


def _refuse_late(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise PhotoError("takes too long to decode; cut it or make it smaller")
