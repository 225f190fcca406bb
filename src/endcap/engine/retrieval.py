"""The best items of a history: an exact product with all of them, or an index where they are very many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from endcap.data.batch import Batch, ask
from endcap.data.interactions import Histories
from endcap.data.vocabulary import Ints
from endcap.engine.mapped import Tensors, mapped
from endcap.models import Network, Recommender
from endcap.models.hybrid import Hybrid
from endcap.ranking import top

Floats32 = NDArray[np.float32]

EXACT_UP_TO = 300_000
"""Items; above, an index finds the candidates of a network."""
NO_PLACES = np.zeros(0, np.int64)
FEW = 20_000
"""Allowed items that are all compared, also where there is an index: it would find too few of them."""
RECALL = 0.985
"""Share of the true ten best that an index must find of its own items' neighbours; measured when it is built."""


@dataclass(frozen=True)
class Restriction:
    """What may be shown of one question; the same object serves all questions of a kind, so that it is made once."""

    allowed: NDArray[np.bool_] | None = None  # (items + 1,); None: all
    bonus: Floats32 | None = None  # (items + 1,) in standard deviations of the question's scores; None: none


@dataclass(frozen=True)
class Found:
    """The best items of one question, best first, equal scores by index."""

    items: Ints  # (n,) from 1
    scores: Floats32  # (n,)


@dataclass(frozen=True)
class Late:
    """Rows of the item table that differ from those made at the start, and how many items there are now."""

    n_items: int
    places: Ints  # (late,) indices, ascending
    vectors: Tensor  # (late, width)
    bias: Tensor  # (late,)

    def written(self, scored: Tensor, queries: Tensor | None) -> Tensor:
        """(batch, base items + 1) scores -> (batch, n_items + 1); what cannot be scored is -inf."""
        scored = F.pad(scored, (0, self.n_items + 1 - scored.shape[1]), value=-torch.inf)
        if queries is not None and len(self.places):
            scored[:, torch.from_numpy(self.places)] = torch.addmm(self.bias, queries, self.vectors.T)
        return scored


class Retriever(Protocol):
    """Finds the best items of each history of a batch."""

    def find(self, batch: Batch, restrictions: Sequence[Restriction], without: Sequence[Ints], n: int) -> list[Found]:
        """At most n for each history: of the allowed ones those that are not in its `without`."""

    def scores(self, batch: Batch) -> Tensor:
        """(batch, items + 1) of every item; exact, whatever `find` does."""

    def some(self, batch: Batch, items: Ints) -> Tensor:
        """(batch, n) the same of (n,) items alone."""

    def changed(self, model: Recommender, places: Ints, n_items: int) -> "Retriever":
        """Another one, of `n_items` items, where those at `places` are as `model` has them now."""


def retriever(
    model: Recommender, *, kind: int = 1, exact_up_to: int = EXACT_UP_TO, file: Path | None = None
) -> Retriever:
    """Exact for models that count and for catalogues of a common size; an index over a network's items above.

    kind: that of the events by which an index is tuned, one that the model has learned of. file: where what is made of
    the items is kept, for the next process.
    """
    if isinstance(model, Hybrid):
        return Counted(model.ready(_tables(model, file)))
    if not isinstance(model, Network):
        return Counted(model)

    @torch.inference_mode()
    def make() -> Tensors:
        vectors, bias = model.table()
        few = len(bias) - 1 <= exact_up_to
        return {"vectors": vectors, "bias": bias} if few else Indexed.learn(model, vectors, bias, kind)

    made = mapped(file, make)
    return Product(model, made["vectors"], made["bias"]) if "bias" in made else Indexed.of(model, made)


@torch.inference_mode()
def _tables(model: Hybrid, file: Path | None) -> dict[int, tuple[Tensor, Tensor]]:
    """The table of each network of a hybrid, by its place."""
    networks = {place: part for place, part in enumerate(model.members) if isinstance(part, Network)}

    def make() -> Tensors:
        tables = {place: part.table() for place, part in networks.items()}
        return {
            f"{name}.{place}": each[i] for place, each in tables.items() for i, name in enumerate(("vectors", "bias"))
        }

    made = mapped(file, make)
    return {place: (made[f"vectors.{place}"], made[f"bias.{place}"]) for place in networks}


