"""Products by likeness instead of by history: those like one, and those like all that a filter lets through."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints
from endcap.engine.columns import Mask
from endcap.engine.filters import parse
from endcap.engine.requests import Answer, Recommended
from endcap.engine.retrieval import Floats32, Found
from endcap.engine.version import Version
from endcap.features.cells import plain
from endcap.features.groups import one_each

Likeness = Literal["content", "photo"]
OWN_CATEGORY = 0.2
"""What being of the same category counts beside a cosine."""
MEMBERS = 12
"""Candidates for each place, of which a list takes one of a group."""
SEEDS = 1_000
"""Products that others are compared with; of more, every so-manyth is taken."""
FEWEST = 5
"""Products from which on they say themselves how near is near."""
NEAR, LEAST = 0.95, 0.8
"""Cosines: of what is like fewer products than that, and of what is like any at all."""
_CHUNK = 16_384  # products whose cosines are in memory together


def similar(
    version: Version,
    item_id: str,
    k: int,
    filter: str | None = None,  # noqa: A002
    *,
    by: Likeness = "content",
) -> Answer:
    """The products most like one: by all that is known of them, or by their photos alone.

    None is of the product's own group, and no two of one. Raises InputError where the product is unknown or nothing
    is known of it.
    """
    shelf = version.shelf
    item = shelf.find(item_id)
    if not item:
        raise InputError(f"found no item {item_id!r}; expected an id of the catalogue")
    allowed = None if filter is None else shelf.mask(parse(filter))
    near = nearest(version, item, allowed, shelf.members(item), MEMBERS * k if shelf.has_groups else k, by=by)
    if near is None:
        what = "nothing is known of" if by == "content" else "no photo was looked at of"
        raise InputError(f"{what} item {item_id!r} that it could be compared by")
    chosen = one_each(near.items, shelf.groups)[:k]
    return _answer(version, chosen, dict(zip(near.items.tolist(), near.scores.tolist(), strict=True)))


def nearest(
    version: Version, item: int, allowed: Mask | None, without: Ints, n: int, *, by: Likeness = "content"
) -> Found | None:
    """The n products most like one, best first; None where nothing is known of it.

    A score is the cosine of the vectors. By content, two of one category are nearer by OWN_CATEGORY, and two whose
    categories stand under one by half of that: vectors alone would put a stein beside a beer.
    """
    shelf, vectors = version.shelf, version.vectors if by == "content" else version.photo_vectors
    if vectors is None or item >= len(vectors) or not vectors[item].any():
        return None
    likeness = vectors @ vectors[item]
    if by == "content":
        for kin in shelf.kin:
            likeness = likeness + OWN_CATEGORY / 2 * ((kin == kin[item]) & (kin[item] > 0))
    shown = (shelf.there if allowed is None else allowed & shelf.there) & vectors.any(axis=1)
    shown[without] = False
    shown[item] = False
    scores = np.where(shown, likeness, -np.inf).astype(np.float32)
    n = min(n, int(shown.sum()))
    best = np.argpartition(-scores, n - 1)[:n] if n else np.zeros(0, np.int64)
    chosen = best[np.lexsort((best, -scores[best]))]
    return Found(chosen, scores[chosen])


def like_these(version: Version, matched: str | Sequence[str], k: int = 50) -> Answer:
    """What a filter (or ids) leaves out although it is like what it lets through: `category:Fuel` and other gasolines.

    First the products of the same title, then those that are as near to one of the matched as nine tenths of these are
    to one another; the nearest first. A score is the highest cosine with one of the matched; None where no vector is
    known. Raises InputError for a wrong filter, or where none of the ids is a product.
    """
    own = _matched(version, matched)
    items = np.flatnonzero(own)
    if not len(items):
        return Answer("", (), version.name)
    titles = [plain(version.shelf.whole.title(int(item))) for item in range(1, len(own))]
    theirs = {titles[item - 1] for item in items}
    same = np.array([False, *(title in theirs for title in titles)])
    cosines = np.full(len(own), -np.inf, np.float32)
    floor = np.inf
    if version.vectors is not None and len(seeds := _spread(items[version.vectors[items].any(axis=1)])):
        cosines = _highest(version.vectors, version.vectors[seeds])
        floor = _floor(version.vectors[seeds])
    there = version.shelf.there & ~own
    chosen = np.flatnonzero(there & (same | (cosines >= floor)))
    order = np.lexsort((chosen, -cosines[chosen], ~same[chosen]))
    return _answer(version, chosen[order[:k]], dict(enumerate(cosines.tolist())))


def _matched(version: Version, matched: str | Sequence[str]) -> Mask:
    if isinstance(matched, str):
        return version.shelf.mask(parse(matched))
    items = [item for item_id in matched if (item := version.shelf.find(item_id))]
    if matched and not items:
        raise InputError(f"found no item {matched[0]!r}; expected ids of the catalogue")
    own = np.zeros(len(version.shelf) + 1, np.bool_)
    own[items] = True
    return own


def _spread(items: Ints) -> Ints:
    return items if len(items) <= SEEDS else items[np.linspace(0, len(items) - 1, SEEDS).astype(np.int64)]


def _highest(vectors: Floats32, seeds: Floats32) -> Floats32:
    """(items + 1,) the highest cosine of each with a seed; -inf where nothing is known of it."""
    parts = [(vectors[start : start + _CHUNK] @ seeds.T).max(axis=1) for start in range(0, len(vectors), _CHUNK)]
    return np.where(vectors.any(axis=1), np.concatenate(parts), -np.inf).astype(np.float32)


def _floor(seeds: Floats32) -> float:
    """The cosine with its nearest that nine tenths of them have."""
    if len(seeds) < FEWEST:
        return NEAR
    among = seeds @ seeds.T
    np.fill_diagonal(among, -1)
    return max(LEAST, float(np.quantile(among.max(axis=1), 0.1)))


def _answer(version: Version, items: Ints, scores: Mapping[int, float]) -> Answer:
    shelf = version.shelf
    shown = tuple(
        Recommended(shelf.ids[item - 1], scores[item] if np.isfinite(scores[item]) else None, None, shelf.shown(item))
        for item in items.tolist()
    )
    return Answer("", shown, version.name)
