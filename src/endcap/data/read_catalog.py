"""A catalogue alone, without a log: read, checked, and with an account of what was wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from endcap.data import sources
from endcap.data.backend import Backend, DataFrame
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.schema import PROBLEM_COLUMNS, validate_items


@dataclass(frozen=True)
class Listing:
    """A catalogue as its source has it, in the order of the ids."""

    name: str
    format: str
    catalog: Catalog
    aliases: dict[str, str]  # a variant's id or SKU -> its product's id
    columns: dict[str, str]  # canonical -> the source's
    notes: tuple[str, ...]
    problems: pa.Table  # row, column, value, problem: every one

    @property
    def is_photos(self) -> bool:
        """Whether the source itself is the folder or zip with the photos."""
        return self.format == "folders"


def read_catalog(
    backend: Backend,
    path: Path,
    *,
    format: str | None = None,  # noqa: A002
    columns: Mapping[str, str] | None = None,
) -> Listing:
    """Reads and checks every row; raises InputError where there is no product in it."""
    items = sources.read_items(backend, path, format=format, columns=columns)
    validated = validate_items(backend, items.frame)
    table = validated.items.orderBy("item_id").toArrow()
    if not len(table):
        raise InputError(f"{path}: found no row with an item_id; expected one row per product, or --map item_id=COLUMN")
    aliases = {} if items.aliases is None else dict(zip(*items.aliases.toArrow().to_pydict().values(), strict=True))
    return Listing(
        name=path.name.split(".")[0] or str(path),
        format=items.format,
        catalog=Catalog.from_table(table, table["item_id"].to_pylist()),
        aliases=aliases,
        columns=items.columns,
        notes=tuple(items.notes),
        problems=pa.concat_tables(
            [_problems(each) for each in (items.problems, validated.problems) if each is not None]
        ),
    )


def _problems(frame: DataFrame) -> pa.Table:
    kinds = (pa.int64(), pa.string(), pa.string(), pa.string())
    table = frame.orderBy("row").toArrow()
    return pa.table({name: table[name].cast(kind) for name, kind in zip(PROBLEM_COLUMNS, kinds, strict=True)})