@dataclass(frozen=True)
class Counted:
    """Every item scored by the model itself; where it knows items by their number alone, new ones have no score."""

    model: Recommender
    late: Late | None = None

    @torch.inference_mode()
    def scores(self, batch: Batch) -> Tensor:
        """(batch, items + 1)"""
        scored = self.model.score(batch)
        return scored if self.late is None else self.late.written(scored, None)

    def some(self, batch: Batch, items: Ints) -> Tensor:
        """See Retriever."""
        return self.scores(batch)[:, torch.from_numpy(items)]

    def find(self, batch: Batch, restrictions: Sequence[Restriction], without: Sequence[Ints], n: int) -> list[Found]:
        """See Retriever."""
        return best(self.scores(batch), restrictions, without, n)

    def changed(self, model: Recommender, places: Ints, n_items: int) -> "Counted":
        """See Retriever."""
        if isinstance(model, Hybrid) and isinstance(self.model, Hybrid):
            model = model.ready(_renewed(self.model, model, places, n_items))
        return replace(self, model=model, late=Late(n_items, NO_PLACES, torch.empty(0), torch.empty(0)))


@torch.inference_mode()
def _renewed(before: Hybrid, model: Hybrid, places: Ints, n_items: int) -> dict[int, tuple[Tensor, Tensor]]:
    """The tables of `before`, with other rows at `places` and for what came since, where there are any."""
    tables = {}
    for place, (old, new) in enumerate(zip(before.members, model.members, strict=True)):
        if not isinstance(old, Network) or not isinstance(new, Network) or old.made is None:
            continue
        tables[place] = old.made
        if len(places):
            rows = torch.from_numpy(np.union1d(places, np.arange(len(old.made[1]), n_items + 1)))
            more = n_items + 1 - len(old.made[1])
            vectors, bias = F.pad(old.made[0], (0, 0, 0, more)), F.pad(old.made[1], (0, more))
            vectors[rows], bias[rows] = new.table(rows)
            tables[place] = vectors, bias
    return tables


@dataclass(frozen=True)
class Product:
    """A network's queries against the vectors of all items, which are made once."""

    model: Network
    vectors: Tensor  # (base items + 1, width)
    bias: Tensor  # (base items + 1,)
    late: Late | None = None

    @torch.inference_mode()
    def scores(self, batch: Batch) -> Tensor:
        """(batch, items + 1), bit for bit those of the model."""
        queries = self.model.encode(batch)
        scored = torch.addmm(self.bias, queries, self.vectors.T)
        return scored if self.late is None else self.late.written(scored, queries)

    def some(self, batch: Batch, items: Ints) -> Tensor:
        """See Retriever."""
        return _some(self.model, batch, items, len(self.vectors), self.late)

    def find(self, batch: Batch, restrictions: Sequence[Restriction], without: Sequence[Ints], n: int) -> list[Found]:
        """See Retriever."""
        return best(self.scores(batch), restrictions, without, n)

    def changed(self, model: Recommender, places: Ints, n_items: int) -> "Product":
        """See Retriever."""
        assert isinstance(model, Network)
        return replace(self, model=model, late=_late(model, places, n_items))


@torch.inference_mode()
def _some(model: Network, batch: Batch, items: Ints, rows: int, late: Late | None) -> Tensor:
    """(batch, n) scores of (n,) items; one that is neither among the first rows nor late has -inf."""
    unknown = (items >= rows) & ~np.isin(items, NO_PLACES if late is None else late.places)
    vectors, bias = model.table(torch.from_numpy(np.where(unknown, 0, items)))
    scored = torch.addmm(bias, model.encode(batch), vectors.T)
    return scored.masked_fill(torch.from_numpy(unknown), -torch.inf)


@torch.inference_mode()
def _late(model: Network, places: Ints, n_items: int) -> Late:
    return Late(n_items, places, *model.table(torch.from_numpy(places)))


@torch.inference_mode()
def best(scored: Tensor, restrictions: Sequence[Restriction], without: Sequence[Ints], n: int) -> list[Found]:
    """The n best of (batch, items + 1) scores, which are changed in place."""
    scored[:, 0] = -torch.inf
    for row, (restriction, seen) in enumerate(zip(restrictions, without, strict=True)):
        if restriction.bonus is not None:
            known = scored[row, 1:]  # what cannot be scored has -inf
            scored[row] += torch.from_numpy(restriction.bonus) * known[known.isfinite()].std(correction=0)
        if restriction.allowed is not None:
            scored[row, torch.from_numpy(~restriction.allowed)] = -torch.inf
        if len(seen):
            scored[row, torch.from_numpy(seen)] = -torch.inf
    ranking = top(scored, n)
    shown = (ranking.items > 0).sum(1)
    return [Found(ranking.items[row, :count], ranking.scores[row, :count]) for row, count in enumerate(shown.tolist())]


