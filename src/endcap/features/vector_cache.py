"""Vectors on disk by the key of what they are of, so that a second run computes none.

A folder holds one safetensors file per run that computed some; they are written beside their place and then put there,
so that two processes at once and kills do no harm. A damaged one is left out, and what it held is computed again.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints

Floats32 = NDArray[np.float32]


def through(folder: Path, keys: Sequence[str], compute: Callable[[Ints], Floats32]) -> Floats32:
    """(keys, dim) from the folder, or else from `compute`, which takes rows and gives (rows, dim) for them.

    Raises InputError where the folder cannot be written.
    """
    held, vectors = _read(folder)
    place = {key: row for row, key in enumerate(held)}
    missing = list(dict.fromkeys(key for key in keys if key not in place))
    if missing or not len(vectors):
        first: dict[str, int] = {}
        for row, key in enumerate(keys):
            first.setdefault(key, row)
        new = compute(np.array([first[key] for key in missing], dtype=np.int64))
        if missing:
            _write(folder, missing, new)
        place |= {key: len(held) + row for row, key in enumerate(missing)}
        vectors = np.concatenate([vectors.reshape(-1, new.shape[1]), new])
    return vectors[[place[key] for key in keys]]


def _read(folder: Path) -> tuple[list[str], Floats32]:
    keys: list[str] = []
    found: list[Floats32] = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safetensors.safe_open(path, "np") as file:
                some = json.loads(file.metadata()["keys"])
                vectors = file.get_tensor("vectors")
        except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError):
            continue
        if len(some) == len(vectors) and (not found or vectors.shape[1:] == found[0].shape[1:]):
            keys += some
            found.append(vectors)
    return keys, np.concatenate(found) if found else np.zeros((0, 0), np.float32)


def _write(folder: Path, keys: Sequence[str], vectors: Floats32) -> None:
    temporary = folder / f".{uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        safetensors.numpy.save_file({"vectors": np.ascontiguousarray(vectors)}, temporary, {"keys": json.dumps(keys)})
        temporary.replace(folder / f"{temporary.stem[1:]}.safetensors")
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"cannot write {folder}: {str(error).splitlines()[0]}; set ENDCAP_CACHE to another place"
        ) from error
    finally:
        with suppress(OSError):  # where the folder could not even be made
            temporary.unlink(missing_ok=True)
