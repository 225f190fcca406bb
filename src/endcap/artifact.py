"""A trained model as a folder: config, vocabulary with catalogue, weights, facts.

```
config.toml           what was asked for, with the values that validation chose
artifact.json         version, traits of the data, fingerprints of the files, cuts, figures
items.parquet         the vocabulary in its order, with the catalogue's columns
weights.safetensors   state_dict of the model
complements.parquet   what goes together in baskets; those of before have none
features/             with [features]: the fitted encoders, and what they say of every item
```
It names no user: histories come from the event log, and `knn` alone keeps those it was fitted to. Never pickle: an
artifact may come from elsewhere.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from endcap import config as configuration
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.complements import Complements
from endcap.data.errors import InputError
from endcap.data.places import replacing
from endcap.data.vocabulary import Vocabulary
from endcap.describe import Described
from endcap.models import Recommender, Traits, build

VERSION = 2
COMPLEMENTS = "complements.parquet"


@dataclass(frozen=True)
class Artifact:
    """Everything that is needed to recommend, and to know where it came from."""

    config: Config
    traits: Traits
    vocabulary: Vocabulary
    catalog: Catalog
    model: Recommender
    files: dict[str, str] = field(default_factory=dict)  # the data: path -> sha256
    facts: dict[str, Any] = field(default_factory=dict)  # cuts, whether seen items are masked, figures
    described: Described | None = None  # what is known of the products, with [features]
    aliases: dict[str, str] = field(default_factory=dict)  # a variant's id or SKU -> its product's id
    complements: Complements | None = None  # what goes together; None in artifacts of before


def check_place(folder: Path) -> None:
    """Raises InputError where `folder` holds something else, which an artifact must not replace."""
    if folder.exists() and not (folder / "artifact.json").exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"found other things in {folder}; expected a new folder, or an artifact to replace")


def save(artifact: Artifact, folder: Path) -> None:
    """Writes the folder beside its place and then puts it there, so that a full disk leaves the old one whole."""
    check_place(folder)
    with replacing(folder) as new:
        (new / "config.toml").write_text(configuration.dumps(artifact.config), encoding="utf-8")
        about = {
            "version": VERSION,
            "traits": asdict(artifact.traits),
            "files": artifact.files,
            "facts": artifact.facts,
            "aliases": artifact.aliases,
        }
        (new / "artifact.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
        artifact.catalog.save(new / "items.parquet")
        safetensors.torch.save_file(_apart(artifact.model.state_dict()), new / "weights.safetensors")
        if artifact.complements is not None:
            artifact.complements.save(new / COMPLEMENTS)
        if artifact.described is not None:
            artifact.described.save(new / "features")


def _apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, none in another's memory, which the format refuses; networks share what is told of items."""
    result: dict[str, Tensor] = {}
    places = set()
    for name, tensor in state.items():
        place = tensor.untyped_storage().data_ptr()
        result[name] = tensor.clone(memory_format=torch.contiguous_format) if place in places else tensor.contiguous()
        places.add(place)
    return result


def load(folder: Path) -> Artifact:
    """Reads the folder; raises InputError where it is missing, damaged or not one of ours."""
    missing = [
        name
        for name in ("config.toml", "artifact.json", "items.parquet", "weights.safetensors")
        if not (folder / name).is_file()
    ]
    if missing:
        raise InputError(f"{folder} is no artifact: found no {', '.join(missing)}; make one with `endcap train`")
    config = configuration.load(folder / "config.toml")
    try:
        about = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
        if about["version"] != VERSION:
            raise InputError(f"{folder}: found version {about['version']}; this endcap reads {VERSION}: train it again")
        traits = TypeAdapter(Traits).validate_python(about["traits"])
        files, facts, aliases = dict(about["files"]), dict(about["facts"]), dict(about["aliases"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder / 'artifact.json'} is damaged: {error}; train it again") from error
    catalog = Catalog.load(folder / "items.parquet")
    if len(catalog.item_ids) != traits.n_items:
        raise InputError(
            f"{folder / 'items.parquet'} is damaged: found {len(catalog.item_ids)} items; "
            f"expected {traits.n_items}; train it again"
        )
    model = build(config.model, traits)
    try:
        # Assigned, weights stay in the file's pages, which the processes that serve it share.
        model.load_state_dict(safetensors.torch.load_file(folder / "weights.safetensors"), assign=True)
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder / 'weights.safetensors'} is damaged or of another model: {reason}") from error
    described = Described.load(folder / "features") if config.features.use else None
    vocabulary = Vocabulary(tuple(catalog.item_ids))
    pairs = folder / COMPLEMENTS
    complements = Complements.load(pairs) if pairs.is_file() else None
    return Artifact(config, traits, vocabulary, catalog, model.eval(), files, facts, described, aliases, complements)
