"""The photos of a catalogue as numbers: a vector per item, from a network trained on the shop's own labels."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from endcap.data.errors import InputError
from endcap.data.photos.cache import cache_folder
from endcap.data.ranges import Chance, Count, Share
from endcap.data.vocabulary import Ints
from endcap.features import linear, vector_cache
from endcap.features.backbone import EfficientNetLite, pretrained
from endcap.features.base import Block
from endcap.features.fit_images import LabelledPhotos, PhotoEpoch, PhotoTrainConfig, Pixels, fit_network, look
from endcap.features.images import CompactCnn, PhotoNetwork, SmallCnn, Trunk
from endcap.features.labels import Labels, LabelsConfig

Floats32 = NDArray[np.float32]
Network = Literal["compact", "small", "frozen", "fine-tuned"]
VERSION = 1
"""Of the saved folder."""


class Photos(Protocol):
    """What is read of an Album."""

    @property
    def owners(self) -> Ints:
        """(photos,) the item's index, from 1."""

    @property
    def keys(self) -> tuple[str, ...]:
        """(photos,) a hash of the content."""

    @property
    def pixels(self) -> Pixels:
        """(photos, height, width, 3)"""


@dataclass(frozen=True)
class PhotosConfig:
    """How photos become vectors."""

    network: Network = "compact"  # compact; small (28x28, grey); frozen or fine-tuned: ImageNet's EfficientNet-lite0
    size: Count = 64  # pixels a side that the network looks at; decoded photos of another size are resampled
    width: Count = 48  # channels of the compact network's first stage; the third has four times as many
    dim: Count = 256  # numbers of the compact network's vector
    dropout: Chance = 0.2  # of the vector before the heads
    valid: Share = 0.1  # of the items choose the epoch; none below 50 photos
    labels: LabelsConfig = field(default_factory=LabelsConfig)  # what is learned
    train: PhotoTrainConfig = field(default_factory=PhotoTrainConfig)  # how


@dataclass(frozen=True)
class PhotoEncoder:
    """A trained network and what it can tell; the same photo always gives the same vector."""

    config: PhotosConfig
    network: PhotoNetwork
    names: tuple[str, ...]  # (columns,) the label columns
    classes: tuple[tuple[str, ...], ...]  # (columns,) what their codes mean

    @classmethod
    def fit(
        cls,
        photos: Photos,
        labels: Labels,
        config: PhotosConfig,
        *,
        known: Ints | None = None,
        on_epoch: Callable[[PhotoEpoch], None] = lambda epoch: None,
    ) -> Self:
        """Trains on the photos of the items `known` (indices from 1; all without) that have a class.

        Raises InputError where none has one, or a pretrained network is not installed.
        """
        rows = parts(photos, labels, config, known)
        train, valid = (LabelledPhotos(photos.pixels, each, labels.codes[photos.owners[each]]) for each in rows)
        torch.manual_seed(config.train.seed)
        network = PhotoNetwork(trunk(config), labels.sizes, config.dropout)
        chooses = valid if len(valid) else None
        if config.network == "frozen":
            linear.fit_heads(network, train, chooses)
        else:
            rates = gently if config.network == "fine-tuned" else full
            fit_network(network, train, chooses, config.train, rates=rates, on_epoch=on_epoch)
        return cls(config, network.eval(), labels.names, labels.classes)

    def vectors(self, photos: Photos, n_items: int, *, cache: Path | None = None) -> Block:
        """An item's vector is the mean of its photos', scaled to length 1. What `cache` holds is not looked at again.

        `cache` is `cache_folder()` without. Raises InputError where it cannot be written.
        """
        found = self.each(photos, cache=cache)
        sums = np.zeros((n_items + 1, found.shape[1]), np.float32)
        np.add.at(sums, photos.owners, _unit(found))
        present = np.zeros(n_items + 1, np.bool_)
        present[photos.owners] = True
        return Block(_unit(sums), present, tuple(f"photo {place}" for place in range(1, found.shape[1] + 1)))

    def each(self, photos: Photos, *, cache: Path | None = None) -> Floats32:
        """(photos, dim) one vector per photo."""
        folder = (cache or cache_folder()) / "photo-vectors" / self.fingerprint
        return vector_cache.through(folder, photos.keys, lambda rows: look(self.network, photos.pixels, rows)[1])

    def logits(self, photos: Photos, rows: Ints | None = None) -> list[Floats32]:
        """For each label column (rows, classes), of some rows of the album or all."""
        return look(self.network, photos.pixels, rows)[0]

    @cached_property
    def fingerprint(self) -> str:
        """Of all that a vector depends on: the weights and the size of the pictures."""
        digest = sha256(f"{VERSION} {self.config.network} {self.config.size}".encode())
        for name, tensor in sorted(self.network.trunk.state_dict().items()):
            digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, folder: Path) -> None:
        """Writes `photos.json` and `photos.safetensors`."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {"version": VERSION, "config": asdict(self.config), "names": self.names, "classes": self.classes}
        (folder / "photos.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")
        state = {name: tensor.contiguous() for name, tensor in self.network.state_dict().items()}
        safetensors.torch.save_file(state, folder / "photos.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing, damaged or of another version."""
        path = folder / "photos.json"
        try:
            about = _SAVED.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path} is no photo encoder of ours: {reason}; train it again") from error
        if about.version != VERSION:
            raise InputError(f"{path}: found version {about.version}; this endcap reads {VERSION}: train it again")
        network = PhotoNetwork(_trunk_alone(about.config), list(map(len, about.classes)), about.config.dropout)
        try:
            network.load_state_dict(safetensors.torch.load_file(folder / "photos.safetensors"))
        except (safetensors.SafetensorError, RuntimeError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{folder / 'photos.safetensors'} is damaged or of another network: {reason}") from error
        return cls(about.config, network.eval(), about.names, about.classes)


@dataclass(frozen=True)
class _Saved:
    version: int
    config: PhotosConfig
    names: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]


