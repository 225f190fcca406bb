"""How well a photo network tells what is on photos that it did not learn from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from endcap.data.photos.album import Album
from endcap.data.vocabulary import Floats, Ints
from endcap.features.confusion import Confusion, confusion
from endcap.features.fit_images import PhotoEpoch
from endcap.features.labels import Labels
from endcap.features.photos import PhotoEncoder


@dataclass(frozen=True)
class Told:
    """One label column on the test photos whose class was learned."""

    name: str
    classes: tuple[str, ...]
    confusion: Confusion
    usual: float  # the accuracy of always saying the class that is most frequent among the photos learned from

    @property
    def photos(self) -> int:
        """Of a known class."""
        return int(self.confusion.counts.sum())

    @property
    def per_class(self) -> list[tuple[str, int, float]]:
        """(class, its test photos, the share told right), the most photos first; without classes that have none."""
        totals, right = self.confusion.counts.sum(1), self.confusion.per_class
        order = np.argsort(-totals, kind="stable")
        return [(self.classes[code], int(totals[code]), float(right[code])) for code in order if totals[code]]

    def confused(self, n: int) -> list[tuple[str, str, int, int]]:
        """The n most frequent mistakes: (what it is, what was said, how often, of how many)."""
        wrong = self.confusion.counts - np.diag(np.diag(self.confusion.counts))
        totals = self.confusion.counts.sum(1)
        order = np.argsort(-wrong, axis=None, kind="stable")[:n]
        pairs = [divmod(int(place), len(self.classes)) for place in order]
        return [(self.classes[row], self.classes[column], int(wrong[row, column]), int(totals[row]))
                for row, column in pairs if wrong[row, column]]  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the photo network learned, and what it said of each test photo."""

    columns: tuple[Told, ...]
    epochs: tuple[PhotoEpoch, ...]
    rows: Ints  # (n,) of the album: the photos that were asked
    codes: Ints  # (n, columns) what they are; -1 where that is not known or was not learned
    said: Ints  # (n, columns)
    sure: Floats  # (n, columns) the probability of what was said
    repeated: int  # test photos that were not asked, because an item that was learned from has the very same

    def figures(self) -> dict[str, Any]:
        """For programs."""
        return {
            "photos": len(self.rows),
            "repeated": self.repeated,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "columns": [_figures(told) for told in self.columns],
        }


def ask(
    encoder: PhotoEncoder, epochs: Sequence[PhotoEpoch], labels: Labels, album: Album, known: Ints, test: Ints
) -> Seen:
    """Asks the encoder about the photos of the items `test`, once; `known` are those it learned from."""
    keys = np.array(album.keys)
    mine = np.flatnonzero(np.isin(album.owners, test))
    learned = np.isin(keys[mine], keys[np.isin(album.owners, known)])
    rows = mine[~learned]
    logits = encoder.logits(album, rows)
    codes = labels.codes[album.owners[rows]]
    before = labels.codes[album.owners[np.isin(album.owners, known)]]
    columns = []
    for column, (name, classes) in enumerate(zip(labels.names, labels.classes, strict=True)):
        own = codes[:, column]
        most = np.bincount(before[before[:, column] >= 0, column]).argmax()
        usual = float((own[own >= 0] == most).mean()) if (own >= 0).any() else np.nan
        columns.append(Told(name, classes, confusion(logits[column], own), usual))
    return Seen(
        columns=tuple(columns),
        epochs=tuple(epochs),
        rows=rows,
        codes=codes,
        said=np.stack([each.argmax(1) for each in logits], axis=1),
        sure=np.stack([_highest(each) for each in logits], axis=1),
        repeated=int(learned.sum()),
    )


def _highest(logits: Any) -> Floats:
    """The largest of the softmax."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(shifted.max(1) / shifted.sum(1))


def _figures(told: Told) -> dict[str, Any]:
    return {
        "name": told.name,
        "photos": told.photos,
        "accuracy": told.confusion.accuracy,
        "most_frequent": told.usual,
        "classes": [{"name": name, "photos": n, "accuracy": right} for name, n, right in told.per_class],
        "confused": [{"is": own, "said": said, "photos": n, "of": of} for own, said, n, of in told.confused(100)],
    }
