"""What is in a catalogue and its photos: encoders fitted on most of it, and measured on products held out.

```
look.html      the report
look.json      all figures
problems.csv   every row and photo that something is wrong with
items.parquet  the catalogue
features/      the fitted encoders, and what they say of every product
```
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from endcap import config as configuration
from endcap.data.catalog import Catalog
from endcap.data.dataset import DataConfig
from endcap.data.errors import InputError
from endcap.data.photos.album import Album, album
from endcap.data.photos.problems import Problem
from endcap.data.places import replacing
from endcap.data.read_catalog import Listing
from endcap.data.vocabulary import Ints
from endcap.describe import Described
from endcap.features.autoencoder import FeatureError
from endcap.features.fit_images import PhotoEpoch
from endcap.features.labels import Labels, labels
from endcap.features.oddities import Oddity, oddest
from endcap.features.products import Encoders, FeaturesConfig, Modality
from endcap.look_photos import Seen, ask
from endcap.results import plain

Step = Callable[[str], None]
"""Hears what is being done."""


@dataclass(frozen=True)
class Parts:
    """Which products are learned from, and which are looked at once in the end."""

    known: Ints  # indices from 1; a share of them chooses the epochs
    test: Ints
    how: str


@dataclass(frozen=True)
class ColumnUse:
    """One column of the catalogue, and how each encoder uses it, or why not."""

    name: str
    uses: dict[str, str]  # encoder -> how


@dataclass(frozen=True)
class Look:
    """All that was found."""

    listing: Listing
    album: Album | None
    parts: Parts
    described: Described
    seen: Seen | None  # without photos, or anything to learn from them: None
    errors: tuple[FeatureError, ...]  # of test products (of all, where none are held out), the worst first
    oddities: tuple[Oddity, ...]
    columns: tuple[ColumnUse, ...]
    notes: tuple[str, ...]

    @property
    def problems(self) -> pa.Table:
        """row, item_id, column, value, problem: of the catalogue, then of the photos (the first of no product)."""
        rows, photos = self.listing.problems, []
        if self.album is not None:
            photos = [
                *self.album.problems,
                *(Problem("", name, "belongs to no product") for name in self.album.unknown),
            ]
            if more := self.album.counts.unknown - len(self.album.unknown):
                photos.append(Problem("", "", f"{more:,} more photos belong to no product"))
        n = len(photos)
        mine = {
            "row": pa.nulls(n, pa.int64()),
            "item_id": pa.array([each.item_id or None for each in photos], pa.string()),
            "column": pa.array(["image"] * n, pa.string()),
            "value": pa.array([each.name for each in photos], pa.string()),
            "problem": pa.array([each.problem for each in photos], pa.string()),
        }
        theirs = {name: pa.nulls(len(rows), pa.string()) if name == "item_id" else rows[name] for name in mine}
        return pa.concat_tables([pa.table(theirs), pa.table(mine)])

    def figures(self) -> dict[str, Any]:
        """For programs: numbers, texts, lists and dictionaries."""
        counts = self.album.counts if self.album else None
        return {
            "catalogue": self.listing.name,
            "format": self.listing.format,
            "items": len(self.listing.catalog),
            "uses": list(self.described.encoders.config.use),
            "parts": {"learned": len(self.parts.known), "test": len(self.parts.test), "how": self.parts.how},
            "photos": None if counts is None else asdict(counts) | {"without_photos": counts.without_photos},
            "seen": self.seen.figures() if self.seen else None,
            "oddest": [asdict(oddity) for oddity in self.oddities],
            "reconstruction": [asdict(error) for error in self.errors],
            "columns": {column.name: column.uses for column in self.columns},
            "read_as": self.listing.columns,
            "problems": len(self.problems),
            "notes": list(self.notes),
        }


def settings(
    path: Path | None, overrides: Sequence[str], label: Sequence[str] = ()
) -> tuple[FeaturesConfig, DataConfig]:
    """[features] and [data] of a TOML, or the defaults; `label` are the columns to learn from photos.

    Raises InputError for a wrong key, and for an override outside of [features].
    """
    document = configuration.read(path) if path else {}
    told = {"features": document.get("features", {}), "data": document.get("data", {})}
    if wrong := [each for each in overrides if not each.strip().startswith("features.")]:
        raise InputError(f"found --set {wrong[0]!r}; expected features.…, such as features.photos.train.epochs=3")
    configuration.override(told, overrides)
    data = told["data"] if isinstance(told["data"], dict) else {}
    log = {} if "logs" in data else {"events": "not read"}  # a config names a log, which is of no use here
    whole = {"data": log | data, "model": {"name": "popular"}, "features": told["features"]}
    config = configuration.check(whole, str(path) if path else "--set")
    features = config.features
    if label:
        photos = features.photos
        features = replace(features, photos=replace(photos, labels=replace(photos.labels, columns=tuple(label))))
    return features, config.data


def photos_of(listing: Listing, images: Path | None, config: FeaturesConfig, on_step: Step) -> Album | None:
    """The photos in `images` and at the catalogue's addresses; None where there is no word of any."""
    wanted = not config.use or "photos" in config.use
    named = any(any(listing.catalog.lists(column)) for column in ("image", "video"))
    if images is None and not (wanted and named):
        return None
    return album(
        listing.catalog,
        images,
        size=config.photos.size,
        aliases=listing.aliases,
        on_progress=lambda what, done, of: on_step(f"photos: {what} {done:,} of {of:,}"),
    )


