"""Photos in folders as a catalogue."""

from pathlib import Path
from typing import Any

import pytest

from endcap.data.backend import local
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.photos.files import opened
from endcap.data.photos.find import find
from endcap.data.schema import validate_items
from endcap.data.sources import Items, read_items
from tests.data.photos.pictures import laid_out, zipped
from tests.data.sources.test_real import folder

BACKEND = local(threads=1)
SORTED = {"dress/1.jpg": b"1", "dress/2.png": b"2", "hat/1.jpg": b"3"}


def rows(items: Items) -> list[dict[str, Any]]:
    found = validate_items(BACKEND, items.frame).items.toArrow().to_pylist()
    return sorted(
        ({name: each for name, each in row.items() if each is not None} for row in found),
        key=lambda row: row["item_id"],
    )


@pytest.mark.parametrize("kind", ["folder", "folder with a document", "zip"])
def test_the_last_folder_is_the_category(tmp_path: Path, kind: str) -> None:
    content = SORTED | ({"README.txt": b"?"} if kind != "folder" else {})
    path = zipped(tmp_path / "x.zip", content) if kind == "zip" else laid_out(tmp_path / "x", content)
    for items in [read_items(BACKEND, path, format="folders" if kind == "folder" else None)]:
        assert items.format == "folders"
        assert rows(items) == [
            {"item_id": "dress/1", "title": "1", "category": "dress", "image": "dress/1.jpg"},
            {"item_id": "dress/2", "title": "2", "category": "dress", "image": "dress/2.png"},
            {"item_id": "hat/1", "title": "1", "category": "hat", "image": "hat/1.jpg"},
        ]
        assert "3 photos in 2 categories" in items.notes


def test_a_top_folder_can_be_a_part(tmp_path: Path) -> None:
    names = ["train/dress/a.jpg", "Validation/hat/b.jpg", "val/hat/c.jpg", "test/women/dress/d.jpg"]
    items = read_items(BACKEND, zipped(tmp_path / "x.zip", dict.fromkeys(names, b"1")))
    assert {row["item_id"]: (row["part"], row["category"]) for row in rows(items)} == {
        "train/dress/a": ("train", "dress"), "Validation/hat/b": ("valid", "hat"),
        "val/hat/c": ("valid", "hat"), "test/women/dress/d": ("test", "dress")}  # fmt: skip
    assert items.columns["part"] == "top folder"


def test_a_category_that_is_called_test_is_no_part(tmp_path: Path) -> None:
    items = read_items(BACKEND, zipped(tmp_path / "x.zip", {"test/a.jpg": b"1", "train/b.jpg": b"2"}))
    assert [(row["category"], "part" in row) for row in rows(items)] == [("test", False), ("train", False)]


def test_a_photo_that_lies_loose_in_a_part_does_not_change_the_others(tmp_path: Path) -> None:
    names = ["train/dress/a.jpg", "train/hat/b.jpg", "test/hat/c.jpg", "test/loose.jpg"]
    items = read_items(BACKEND, zipped(tmp_path / "x.zip", dict.fromkeys(names, b"1")))
    assert [(row["category"], row["part"]) for row in rows(items)] == [
        ("hat", "test"), ("dress", "train"), ("hat", "train")]  # fmt: skip
    assert items.problems is not None
    assert [row["value"] for row in items.problems.collect()] == ["test/loose.jpg"]


def test_what_cannot_be_used_is_a_line_of_the_report(tmp_path: Path) -> None:
    content = SORTED | {
        "loose.jpg": b"4",
        "hat/1.png": b"5",
        "../out.jpg": b"6",
        "hat/notes.doc": b"7",
        "hat/turn.mp4": b"8",
    }
    items = read_items(BACKEND, zipped(tmp_path / "x.zip", content), format="folders")
    assert len(rows(items)) == 3
    assert items.problems is not None
    told = {(row["column"], row["value"]): row["problem"] for row in items.problems.collect()}
    assert told["items.category", "loose.jpg"] == "lies in no folder that says what it is; row left out"
    assert told["items.image", "../out.jpg"].startswith("an unsafe name")
    assert "was in row" in told["items.item_id", "hat/1"]
    assert len(told) == 3
    assert "2 files that are no photos are left out" in items.notes


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": b"1", "b.jpg": b"2"},  # no folders
        {"images/a.jpg": b"1", "images/b.jpg": b"2"},  # one that says nothing
        {"g/i/gift.jpg": b"1", "l/t/lt.jpg": b"2"},  # Magento's way to spread files
        {"dress/a.jpg": b"1", "hat/b.jpg": b"2", "items.csv": b"item_id\n1\n"},  # the table is the catalogue
        {"dress/a.txt": b"1", "hat/b.doc": b"2"},
    ],
)
def test_other_folders_are_not_taken_for_it(tmp_path: Path, content: dict[str, bytes]) -> None:
    for path in (zipped(tmp_path / "x.zip", content), laid_out(tmp_path / "x", content)):
        try:
            assert read_items(BACKEND, path).format != "folders"
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017  (another format may or may not want it)


def test_named_folders_that_hold_no_sorted_photos_are_refused(tmp_path: Path) -> None:
    for content in ({"a.jpg": b"1"}, {"x/readme.md": b"1"}):
        with pytest.raises(InputError):
            read_items(BACKEND, zipped(tmp_path / "x.zip", content), format="folders")
    with pytest.raises(InputError, match="are fixed"):
        read_items(BACKEND, zipped(tmp_path / "x.zip", SORTED), columns={"category": "x"})
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(InputError, match="no readable zip"):
        read_items(BACKEND, tmp_path / "x.zip")


def test_real_photos_of_ten_classes() -> None:
    path = folder("clothing_small") / "images_128px.zip"
    items = rows(read_items(BACKEND, path))
    assert (len(items), len({row["category"] for row in items})) == (3781, 10)
    parts = [row["part"] for row in items]
    assert (parts.count("train"), parts.count("valid"), parts.count("test")) == (3068, 341, 372)
    table = read_items(BACKEND, path).frame.toArrow()
    catalog = Catalog.from_table(table, table["item_id"].to_pylist())
    with opened(path) as found:
        assert len(find(catalog, found.files).matches) == 3781
