"""Folders and zips, hostile ones included: nothing is extracted, nothing is left out without a line."""

import os
import struct
import sys
import zipfile
from pathlib import Path

import pytest

from endcap.data.errors import InputError
from endcap.data.photos import files
from endcap.data.photos.files import opened
from endcap.data.photos.problems import PhotoError
from tests.data.photos.pictures import laid_out, photo, zipped


def test_a_folder_and_its_zip_hold_the_same(tmp_path: Path) -> None:
    content = {
        "a.jpg": b"1",
        "b/c.PNG": b"22",
        "b/.hidden.jpg": b"3",
        "__MACOSX/a.jpg": b"4",
        "readme.txt": b"5",
        "v.mp4": b"6",
    }
    with opened(laid_out(tmp_path / "f", content)) as folder, opened(zipped(tmp_path / "f.zip", content)) as archive:
        for found in (folder, archive):
            assert [(file.name, file.size, file.read()) for file in found.files] == [
                ("a.jpg", 1, b"1"), ("b/c.PNG", 2, b"22"), ("v.mp4", 1, b"6")]  # fmt: skip
            assert [file.is_clip for file in found.files] == [False, False, True]
            assert (found.others, found.problems) == (("readme.txt",), ())


def test_a_stamp_differs_where_the_content_does(tmp_path: Path) -> None:
    def stamp(path: Path) -> str:
        with opened(path) as found:
            return found.files[0].stamp

    first = stamp(zipped(tmp_path / "a.zip", {"a.jpg": b"1"}))
    assert first == stamp(zipped(tmp_path / "b.zip", {"a.jpg": b"1"}))
    assert first != stamp(zipped(tmp_path / "c.zip", {"a.jpg": b"2"}))
    folder = laid_out(tmp_path / "f", {"a.jpg": b"1"})
    before = stamp(folder)
    assert before == stamp(folder)
    os.utime(folder / "a.jpg", ns=(1, 1))
    assert before != stamp(folder)


@pytest.mark.parametrize("name", ["../evil.jpg", "a/../../evil.jpg", "/etc/evil.jpg", "C:\\evil.jpg", "..\\evil.jpg"])
def test_names_that_lead_out_of_a_zip_are_reported_and_not_read(tmp_path: Path, name: str) -> None:
    before = set(tmp_path.rglob("*"))
    with opened(zipped(tmp_path / "x.zip", {name: b"1", "good.jpg": b"2"})) as found:
        assert [file.name for file in found.files] == ["good.jpg"]
        assert [(each.name, each.problem) for each in found.problems] == [
            (name.replace("\\", "/"), "an unsafe name, outside of the zip; not read")]  # fmt: skip
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "x.zip"}


def test_an_encrypted_entry_is_reported(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.jpg": b"1", "b.jpg": b"2"})
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 8] |= 1
    path.write_bytes(data)
    with opened(path) as found:
        assert [file.name for file in found.files] == ["b.jpg"]
        assert found.problems == (("", "a.jpg", "is encrypted; make a zip without a password"),)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(100_000))
    monkeypatch.setitem(files.MOST_BYTES, "photo", 1 << 10)
    with opened(tmp_path / "x.zip") as found, pytest.raises(PhotoError, match="are too many"):
        found.files[0].read()


def test_a_zip_that_lies_about_a_size_is_damaged(tmp_path: Path) -> None:
    """Its directory says 10 bytes, which pass every limit, but more would be unpacked."""
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(100_000))
    data = bytearray((tmp_path / "x.zip").read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 10)
    (tmp_path / "x.zip").write_bytes(data)
    with opened(tmp_path / "x.zip") as found, pytest.raises(PhotoError, match="is damaged in the zip"):
        found.files[0].read()


@pytest.mark.parametrize("place", [0, 30, 60, 200])
def test_damage_in_an_entry_is_a_problem_of_that_photo(tmp_path: Path, place: int) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", os.urandom(1000))
        archive.writestr("b.jpg", b"fine")
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[place] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    with opened(tmp_path / "x.zip") as found:
        with pytest.raises(PhotoError, match="is damaged in the zip"):
            found.files[0].read()
        assert found.files[1].read() == b"fine"


def test_a_name_that_is_there_twice_counts_once_and_is_reported(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.jpg": b"1", "b.jpg": b"2"})
    path.write_bytes(path.read_bytes().replace(b"b.jpg", b"a.jpg"))
    with opened(tmp_path / "x.zip") as found:
        assert [file.read() for file in found.files] == [b"2"]
        assert [each.problem for each in found.problems] == ["is in the zip twice; the last one counts"]


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04" + bytes(100)])
def test_what_is_neither_folder_nor_zip_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"is no readable zip .*; give a folder or a zip"), opened(tmp_path / "x.zip"):
        pass
    with pytest.raises(InputError, match="does not exist"), opened(tmp_path / "none"):
        pass


def test_a_cut_off_zip_is_an_error(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {f"{n}.jpg": photo() for n in range(20)})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="is no readable zip"), opened(path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_pipes_dead_links_and_loops_of_links_are_no_photos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    with opened(tmp_path) as found:
        assert found.files == ()
        assert sorted((each.name, each.problem) for each in found.problems) == [
            ("dead.jpg", "cannot be read: No such file or directory"),
            ("pipe.jpg", "is no regular file; not read"),
        ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_can_be_read_and_printed(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/a\xff.jpg")).write_bytes(b"1")
    with opened(tmp_path) as found:
        assert [(file.name, file.read()) for file in found.files] == [("a\ufffd.jpg", b"1")]
        found.files[0].stamp.encode()


def test_a_file_that_goes_away_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    with opened(tmp_path) as found:
        (tmp_path / "a.jpg").unlink()
        with pytest.raises(PhotoError, match="cannot be read: No such file"):
            found.files[0].read()


def test_a_folder_with_zips_holds_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"loose")
    for number in (1, 2):
        with zipfile.ZipFile(tmp_path / f"photos-{number}.zip", "w") as archive:
            archive.writestr("b.jpg", f"b of {number}")
            archive.writestr(f"c{number}.jpg", "c")
    (tmp_path / "torn.zip").write_bytes(b"PK\x03\x04 no more")
    with opened(tmp_path) as files:
        assert [file.name for file in files.files] == ["a.jpg", "b.jpg", "c1.jpg", "c2.jpg"]
        assert files.files[1].read() == b"b of 1"
        problems = {problem.name: problem.problem for problem in files.problems}
    assert "is also in photos-2.zip" in problems["b.jpg"]
    assert "no readable zip" in problems["torn.zip"]
    assert files.others == ()
