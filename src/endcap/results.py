"""results.json: one object per model, seed and protocol. Its names are stable; programs read them."""

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from endcap.data.errors import InputError


@dataclass(frozen=True)
class Result:
    """What one run of one model reached, and what it cost."""

    model: str
    seed: int
    dataset: str
    goal: str
    split: str
    masked: bool  # whether items of the history were kept out of the lists
    protocol: Literal["strict", "refit"]
    metrics: dict[str, float]  # on the test part; see evaluation.measure
    users: int  # of the training part, as items and events
    items: int
    events: int
    train_seconds: float
    evaluate_seconds: float
    epochs: int
    peak_rss_mb: float
    parameters: int
    other: dict[str, Any] = field(default_factory=dict)  # {masked, metrics}: the same model, the other repeat policy
    slices: list[dict[str, Any]] = field(default_factory=list)  # see evaluation.slices
    history: list[dict[str, Any]] = field(default_factory=list)  # per epoch; see training.Epoch
    chosen: dict[str, Any] = field(default_factory=dict)  # the parameters that validation chose
    curve: str = ""  # what `history` calls its metric: which, and of how many validation questions
    part_of: str = ""  # the hybrid that it is a part of
    made_of: str = ""  # the parts of a hybrid that validation kept, in words
    note: str = ""
    questions: int = 0  # of the test part
    giveaway: dict[str, Any] = field(default_factory=dict)  # what those give away; see data/giveaway.py
    valid: float = math.nan  # what was maximised on validation
    intents: dict[str, Any] = field(default_factory=dict)  # again, new -> valid, test -> n, hr@10, ndcg@10


def save(results: Sequence[Result], path: Path) -> None:
    """Writes the file at once: a full disk leaves the old one whole, and raises InputError. NaN becomes null."""
    text = json.dumps([plain(asdict(result)) for result in results], indent=2, ensure_ascii=False, allow_nan=False)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text + "\n")
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {path}: {error.strerror}; nothing was changed") from error


def load(path: Path) -> list[Result]:
    """Reads what `save` wrote; null becomes NaN again. Raises InputError where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(list[Result]).validate_python([_numbers(each) for each in found])
    except FileNotFoundError as error:
        raise InputError(f"found no {path}; `endcap compare` writes it") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValidationError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is no list of results: {reason}; run `endcap compare` again") from error


def plain(value: Any) -> Any:
    """The same value as JSON has it: tuples as lists, numbers that are not finite as None."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(value: dict[str, Any]) -> dict[str, Any]:
    """NaN where `plain` wrote None; parameters that were chosen may truly be None."""
    return {name: each if name == "chosen" else _nan(each) for name, each in value.items()}


def _nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _nan(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_nan(each) for each in value]
    return math.nan if value is None else value
