"""Products as numbers: the encoders of a [features] section together, and what the models are told of each item."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import safetensors
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.photos.album import Album
from endcap.data.vocabulary import Ints, Vocabulary
from endcap.features.attributes import Attributes, AttributesConfig
from endcap.features.autoencoder import Autoencoder
from endcap.features.base import Block, Content, Packed
from endcap.features.denoiser import AutoencoderConfig
from endcap.features.fit_images import PhotoEpoch
from endcap.features.labels import labels
from endcap.features.photos import PhotoEncoder, Photos, PhotosConfig
from endcap.features.tabular import Tabular, TabularConfig
from endcap.features.text import Text, TextConfig

Modality = Literal["tabular", "text", "photos"]
Step = Callable[[str], None]
"""Hears what is being done."""


@dataclass(frozen=True)
class FeaturesConfig:
    """What models are told of products; without `use`, nothing."""

    use: tuple[Modality, ...] = ()  # of tabular, text, photos; photos need [data] images or addresses in the catalogue
    vectors: Literal["code", "blocks"] = "code"  # the autoencoder's code, or the encoders' numbers side by side
    leave_out: tuple[str, ...] = ()  # columns of the catalogue that no encoder may read
    attributes: bool = True  # whether the networks also get a vector per attribute, such as colour = red
    tabular: TabularConfig = field(default_factory=TabularConfig)  # columns as numbers
    text: TextConfig = field(default_factory=TextConfig)  # titles and descriptions
    photos: PhotosConfig = field(default_factory=PhotosConfig)  # the network that looks at them
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)  # one code out of all
    attribute: AttributesConfig = field(default_factory=AttributesConfig)  # which labels


@dataclass(frozen=True)
class Encoders:
    """What was fitted; it describes any catalogue, also rows that came later."""

    config: FeaturesConfig
    tabular: Tabular | None
    text: Text | None
    photos: PhotoEncoder | None
    attributes: Attributes
    autoencoder: Autoencoder

    @classmethod
    def fit(
        cls,
        config: FeaturesConfig,
        catalog: Catalog,
        album: Album | None,
        known: Ints,
        on_step: Step = lambda step: None,
        on_photos: Callable[[PhotoEpoch], None] = lambda epoch: None,
    ) -> Self:
        """Learns from the items `known` (indices from 1) alone; `on_photos` hears of the photo network's epochs.

        Raises InputError where there is nothing to learn.
        """
        return cls.fit_describe(config, catalog, album, known, on_step, on_photos)[0]

    @classmethod
    def fit_describe(
        cls,
        config: FeaturesConfig,
        catalog: Catalog,
        album: Album | None,
        known: Ints,
        on_step: Step = lambda step: None,
        on_photos: Callable[[PhotoEpoch], None] = lambda epoch: None,
    ) -> tuple[Self, "Products"]:
        """As `fit`, and then `describe` of the whole catalogue, whose numbers are worked out once for both."""
        if absent := [name for name in config.leave_out if name not in catalog.table.column_names]:
            there = ", ".join(catalog.table.column_names)
            raise InputError(f"found no column {', '.join(absent)} to leave out; expected some of {there}")
        catalog, tabular, text, photos = catalog.without(config.leave_out), None, None, None
        if "tabular" in config.use:
            on_step("reading the columns of the catalogue")
            tabular = Tabular(config.tabular).fit(catalog, known)
        if "text" in config.use:
            on_step("reading titles and descriptions")
            text = Text(config.text).fit(catalog, known)
        if "photos" in config.use:
            if album is None or not len(album):
                raise InputError("found no photos for [features] use = photos; give --images PATH, or leave photos out")
            told = labels(catalog, _photos_of(album, len(catalog), known), config.photos.labels)
            names, last = ", ".join(told.names), config.photos.train.epochs
            on_step(f"learning to see {names}")

            def on_epoch(epoch: PhotoEpoch) -> None:
                on_photos(epoch)
                right = f", {epoch.accuracy[0]:.0%} right" if epoch.accuracy else ""
                on_step(f"learning to see {names}: epoch {epoch.epoch} of {last}{right}")

            photos = PhotoEncoder.fit(album, told, config.photos, known=known, on_epoch=on_epoch)
        attributes = Attributes(config.attribute).fit(catalog, known)
        blocks = _blocks(tabular, text, photos, catalog, album)
        on_step("one code per product")
        autoencoder = Autoencoder(config.autoencoder).fit(
            blocks,
            known,
            lambda epoch: on_step(f"one code per product: epoch {epoch.epoch} of {config.autoencoder.epochs} at most"),
        )
        on_step("describing every item")
        encoders = cls(config, tabular, text, photos, attributes, autoencoder)
        return encoders, encoders._products(catalog, blocks)

    def blocks(self, catalog: Catalog, album: Photos | None) -> dict[str, Block]:
        """Modality -> the numbers of every item of a catalogue."""
        return _blocks(self.tabular, self.text, self.photos, catalog.without(self.config.leave_out), album)

    def columns(self) -> tuple[str, ...]:
        """The columns of a catalogue that are read; photos are none."""
        readers = [each for each in (self.tabular, self.text, self.attributes) if each is not None]
        names = dict.fromkeys(name for reader in readers for name in reader.columns_used())
        return tuple(name for name in names if name != "item_id")

    def describe(self, catalog: Catalog, album: Photos | None) -> "Products":
        """What the models are told of the items of a catalogue, whether they were fitted on or not."""
        return self._products(catalog, self.blocks(catalog, album))

    def _products(self, catalog: Catalog, blocks: Mapping[str, Block]) -> "Products":
        code = self.autoencoder.code(blocks)
        vectors = code.vectors if self.config.vectors == "code" else _side_by_side(blocks)
        none = Packed(np.zeros(len(catalog) + 2, np.int64), np.zeros(0, np.int64), ())
        packed = self.attributes.transform(catalog) if self.config.attributes else none
        return Products(catalog.item_ids, code, Content(vectors, packed), _rounded(blocks.get("photos")))

    def save(self, folder: Path) -> None:
        """Writes a folder that `load` reads back; no pickle."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "features.json").write_text(json.dumps(asdict(self.config), indent=1), encoding="utf-8")
        for name, encoder in {"tabular": self.tabular, "text": self.text, "photos": self.photos,
                              "attributes": self.attributes, "autoencoder": self.autoencoder}.items():  # fmt: skip
            if encoder is not None:
                encoder.save(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        path = folder / "features.json"
        try:
            config = TypeAdapter(FeaturesConfig).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise InputError(f"{path} is missing or damaged: {str(error).splitlines()[0]}; train again") from error
        return cls(
            config,
            Tabular.load(folder / "tabular") if "tabular" in config.use else None,
            Text.load(folder / "text") if "text" in config.use else None,
            PhotoEncoder.load(folder / "photos") if "photos" in config.use else None,
            Attributes.load(folder / "attributes"),
            Autoencoder.load(folder / "autoencoder"),
        )


@dataclass(frozen=True)
class Products:
    """What is known of some items, whose ids it has: the code of each, and what the models are told."""

    item_ids: tuple[str, ...]  # (items,) index 1 first
    code: Block
    content: Content
    photos: Block | None = None  # what the photo network says of their photos alone, to half precision

    def of(self, item_ids: Sequence[str]) -> "Products":
        """The same in another order; ids that it does not have are known by nothing."""
        rows = np.concatenate([[0], Vocabulary(self.item_ids).index(item_ids)])  # row 0 is empty
        packed = self.content.attributes
        lengths = np.diff(packed.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(packed.offsets[rows] - offsets[:-1], lengths)
        code = Block(self.code.vectors[rows], self.code.present[rows], self.code.names)
        content = Content(self.content.vectors[rows], Packed(offsets, packed.ids[places], packed.names))
        photos = self.photos
        if photos is not None:
            photos = Block(photos.vectors[rows], photos.present[rows], photos.names)
        return Products(tuple(item_ids), code, content, photos)

    def joined(self, others: "Products") -> "Products":
        """These, then the others, which the same encoders described."""
        packed, more = self.content.attributes, others.content.attributes
        offsets = np.concatenate([packed.offsets, packed.offsets[-1] + more.offsets[2:]])
        return Products(
            self.item_ids + others.item_ids,
            Block(
                np.concatenate([self.code.vectors, others.code.vectors[1:]]),
                np.concatenate([self.code.present, others.code.present[1:]]),
                self.code.names,
            ),
            Content(
                np.concatenate([self.content.vectors, others.content.vectors[1:]]),
                Packed(offsets, np.concatenate([packed.ids, more.ids]), packed.names),
            ),
            self._joined_photos(others),
        )

    def _joined_photos(self, others: "Products") -> Block | None:
        """Those of the others are zeros where an older endcap described them."""
        own, more = self.photos, others.photos
        if own is None:
            return None
        n = len(others.item_ids)
        vectors = np.zeros((n, own.dim), np.float32) if more is None else more.vectors[1:]
        present = np.zeros(n, np.bool_) if more is None else more.present[1:]
        return Block(np.concatenate([own.vectors, vectors]), np.concatenate([own.present, present]), own.names)

    def save(self, path: Path) -> None:
        """Writes one safetensors file."""
        packed = self.content.attributes
        about = {"item_ids": self.item_ids, "attributes": packed.names, "code": self.code.names}
        safetensors.numpy.save_file(self._arrays(), path, metadata={"about": json.dumps(about)})

    def _arrays(self) -> dict[str, np.ndarray]:
        packed = self.content.attributes
        arrays = {"code": self.code.vectors, "present": self.code.present, "vectors": self.content.vectors,
                  "offsets": packed.offsets, "attributes": packed.ids}  # fmt: skip
        return arrays if self.photos is None else arrays | {"photos": self.photos.vectors.astype(np.float16)}

    def to_bytes(self) -> bytes:
        """The numbers alone: ids and names are known to whoever has described products by the same encoders."""
        return safetensors.numpy.save(self._arrays())

    def like(self, item_ids: Sequence[str], data: bytes) -> "Products":
        """Other products, out of what `to_bytes` made of them after the same encoders."""
        return self._of(tuple(item_ids), safetensors.numpy.load(data), self.content.attributes.names, self.code.names)

    @staticmethod
    def _of(
        item_ids: tuple[str, ...], arrays: Mapping[str, Any], attributes: tuple[str, ...], code: tuple[str, ...]
    ) -> "Products":
        packed = Packed(arrays["offsets"], arrays["attributes"], attributes)
        block, content = Block(arrays["code"], arrays["present"], code), Content(arrays["vectors"], packed)
        seen = arrays.get("photos")
        return Products(item_ids, block, content, None if seen is None else _seen(seen.astype(np.float32)))

    @classmethod
    def load(cls, path: Path) -> "Products":
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        try:
            with safetensors.safe_open(path, "np") as file:
                about: Any = json.loads(file.metadata()["about"])
                arrays: Mapping[str, Any] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls._of(tuple(about["item_ids"]), arrays, tuple(about["attributes"]), tuple(about["code"]))
        except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is missing or damaged: {str(error).splitlines()[0]}; train again") from error


def _blocks(
    tabular: Tabular | None, text: Text | None, photos: PhotoEncoder | None, catalog: Catalog, album: Photos | None
) -> dict[str, Block]:
    blocks = {}
    if tabular is not None:
        blocks["tabular"] = tabular.transform(catalog)
    if text is not None:
        blocks["text"] = text.transform(catalog)
    if photos is not None and album is not None:
        blocks["photos"] = photos.vectors(album, len(catalog))
    return blocks


def _rounded(photos: Block | None) -> Block | None:
    """As it is kept: cosines do not need more, and a catalogue takes half."""
    return None if photos is None else _seen(photos.vectors.astype(np.float16).astype(np.float32))


def _seen(vectors: np.ndarray) -> Block:
    names = tuple(f"photo {place}" for place in range(1, vectors.shape[1] + 1))
    return Block(vectors, (vectors != 0).any(axis=1), names)


def _side_by_side(blocks: Mapping[str, Block]) -> np.ndarray:
    """(items + 1, all numbers), each modality with a mean square of 1 per item that has it, so that none is drowned."""
    parts = []
    for block in blocks.values():
        own = block.vectors[block.present]
        size = np.sqrt((own.astype(np.float64) ** 2).sum(1).mean()) if len(own) else 0.0
        parts.append(block.vectors / np.float32(size or 1.0))
    return np.concatenate(parts, axis=1)


def _photos_of(album: Album, n_items: int, known: Ints) -> Ints:
    """(items + 1,) how many photos each known item has."""
    counts = np.bincount(album.owners, minlength=n_items + 1)
    allowed = np.zeros(n_items + 1, dtype=np.int64)
    allowed[known] = 1
    return counts * allowed
