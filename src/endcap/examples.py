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
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Histories
from endcap.data.schema import GOALS, KINDS
from endcap.data.split import split
from endcap.data.vocabulary import Ints
from endcap.describe import photos_of
from endcap.ranking import recommend

LATEST = 8
"""Events of a history that are shown."""


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


def examples(dataset: Dataset, models: Path, *, n: int = 3, k: int = 5, seed: int = 0) -> list[dict[str, Any]]:
    """A few test users with a history to look at, and each model's list for them; see report.render.

    Photos are there where the models were told of them.
    """
    loaded = {folder.name: artifacts.load(folder) for folder in sorted(models.iterdir())}
    some = next(iter(loaded.values()))
    data = some.config.data
    parts = split(dataset.table, data.goal, data.min_rating)
    long = np.flatnonzero(parts.test.histories.lengths >= min(LATEST, parts.test.histories.lengths.max(initial=0)))
    chosen = np.sort(np.random.default_rng(seed).choice(long, min(n, len(long)), replace=False))
    queries = parts.test.take(chosen)
    vocabulary = parts.train.vocabulary
    album = photos_of(some.catalog, some.config, dataset.aliases) if "photos" in some.config.features.use else None
    places = {item_id: place for place, item_id in enumerate(some.catalog.item_ids, start=1)}

    def product(item_id: str, title: str) -> dict[str, Any]:
        return {"id": item_id, "title": title, "photo": pictures.first(album, places.get(item_id, 0))}

    result = []
    for index in range(len(queries)):
        history, goal = queries.histories.take(np.array([index])), KINDS[int(queries.goals[index]) - 1]
        shown = slice(max(0, len(history.items) - LATEST), None)
        answers = queries.targets[queries.target_offsets[index] : queries.target_offsets[index + 1]]
        models_shown = {}
        for name, artifact in loaded.items():
            # A refitted model may know more items; its own indices count.
            own = Histories(
                _translate(history.items, vocabulary.ids, artifact),
                history.kinds,
                history.times,
                history.values,
                history.offsets,
            )
            asked = None if queries.asked is None else float(queries.asked[index])
            models_shown[name] = [
                product(line.id, line.title) | {"score": line.score}
                for line in top_items(artifact, own, min(k, artifact.traits.n_items), goal, asked)
            ]
        result.append(
            {
                "user": queries.user_ids[index],
                "history": [
                    product(vocabulary.id(int(item)), some.catalog.title(int(item)))
                    | {
                        "kind": KINDS[int(kind) - 1],
                        "time": None if history.times is None else float(history.times[shown][place]),
                    }
                    for place, (item, kind) in enumerate(zip(history.items[shown], history.kinds[shown], strict=True))
                ],
                "answers": [vocabulary.id(int(item)) for item in answers if item],
                "models": models_shown,
            }
        )
    return result


def _translate(items: Ints, ids: tuple[str, ...], artifact: Artifact) -> Ints:
    return artifact.vocabulary.index([ids[item - 1] for item in items])
