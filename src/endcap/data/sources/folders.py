"""Photos sorted into folders: `dress/x.jpg`, or `train/dress/x.jpg` where they are split; a folder or a zip of them.

The last folder is the category, the path without its ending the item_id. There is no log to it: it teaches an encoder.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.photos.files import PHOTOS, extension, opened
from endcap.data.sources.nested import refuse_mapping
from endcap.data.sources.products import Export, Record, fold
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped

PARTS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid",
         "dev": "valid", "test": "test", "testing": "test"}  # fmt: skip
"""What a top folder is called -> its part."""

_TABLES = ("csv", "tsv", "txt", "json", "jsonl", "parquet", "xml", "gz", "inter", "item")
_DOCUMENTS = ("readme", "license", "licence", "copying", "notice")  # which may be .txt
_ENOUGH = 2000  # names of a folder that are looked at to recognise it


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Items are photos; those that lie in no folder have no category and are left out, with a line each."""
    refuse_mapping(given, source, "folders")
    with opened(source.path) as found:
        names = [file.name for file in found.files if not file.is_clip]
        others = len(found.others) + len(found.files) - len(names)
        notes = [f"{others:,} files that are no photos are left out"] * bool(others)
        problems = [(0, "image", problem.name, problem.problem) for problem in found.problems]
    split = _is_split(names)
    records = []
    for row, name in enumerate(names, start=1):
        *folders, file = name.split("/")
        part = PARTS.get(folders[0].lower()) if split and folders else None
        if not folders[split:]:
            problems.append((row, "category", name, "lies in no folder that says what it is; row left out"))
            continue
        item_id = name.rpartition(".")[0]
        values = {"title": file.rpartition(".")[0], "category": folders[-1], "image": [name], "part": part}
        records.append(Record(row, item_id, (item_id,), values))
    columns = {"item_id": "path", "category": "last folder", "image": "path", "title": "file name"}
    items = fold(backend, source, Export("folders", records, columns, problems))
    categories = len({record.values["category"] for record in records})
    notes.append(f"{len(records):,} photos in {categories:,} categories")
    # `part` is a column of events, from which a catalogue's own ones are kept apart; here it means just that
    frame = items.frame.withColumnRenamed("source_part", "part") if split else items.frame
    return replace(items, frame=frame, columns=items.columns | {"part": "top folder"} if split else items.columns,
                   notes=notes)  # fmt: skip


def nested(path: Path) -> Source | None:
    """The source where a folder holds sorted photos and no file of its own, which is nothing to any other format."""
    if not path.is_dir() or any(each.is_file() and not each.name.startswith((".", "_")) for each in path.iterdir()):
        return None
    files = tuple(path / name for name in islice(_walk(path), _ENOUGH))
    return Source(path, files) if files and _are_sorted([file.relative_to(path).as_posix() for file in files]) else None


def _recognises(source: Source) -> bool:
    return _are_sorted(_names(source.path))


def _accepts(source: Source) -> bool:
    return any("/" in name and extension(name) in PHOTOS for name in _names(source.path))


def _names(path: Path) -> Sequence[str]:
    if path.is_dir():
        return list(islice(_walk(path), _ENOUGH))
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4":
            return ()
    with opened(path) as found:
        return [*(file.name for file in found.files), *found.others]


def _walk(path: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name).relative_to(path).as_posix() for name in sorted(names) if name[0] != ".")


def _are_sorted(names: Sequence[str]) -> bool:
    """Photos in folders of at least two names, and no tables."""
    photos = [name for name in names if extension(name) in PHOTOS]
    others = [name.lower().rpartition("/")[2] for name in names if extension(name) in _TABLES]
    if not photos or any(not name.startswith(_DOCUMENTS) for name in others):
        return False
    folders = [name.split("/")[:-1] for name in photos]
    # a/b/ab12.jpg is how Magento spreads files over a disk
    spread = sum(len(each) > 1 and len(each[-1]) == len(each[-2]) == 1 for each in folders)
    return all(folders) and len({each[-1] for each in folders}) > 1 and spread < len(folders) / 2


def _is_split(names: Sequence[str]) -> bool:
    """Whether all top folders are parts, and most photos lie in folders of them."""
    inside = [name for name in names if "/" in name]
    deep = sum(name.count("/") > 1 for name in names)
    return 2 * deep > len(names) and all(name.split("/")[0].lower() in PARTS for name in inside)


CATALOGUE: Format[Items] = Format(
    "folders", "photos in folders that say what they are (dress/x.jpg, train/dress/x.jpg), or a zip of them",
    _recognises, read_catalogue, accepts=_accepts,
)  # fmt: skip
