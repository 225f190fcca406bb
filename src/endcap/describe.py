"""What is known of a dataset's products, as the models are told it: photos found, encoders fitted, items described."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.photos.album import Album, album
from endcap.data.split import split
from endcap.features.products import Encoders, Products


@dataclass(frozen=True)
class Described:
    """The fitted encoders, and what they say of every item of the vocabulary."""

    encoders: Encoders
    products: Products

    def save(self, folder: Path) -> None:
        """Writes the folder that `load` reads, also as a part of an artifact."""
        self.encoders.save(folder)
        self.products.save(folder / "products.safetensors")

    @classmethod
    def load(cls, folder: Path) -> "Described":
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        return cls(Encoders.load(folder), Products.load(folder / "products.safetensors"))


def candidates(config: Config, dataset: Dataset) -> Sequence[str]:
    """The items that are scored besides those of the training part: with [features], all of the catalogue."""
    if not config.features.use or dataset.items is None:
        return ()
    ids: list[str] = dataset.items["item_id"].to_pylist()
    return ids


def describe(config: Config, dataset: Dataset, on_step: Callable[[str], None] = lambda step: None) -> Described | None:
    """Fits the encoders on the items of the training part alone and describes all of the catalogue.

    None without [features] use. Raises InputError where there is no catalogue, or no photos where they are asked for.
    """
    features = config.features
    if not features.use:
        return None
    if dataset.items is None:
        raise InputError("found [features] use, but no catalogue; give --items PATH, or [data] items in the TOML")
    parts = split(dataset.table, config.data.goal, config.data.min_rating, catalog_ids=candidates(config, dataset))
    catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)
    photos = photos_of(catalog, config, dataset.aliases, on_step) if "photos" in features.use else None
    known = np.arange(1, int(parts.train.items.max()) + 1)
    encoders = Encoders.fit(features, catalog, photos, known, on_step)
    on_step("describing every item")
    return Described(encoders, encoders.describe(catalog, photos))


def photos_of(
    catalog: Catalog, config: Config, aliases: dict[str, str], on_step: Callable[[str], None] = lambda step: None
) -> Album:
    """The photos of a catalogue in the size that the photo network looks at."""
    images = config.data.images
    return album(
        catalog,
        Path(images) if images else None,
        size=config.features.photos.size,
        aliases=aliases,
        on_progress=lambda what, done, of: on_step(f"photos: {what} {done:,} of {of:,}"),
    )
