"""The nearest products of one: in a trained artifact or in what `endcap look` left, also for a product that is new."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from endcap import artifact as artifacts
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.photos.album import Album
from endcap.data.read_catalog import Listing
from endcap.describe import Described
from endcap.features.base import Block
from endcap.features.similar import similar


@dataclass(frozen=True)
class Shelf:
    """Products whose codes are known, and the encoders for others."""

    place: Path
    catalog: Catalog
    described: Described


@dataclass(frozen=True)
class Alike:
    """A product that is near."""

    item_id: str
    title: str
    category: str
    price: float | None
    likeness: float  # the cosine of the codes, from -1 to 1


def open_shelf(out: Path) -> Shelf:
    """Reads an artifact or a look; raises InputError where it is neither, damaged, or knows nothing of products."""
    if (out / "look.json").is_file():
        return Shelf(out, Catalog.load(out / "items.parquet"), Described.load(out / "features"))
    if not (out / "artifact.json").is_file():
        raise InputError(f"{out} is neither an artifact nor a look; make one with `endcap look` or `endcap train`")
    artifact = artifacts.load(out)
    if artifact.described is None:
        raise InputError(
            f"{out} was trained without [features]; train it with --use tabular,text, or use `endcap look`"
        )
    return Shelf(out, artifact.catalog, artifact.described)


def alike(shelf: Shelf, item_id: str, k: int) -> list[Alike]:
    """The k nearest of a product on the shelf; raises InputError where it is unknown, or nothing is known of it."""
    ids = shelf.catalog.item_ids
    item = _place(item_id, ids, {}, f"{shelf.place}; a new one comes with --items")
    return _nearest(shelf, shelf.described.products.of(ids).code, item, k)


def alike_to_new(shelf: Shelf, listing: Listing, photos: Album | None, item_id: str, k: int) -> list[Alike]:
    """The k nearest on the shelf of a product of another catalogue, which the shelf's encoders encode; never itself."""
    item = _place(item_id, listing.catalog.item_ids, listing.aliases, listing.name)
    encoders = shelf.described.encoders
    own = encoders.autoencoder.code(encoders.blocks(listing.catalog, photos))
    known = shelf.described.products.of(shelf.catalog.item_ids).code
    code = Block(
        np.concatenate([known.vectors, own.vectors[item : item + 1]]),
        np.concatenate([known.present, own.present[item : item + 1]]),
        known.names,
    )
    return _nearest(shelf, code, len(shelf.catalog) + 1, k, but=listing.catalog.item_ids[item - 1])


def _nearest(shelf: Shelf, code: Block, item: int, k: int, but: str = "") -> list[Alike]:
    """`but` is an id that is left out: an older row of the same product."""
    if not code.present[item]:
        uses = ", ".join(shelf.described.encoders.config.use)
        raise InputError(f"nothing is known of this product: found none of {uses}; give it a title, a photo or a price")
    pool = np.array([n for n, each in enumerate(shelf.catalog.item_ids, start=1) if each != but], dtype=np.int64)
    near = similar(code, np.array([item]), k=k, among=pool)
    return [_alike(shelf.catalog, int(other), float(cosine))
            for other, cosine in zip(near.items[0], near.cosines[0], strict=True) if other]  # fmt: skip


def _alike(catalog: Catalog, item: int, cosine: float) -> Alike:
    price = float(catalog.prices[item])
    shown = None if math.isnan(price) else price
    return Alike(catalog.item_ids[item - 1], catalog.title(item), catalog.categories[item], shown, cosine)


def _place(item_id: str, ids: tuple[str, ...], aliases: Mapping[str, str], where: str) -> int:
    """The index of an id, or of the product that it is a variant of."""
    named = aliases.get(item_id, item_id)
    if named in ids:
        return ids.index(named) + 1
    near = get_close_matches(item_id, ids[:MOST], n=3)
    known = f"did you mean {', '.join(near)}?" if near else f"its ids are such as {', '.join(ids[:3])}"
    raise InputError(f"found no item {item_id!r} in {where}: {known}")


MOST = 20_000
"""Ids among which a similar one is looked for."""
