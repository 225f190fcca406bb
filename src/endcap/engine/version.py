"""One artifact as it is served: its model ready to answer, and the catalogue with what has changed since."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.data.batch import Batch, ask
from endcap.data.catalog import Catalog
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.vocabulary import Floats, Ints
from endcap.engine.arriving import described
from endcap.engine.past import Memory
from endcap.engine.policy import Policy, compile_rules
from endcap.engine.requests import Slot
from endcap.engine.retrieval import NO_PLACES, Floats32, Retriever, retriever
from endcap.engine.rules import Rule
from endcap.engine.shelf import Shelf
from endcap.examples import usual_goal
from endcap.features.products import Products
from endcap.models import Network
from endcap.models.hybrid import Hybrid
from endcap.models.sequence import SequenceNetwork
from endcap.store.records import ItemChange
from endcap.store.store import Store

LARGE = 2**24
"""Bytes of weights from which what is made of them is kept and mapped."""
UNREAD = frozenset({"stock", "rating", "rating_count", "image"})
"""Columns whose change leaves what is known of a product as it is; a photo that is put there comes with a change."""


@dataclass(frozen=True)
class Version:
    """`with_changes` makes another one; requests keep the one that they began with."""

    path: Path
    name: str  # the model and a hash of its files: what answers say
    artifact: Artifact
    shelf: Shelf
    retriever: Retriever
    products: Products | None  # of all of the shelf, where the artifact has [features]
    encoders: str  # fingerprint of the fitted encoders; empty without
    told: frozenset[str] = frozenset()  # products that were described after training

    @classmethod
    def load(cls, path: Path) -> "Version":
        """Reads an artifact; raises InputError where it is none or damaged."""
        artifact = artifacts.load(path)
        products = None if artifact.described is None else artifact.described.products.of(artifact.vocabulary.ids)
        weights = path / "weights.safetensors"
        tag = _fingerprint([path / "artifact.json", weights])
        large = weights.stat().st_size >= LARGE
        features = [each for each in (path / "features").rglob("*") if each.name != "products.safetensors"]
        return cls(
            path=path,
            name=f"{artifact.config.model.name}-{tag}",
            artifact=artifact,
            shelf=Shelf.of(artifact.catalog, artifact.aliases),
            retriever=retriever(
                artifact.model,
                kind=artifact.traits.kinds[0],
                file=path / f"served-{tag}.safetensors" if large else None,
            ),
            products=products,
            encoders="" if products is None else _fingerprint(features),
        )

    @property
    def knows_content(self) -> bool:
        """Whether its model scores products that it was not trained on."""
        model = self.artifact.model
        parts = model.members if isinstance(model, Hybrid) else [model]
        networks = [part for part in parts if isinstance(part, SequenceNetwork)]
        return bool(networks) and all(network.items.content is not None for network in networks)

    @cached_property
    def memory(self) -> Memory:
        """How visitors' events are heard."""
        return Memory.of(self.artifact)

    @property
    def repeat(self) -> bool:
        """Whether seen items may be shown, as validation decided."""
        return bool(self.artifact.facts.get("repeat", False))

    @cached_property
    def goal(self) -> int:
        """The kind of event that is predicted where a request names none."""
        return KIND_INDEX[usual_goal(self.artifact)]

    @cached_property
    def vectors(self) -> Floats32 | None:
        """(items + 1, dim) of length 1: what products are like; their codes, else a network's own vectors."""
        if self.products is not None:
            found = self.products.code.vectors
        elif isinstance(self.artifact.model, Network):
            with torch.inference_mode():
                found = self.artifact.model.table()[0].numpy()
            found = np.pad(found, ((0, len(self.shelf) + 1 - len(found)), (0, 0)))  # new products are like none
        else:
            return None
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return np.divide(found, length, out=np.zeros_like(found), where=length > 0)

    @property
    def photo_vectors(self) -> Floats32 | None:
        """(items + 1, dim) of length 1, zeros without a photo: what products look like; None without photos."""
        seen = None if self.products is None else self.products.photos
        return None if seen is None else seen.vectors

    @cached_property
    def pictured(self) -> NDArray[np.bool_]:
        """(items + 1,) whether a photo of each is known."""
        found = np.array([bool(image) for image in self.shelf.whole.images])
        if (seen := self.photo_vectors) is not None:
            found[: len(seen)] |= seen[: len(found)].any(axis=1)
        return found

    def likeness(self, item: int) -> Floats32 | None:
        """(items + 1,) how alike every product is to one, in standard deviations; None where nothing is known of it."""
        if self.vectors is None or item >= len(self.vectors) or not self.vectors[item].any():
            return None
        cosines = self.vectors @ self.vectors[item]
        centred = cosines - cosines[1:].mean()
        return centred / max(float(centred[1:].std()), 1e-6)

    def blanked(self, items: Ints, batch: Batch) -> tuple[list[str], Floats32]:
        """The columns that encoders read, and (columns, items) the scores of items of which a column is not known.

        batch: one history. Without any column where the model is no network that knows of content, or photos are read,
        which are not at hand.
        """
        told, model = self.artifact.described, self.artifact.model
        reads = told is not None and "photos" not in told.encoders.config.use
        if told is None or not reads or not self.knows_content or not isinstance(model, SequenceNetwork):
            return [], np.zeros((0, len(items)), np.float32)
        ids = [self.shelf.ids[item - 1] for item in items]
        rows = Catalog(self.shelf.whole.table.take(pa.array(items - 1)))
        columns = [
            name for name in told.encoders.columns() if name in rows.table.column_names and any(rows.texts(name))
        ]
        if not columns:
            return [], np.zeros((0, len(items)), np.float32)
        without = pa.concat_tables([rows.without([name]).table for name in columns], promote_options="permissive")
        names = [f"{item_id} without {name}" for name in columns for item_id in ids]
        place = without.column_names.index("item_id")
        other = told.encoders.describe(Catalog(without.set_column(place, "item_id", pa.array(names))), None)
        with torch.inference_mode():
            vectors, bias = model.table(torch.from_numpy(np.tile(items, len(columns))), other.of(names).content)
            found = torch.addmm(bias, model.encode(batch), vectors.T)
        return columns, found.view(len(columns), len(items)).numpy()

    def batch(self, histories: Histories, goals: Ints, now: float | Floats) -> Batch:
        """The question after each history, as far as the model can read it.

        One that knows items by their number alone reads none that came later, and each looks at its window alone.
        """
        heard = histories if self.knows_content else histories.known(self.artifact.traits.n_items)
        return ask(heard, goals, self.memory.asked(heard, now), last=self.artifact.model.history)

    def policy(self, rules: Mapping[str, Rule], slot: Slot, now: float) -> Policy:
        """The rules of a slot, compiled for the catalogue as it is."""
        rebought = self.artifact.facts.get("rebought", ())
        return compile_rules(rules, slot, self.shelf.whole, self.shelf.find, now, rebought=rebought)

    def with_changes(self, changes: Sequence[ItemChange], store: Store | None) -> "Version":
        """After changes of the catalogue: a new product has its row, its vectors and a score from the next question on.

        What the encoders say of a product is kept in the store, so that one replica makes it for all.
        """
        shelf = self.shelf.with_changes(changes)
        news = self.news(changes, shelf)
        if self.products is None or self.artifact.described is None or not news:
            grown = self.retriever.changed(self.artifact.model, NO_PLACES, len(shelf))
            return replace(self, shelf=shelf, retriever=self.retriever if len(shelf) == len(self.shelf) else grown)
        rows = Catalog.from_table(shelf.table(news), news)
        found = described(rows, self.artifact.described.encoders, self.encoders, store, self.products)
        products, told = self.products.joined(found).of(shelf.ids), self.told | set(news)  # of two rows the later
        if not self.knows_content:
            grown = self.retriever.changed(self.artifact.model, NO_PLACES, len(shelf))
            return replace(self, shelf=shelf, retriever=grown, products=products, told=told)
        assert isinstance(self.artifact.model, Network | Hybrid)
        model = self.artifact.model.extend(products.content)
        places = np.sort(np.array([shelf.index[item_id] for item_id in told], np.int64))
        return replace(
            self,
            artifact=replace(self.artifact, model=model),
            shelf=shelf,
            retriever=self.retriever.changed(model, places, len(shelf)),
            products=products,
            told=told,
        )

    def news(self, changes: Sequence[ItemChange], shelf: Shelf) -> tuple[str, ...]:
        """The changed products that are described anew; `shelf` is the one after the changes.

        One that training knew keeps what was read then where that included photos, which are not in the store.
        """
        asked = dict.fromkeys(change.item_id for change in changes if change.row is not None)
        n_base, products = len(self.shelf.base), self.artifact.described
        if products is None:
            return ()
        rereads = "photos" not in products.encoders.config.use
        has_prices = np.isfinite(self.shelf.base.prices).any()
        unread = UNREAD if has_prices else UNREAD | {"price"}  # of a first price encoders have learned nothing
        return tuple(
            item_id
            for item_id in asked
            if shelf.index[item_id] > n_base
            or (rereads and _read(shelf.row(item_id), unread) != _read(self.shelf.row(item_id), unread))
        )


def _read(row: Mapping[str, Any], unread: frozenset[str]) -> dict[str, Any]:
    """What encoders may read of a row."""
    return {name: value for name, value in row.items() if name not in unread and value is not None}


def _fingerprint(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file():
            digest.update(file.name.encode())
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:8]
