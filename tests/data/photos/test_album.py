"""A catalogue and its photos as an album; the second run decodes nothing."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.photos.album import Album, album
from endcap.data.photos.cache import cache_folder
from tests.data.photos.pictures import BLUE, GREEN, RED, laid_out, photo, shop, zipped

PHOTOS = {
    "a.png": photo(RED),
    "a_2.png": photo(GREEN),
    "b/1.jpg": photo(BLUE, form="JPEG", quality=95),
    "z.png": photo(BLUE),
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def look(catalog: Catalog, images: Path | None, cache: Path) -> tuple[Album, int]:
    """The album, and how many photos were decoded for it."""
    decoded: list[int] = []
    made = album(catalog, images, size=32, cache=cache, on_progress=lambda what, done, of: decoded.append(of))
    return made, len(decoded)


def colours(made: Album) -> list[list[int]]:
    """Of the middle of each photo, 0 or 1."""
    return (np.asarray(made.pixels[:, 16, 16]) > 128).astype(int).tolist()


@pytest.mark.parametrize(
    "lay", [lambda path: laid_out(path / "f", PHOTOS), lambda path: zipped(path / "f.zip", PHOTOS)]
)
def test_photos_are_in_the_order_of_items_and_decoded_once(
    tmp_path: Path, cache: Path, lay: Callable[[Path], Path]
) -> None:
    catalog, images = shop(b=None, a=None, c=None), lay(tmp_path)
    first, decoded = look(catalog, images, cache)
    assert decoded == 3
    assert (first.owners.tolist(), first.names) == ([1, 2, 2], ("b/1.jpg", "a.png", "a_2.png"))
    assert (first.pixels.shape, first.pixels.dtype) == ((3, 32, 32, 3), np.uint8)
    assert colours(first) == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert (len(first), first.size, first.frames.tolist(), first.problems) == (3, 32, [False] * 3, ())
    assert (first.counts.items, first.counts.with_photos, first.counts.without_photos) == (3, 2, 1)
    assert (first.counts.unknown, first.unknown) == (1, ("z.png",))

    second, decoded = look(catalog, images, cache)
    assert decoded == 0
    assert isinstance(second.pixels, np.memmap)
    assert (second.owners.tolist(), second.keys, second.names, second.counts) == (
        first.owners.tolist(), first.keys, first.names, first.counts)  # fmt: skip
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_only_what_is_new_is_decoded_and_old_pixels_are_kept_once(tmp_path: Path, cache: Path) -> None:
    look(shop(a=None), zipped(tmp_path / "f.zip", {"a.png": photo(RED)}), cache)
    more = zipped(tmp_path / "g.zip", {"a.png": photo(RED), "a_0.png": photo(GREEN), "a_1.png": photo(BLUE)})
    made, decoded = look(shop(a=None), more, cache)
    assert decoded == 2
    assert colours(made) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert len(list(cache.rglob("*.npy"))) == 1
    assert look(shop(a=None), more, cache)[1] == 0


def test_another_order_of_items_decodes_nothing(tmp_path: Path, cache: Path) -> None:
    images = zipped(tmp_path / "f.zip", PHOTOS)
    look(shop(a=None, b=None), images, cache)
    for catalog in (shop(b=None, a=None), shop(b=None), shop(a=None, b=None), shop(z=None, a=None)):
        made, decoded = look(catalog, images, cache)
        assert decoded == ("z" in catalog.item_ids)
    assert colours(made) == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_a_photo_that_items_share_is_decoded_once_and_reported(tmp_path: Path, cache: Path) -> None:
    images = zipped(tmp_path / "f.zip", {"x.png": photo(RED), "c.png": photo(RED), "b_2.png": photo(BLUE)})
    for run in range(2):
        made, decoded = look(shop(a="x.png", b="x.png", c=None), images, cache)
        assert decoded == (0 if run else 3)
        assert (made.owners.tolist(), colours(made)) == ([1, 2, 2, 3], [[1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]])
        assert made.problems == (("a", "x.png", "the same photo is on b, c"),)
        assert (made.counts.shared, made.counts.photos, made.counts.with_photos) == (1, 4, 3)
        assert made.keys[0] == made.keys[1] == made.keys[3] != made.keys[2]


def test_two_photos_of_one_item_that_are_the_same_are_no_problem(tmp_path: Path, cache: Path) -> None:
    made, _ = look(shop(a=None), zipped(tmp_path / "f.zip", {"a_1.png": photo(), "a_2.png": photo()}), cache)
    assert (len(made), made.problems) == (2, ())


BAD = {
    "empty.jpg": b"",
    "text.jpg": b"<html>",
    "cut.png": photo(RED)[:60],
    "tiny.png": photo(RED, (8, 8)),
    "good.png": photo(BLUE),
}


def test_bad_photos_are_reported_in_every_run_and_read_in_the_first(tmp_path: Path, cache: Path) -> None:
    images = zipped(tmp_path / "f.zip", BAD | {"../out.jpg": b"x"})
    catalog = shop(empty=None, text=None, cut=None, tiny=None, good=None, gone="gone.jpg")
    for run in range(2):
        made, decoded = look(catalog, images, cache)
        assert decoded == (0 if run else 5)
        assert made.names == ("good.png",)
        told = {each.name: each for each in made.problems}
        assert told["empty.jpg"] == ("empty", "empty.jpg", "is empty (0 bytes)")
        assert told["text.jpg"].problem == "is no photo: begins with '<html>'"
        assert told["cut.png"].problem.startswith("broken: ")
        assert told["tiny.png"].problem == "8 x 8 px are too small; expected at least 32 a side"
        assert told["gone.jpg"].problem == "is not among the photos"
        assert told["../out.jpg"].problem.startswith("an unsafe name")
        assert len(made.problems) == 6
        assert (made.counts.broken, made.counts.too_small, made.counts.missing, made.counts.with_photos) == (3, 1, 1, 1)


def test_where_no_photo_can_be_used_the_album_is_empty(tmp_path: Path, cache: Path) -> None:
    for _ in range(2):
        made, _ = look(shop(a=None), zipped(tmp_path / "f.zip", {"a.jpg": b"<html>"}), cache)
        assert (len(made), made.pixels.shape, made.size, len(made.problems)) == (0, (0, 32, 32, 3), 32, 1)


@pytest.mark.parametrize("images", [{"readme.txt": b"x"}, {}])
def test_images_without_any_photo_are_an_error(tmp_path: Path, cache: Path, images: dict[str, bytes]) -> None:
    with pytest.raises(InputError, match=r"holds no photos; expected \.jpg"):
        look(shop(a=None), zipped(tmp_path / "f.zip", images), cache)


def test_without_images_paths_are_missing(cache: Path) -> None:
    made, _ = look(shop(a="x.jpg", b=None), None, cache)
    assert (len(made), made.counts.missing, made.counts.without_photos) == (0, 1, 2)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "beginning": lambda data: data[:50],
    "zeros": lambda data: bytes(len(data)),
    "other shape": lambda data: data.replace(b"32, 32", b"31, 33"),
    "other type": lambda data: data.replace(b"|u1", b"|i1"),
    "pickle": lambda data: data.replace(b"|u1", b"|O "),
}


@pytest.mark.parametrize(
    ("kind", "damage"), [("npy", damage) for damage in DAMAGES] + [("parquet", damage) for damage in [*DAMAGES][:4]]
)
def test_a_damaged_cache_is_decoded_again(tmp_path: Path, cache: Path, kind: str, damage: str) -> None:
    images = zipped(tmp_path / "f.zip", PHOTOS)
    look(shop(a=None), images, cache)
    [file] = cache.rglob(f"*.{kind}")
    damaged = DAMAGES[damage](file.read_bytes())
    assert damaged != file.read_bytes()
    file.unlink()
    file.write_bytes(damaged)
    made, decoded = look(shop(a=None), images, cache)
    assert (decoded, colours(made)) == (2, [[1, 0, 0], [0, 1, 0]])
    assert look(shop(a=None), images, cache)[1] == 0


def test_a_missing_half_of_the_cache_is_decoded_again(tmp_path: Path, cache: Path) -> None:
    images = zipped(tmp_path / "f.zip", PHOTOS)
    for kind in ("npy", "parquet"):
        look(shop(a=None), images, cache)
        next(cache.rglob(f"*.{kind}")).unlink()
        assert look(shop(a=None), images, cache)[1] == 2


def test_an_album_can_be_read_when_its_cache_is_emptied(tmp_path: Path, cache: Path) -> None:
    made, _ = look(shop(a=None), zipped(tmp_path / "f.zip", PHOTOS), cache)
    for file in cache.rglob("*.*"):
        if file.is_file():
            file.unlink()
    assert colours(made) == [[1, 0, 0], [0, 1, 0]]


def test_an_interrupted_run_leaves_nothing_half(tmp_path: Path, cache: Path) -> None:
    def stop(what: str, done: int, of: int) -> None:
        raise KeyboardInterrupt

    images = zipped(tmp_path / "f.zip", PHOTOS)
    with pytest.raises(KeyboardInterrupt):
        album(shop(a=None), images, size=32, cache=cache, on_progress=stop)
    assert [file for file in cache.rglob("*") if file.is_file()] == []
    assert look(shop(a=None), images, cache)[1] == 2


def test_what_a_disk_did_not_give_is_tried_again(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, real = laid_out(tmp_path / "f", {"a.png": photo(RED), "b.png": photo(GREEN)}), Path.open

    def away(path: Path, *options: str) -> IO[bytes]:
        if path.name == "b.png":
            raise OSError(5, "Input/output error")
        return real(path, *options)  # type: ignore[call-overload]

    with monkeypatch.context() as disk:
        disk.setattr(Path, "open", away)
        made, _ = look(shop(a=None, b=None), folder, cache)
        assert made.problems == (("b", "b.png", "cannot be read: Input/output error"),)
        assert (made.counts.broken, colours(made)) == (1, [[1, 0, 0]])
    made, decoded = look(shop(a=None, b=None), folder, cache)
    assert (decoded, made.problems, colours(made)) == (1, (), [[1, 0, 0], [0, 1, 0]])


def test_a_changed_file_is_decoded_again(tmp_path: Path, cache: Path) -> None:
    folder = laid_out(tmp_path / "f", {"a.png": photo(RED)})
    look(shop(a=None), folder, cache)
    (folder / "a.png").write_bytes(photo(GREEN, (50, 50)))
    made, decoded = look(shop(a=None), folder, cache)
    assert (decoded, colours(made)) == (1, [[0, 1, 0]])


def test_each_size_has_a_cache_of_its_own(tmp_path: Path, cache: Path) -> None:
    images = zipped(tmp_path / "f.zip", PHOTOS)
    look(shop(a=None), images, cache)
    assert album(shop(a=None), images, size=16, cache=cache).pixels.shape == (2, 16, 16, 3)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="set ENDCAP_CACHE to a folder"):
        look(shop(a=None), zipped(tmp_path / "f.zip", PHOTOS), tmp_path / "file")


def _in_a_process(images: Path, cache: Path) -> list[list[int]]:
    return colours(album(shop(a=None, b=None, z=None), images, size=32, cache=cache))


def test_processes_may_share_a_cache(tmp_path: Path, cache: Path) -> None:
    images = zipped(tmp_path / "f.zip", PHOTOS)
    look(shop(a=None), images, cache)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_in_a_process, [(images, cache)] * 4)
    assert found == [[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]] * 4
    assert look(shop(a=None, b=None, z=None), images, cache)[1] == 0


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDCAP_CACHE", "/x")
    assert cache_folder() == Path("/x")
    monkeypatch.delenv("ENDCAP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/y")
    assert cache_folder() == Path("/y/endcap")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "endcap"
