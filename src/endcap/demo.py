"""`endcap demo`: a real shop from the package registry, or a shop of the user's own, in one go."""

from importlib import resources
from pathlib import Path
from typing import Any

from endcap import config as configuration
from endcap.config import Config
from endcap.data.errors import InputError
from endcap.data.sources import simulated

ABOUT = """[bold]Complete Journey[/bold] (dunnhumby): real grocery purchases of 2,469 households in 2017.
The whole log is read, checked, cleaned and split by time, and counting models count all of its training part. So that
everything ends in minutes on two cores, an epoch of a network looks at a part of the windows, drawn anew each time
([train] share), and counting models choose their parameters on a sample of households ([train] choose_events)."""

MODELS = ("popular", "transitions", "gru", "transformer")

EVENTS = ("events.*", "transactions.*", "interactions.*")
ITEMS = ("items.*", "products.*", "catalog.*", "catalogue.*")
"""What a folder may call its files; a folder that is a catalogue as a whole needs none."""


def configs() -> list[Config]:
    """Counting models, a GRU and a transformer, sized so that all are done in minutes on two cores."""
    folder = Path(str(resources.files("endcap") / "configs"))
    return [configuration.load(folder / f"demo-{name}.toml") for name in MODELS]


def shop(place: Path) -> list[Config]:
    """The same models for a TOML with [data], or a folder with events.*, items.* and images/ or images.zip.

    Without a log, visits are simulated. Raises InputError where there is neither.
    """
    if place.is_dir():
        document = of_folder(place)
    elif place.suffix == ".toml":
        document = configuration.read(place)
        if "data" not in document:
            raise InputError(f"{place} has no [data]; expected events, and perhaps items and images")
    else:
        raise InputError(f"found {place}; expected a folder with events.* and items.*, or a TOML with [data]")
    document["data"].setdefault("events", simulated.NAME)
    document.setdefault("train", {"epochs": 15, "patience": 3})
    model = document.pop("model", {})  # what it says of its own model; the others are as they are
    chosen = {model.get("name"): model}
    return [configuration.check(document | {"model": chosen.get(name, {"name": name})}, str(place)) for name in MODELS]


def of_folder(folder: Path) -> dict[str, Any]:
    """[data] and [features] of what lies in a folder."""
    events, items = _first(folder, EVENTS), _first(folder, ITEMS)
    data: dict[str, Any] = {"items": str(items or folder)}
    if events:
        data["events"] = str(events)
    photos = [path for path in (folder / "images", folder / "images.zip") if path.exists()]
    if photos or list(folder.glob("*.zip")):
        data["images"] = str(photos[0] if photos else folder)
    return {"data": data, "features": {"use": ["tabular", "text", *["photos"] * ("images" in data)]}}


def _first(folder: Path, patterns: tuple[str, ...]) -> Path | None:
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
    return found[0] if found else None
