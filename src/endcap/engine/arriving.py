"""What encoders say of products that came or changed after training; their photos come from the store or an address."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from endcap.data.catalog import NUMBERS, Catalog
from endcap.data.errors import InputError
from endcap.data.photos.album import album
from endcap.data.photos.decode import Pixels, decode, quiet
from endcap.data.photos.problems import PhotoError
from endcap.data.vocabulary import Ints
from endcap.features.products import Encoders, Products
from endcap.store.store import Store


@dataclass(frozen=True)
class Sent:
    """Photos that were given with their products, decoded; what encoders read of an album."""

    owners: Ints  # (photos,) place of the product in the rows, from 1; ascending
    keys: tuple[str, ...]  # hash of the content
    pixels: Pixels  # (photos, size, size, 3)


def described(rows: Catalog, encoders: Encoders, fingerprint: str, store: Store | None, like: Products) -> Products:
    """What the encoders say of some products: as the store has it, else made now and kept there.

    like: what they said of others.
    """
    if store is None:
        return describe(rows, encoders, {})
    ids = rows.item_ids
    kept = store.vectors(fingerprint, ids)
    missing = [item_id for item_id in ids if item_id not in kept]
    parts = [like.like([item_id], data) for item_id, data in kept.items()]
    if missing:
        parts.append(keep(Catalog.from_table(rows.table, missing), encoders, fingerprint, store, {}))
    return reduce(Products.joined, parts).of(ids)


def keep(rows: Catalog, encoders: Encoders, fingerprint: str, store: Store, photos: Mapping[str, bytes]) -> Products:
    """Describes products and puts that into the store; `photos` are newer than those that are there."""
    found = describe(rows, encoders, {**store.photos(rows.item_ids), **photos})
    store.put_vectors(fingerprint, {item_id: found.of([item_id]).to_bytes() for item_id in rows.item_ids})
    return found


def describe(rows: Catalog, encoders: Encoders, photos: Mapping[str, bytes]) -> Products:
    """What the encoders say of some products with their photos; a photo at an address of the row is fetched."""
    return encoders.describe(
        rows, None if encoders.photos is None else _photos(rows, encoders.photos.config.size, photos)
    )


def checked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A product's row with its numbers as numbers; raises InputError where one is none."""
    result = dict(row)
    for name in NUMBERS:
        value = row.get(name)
        if value is None:
            continue
        try:
            result[name] = float(value)
        except (TypeError, ValueError):
            result[name] = math.nan
        if not math.isfinite(result[name]) or isinstance(value, bool):
            raise InputError(f"item {row.get('item_id')!r}: found {name} {value!r}; expected a number")
    return result


def check_photo(data: bytes) -> None:
    """Raises InputError where bytes are no photo that can be used."""
    try:
        with quiet():
            decode(data, 64)
    except PhotoError as error:
        raise InputError(f"found no usable photo: {error}; expected JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF") from error


def _photos(rows: Catalog, size: int, given: Mapping[str, bytes]) -> Sent:
    """The photos sent, and for products without one those at the addresses of their row."""
    owners, keys, pixels = [], [], []
    with quiet():
        for place, item_id in enumerate(rows.item_ids, start=1):
            if item_id in given:
                owners.append(place)
                keys.append(hashlib.blake2b(given[item_id], digest_size=16).hexdigest())
                pixels.append(decode(given[item_id], size))
    lacking = [item_id for item_id in rows.item_ids if item_id not in given]
    fetched = album(Catalog.from_table(rows.table, lacking), None, size=size)
    places = np.array([rows.item_ids.index(item_id) + 1 for item_id in lacking], np.int64)
    owner = np.concatenate([np.array(owners, np.int64), places[fetched.owners - 1]])
    order = np.argsort(owner, kind="stable")
    every = np.concatenate([np.array(pixels, np.uint8).reshape(-1, size, size, 3), np.asarray(fetched.pixels)])
    names = (*keys, *fetched.keys)
    return Sent(owner[order], tuple(names[place] for place in order), every[order])