@dataclass(frozen=True)
class Indexed:
    """Candidates by vectors of 4 bits for two numbers, all of which are compared, then ranked by their exact scores.

    Product quantisation with its tables in registers (André et al. 2015; faiss calls it fast scan) compares all of a
    million vectors in milliseconds, so that nothing is gained by looking into a part of them only. The bias is one
    more number of each vector, against a 1 in the query. How many candidates are ranked anew is set when it is built:
    as few as find RECALL of the ten best of a sample. Filters are honoured inside the search.
    """

    model: Network
    vectors: Floats32  # (base items + 1, width + 1), the bias last
    weights: Floats32  # (width + 1,) the index has each number times what queries make of it, so that all count alike
    index: faiss.Index
    candidates: int  # ranked anew
    recall: float  # share of the true ten best that it finds, of a sample
    late: Late | None = None

    @classmethod
    def of(cls, model: Network, learned: Mapping[str, Tensor]) -> "Indexed":
        """What `learn` gave, over the same model."""
        index = faiss.deserialize_index(learned["index"].numpy())
        candidates, recall = int(learned["candidates"]), float(learned["recall"])
        return cls(model, learned["vectors"].numpy(), learned["weights"].numpy(), index, candidates, recall)

    @classmethod
    def learn(cls, model: Network, vectors: Tensor, bias: Tensor, kind: int, *, recall: float = RECALL) -> Tensors:
        """Learns the codes from the vectors, and how many candidates it takes after histories of several sorts.

        Of one event, of items that have nothing in common, and of those that follow one item: what visitors do lies
        between. The sort that is found worst counts.
        """
        joined = np.concatenate([vectors.numpy(), bias.numpy()[:, None]], axis=1)
        random, sample = np.random.default_rng(1), _sample(len(joined))[::2]
        alone = _after(model, sample[:, None], kind)
        mixed = random.integers(1, len(joined), (len(sample), LONG))
        queries = [alone, *(_after(model, each, kind) for each in (_exactly(joined, alone, LONG), mixed))]
        weights = np.maximum(np.sqrt((np.concatenate(queries) ** 2).mean(0)), np.float32(1e-6))
        found = cls(model, joined, weights, _index(joined[1:] * weights), FEWEST // 2, 0.0)
        true = [_exactly(joined, each, 10) for each in queries]
        while found.recall < recall and found.candidates < len(joined) // 2:
            wider = replace(found, candidates=2 * found.candidates)
            found = replace(wider, recall=min(map(wider._recall, queries, true)))  # noqa: SLF001  its own
        return {
            "vectors": torch.from_numpy(joined),
            "weights": torch.from_numpy(weights),
            "index": torch.from_numpy(faiss.serialize_index(found.index)),
            "candidates": torch.tensor(found.candidates),
            "recall": torch.tensor(found.recall),
        }

    def _recall(self, queries: Floats32, true: Ints) -> float:
        """The share of (queries, n) true best items that it finds."""
        near = [self._ranked(query, self._search(query, None, true.shape[1]), true.shape[1]) for query in queries]
        return float(np.mean([np.isin(a.items, b).mean() for a, b in zip(near, true, strict=True)]))

    @torch.inference_mode()
    def scores(self, batch: Batch) -> Tensor:
        """(batch, items + 1)"""
        queries = self.model.encode(batch)
        joined = torch.from_numpy(self.vectors)
        scored = torch.addmm(joined[:, -1], queries, joined[:, :-1].T)
        return scored if self.late is None else self.late.written(scored, queries)

    def some(self, batch: Batch, items: Ints) -> Tensor:
        """See Retriever."""
        return _some(self.model, batch, items, len(self.vectors), self.late)

    def find(self, batch: Batch, restrictions: Sequence[Restriction], without: Sequence[Ints], n: int) -> list[Found]:
        """See Retriever."""
        return [
            self._find(query, restriction, seen, n)
            for query, restriction, seen in zip(_with_bias(self.model, batch), restrictions, without, strict=True)
        ]

    def changed(self, model: Recommender, places: Ints, n_items: int) -> "Indexed":
        """See Retriever."""
        assert isinstance(model, Network)
        return replace(self, model=model, late=_late(model, places, n_items))

    def _find(self, query: Floats32, restriction: Restriction, seen: Ints, n: int) -> Found:
        wanted = n + len(seen)
        items = self._candidates(query, restriction.allowed, wanted)
        if restriction.bonus is not None:
            favoured = restriction.bonus > 0
            if restriction.allowed is not None:
                favoured &= restriction.allowed
            items = np.union1d(items, self._candidates(query, favoured, wanted))
        return self._ranked(query, items[~np.isin(items, seen)], n, restriction.bonus)

    def _ranked(self, query: Floats32, items: Ints, n: int, bonus: Floats32 | None = None) -> Found:
        """The n best of some items by their exact scores."""
        scores = self._exact(query, items)
        if bonus is not None:
            scores = scores + bonus[items] * (self.vectors[_sample(len(self.vectors))] @ query).std()
        order = np.lexsort((items, -scores))[:n]
        return Found(items[order], scores[order].astype(np.float32))

    def _exact(self, query: Floats32, items: Ints) -> Floats32:
        scores = self.vectors[np.where(items < len(self.vectors), items, 0)] @ query
        if self.late is not None and len(self.late.places):
            place = np.searchsorted(self.late.places, items).clip(max=len(self.late.places) - 1)
            own = self.late.places[place] == items
            late = self.late.vectors.numpy()[place[own]] @ query[:-1] + self.late.bias.numpy()[place[own]]
            scores[own] = late
        return scores

    def _candidates(self, query: Floats32, allowed: NDArray[np.bool_] | None, n: int) -> Ints:
        """Items that may be among the n best; the late ones are always looked at."""
        if allowed is not None:
            places = np.flatnonzero(allowed)
            if len(places) <= max(FEW, n):
                return places
        if self.late is None or not len(self.late.places):
            return self._search(query, allowed, n)
        late = self.late.places
        found = self._search(query, allowed, n + len(late))
        return np.union1d(found, late if allowed is None else late[allowed[late]])

    def _search(self, query: Floats32, allowed: NDArray[np.bool_] | None, n: int) -> Ints:
        n_base = len(self.vectors) - 1
        bits = None if allowed is None else np.packbits(allowed[1 : n_base + 1], bitorder="little")
        chosen = None if bits is None else faiss.IDSelectorBitmap(bits)
        settings = faiss.SearchParametersIVF(nprobe=1, sel=chosen)
        wanted = min(n_base, max(2 * n, self.candidates))
        _, found = self.index.search(_even(query[None] / self.weights), wanted, params=settings)
        return np.sort(found[0][found[0] >= 0]).astype(np.int64) + 1


SAMPLE = 256
"""Items that an index is tuned by, one as the beginning of a history, and whose scores tell the spread of all."""
LONG = 20
"""Events of the longer histories that it is tuned by."""
AT_ONCE = 16
"""Queries compared with all items at a time."""
LEARNED = 60_000
"""Vectors that the codes are learned from."""
FEWEST = 500
"""Candidates that are ranked anew at least."""


@lru_cache(maxsize=8)
def _sample(rows: int, n: int = SAMPLE) -> Ints:
    """Some indices of a table with a padding row; always the same."""
    return np.sort(np.random.default_rng(0).choice(rows - 1, min(n, rows - 1), replace=False)) + 1


@torch.inference_mode()
def _with_bias(model: Network, batch: Batch) -> Floats32:
    """(batch, width + 1) queries, with a 1 that is multiplied with an item's bias."""
    return F.pad(model.encode(batch), (0, 1), value=1.0).numpy()


def _after(model: Network, items: Ints, kind: int) -> Floats32:
    """Queries after histories that are the rows of (histories, events) items."""
    n, length = items.shape
    kinds, values = np.full(items.size, kind, np.int64), np.full((items.size, 3), np.nan, np.float32)
    offsets = np.arange(0, items.size + 1, length)
    histories = Histories(items.ravel(), kinds, np.full(items.size, np.nan), values, offsets)
    return _with_bias(model, ask(histories, np.full(n, kind), last=model.history))


def _exactly(vectors: Floats32, queries: Floats32, n: int) -> Ints:
    """(queries, n) the best items of a table with a padding row, in no order."""
    table, n = torch.from_numpy(vectors[1:]), min(n, len(vectors) - 1)
    parts = torch.from_numpy(queries).split(AT_ONCE)
    return np.concatenate([(part @ table.T).topk(n, sorted=False).indices.numpy() + 1 for part in parts])


def _index(vectors: Floats32) -> faiss.Index:
    """An index over (items, width) vectors. It is an inverted file of one cell: that class of faiss takes filters."""
    vectors = _even(vectors)
    width = vectors.shape[1]
    index = faiss.IndexIVFPQFastScan(faiss.IndexFlatIP(width), width, 1, width // 2, 4, faiss.METRIC_INNER_PRODUCT)
    index.by_residual = False
    index.train(vectors[_sample(len(vectors) + 1, LEARNED) - 1])
    index.add(vectors)
    return index


def _even(vectors: Floats32) -> Floats32:
    """With a zero more where the width is odd: numbers go in pairs."""
    return np.pad(vectors, ((0, 0), (0, vectors.shape[1] % 2)))
