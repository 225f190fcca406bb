"""What is known of the items, aligned with the Vocabulary: titles, categories, prices, photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from endcap.data.errors import InputError
from endcap.data.schema import ITEM_COLUMNS, SEPARATOR
from endcap.data.vocabulary import Floats

NUMBERS = ("price", "rating", "rating_count")


@dataclass(frozen=True)
class Catalog:
    """One row per item of the vocabulary, in its order; everything below is by index, so that place 0 is padding.

    >>> table = pa.table({"item_id": ["tea", "milk"], "title": ["Green tea", None], "price": [2.5, None]})
    >>> catalog = Catalog.from_table(table, ["milk", "tea", "rum"])
    >>> catalog.titles
    ('', 'milk', 'Green tea', 'rum')
    >>> catalog.prices.tolist()
    [nan, nan, 2.5, nan]
    """

    table: pa.Table  # ITEM_COLUMNS, then the source's own; null where nothing is known

    @classmethod
    def from_table(cls, items: pa.Table | None, item_ids: Sequence[str]) -> "Catalog":
        """The rows of `item_ids` out of validated items; items without a row, or without any table, have only an id."""
        ids = pa.array(item_ids, pa.string())
        known = items if items is not None else pa.table({"item_id": pa.array([], pa.string())})
        rows = known.take(pc.index_in(ids, value_set=known["item_id"].cast(pa.string())))
        columns = {name: _column(rows, name) for name in ITEM_COLUMNS}
        columns |= {name: rows[name] for name in rows.column_names if name not in columns}
        return cls(pa.table(columns | {"item_id": ids}))

    @classmethod
    def load(cls, path: Path) -> "Catalog":
        """Reads what `save` wrote; raises InputError where it is missing, damaged or something else."""
        try:
            table = pq.ParquetFile(path).read(use_threads=False)  # half the memory of `read_table`, and quick enough
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path} is no readable catalogue: {str(error).splitlines()[0]}; train again") from error
        expected = {name: pa.float64() if name in NUMBERS else pa.string() for name in ITEM_COLUMNS}
        wrong = [name for name, kind in expected.items() if table.schema.get_field_index(name) < 0
                 or table.schema.field(name).type != kind]  # fmt: skip
        if wrong or table["item_id"].null_count:
            raise InputError(f"{path} is no catalogue of ours: {', '.join(wrong) or 'item_id'} is missing; train again")
        return cls(table)

    def without(self, columns: Sequence[str]) -> "Catalog":
        """The same items, nothing known of some columns."""
        emptied = self.table
        for name in filter(self.table.column_names.__contains__, columns):
            place = emptied.column_names.index(name)
            empty = pa.nulls(len(emptied), emptied.schema.field(name).type)
            emptied = emptied.set_column(place, name, empty) if name in ITEM_COLUMNS else emptied.remove_column(place)
        return Catalog(emptied)

    def save(self, path: Path) -> None:
        """Writes one Parquet file."""
        pq.write_table(self.table, path)

    def __len__(self) -> int:
        return len(self.table)

    def title(self, index: int) -> str:
        """The title, or the id where there is none; empty for index 0."""
        return self.titles[index]

    @cached_property
    def item_ids(self) -> tuple[str, ...]:
        """(items,) without padding, as the Vocabulary has them: `item_ids[i - 1]` has index i."""
        return tuple(self.table["item_id"].to_pylist())

    @cached_property
    def index_of(self) -> dict[str, int]:
        """item_id -> index."""
        return {item_id: index for index, item_id in enumerate(self.item_ids, start=1)}

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """(items + 1,) an item without a title has its id."""
        return ("", *(title or item_id for title, item_id in zip(self.texts("title")[1:], self.item_ids, strict=True)))

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """(items + 1,) such as `Dairy > Milk`."""
        return self.texts("category")

    @cached_property
    def brands(self) -> tuple[str, ...]:
        """(items + 1,)"""
        return self.texts("brand")

    @cached_property
    def descriptions(self) -> tuple[str, ...]:
        """(items + 1,)"""
        return self.texts("description")

    @cached_property
    def images(self) -> tuple[str, ...]:
        """(items + 1,) a path or address, as the source has it."""
        return self.texts("image")

    @cached_property
    def stock(self) -> tuple[str, ...]:
        """(items + 1,) a number or a word, as the source has it."""
        return self.texts("stock")

    @cached_property
    def prices(self) -> Floats:
        """(items + 1,)"""
        return self.numbers("price")

    @cached_property
    def ratings(self) -> Floats:
        """(items + 1,) the mean of its reviews, as the source has it."""
        return self.numbers("rating")

    @cached_property
    def rating_counts(self) -> Floats:
        """(items + 1,)"""
        return self.numbers("rating_count")

    def texts(self, column: str) -> tuple[str, ...]:
        """(items + 1,) any column as text, empty where nothing is known."""
        return ("", *self.table[column].cast(pa.string()).fill_null("").to_pylist())

    def lists(self, column: str) -> tuple[tuple[str, ...], ...]:
        """(items + 1,) the values of a column of several, such as colours; empty where nothing is known."""
        if column not in self.table.column_names:
            return ((),) * (len(self) + 1)
        return tuple(tuple(filter(None, text.split(SEPARATOR))) for text in self.texts(column))

    def numbers(self, column: str) -> Floats:
        """(items + 1,) any column of numbers, NaN where nothing is known."""
        values = self.table[column].cast(pa.float64()).fill_null(np.nan).to_numpy()
        return np.concatenate([[np.nan], values])


def _column(rows: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    kind = pa.float64() if name in NUMBERS else pa.string()
    return rows[name].cast(kind) if name in rows.column_names else pa.nulls(len(rows), kind)