def look(listing: Listing, found: Album | None, config: FeaturesConfig, on_step: Step = lambda step: None) -> Look:
    """Fits the encoders on nine tenths of the products, measures them on the others, and searches for odd rows.

    Raises InputError where there is nothing to learn from, or not what `config` asks for.
    """
    catalog = listing.catalog
    parts = divide(catalog)
    if "part" in catalog.table.column_names:  # says where a product is put, not what it is
        config = replace(config, leave_out=(*config.leave_out, "part"))
    config, told, notes = _usable(config, catalog, found, parts.known)
    epochs: list[PhotoEpoch] = []
    encoders = Encoders.fit(config, catalog, found, parts.known, on_step, epochs.append)
    blocks = encoders.blocks(catalog, found)
    seen = None
    if encoders.photos is not None and told is not None and found is not None:
        on_step("asking about the photos held out")
        seen = ask(encoders.photos, epochs, told, found, parts.known, parts.test)
    on_step("searching for odd rows")
    asked = parts.test if len(parts.test) else parts.known
    return Look(
        listing=listing,
        album=found,
        parts=parts,
        described=Described(encoders, encoders.describe(catalog, found)),
        seen=seen,
        errors=tuple(encoders.autoencoder.feature_errors(blocks, asked)),
        oddities=tuple(oddest(catalog, blocks, encoders.autoencoder, k=ODDEST)),
        columns=_columns(encoders, catalog, told),
        notes=(*notes, *listing.notes, *(told.notes if told else ())),
    )


def save(found: Look, page: str, folder: Path) -> None:
    """Writes the folder beside its place and then puts it there; `page` is the report."""
    check_place(folder)
    with replacing(folder) as new:
        (new / "look.html").write_text(page, encoding="utf-8")
        (new / "look.json").write_text(json.dumps(plain(found.figures()), indent=1), encoding="utf-8")
        pyarrow.csv.write_csv(found.problems, new / "problems.csv")
        found.listing.catalog.save(new / "items.parquet")
        found.described.save(new / "features")


def check_place(folder: Path) -> None:
    """Raises InputError where `folder` holds something else, which a look must not replace."""
    if folder.exists() and not (folder / "look.json").exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"found other things in {folder}; expected a new folder, or an earlier look to replace: --out")


def divide(catalog: Catalog, seed: int = 0) -> Parts:
    """The catalogue's own parts where it has a test part, else a random tenth for test (none below ten products)."""
    if "part" in catalog.table.column_names:
        own = np.array(catalog.texts("part")[1:])
        test = np.flatnonzero(own == "test") + 1
        if 0 < len(test) < len(own):
            sizes = ", ".join(f"{part or 'none'} {n:,}" for part, n in Counter(own.tolist()).most_common())
            return Parts(np.flatnonzero(own != "test") + 1, test, f"the catalogue's own parts: {sizes}")
    order = np.random.default_rng(seed).permutation(len(catalog)) + 1
    n_test = len(catalog) // 10
    how = "a random tenth is held out" if n_test else "too few products to hold any out"
    return Parts(np.sort(order[n_test:]), np.sort(order[:n_test]), how)


def _usable(
    config: FeaturesConfig, catalog: Catalog, found: Album | None, known: Ints
) -> tuple[FeaturesConfig, Labels | None, list[str]]:
    """What can be learned, and why the photos are not; InputError where the config asks for what is not there."""
    use: tuple[Modality, ...] = config.use or ("tabular", "text")
    insists = bool(config.photos.labels.columns) or "photos" in config.use
    if config.use and "photos" not in config.use:
        return config, None, []
    if found is None or not len(found):
        if insists:
            raise InputError("found no photos to learn from; give --images PATH, or leave --label and photos out")
        return replace(config, use=use), None, ["no photos to learn from"] if found is None else [_no_photo(found)]
    counts = np.bincount(found.owners, minlength=len(catalog) + 1)
    counts[np.setdiff1d(np.arange(len(counts)), known)] = 0
    try:
        told = labels(catalog.without(config.leave_out), counts, config.photos.labels)
    except InputError as error:
        if insists:
            raise
        return replace(config, use=use), None, [f"the photos are not learned from: {error}"]
    return replace(config, use=config.use or (*use, "photos")), told, []


def _no_photo(found: Album) -> str:
    """Why there is none, although there was a word of some."""
    counts = found.counts
    why = {
        "belong to no product": counts.unknown,
        "are named and not there": counts.missing,
        "could not be fetched": counts.failed,
        "are broken": counts.broken,
        "are too small": counts.too_small,
    }
    return f"no usable photo: {', '.join(f'{n:,} {what}' for what, n in why.items() if n) or 'none was found'}"


def _columns(encoders: Encoders, catalog: Catalog, told: Labels | None) -> tuple[ColumnUse, ...]:
    """In the catalogue's order."""
    used = {"attributes": encoders.attributes.columns_used()}
    if encoders.text is not None:
        used = {"text": encoders.text.columns_used()} | used
    if encoders.tabular is not None:
        used = {"tabular": encoders.tabular.columns_used()} | used
    if told is not None:
        used["photos"] = {n: f"{len(c):,} classes learned" for n, c in zip(told.names, told.classes, strict=True)}
    return tuple(
        ColumnUse(name, {encoder: own[name] for encoder, own in used.items() if name in own})
        for name in catalog.table.column_names
    )


ODDEST = 20
"""Rows that are listed."""
