"""What a few real people would be shown, in words."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from endcap import artifact as artifacts
from endcap import pictures
from endcap.artifact import Artifact
from endcap.data.catalog import Catalog
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.photos.album import Album
from endcap.data.schema import GOALS, KINDS
from endcap.data.split import Queries, split
from endcap.data.vocabulary import Ints
from endcap.describe import photos_of
from endcap.ranking import recommend

LATEST = 8
"""Events of a history that are shown."""
DRAWN = 500
"""Test users with long histories whose lists are looked at to find examples of each outcome."""


@dataclass(frozen=True)
class Recommendation:
    """One line of a list."""

    id: str
    title: str
    score: float


def top_items(
    artifact: Artifact, history: Histories, k: int, goal: str | None = None, asked: float | None = None
) -> list[Recommendation]:
    """The k best items after one history, by the artifact's own rule for seen items.

    Raises InputError where k is larger than the catalogue.
    """
    n_items = artifact.traits.n_items
    if not 1 <= k <= n_items:
        raise InputError(f"found k = {k}; expected 1 to {n_items}, the number of items the model knows")
    ranking = recommend(
        artifact.model,
        history,
        k,
        goals=np.array([KIND_INDEX[goal or usual_goal(artifact)]]),
        asked=np.array([_now(history, artifact) if asked is None else asked]),
        repeat=bool(artifact.facts.get("repeat", False)),
    )
    return [
        Recommendation(artifact.vocabulary.id(int(item)), artifact.catalog.title(int(item)), round(float(score), 4))
        for item, score in zip(ranking.items[0], ranking.scores[0], strict=True)
        if item
    ]


def _now(history: Histories, artifact: Artifact) -> float:
    """The time of the question, at most the longest wait of the training log after the last event.

    Where the log is old, networks would else be asked about a wait of which they have learned nothing.
    """
    now, waits = time.time(), artifact.facts.get("waits")
    if waits is None or history.times is None or not len(history.times):
        return now
    return float(np.fmin(now, history.times[-1] + waits[1]))


def usual_goal(artifact: Artifact) -> str:
    """The goal of the config, else the most valuable kind that the training log has."""
    known = [KINDS[kind - 1] for kind in artifact.traits.kinds]
    if artifact.config.data.goal:
        return artifact.config.data.goal
    return next((kind for kind in ("purchase", "review", "cart", "view") if kind in known), GOALS[0])


def history_of(ids: Sequence[str], artifact: Artifact) -> tuple[Histories, list[str]]:
    """A history from bare ids, oldest first, and those of them that the model does not know.

    Bare ids say no time: they are taken to have come one after another at the pace of the training log, until now.
    """
    items = artifact.vocabulary.index([artifact.aliases.get(item_id, item_id) for item_id in ids])
    kind = artifact.traits.kinds[0]  # bare ids say no kind: the most casual one that occurs
    n = len(items)
    pace = float(artifact.facts["waits"][0]) if artifact.facts.get("waits") else np.nan
    history = Histories(
        items=items,
        kinds=np.full(n, kind, dtype=np.int64),
        times=time.time() - pace * np.arange(n, 0, -1, dtype=np.float64) if artifact.traits.timed else None,
        values=np.full((n, 3), np.nan, dtype=np.float32),
        offsets=np.array([0, n]),
    ).known()
    return history, [item_id for item_id, index in zip(ids, items, strict=True) if not index]


def examples(
    dataset: Dataset,
    models: Path,
    *,
    of: str | None = None,
    only: Sequence[str] | None = None,
    n: int = 1,
    k: int = 10,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """A few test users with a history to look at, and each model's list for them; see report.render.

    They are drawn by what became of the list of the model `of`: `n` each whose answer is at its head, in its second
    half, and nowhere on it. only: the models that are shown, all without. Photos are there where the models were told
    of them.
    """
    names = [folder.name for folder in sorted(models.iterdir()) if only is None or folder.name in only]
    loaded = {name: artifacts.load(models / name) for name in names}
    of = of or names[0]
    some = loaded[of]
    parts = split(dataset.table, some.config.data.goal, some.config.data.min_rating)
    ids, lengths = parts.train.vocabulary.ids, parts.test.histories.lengths
    long = np.flatnonzero(lengths >= min(LATEST, lengths.max(initial=0)))
    queries = parts.test.take(np.random.default_rng(seed).permutation(long)[:DRAWN])
    lists = _lists(some, queries, ids, k)
    places = np.array([_place(own, _answers(queries, row, ids)) for row, own in enumerate(lists)])
    outcomes = {"at its head": places == 1, "in its second half": places > k // 2, "nowhere": places == 0}
    shown = _Shown(
        some.catalog,
        photos_of(some.catalog, some.config, dataset.aliases) if "photos" in some.config.features.use else None,
    )
    result = []
    for outcome, which in outcomes.items():
        for row in np.flatnonzero(which)[:n].tolist():
            query = queries.take(np.array([row]))
            result.append(
                {
                    "user": query.user_ids[0],
                    "of": of,
                    "outcome": outcome,
                    "place": int(places[row]),
                    "history": shown.history(query.histories, ids),
                    "answers": [shown.product(item_id) for item_id in _answers(queries, row, ids)],
                    "models": {
                        name: [shown.product(item_id, each.catalog) for item_id in _lists(each, query, ids, k)[0]]
                        for name, each in loaded.items()
                    },
                }
            )
    return result


@dataclass(frozen=True)
class _Shown:
    """Products in words, with their photos where there are any."""

    catalog: Catalog
    album: Album | None

    def product(self, item_id: str, catalog: Catalog | None = None) -> dict[str, Any]:
        """catalog: of a model that may know more products than the others, one that was refitted."""
        photo = pictures.first(self.album, self.catalog.index_of.get(item_id, 0))
        return {"id": item_id, "title": _title(catalog or self.catalog, item_id), "photo": photo}

    def history(self, history: Histories, ids: tuple[str, ...]) -> list[dict[str, Any]]:
        """The latest events of one history, latest last."""
        items, kinds = history.items[-LATEST:], history.kinds[-LATEST:]
        times = [None] * len(items) if history.times is None else history.times[-LATEST:].tolist()
        return [
            self.product(ids[item - 1]) | {"kind": KINDS[kind - 1], "time": time}
            for item, kind, time in zip(items.tolist(), kinds.tolist(), times, strict=True)
        ]


def _title(catalog: Catalog, item_id: str) -> str:
    """Where there is none, what sort of product it is."""
    index = catalog.index_of.get(item_id, 0)
    title, category = catalog.title(index), catalog.categories[index]
    return f"{category} ({item_id}, no title)" if title == item_id and category else title


def _lists(artifact: Artifact, queries: Queries, ids: tuple[str, ...], k: int) -> list[list[str]]:
    """The items of each list; ids: what the indices of the queries stand for, as the artifact may know more items."""
    history = queries.histories
    own = Histories(
        _translate(history.items, ids, artifact), history.kinds, history.times, history.values, history.offsets
    )
    ranking = recommend(
        artifact.model,
        own,
        min(k, artifact.traits.n_items),
        goals=queries.goals,
        asked=queries.asked,
        repeat=bool(artifact.facts.get("repeat", False)),
    )
    return [[artifact.vocabulary.id(int(item)) for item in row if item] for row in ranking.items]


def _answers(queries: Queries, row: int, ids: tuple[str, ...]) -> list[str]:
    """Those that training knew."""
    targets = queries.targets[queries.target_offsets[row] : queries.target_offsets[row + 1]]
    return [ids[item - 1] for item in targets.tolist() if item]


def _place(listed: Sequence[str], answers: Sequence[str]) -> int:
    """Of the first answer on a list, from 1; 0 where none is; -1 where none could be."""
    if not answers:
        return -1
    return next((place for place, item_id in enumerate(listed, start=1) if item_id in answers), 0)


def _translate(items: Ints, ids: tuple[str, ...], artifact: Artifact) -> Ints:
    return artifact.vocabulary.index([ids[item - 1] for item in items])
