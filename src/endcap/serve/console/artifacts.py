"""The artifacts beside the one that is served: what may be put to work."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endcap.data.errors import InputError
from endcap.serve.console.page import Desk

MOST = 60
"""Artifacts that are listed, the newest first."""


@dataclass(frozen=True)
class Choice:
    """A folder beside OUT that can be put to work."""

    path: str  # from the folder that holds OUT
    made: float
    model: str
    items: int
    size: int  # bytes
    role: str  # that it has now; empty: none


def choices(desk: Desk, kept: Mapping[str, Mapping[str, Any]]) -> list[Choice]:
    """The artifacts in the folder that holds OUT, and those of its updates."""
    home = home_of(desk)
    roles = {str(version.path.resolve()): role for role, version in desk.engine.versions.items()}
    roles |= {place["path"]: role for role, place in kept.items() if place["path"] not in roles}
    files = [*home.glob("*/artifact.json"), *home.glob("*-versions/*/artifact.json")]
    newest = sorted(files, key=lambda file: -file.stat().st_mtime)[:MOST]
    found = []
    for file in newest:
        folder = file.parent
        if folder.name.startswith(".") or not (folder / "weights.safetensors").is_file():
            continue
        model, items = _gist(folder)
        found.append(
            Choice(
                path=str(folder.relative_to(home)),
                made=file.stat().st_mtime,
                model=model,
                items=items,
                size=sum(each.stat().st_size for each in folder.iterdir() if each.is_file()),
                role=roles.get(str(folder.resolve()), ""),
            )
        )
    return found


def _gist(folder: Path) -> tuple[str, int]:
    """The name of an artifact's model and its items, without loading it; nothing of one that is damaged."""
    try:
        about = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        return str(config["model"]["name"]), int(about["traits"]["n_items"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def home_of(desk: Desk) -> Path:
    """The folder that holds OUT."""
    return desk.serving.config.out.resolve().parent


def report_of(desk: Desk) -> Path | None:
    """What `endcap compare` wrote: in the folder that holds OUT, or beside that folder where it is a comparison's."""
    home = home_of(desk)
    folders = (home, home.parent) if home.name == "models" else (home,)
    return next((path for folder in folders if (path := folder / "report.html").is_file()), None)


def chosen(desk: Desk, path: str) -> Path:
    """One of the choices, by its path; a key is not for reading the rest of the disk."""
    if path not in {choice.path for choice in choices(desk, {})}:
        raise InputError(f"found path {path!r}; expected an artifact in the folder that holds {desk.engine.name}")
    return home_of(desk) / path


def name_of(desk: Desk, path: str | None) -> str:
    """A path as the choices have it."""
    if path is None:
        return ""
    found = Path(path)
    return str(found.relative_to(home_of(desk))) if found.is_relative_to(home_of(desk)) else found.name
