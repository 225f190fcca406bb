"""What is known of a dataset's products, as the models are told it: photos found, encoders fitted, items described."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.dataset import Dataset, code_hash
from endcap.data.errors import InputError
from endcap.data.photos.album import Album, album
from endcap.data.photos.cache import cache_folder
from endcap.data.places import replacing
from endcap.data.split import split
from endcap.features.products import Encoders, FeaturesConfig, Products

KEPT = 8
"""Descriptions that are kept, those used last: of 92,000 products one takes 70 MB."""


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

    What was described before is taken from the cache: the same rows, photos and settings by the same code.
    None without [features] use. Raises InputError where there is no catalogue, or no photos where they are asked for.
    """
    features = config.features
    if not features.use:
        return None
    if dataset.items is None:
        raise InputError("found [features] use, but no catalogue; give --items PATH, or [data] items in the TOML")
    if apart := dataset.apart:
        raise InputError(f"found [features] use, but {apart}; give a catalogue of the same ids")
    parts = split(dataset.table, config.data.goal, config.data.min_rating, catalog_ids=candidates(config, dataset))
    catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)
    photos = photos_of(catalog, config, dataset.aliases, on_step) if "photos" in features.use else None
    known = np.arange(1, int(parts.train.items.max()) + 1)
    kept = cache_folder() / "described" / _key(features, catalog, photos, len(known))
    with suppress(InputError):  # of a damaged one a new one is made
        if kept.is_dir():
            on_step("reading what is known of the products")
            return _used(kept)
    encoders, products = Encoders.fit_describe(features, catalog, photos, known, on_step)
    described = Described(encoders, products, (*_of_photos(photos), *_of_columns(encoders)))
    with suppress(InputError):  # where nothing can be kept, the next command describes anew
        with replacing(kept) as new:
            described.save(new)
        for old in sorted(kept.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    return described


def _used(kept: Path) -> Described:
    described = Described.load(kept)
    with suppress(OSError):  # a cache that cannot be written can be read
        kept.touch()
    return described


def _key(features: FeaturesConfig, catalog: Catalog, photos: Album | None, known: int) -> str:
    """Of all that a description depends on."""
    digest = hashlib.sha256(code_hash().encode())
    shown = None if photos is None else [photos.size, photos.owners.tolist(), photos.keys, _of_photos(photos)]
    digest.update(json.dumps([asdict(features), known, shown], sort_keys=True).encode())
    with pa.ipc.new_stream(sink := pa.BufferOutputStream(), catalog.table.schema) as stream:
        stream.write_table(catalog.table.combine_chunks())
    digest.update(sink.getvalue())
    return digest.hexdigest()[:32]


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
