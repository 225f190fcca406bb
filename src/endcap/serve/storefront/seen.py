"""What the photo network looked at: the photo of a product in grey under the heat of Grad-CAM, and what looks like it.

A map is made when it is first asked for, by one thread at a time and outside of all other locks; a few wait for their
turn, the others are told to come back. The newest are kept in memory.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from endcap.data.errors import InputError
from endcap.data.photos.decode import decode, quiet
from endcap.data.photos.problems import PhotoError
from endcap.engine.alike import similar
from endcap.engine.version import Version
from endcap.features.gradcam import heat
from endcap.features.photos import PhotoEncoder
from endcap.pictures import heated, jpeg
from endcap.serve.errors import Refused
from endcap.serve.storefront.catalogue import Product, product

SIDE = 400
"""Pixels of a heat map."""
KEPT = 300
"""Heat maps in memory, of some 15 kB each."""
WAITING = 4
"""Requests that may wait for their map: a worker has other things to do than that."""
PATIENCE = 3.0
"""Seconds that they wait."""
FEWEST, MOST = 4, 6
"""Products that look like one; fewer are not shown."""


class HeatMaps:
    """Of one worker; called from any thread."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept, self._most = OrderedDict[str, bytes](), kept
        self._keeping, self._turn = threading.Lock(), threading.Lock()
        self._waiting = threading.BoundedSemaphore(WAITING)

    def of(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The map of a key, made where it is not kept; raises Refused (503) where too many are being made."""
        with self._keeping:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        if not self._waiting.acquire(blocking=False):
            raise _busy()
        try:
            if not self._turn.acquire(timeout=PATIENCE):
                raise _busy()
            try:
                made = make()
            finally:
                self._turn.release()
        finally:
            self._waiting.release()
        with self._keeping:
            self._kept[key] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


def heat_map(maps: HeatMaps, encoder: PhotoEncoder | None, photo: bytes | None) -> bytes:
    """A JPEG of a photo under what the network went by when it said what it is.

    Raises Refused: 404 where no network looked or there is no photo that can be read, 503 where too many are asked for.
    """
    if encoder is None or not photo:
        raise Refused(404, "not_found", "no network has looked at a photo of this product")
    key = f"{encoder.fingerprint} {hashlib.blake2b(photo, digest_size=16).hexdigest()}"
    try:
        return maps.of(key, lambda: _made(encoder, photo))
    except PhotoError as error:
        raise Refused(404, "not_found", f"the photo cannot be read: {error}") from None


def alike_by_photo(version: Version, item_id: str) -> list[Product]:
    """What looks like a product, of other kinds of things than itself; nothing where fewer than FEWEST do."""
    if version.photo_vectors is None:
        return []
    try:
        found = similar(version, item_id, MOST, by="photo").items
    except InputError:  # without a photo
        return []
    shown = [product(version.shelf, version.shelf.find(each.item_id)) for each in found]
    return shown if len(shown) >= FEWEST else []


def _made(encoder: PhotoEncoder, photo: bytes) -> bytes:
    with quiet():
        pixels = decode(photo, SIDE)[None]
        looked_at = decode(photo, encoder.config.size)[None]
    code = encoder.logits(_One(looked_at))[0].argmax(1)  # of the column that was learned first
    return jpeg(heated(pixels[0], heat(encoder.network, pixels, 0, code)[0]))


class _One:
    """A photo as the network reads an album of it."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.owners, self.keys = pixels, np.ones(1, np.int64), ("",)


def _busy() -> Refused:
    return Refused(503, "busy", "too many heat maps are being made; come back in a moment")
