"""The cache of pixels."""

import os
from pathlib import Path

import numpy as np

from endcap.data.photos.shards import Entry, folder_of, load, write

RED = np.full((4, 4, 3), (255, 0, 0), np.uint8)


def test_what_was_written_is_loaded_in_its_order(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 4)
    found = [
        (Entry("a", 0, 0, "k"), RED),
        (Entry("b", 0, 0, "", "broken", "why"), None),
        (Entry("c", 0, 0, "l"), RED // 2),
    ]
    write(folder, 4, ["a", "b", "c"], found)
    for shards in (load(folder, 4), load(folder, 4, ["a", "b", "c"])):
        [shard] = shards
        assert [(entry.stamp, entry.row, entry.problem) for entry in shard.entries] == [
            ("a", 0, ""),
            ("b", -1, "why"),
            ("c", 1, ""),
        ]
        np.testing.assert_array_equal(shard.pixels, np.stack([RED, RED // 2]))
    assert load(folder, 4, ["a", "c", "b"]) == []


def test_what_could_not_be_read_is_not_remembered(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 4)
    unread = Entry("b", 0, 0, "", "unread", "a disk was away")
    written = write(folder, 4, ["a", "b"], [(Entry("a", 0, 0, "k"), RED), (unread, None)])
    assert [entry.stamp for entry in written.entries] == ["a", "b"]
    assert [entry.stamp for entry in load(folder, 4)[0].entries] == ["a"]


def test_what_a_killed_run_left_is_removed_a_day_later(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 4)
    (folder / ".old.npy").write_bytes(b"half")
    (folder / ".new.npy").write_bytes(b"half")
    os.utime(folder / ".old.npy", (0, 0))
    write(folder, 4, ["a"], [(Entry("a", 0, 0, "k"), RED)])
    assert [path.name for path in folder.glob(".*")] == [".new.npy"]


def test_pixels_of_another_version_or_size_are_apart(tmp_path: Path) -> None:
    write(folder_of(tmp_path, 4), 4, ["a"], [(Entry("a", 0, 0, "k"), RED)])
    assert load(folder_of(tmp_path, 8), 8) == []
