"""Files and folders that take the place of older ones in one step: whoever is killed leaves the old or the new."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import safetensors

from endcap.data.errors import InputError


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` once all is written; on failure nothing changes.

    Raises InputError where the disk is full or the folder cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise InputError(f"cannot write to {folder.parent}: {error.strerror}") from error
    try:
        yield new
        for each in (new, *new.rglob("*")):  # whoever serves may be another user than who trained
            each.chmod(0o755 if each.is_dir() else 0o644)
        if not folder.exists():
            new.replace(folder)
        elif not _exchange(new, folder):  # a system without it: for a moment there is no folder
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
            folder.replace(old)
            new.replace(folder)
            shutil.rmtree(old)
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"cannot write {folder}: {reason}; nothing was changed") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write(path: Path, text: str) -> None:
    """Writes a text file at once: a full disk leaves the old one whole, and raises InputError."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; nothing was changed") from error
    finally:
        temporary.unlink(missing_ok=True)


def linked(folder: Path, place: Path) -> None:
    """A second name for each file of a folder, which takes no room; a copy where a file system cannot.

    Files of an artifact are never written again, but replaced, so that neither folder sees what becomes of the other.
    """
    shutil.copytree(folder, place, copy_function=_link)


def _link(file: str, place: str) -> None:
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)


def _exchange(one: Path, other: Path) -> bool:
    """Two folders change their names in one step, as Linux can (renameat2); whether it was done."""
    renameat2 = _renameat2()
    names = (os.fsencode(one), os.fsencode(other))
    return renameat2 is not None and renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0


@cache
def _renameat2() -> Any:
    """The C library's; None where there is none, or no C library is found by its process."""
    try:
        return ctypes.CDLL(None).renameat2
    except (OSError, AttributeError, TypeError):
        return None


AT_FDCWD = -100
RENAME_EXCHANGE = 2
