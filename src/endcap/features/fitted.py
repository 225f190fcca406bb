"""Fitted encoders on disk: scikit-learn's own estimators through skops, what is ours as JSON; never pickle.

Here and in other modules of this package scikit-learn is imported where it is used: with skops it takes two seconds and
90 MB, which a server of a shop that is told of by ids alone can do without.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from endcap.data.errors import InputError

T = TypeVar("T")
E = TypeVar("E")

VERSION = 1


def save_state(path: Path, state: object) -> None:
    """Writes a dataclass as JSON."""
    if not is_dataclass(state) or isinstance(state, type):
        raise TypeError(f"{type(state).__name__} is no dataclass")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {"version": VERSION, "state": asdict(state)}
    path.write_text(json.dumps(written, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def load_state(path: Path, kind: type[T]) -> T:
    """Reads what `save_state` wrote; raises InputError where it is missing, damaged or of another version."""
    try:
        written: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(written, Mapping) or written.get("version") != VERSION:
            raise InputError(f"{path} is not of this version of endcap; train again")
        return TypeAdapter(kind).validate_python(written.get("state"))
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is missing or damaged: {_reason(error)}; train again") from error


def save_estimator(path: Path, estimator: object) -> None:
    """Writes a fitted estimator of scikit-learn."""
    import skops.io

    path.parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(estimator, path, compression=zipfile.ZIP_DEFLATED)


def load_estimator(path: Path, kind: type[E]) -> E:
    """Reads what `save_estimator` wrote; raises InputError where it is missing, damaged or not an estimator of ours."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        found = skops.io.load(path, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise InputError(f"{path} holds more than an estimator of ours: {_reason(error)}; train again") from error
    except Exception as error:  # a damaged file can fail in any of the constructors that skops calls
        raise InputError(f"{path} is missing or damaged: {_reason(error)}; train again") from error
    if not isinstance(found, kind):
        raise InputError(f"{path} holds a {type(found).__name__}, not a {kind.__name__}; train again")
    return found


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return text.splitlines()[0]


TRUSTED = ["numpy.dtype"]
"""Beyond what skops trusts by itself, the types of scikit-learn, NumPy and SciPy."""
