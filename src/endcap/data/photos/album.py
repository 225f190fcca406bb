"""The photos of a catalogue: found, downloaded, decoded once, and an account of what could not be used."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.photos import video
from endcap.data.photos.cache import cache_folder
from endcap.data.photos.decode import Pixels, decode, quiet
from endcap.data.photos.download import Network, download
from endcap.data.photos.files import File, opened
from endcap.data.photos.find import Found, Match, find
from endcap.data.photos.problems import PhotoError, Problem
from endcap.data.photos.shards import Entry, Shard, delete, folder_of, load, superfluous, write
from endcap.data.vocabulary import Ints

Progress = Callable[[str, int, int], None]
"""Takes what is being done (`download`, `decode`), how many are done, and of how many."""

_BATCH = 512  # photos that wait in memory to be written
_FEW = 5
_FIRST = 20


@dataclass(frozen=True)
class Counts:
    """How the photos of a catalogue are, for a report."""

    items: int
    with_photos: int  # items
    photos: int  # rows of the album, frames of clips included
    frames: int
    missing: int  # named by the catalogue and not there
    failed: int  # addresses that gave no photo
    broken: int
    too_small: int
    shared: int  # photos that are on several items
    unknown: int  # of no item

    @property
    def without_photos(self) -> int:
        """Items."""
        return self.items - self.with_photos


@dataclass(frozen=True)
class Album:
    """Every usable photo of a catalogue, by item; an item's first photo is the one its shop shows first."""

    owners: Ints  # (photos,) the item's index, from 1; ascending
    keys: tuple[str, ...]  # (photos,) hash of the content; of a frame, that of its clip and its number
    pixels: Pixels  # (photos, size, size, 3) RGB, memory-mapped: read what you need
    names: tuple[str, ...]  # (photos,) its path in the folder or zip, or its address
    frames: NDArray[np.bool_]  # (photos,) whether it is a frame of a clip
    problems: tuple[Problem, ...]  # all that was left out, and photos that several items share
    counts: Counts
    unknown: tuple[str, ...]  # names of the first photos of no item

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.pixels.shape[1]


def album(
    catalog: Catalog,
    images: Path | None,
    *,
    size: int,
    cache: Path | None = None,
    aliases: Mapping[str, str] | None = None,
    network: Network | None = None,
    on_progress: Progress = lambda what, done, of: None,
) -> Album:
    """The photos that `images` (a folder or a zip) and the addresses in the catalogue hold, as squares of `size`.

    `aliases` are other names of items (SKU -> item_id). Pixels and downloads are kept in `cache` (`cache_folder()`).
    Raises InputError where `images` cannot be read or holds no photo, or the cache cannot be written.
    """
    cache = cache or cache_folder()
    with opened(images) if images else nullcontext() as files:
        if files is not None and not files.files and not files.problems:
            raise InputError(f"{files.path} holds no photos; expected .jpg, .png, .webp, .gif, .bmp, .tif or .avif")
        found = find(catalog, files.files if files else None, aliases)
        found, failed = _downloaded(found, catalog, cache / "downloads", network or Network(), on_progress)
        found, clips = _without_clips(found)
        shard, entries = _cached(folder_of(cache, size), size, [match.file for match in found.matches], on_progress)
    made = _album(catalog, found, size, shard, entries)
    before = (*(files.problems if files else ()), *failed, *clips)
    return replace(made, problems=before + made.problems, counts=replace(made.counts, failed=len(failed)))


def _downloaded(
    found: Found, catalog: Catalog, folder: Path, network: Network, on_progress: Progress
) -> tuple[Found, list[Problem]]:
    addresses = list(dict.fromkeys(match.name for match in found.matches if match.file is None))
    if not addresses:
        return found, []
    got = download(addresses, folder, network=network, on_progress=partial(on_progress, "download"))
    matches = [replace(match, file=match.file or got.files.get(match.name)) for match in found.matches]
    failed = [
        Problem(catalog.item_ids[match.item - 1], match.name, got.problems[match.name])
        for match in matches
        if match.file is None
    ]
    return replace(found, matches=tuple(match for match in matches if match.file)), failed


def _without_clips(found: Found) -> tuple[Found, list[Problem]]:
    clips = sum(match.is_clip for match in found.matches)
    if not clips or video.is_installed():
        return found, []
    fault = f"{clips:,} clips are left out: PyAV is not installed (pip install 'endcap[video]')"
    photos = tuple(match for match in found.matches if not match.is_clip)
    return replace(found, matches=photos), [Problem("", "", fault)]


