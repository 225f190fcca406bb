"""Products that go together: of unlike categories, and oftener in one basket than chance has it. Learned from the log.

Dunning 1993, "Accurate Methods for the Statistics of Surprise and Coincidence": of two products the baskets with both,
with one, with the other and with neither are a table of four counts, and twice its logarithmic likelihood ratio against
two that know nothing of each other is a score that rare pairs do not win by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Interactions
from endcap.data.schema import SEPARATOR
from endcap.data.vocabulary import Floats, Ints

LEAST = 3
"""Baskets that have both of a pair."""
SURPRISE = 10.83
"""Scores of pairs begin here: chance alone gives one of a thousand pairs as much (χ² of one degree of freedom)."""
MOST = 50
"""Complements of a product."""
LARGEST = 100
"""Products in a basket; one with more is a reseller's or a robot's, and would count for thousands of pairs."""
DAY = 86_400.0
SCHEMA = pa.schema([("item", pa.int32()), ("other", pa.int32()), ("score", pa.float32())])

Floats32 = NDArray[np.float32]
_ROWS = 1_024  # products whose pairs are in memory together


@dataclass(frozen=True, eq=False)
class Complements:
    """Of each product those that go with it, best first; a file is read when the first of them is asked for.

    >>> table = pa.table([[1, 1, 3], [2, 3, 1], [30.0, 20.0, 20.0]], schema=SCHEMA)
    >>> Complements(table).of(1)[0].tolist(), Complements(table).of(2)[0].tolist()
    ([2, 3], [])
    """

    source: pa.Table | Path  # SCHEMA, ascending by item, of each by falling score

    @classmethod
    def load(cls, path: Path) -> "Complements":
        """Those of a file; raises InputError where it is no such table."""
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} is no readable table: {str(error).splitlines()[0]}; train it again") from error
        if not schema.equals(SCHEMA):
            raise InputError(f"{path} is no table of complements: found columns {schema.names}; train it again")
        return cls(path)

    @cached_property
    def table(self) -> pa.Table:
        """In memory."""
        return self.source if isinstance(self.source, pa.Table) else pq.read_table(self.source, use_threads=False)

    def save(self, path: Path) -> None:
        """Writes one Parquet file."""
        pq.write_table(self.table, path)

    def of(self, item: int) -> tuple[Ints, Floats32]:
        """The items that go with one, best first, and their scores."""
        start, end = np.searchsorted(self._items, [item, item + 1])
        return self._others[start:end].astype(np.int64), self._scores[start:end]

    @cached_property
    def _items(self) -> NDArray[np.int32]:
        return self.table["item"].to_numpy()

    @cached_property
    def _others(self) -> NDArray[np.int32]:
        return self.table["other"].to_numpy()

    @cached_property
    def _scores(self) -> Floats32:
        return self.table["score"].to_numpy()


def complements(log: Interactions, categories: Sequence[str]) -> Complements:
    """Pairs of a log: at most MOST for each product, none of its own category.

    categories: (items + 1,) of the log's vocabulary, empty where not known (`Catalog.categories`). What has none goes
    with nothing, unless none has any. A basket is what a user put into the cart or bought on one day, or reviewed where
    a log has neither; a log without times has none.
    """
    baskets = _baskets(log)
    _, kind = np.unique([text.split(SEPARATOR)[0] for text in categories], return_inverse=True)
    known = np.array([bool(text) for text in categories])
    kind = np.where(known, kind, -1) if known.any() else np.arange(len(categories))
    counts, n = np.asarray(baskets.sum(axis=0)).ravel(), baskets.shape[0]
    items = np.flatnonzero(counts >= LEAST)
    parts = [
        _pairs(items[start : start + _ROWS], baskets, counts, n, kind) for start in range(0, len(items), _ROWS)
    ] or [SCHEMA.empty_table()]
    return Complements(pa.concat_tables(parts).combine_chunks())


def _baskets(log: Interactions) -> sparse.csr_array:
    """(baskets, items + 1) 1 where a basket has a product; those of two products up to LARGEST."""
    wanted = np.isin(log.kinds, [KIND_INDEX["cart"], KIND_INDEX["purchase"]])
    wanted = wanted if wanted.any() else log.kinds == KIND_INDEX["review"]
    if log.times is None:
        return sparse.csr_array((0, log.n_items + 1), dtype=np.int32)
    places = np.flatnonzero(wanted & (log.items > 0) & np.isfinite(log.times))
    days = np.floor(log.times[places] / DAY).astype(np.int64)
    _, basket = np.unique(np.stack([log.owners[places], days]), axis=1, return_inverse=True)
    pairs = np.unique(basket.ravel() * (log.n_items + 1) + log.items[places])
    basket, items = np.divmod(pairs, log.n_items + 1)
    sizes = np.bincount(basket)
    usable = (sizes > 1) & (sizes <= LARGEST)
    keep = usable[basket]
    number = np.cumsum(usable) - 1
    shape = (int(usable.sum()), log.n_items + 1)
    return sparse.csr_array((np.ones(keep.sum(), np.int32), (number[basket[keep]], items[keep])), shape=shape)


def _pairs(items: Ints, baskets: sparse.csr_array, counts: Ints, n: int, kind: Ints) -> pa.Table:
    """The complements of some items."""
    both = (baskets[:, items].T @ baskets).tocoo()
    row, other, together = both.row.astype(np.int64), both.col.astype(np.int64), both.data
    item = items[row]
    expected = counts[item].astype(np.float64) * counts[other] / max(n, 1)
    keep = (together >= LEAST) & (together > expected)
    keep &= (kind[item] != kind[other]) & (kind[item] >= 0) & (kind[other] >= 0)
    item, other, together = item[keep], other[keep], together[keep]
    scores = surprise(together, counts[item], counts[other], n)
    keep = scores >= SURPRISE
    item, other, scores = item[keep], other[keep], scores[keep]
    order = np.lexsort((other, -scores, item))
    item, other, scores = item[order], other[order], scores[order]
    place = np.arange(len(item)) - np.searchsorted(item, item)
    keep = place < MOST
    columns = [item[keep].astype(np.int32), other[keep].astype(np.int32), scores[keep].astype(np.float32)]
    return pa.table([pa.array(each) for each in columns], schema=SCHEMA)


def surprise(together: Ints, one: Ints, other: Ints, n: int) -> Floats:
    """(pairs,) twice the logarithmic likelihood ratio: of n baskets `together` have both, `one` and `other` one each.

    >>> surprise(np.array([10, 1]), np.array([10, 10]), np.array([10, 10]), 100).round(1).tolist()
    [65.0, 0.0]
    """
    cells = [together, one - together, other - together, n - one - other + together]
    sums = [(one, other), (one, n - other), (n - one, other), (n - one, n - other)]
    found = np.zeros(len(together))
    for cell, (row, column) in zip(cells, sums, strict=True):
        seen = np.asarray(cell, np.float64)
        expected = np.asarray(row, np.float64) * column / n
        found += seen * np.log(np.divide(seen, expected, out=np.ones(len(seen)), where=seen > 0))
    return 2 * found