_SAVED: TypeAdapter[_Saved] = TypeAdapter(_Saved)


def trunk(config: PhotosConfig) -> Trunk:
    """The network that a config names, with the weights that training starts from."""
    return pretrained(config.size) if config.network in PRETRAINED else _trunk_alone(config)


def _trunk_alone(config: PhotosConfig) -> Trunk:
    match config.network:
        case "small":
            return SmallCnn()
        case "compact":
            return CompactCnn(config.size, config.width, config.dim)
        case "frozen" | "fine-tuned":
            return EfficientNetLite(config.size)


def full(name: str) -> float:
    """Every parameter learns alike."""
    return 1.0


def gently(name: str) -> float:
    """The pretrained trunk learns at a tenth of the heads' rate; its first layers, which cost most, not at all."""
    if not name.startswith("trunk."):
        return 1.0
    return 0.0 if name.startswith(FIRST_LAYERS) else 0.1


def parts(photos: Photos, labels: Labels, config: PhotosConfig, known: Ints | None = None) -> tuple[Ints, Ints]:
    """Rows of the album that `PhotoEncoder.fit` trains on, and those that choose its epoch; no item is in both."""
    rows = _learned(photos, labels, known)
    owners = photos.owners[rows]
    items = np.random.default_rng(config.train.seed).permutation(np.unique(owners))
    choosing = np.isin(owners, items[: round(config.valid * len(items)) if len(rows) >= FEW else 0])
    return rows[~choosing], rows[choosing]


def _learned(photos: Photos, labels: Labels, known: Ints | None) -> Ints:
    """Rows of the photos whose item is known and has a class in any column."""
    usable = np.asarray((labels.codes >= 0).any(1))
    if known is not None:
        allowed = np.zeros(len(usable), np.bool_)
        allowed[known] = True
        usable = usable & allowed
    rows = np.flatnonzero(usable[photos.owners])
    if len(rows) < 2:
        raise InputError(
            f"found {len(rows)} photos of {', '.join(labels.names)}; expected many: give photos, or name other columns"
        )
    return rows


def _unit(vectors: Floats32) -> Floats32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


FIRST_LAYERS = ("trunk.network._conv_stem", "trunk.network._bn0", *(f"trunk.network._blocks.{n}." for n in range(5)))
"""Down to an eighth of the side: edges, colours and textures are the same in any photo."""
PRETRAINED = ("frozen", "fine-tuned")
FEW = 50
"""Photos below which no part is held out."""