def _cached(
    folder: Path, size: int, files: Sequence[File | None], on_progress: Progress
) -> tuple[Shard | None, list[list[Entry]]]:
    """One shard whose rows are those of the files in their order, and the entries of each file."""
    wanted = [file for file in files if file]
    stamps = [file.stamp for file in wanted]
    if not wanted:
        return None, []
    for shard in load(folder, size, stamps):
        known = _known([shard])
        if all(stamp in known for stamp in stamps):
            return shard, [[entry for _, entry in known[stamp]] for stamp in stamps]
    shards = load(folder, size)
    known = _known(shards)
    if new := {file.stamp: file for file in wanted if file.stamp not in known}:
        with quiet():
            decoded = _decoded([*new.values()], size, partial(on_progress, "decode"))
            shards.append(write(folder, size, [*new], decoded))
        known |= _known(shards[-1:])
    entries = [[entry for _, entry in known[stamp]] for stamp in stamps]
    if stamps == [*new]:
        return shards[-1], entries
    together = write(folder, size, stamps, (_copied(*each) for stamp in stamps for each in known[stamp]))
    for shard in superfluous(shards, together):
        delete(shard.path)
    return together, entries


def _known(shards: Iterable[Shard]) -> dict[str, list[tuple[Shard, Entry]]]:
    """Stamp of a file -> its rows in one of the shards."""
    known: dict[str, list[tuple[Shard, Entry]]] = {}
    for shard in shards:
        own: defaultdict[str, dict[int, tuple[Shard, Entry]]] = defaultdict(dict)
        for entry in shard.entries:
            own[entry.stamp][entry.frame] = (shard, entry)  # once, also where items share the photo
        known |= {stamp: list(rows.values()) for stamp, rows in own.items()}
    return known


def _copied(shard: Shard, entry: Entry) -> tuple[Entry, Pixels | None]:
    return entry, shard.pixels[entry.row] if entry.row >= 0 else None


def _decoded(
    files: Sequence[File], size: int, on_progress: Callable[[int, int], None]
) -> Iterator[tuple[Entry, Pixels | None]]:
    with ThreadPoolExecutor(_processors()) as pool:  # Pillow lets other threads run while it decodes
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            for done, rows in enumerate(pool.map(partial(_decode, size=size), batch), start=start + 1):
                yield from rows
                on_progress(done, len(files))


def _decode(file: File, size: int) -> list[tuple[Entry, Pixels | None]]:
    try:
        data = file.read()
        key = hashlib.blake2b(data, digest_size=16).hexdigest()
        if not file.is_clip:
            return [(Entry(file.stamp, 0, 0, key), decode(data, size))]
    except PhotoError as error:
        return [(Entry(file.stamp, 0, -1, "", error.kind, str(error)), None)]
    clip = video.frames(data, size)
    rows: list[tuple[Entry, Pixels | None]] = [
        (Entry(file.stamp, number, 0, f"{key}-{number}"), pixels) for number, pixels in enumerate(clip.frames, start=1)
    ]
    return rows + [(Entry(file.stamp, 0, -1, key, "broken", clip.problem), None)] * bool(clip.problem)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _album(catalog: Catalog, found: Found, size: int, shard: Shard | None, entries: Sequence[Sequence[Entry]]) -> Album:
    """Without what went wrong before decoding."""
    pairs = [(match, entry) for match, own in zip(found.matches, entries, strict=True) for entry in own]
    rows = [(match, entry) for match, entry in pairs if entry.row >= 0]
    unusable = [(match, entry) for match, entry in pairs if entry.row < 0]
    owners = np.array([match.item for match, _ in rows], np.int64)
    frames = np.array([entry.frame > 0 for _, entry in rows], np.bool_)
    shared = _shared(catalog, rows)
    counts = Counts(
        items=len(catalog),
        with_photos=len(np.unique(owners)),
        photos=len(rows),
        frames=int(frames.sum()),
        missing=len(found.missing),
        failed=0,
        broken=len({entry.stamp for _, entry in unusable if entry.kind != "too small"}),
        too_small=len({entry.stamp for _, entry in unusable if entry.kind == "too small"}),
        shared=len(shared),
        unknown=len(found.unknown),
    )
    ids = catalog.item_ids
    problems = [Problem(ids[match.item - 1], match.name, entry.problem) for match, entry in unusable]
    return Album(
        owners=owners,
        keys=tuple(entry.key for _, entry in rows),
        pixels=shard.pixels if shard else np.empty((0, size, size, 3), np.uint8),
        names=tuple(match.name for match, _ in rows),
        frames=frames,
        problems=(*found.missing, *problems, *shared),
        counts=counts,
        unknown=tuple(file.name for file in found.unknown[:_FIRST]),
    )


def _shared(catalog: Catalog, rows: Sequence[tuple[Match, Entry]]) -> list[Problem]:
    """A line for each content that several items have, at the first of them."""
    having: defaultdict[str, dict[int, Match]] = defaultdict(dict)
    for match, entry in rows:
        if entry.frame <= 1:  # a clip is told by its first frame
            having[entry.key].setdefault(match.item, match)
    lines = []
    for own in having.values():
        first, *others = own.values()
        if others:
            some = ", ".join(catalog.item_ids[match.item - 1] for match in others[:_FEW])
            more = f" and {len(others) - _FEW:,} more" if len(others) > _FEW else ""
            lines.append(Problem(catalog.item_ids[first.item - 1], first.name, f"the same photo is on {some}{more}"))
    return lines
