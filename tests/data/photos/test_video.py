"""Frames of clips that are written here, whole and damaged."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from endcap.data.photos import video
from endcap.data.photos.album import album
from endcap.data.photos.video import Clip, frames
from tests.data.photos.pictures import photo, shop, zipped

av = pytest.importorskip("av")


def clip(n_frames: int, form: str = "mp4", codec: str = "mpeg4", sides: tuple[int, int] = (64, 48)) -> bytes:
    """Frame n is grey of brightness 8 n."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = sides
        stream.pix_fmt = "yuv420p"
        for number in range(n_frames):
            picture = Image.new("RGB", sides, (8 * number,) * 3)
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    return out.getvalue()


def brightness(found: Clip) -> list[float]:
    return [float(np.median(pixels)) for pixels in found.frames]


@pytest.mark.parametrize(
    ("form", "codec"), [("mp4", "mpeg4"), ("mov", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("webm", "libvpx")]
)
def test_frames_are_spread_evenly_over_a_clip(form: str, codec: str) -> None:
    found = frames(clip(32, form, codec), 32)
    assert found.problem == ""
    assert [pixels.shape for pixels in found.frames] == [(32, 32, 3)] * 8
    expected = [8 * (2 + 4 * part) for part in range(8)]  # the middles of eight parts
    np.testing.assert_allclose(brightness(found), expected, atol=12)


def test_a_clip_of_few_frames_gives_each_once() -> None:
    found = frames(clip(3), 32)
    np.testing.assert_allclose(brightness(found), [0, 8, 16], atol=6)
    assert len(frames(clip(20), 32, most=2).frames) == 2


def test_a_clip_that_does_not_say_how_long_it_is_is_read_to_its_end() -> None:
    out = io.BytesIO()

    class Stream:  # cannot go back to write the length
        def write(self, data: bytes) -> int:
            return out.write(data)

    with av.open(Stream(), "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", (64, 48), (8 * number,) * 3))))
        container.mux(stream.encode(None))
    found = frames(out.getvalue(), 32)
    assert found.problem == ""
    assert 4 <= len(found.frames) <= 8
    assert brightness(found) == sorted(brightness(found))
    assert brightness(found)[-1] > 150


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is no clip: begins with b'#EXTM3U"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is no clip"),
        (photo(), "is no clip"),
        (b"\0\0\0\x20ftypisom" + bytes(100), "broken"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), "broken"),
    ],
)
def test_what_is_no_clip_says_so(data: bytes, problem: str) -> None:
    found = frames(data, 32)
    assert found.frames == ()
    assert problem in found.problem


@pytest.mark.parametrize("form", ["mp4", "matroska", "avi"])
def test_a_damaged_clip_gives_frames_or_a_problem(form: str) -> None:
    data = clip(32, form)
    rng = np.random.default_rng(0)
    for _ in range(30):
        damaged = np.frombuffer(data[: rng.integers(20, len(data) + 1)], np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 5)] = rng.integers(0, 256, 5)
        found = frames(damaged.tobytes(), 32)
        assert found.frames or found.problem
        assert "\n" not in found.problem


def test_a_clip_of_sound_alone_has_no_picture() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert frames(out.getvalue(), 32) == Clip((), "has no picture")


def test_a_clip_that_takes_too_long_is_given_up() -> None:
    assert "takes too long" in frames(clip(32), 32, seconds=0).problem


def test_frames_are_in_the_album_after_the_photos_and_cached(tmp_path: Path) -> None:
    images = zipped(tmp_path / "f.zip", {"a.png": photo(), "a.mp4": clip(3), "b.mp4": b"<html>", "c.mp4": clip(2)})
    for run in range(2):
        decoded: list[int] = []
        made = album(shop(a=None, b=None), images, size=32, cache=tmp_path / "cache",
                     on_progress=lambda what, done, of, decoded=decoded: decoded.append(done))  # fmt: skip
        assert len(decoded) == (0 if run else 3)
        assert (made.owners.tolist(), made.frames.tolist()) == ([1] * 4, [False, True, True, True])
        assert made.names == ("a.png", "a.mp4", "a.mp4", "a.mp4")
        assert len(set(made.keys)) == 4
        assert made.problems == (("b", "b.mp4", "is no clip: begins with b'<html>'"),)
        assert (made.counts.frames, made.counts.broken, made.unknown) == (3, 1, ("c.mp4",))


def test_without_pyav_clips_are_one_line_of_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert not video.is_installed()
    images = zipped(tmp_path / "f.zip", {"a.png": photo(), "a.mp4": clip(3), "b.mp4": clip(2)})
    made = album(shop(a=None, b=None), images, size=32, cache=tmp_path / "cache")
    assert made.problems == (("", "", "2 clips are left out: PyAV is not installed (pip install 'endcap[video]')"),)
    assert len(made) == 1
    monkeypatch.undo()
    assert len(album(shop(a=None, b=None), images, size=32, cache=tmp_path / "cache")) == 6
