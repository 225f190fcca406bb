"""The artifacts beside the one that is served: what may be put to work."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endcap.data.errors import InputError
from endcap.serve.console.page import Desk
from endcap.serve.console.worth import Worth, worth

MOST = 60
"""Artifacts that are listed, the newest first."""


@dataclass(frozen=True)
class Choice:
    """A folder beside OUT that can be put to work."""

    path: str  # from the folder that holds OUT
    made: float | None
    model: str
    items: int
    size: int  # bytes
    role: str  # that it has now; empty: none
    worth: Worth


def choices(desk: Desk, kept: Mapping[str, Mapping[str, Any]]) -> list[Choice]:
    """The artifacts in the folder that holds OUT, and those of its updates, what finds most first."""
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
        model, items, value = _gist(folder)
        found.append(
            Choice(
                path=str(folder.relative_to(home)),
                made=made(folder),
                model=model,
                items=items,
                size=sum(each.stat().st_size for each in folder.iterdir() if each.is_file()),
                role=roles.get(str(folder.resolve()), ""),
                worth=value,
            )
        )
    return sorted(found, key=lambda choice: -1.0 if choice.worth.hits is None else choice.worth.hits, reverse=True)


def _gist(folder: Path) -> tuple[str, int, Worth]:
    """The name of an artifact's model, its items and its figures, without loading it; nothing of a damaged one."""
    try:
        about = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        value = worth(config["data"].get("goal"), about["facts"], about["files"])
        return str(config["model"]["name"]), int(about["traits"]["n_items"]), value
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "", 0, Worth({})


def made(folder: Path) -> float | None:
    """When an artifact was written; None where its folder is gone."""
    try:
        return (folder / "artifact.json").stat().st_mtime
    except OSError:
        return None


def home_of(desk: Desk) -> Path:
    """The folder that holds OUT."""
    return desk.serving.config.out.resolve().parent


def report_of(desk: Desk) -> Path | None:
    """What `endcap compare` wrote: in the folder that holds OUT, or beside that folder where it is a comparison's."""
    home = home_of(desk)
    folders = (home, home.parent) if home.name == "models" else (home,)
    return next((path for folder in folders if (path := folder / "report.html").is_file()), None)


def chosen(desk: Desk, path: str) -> Choice:
    """One of the choices, by its path; a key is not for reading the rest of the disk."""
    found = next((choice for choice in choices(desk, {}) if choice.path == path), None)
    if found is None:
        raise InputError(f"found path {path!r}; expected an artifact in the folder that holds {desk.engine.name}")
    return found


def name_of(desk: Desk, path: str | None) -> str:
    """A path as the choices have it."""
    if path is None:
        return ""
    found = Path(path)
    return str(found.relative_to(home_of(desk))) if found.is_relative_to(home_of(desk)) else found.name
