"""Decoded pixels on disk, so that a second run decodes nothing.

A shard is `NAME.npy` (photos, size, size, 3) and its index `NAME.parquet`, which is written last. Shards are never
changed: one is added by each run that decodes something, and those that it makes superfluous are deleted. Several
processes may do so at once.
"""

import hashlib
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from endcap.data.errors import InputError
from endcap.data.photos.decode import Pixels

VERSION = 1
"""Of decoding: pixels of another version are decoded again."""

_FIELDS = {"stamp": pa.string(), "frame": pa.int64(), "row": pa.int64(), "key": pa.string(), "kind": pa.string(),
           "problem": pa.string()}  # fmt: skip
_DAY = 86_400


class Entry(NamedTuple):
    """A row of pixels, or why there is none."""

    stamp: str  # of the file
    frame: int  # 0 for a photo; of a clip from 1
    row: int  # in the shard; -1 for a problem
    key: str  # of the content
    kind: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Shard:
    """One file of pixels and what its rows are."""

    path: Path  # of the index
    pixels: Pixels  # (rows, size, size, 3) memory-mapped
    entries: tuple[Entry, ...]  # those with pixels in the order of their rows


def folder_of(cache: Path, size: int) -> Path:
    """Where shards of a size are; raises InputError where nothing can be written."""
    folder = cache / "photos" / f"{size}px-v{VERSION}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); set ENDCAP_CACHE to a folder of yours") from None
    return folder


def load(folder: Path, size: int, stamps: Sequence[str] | None = None) -> list[Shard]:
    """Every whole shard, or those written of just these files, without what could not be read at the time.

    A damaged one is deleted, to be decoded again.
    """
    shards = []
    for path in sorted(folder.glob(f"{_digest(stamps)}-*.parquet" if stamps is not None else "*.parquet")):
        try:
            shards.append(_load(path, size))
        except Exception:  # numpy and Arrow raise what they stumble over: EOFError, SyntaxError, ArrowInvalid …
            delete(path)
    return shards


def _load(path: Path, size: int) -> Shard:
    columns = pq.read_table(path, schema=pa.schema(_FIELDS.items())).to_pydict()
    entries = tuple(entry for entry in map(Entry, *columns.values()) if entry.kind != "unread")
    pixels = np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    rows = [entry.row for entry in entries if entry.row >= 0]
    if pixels.shape != (len(rows), size, size, 3) or pixels.dtype != np.uint8 or rows != list(range(len(rows))):
        raise ValueError(f"{path} and its pixels differ")
    return Shard(path, pixels, entries)


def write(folder: Path, size: int, stamps: Sequence[str], found: Iterable[tuple[Entry, Pixels | None]]) -> Shard:
    """A new shard of what is found in the files of these stamps; rows are numbered here. Whole or not at all."""
    _sweep(folder)
    name = f"{_digest(stamps)}-{uuid.uuid4().hex[:8]}"
    temporary = folder / f".{name}.npy"
    try:
        with temporary.open("wb") as file:
            entries = list(_rows(file, size, found))
        temporary.replace(folder / f"{name}.npy")
        temporary = folder / f".{name}.parquet"
        columns = zip(*entries, strict=True) if entries else [[]] * len(_FIELDS)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, _FIELDS.values(), strict=True)]
        pq.write_table(pa.table(arrays, schema=pa.schema(_FIELDS.items())), temporary)
        return replace(_load(temporary.replace(folder / f"{name}.parquet"), size), entries=tuple(entries))
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); set ENDCAP_CACHE to another place") from None
    finally:
        temporary.unlink(missing_ok=True)


def _rows(file: BinaryIO, size: int, found: Iterable[tuple[Entry, Pixels | None]]) -> Iterator[Entry]:
    """Writes pixels behind a header that is filled in at the end, when their number is known."""
    row = 0
    _header(file, (row, size, size, 3))
    for entry, pixels in found:
        if pixels is None:
            yield entry._replace(row=-1)
        else:
            file.write(np.ascontiguousarray(pixels).data)
            yield entry._replace(row=row)
            row += 1
    file.seek(0)
    _header(file, (row, size, size, 3))  # of the same length: numpy leaves room for the first number to grow


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    described = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)


def _digest(stamps: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(stamps).encode(), digest_size=12).hexdigest()


def delete(path: Path) -> None:
    """Removes a shard by its index; whoever has it open can go on reading it."""
    for each in (path, path.with_suffix(".npy")):
        try:
            each.unlink(missing_ok=True)
        except OSError:  # open in another process on Windows: a later run deletes it
            return


def superfluous(shards: Sequence[Shard], by: Shard) -> list[Shard]:
    """Those that hold nothing which `by` does not."""
    held = {(entry.stamp, entry.frame) for entry in by.entries}
    return [shard for shard in shards if held.issuperset((entry.stamp, entry.frame) for entry in shard.entries)]


def _sweep(folder: Path) -> None:
    """Removes what killed runs left half written a day ago."""
    for path in folder.glob(".*"):
        try:
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink()
        except OSError:  # another process was faster
            continue
