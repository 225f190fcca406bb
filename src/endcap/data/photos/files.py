"""The photos and clips in a folder, the zips beside them, or one zip. Nothing is ever extracted from a zip to disk."""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from endcap.data.errors import InputError
from endcap.data.photos.problems import PhotoError, Problem

PHOTOS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif")
CLIPS = ("mp4", "webm", "mov", "mkv", "avi")

MOST_BYTES = {"photo": 64 << 20, "clip": 128 << 20}
"""A larger file is not read; it is what a zip bomb unpacks to."""

_ENCRYPTED = 0x1


@dataclass(frozen=True)
class File:
    """A photo or a clip that can be read."""

    name: str  # its path inside the folder or zip, with /; or its address
    stamp: str  # differs where the content may differ; known without reading the content
    size: int  # bytes
    read: Callable[[], bytes] = field(compare=False, repr=False)  # raises PhotoError

    @property
    def is_clip(self) -> bool:
        """Whether its name says that it is a video."""
        return extension(self.name) in CLIPS


@dataclass(frozen=True)
class Files:
    """All photos and clips of a folder or a zip, and what had to be left out."""

    path: Path
    files: tuple[File, ...]  # sorted by name
    problems: tuple[Problem, ...] = ()
    others: tuple[str, ...] = ()  # names of files that are neither photos nor clips


def extension(name: str) -> str:
    """Lower case, without the dot: `jpg` of `a/B.JPG`; of an address, without what follows its path."""
    if "://" in name:
        name = name.partition("?")[0].partition("#")[0]
    return name.rpartition("/")[2].rpartition(".")[2].lower()


@contextmanager
def opened(path: Path) -> Iterator[Files]:
    """The files of a folder or zip, readable until the end of the block; raises InputError where it is neither."""
    if path.is_dir():
        with ExitStack() as stack:
            parts = [_of_folder(path)]
            for place in sorted(path.glob("*.zip")):
                try:
                    parts.append(stack.enter_context(opened(place)))
                except InputError as error:
                    parts.append(Files(path, (), (Problem("", place.name, str(error)),)))
            yield _together(path, parts)
    elif not path.exists():
        raise InputError(f"{path} does not exist; give the path of a folder or a zip with photos")
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(f"{path} is no readable zip ({error}); give a folder or a zip with photos") from None
        with archive:
            yield _of_zip(path, archive)


def of_path(path: Path, name: str) -> File:
    """A file on disk under a name of its own."""
    found = path.stat()
    stamp = f"file {path.absolute()} {found.st_mtime_ns} {found.st_size}"
    return File(_text(name), _text(stamp), found.st_size, partial(_read_path, path, name, found.st_size))


def _of_folder(path: Path) -> Files:
    files, problems, others = [], [], []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in filter(lambda name: not _is_hidden(name), names):
            place = Path(folder, name)
            relative = place.relative_to(path).as_posix()
            if extension(name) not in (*PHOTOS, *CLIPS):
                others.append(_text(relative))
            elif (fault := _unlike_a_file(place)) is not None:
                problems.append(Problem("", _text(relative), fault))
            else:
                files.append(of_path(place, relative))
    return Files(path, tuple(sorted(files, key=lambda file: file.name)), tuple(problems), tuple(others))


def _together(path: Path, parts: Sequence[Files]) -> Files:
    """The files of a folder and of the zips in it; of a name that is there twice the first counts."""
    files: dict[str, File] = {}
    problems = [problem for part in parts for problem in part.problems]
    for part in parts:
        for file in part.files:
            if files.setdefault(file.name, file) is not file:
                problems.append(Problem("", file.name, f"is also in {part.path.name}; the first one counts"))
    others = [name for part in parts for name in part.others if not name.endswith(".zip")]
    return Files(path, tuple(files[name] for name in sorted(files)), tuple(problems), tuple(others))


def _of_zip(path: Path, archive: zipfile.ZipFile) -> Files:
    files: dict[str, File] = {}
    problems, others = [], []
    for entry in archive.infolist():
        name = _text(entry.filename.replace("\\", "/"))
        if entry.is_dir() or any(map(_is_hidden, name.split("/"))):
            continue
        if extension(name) not in (*PHOTOS, *CLIPS):
            others.append(name)
        elif (fault := _fault(entry, name)) is not None:
            problems.append(Problem("", name, fault))
        else:
            if name in files:
                problems.append(Problem("", name, "is in the zip twice; the last one counts"))
            stamp = f"zip {entry.CRC:08x} {entry.file_size} {name}"
            files[name] = File(name, stamp, entry.file_size, partial(_read_entry, archive, entry, name))
    return Files(path, tuple(files[name] for name in sorted(files)), tuple(problems), tuple(others))


def _fault(entry: zipfile.ZipInfo, name: str) -> str | None:
    if name.startswith("/") or name[1:2] == ":" or ".." in name.split("/"):
        return "an unsafe name, outside of the zip; not read"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted; make a zip without a password"
    return None


def _unlike_a_file(path: Path) -> str | None:
    try:
        kind = path.stat().st_mode
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if stat.S_ISREG(kind) else "is no regular file; not read"  # reading a pipe would wait for ever


def _read_path(path: Path, name: str, size: int) -> bytes:
    most = _refuse_large(name, size)
    try:
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}", "unread") from None


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    most = _refuse_large(name, entry.file_size)
    try:
        with archive.open(entry) as stream:
            return stream.read(most)  # zipfile itself stops at the size that the directory claims, and checks the CRC
    except NotImplementedError:
        raise PhotoError("is compressed in a way that cannot be read; zip it again") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise PhotoError(f"is damaged in the zip: {error or type(error).__name__}") from None


def _refuse_large(name: str, size: int) -> int:
    most = MOST_BYTES["clip" if extension(name) in CLIPS else "photo"]
    if size > most:
        raise PhotoError(f"{size / 1e6:,.0f} MB are too many; at most {most >> 20} MiB are read")
    return most


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name != "..") or name == "__MACOSX"


def _text(name: str) -> str:
    """The name as text that can be printed and stored, where the disk has bytes that are no UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
