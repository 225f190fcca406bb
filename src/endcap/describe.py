"""What is known of a dataset's products, as the models are told it: photos found, encoders fitted, items described."""

import json
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
    notes: tuple[str, ...] = ()  # how columns and photos were used, and what is wrong with them, for a report

    def save(self, folder: Path) -> None:
        """Writes the folder that `load` reads, also as a part of an artifact."""
        self.encoders.save(folder)
        self.products.save(folder / "products.safetensors")
        (folder / "notes.json").write_text(json.dumps(self.notes, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Described":
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        encoders, products = Encoders.load(folder), Products.load(folder / "products.safetensors")
        path = folder / "notes.json"
        try:
            notes = tuple(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is missing or damaged: {error}; train again") from error
        return cls(encoders, products, notes)


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
    return Described(encoders, encoders.describe(catalog, photos), (*_of_photos(photos), *_of_columns(encoders)))


def _of_photos(photos: Album | None) -> list[str]:
    if photos is None:
        return []
    counts = photos.counts
    lines = [f"photos: {counts.with_photos:,} of {counts.items:,} products have one, {counts.photos:,} in all"]
    wrong = {
        "named by the catalogue and missing": counts.missing,
        "addresses that gave none": counts.failed,
        "broken": counts.broken,
        "too small": counts.too_small,
        "on several products": counts.shared,
        "of no product": counts.unknown,
    }
    lines += [f"photos: {n:,} {what}" for what, n in wrong.items() if n]
    lines += [f"photos: {problem.item_id} {problem.name}: {problem.problem}" for problem in photos.problems[:SHOWN]]
    more = len(photos.problems) - SHOWN
    return lines + [f"photos: {more:,} more such lines; `endcap look` writes all of them"] * (more > 0)


def _of_columns(encoders: Encoders) -> list[str]:
    used = {"tabular": encoders.tabular, "text": encoders.text, "attributes": encoders.attributes}
    return [
        f"{name}: {column} {how}"
        for name, encoder in used.items()
        if encoder is not None and (name != "attributes" or encoders.config.attributes)
        for column, how in encoder.columns_used().items()
    ]


SHOWN = 10
"""Problems with photos that a report names."""


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
