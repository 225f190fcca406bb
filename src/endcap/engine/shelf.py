"""The catalogue as it is now: that of an artifact, and a small table of what has changed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.data.catalog import NUMBERS, Catalog
from endcap.data.schema import ITEM_COLUMNS, SEPARATOR
from endcap.data.vocabulary import Ints
from endcap.engine.filters import Filter
from endcap.features import cells
from endcap.features.cells import plain
from endcap.features.groups import Codes, Keys, groups, keys
from endcap.store.records import ItemChange

SHOWN = ("title", "category", "brand", "price", "currency", "rating", "rating_count", "stock", "image")
"""Columns that an answer carries where they are known."""

MASKS = 64
"""Filters whose products are kept at a time."""


@dataclass(frozen=True, eq=False)  # a shelf is like no other: what it makes is kept with it
class Shelf:
    """Products by index. `with_changes` makes another one: a request sees the one that it began with."""

    base: Catalog  # of the artifact; shared by all shelves that come from it
    index: Mapping[str, int]  # id -> index from 1, new products after those of the base
    aliases: Mapping[str, str]  # a variant's id or SKU -> its product's id
    rows: Mapping[str, dict[str, Any]] = field(default_factory=dict)  # id -> the whole row, of what changed or is new
    gone: frozenset[str] = frozenset()  # ids taken out of the shop
    of_base: list[Keys] = field(default_factory=list)  # what connects the products of the base, once it was asked for

    @classmethod
    def of(cls, catalog: Catalog, aliases: Mapping[str, str]) -> "Shelf":
        """The catalogue of an artifact, nothing changed yet."""
        return cls(catalog, {item_id: place for place, item_id in enumerate(catalog.item_ids, start=1)}, aliases)

    def __len__(self) -> int:
        """Items, those taken out included: their indices stay."""
        return len(self.index)

    def with_changes(self, changes: Sequence[ItemChange]) -> "Shelf":
        """The shelf after some changes, in their order; a new id gets the next index."""
        index, rows, gone = self.index, dict(self.rows), set(self.gone)
        new = [change.item_id for change in changes if change.row is not None and change.item_id not in index]
        if new:
            index = {**index, **{item_id: len(index) + n for n, item_id in enumerate(dict.fromkeys(new), start=1)}}
        before = self._of_base([change.item_id for change in changes if change.item_id not in rows])
        for change in changes:
            if change.row is None:
                gone.add(change.item_id)
                continue
            gone.discard(change.item_id)
            old = dict(rows.get(change.item_id, {})) or before.get(change.item_id, {"item_id": change.item_id})
            now = old | _plain(change.row)
            if now != before.get(change.item_id):  # a row that says what is known is no change
                rows[change.item_id] = now
        return replace(self, index=index, rows=rows, gone=frozenset(gone))

    def row(self, item_id: str) -> dict[str, Any]:
        """All that is known of a product; nothing of one that is not there."""
        return dict(self.rows.get(item_id, {})) or self._of_base([item_id]).get(item_id, {})

    @property
    def arrived(self) -> tuple[str, ...]:
        """Ids of the products that the artifact does not have, in the order of their indices."""
        return tuple(item_id for item_id, place in self.index.items() if place > len(self.base))

    def find(self, item_id: str) -> int:
        """The index of a product, or of the one that it is a variant of; 0 where there never was one."""
        return self.index.get(item_id) or self.index.get(self.aliases.get(item_id, ""), 0)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """(items,) `ids[i - 1]` has index i."""
        return (*self.base.item_ids, *self.arrived)

    @cached_property
    def whole(self) -> Catalog:
        """All products by index, as they are now; made when a filter or a rule first asks for it."""
        if not self.rows:
            return self.base
        base = self.base.table
        texts = {name: pa.array(cells.texts(self.base, name)) for name in base.column_names if name not in NUMBERS}
        own = pa.table({name: texts.get(name, base[name]) for name in base.column_names})
        order = np.arange(len(self))
        order[[self.index[item_id] - 1 for item_id in self.rows]] = len(base) + np.arange(len(self.rows))
        rows = self.table(list(self.rows))
        return Catalog(pa.concat_tables([own, rows], promote_options="default").take(pa.array(order)))

    def table(self, item_ids: Sequence[str]) -> pa.Table:
        """Some changed or new products as a table of canonical and other columns; all but NUMBERS are text."""
        rows = [self.rows[item_id] | {"item_id": item_id} for item_id in item_ids]
        names = dict.fromkeys([*ITEM_COLUMNS, *(name for row in rows for name in row)])
        return pa.table({name: pa.array([_cell(row, name) for row in rows], _type(name)) for name in names})

    @cached_property
    def groups(self) -> Codes:
        """(items + 1,) a number per product, the same for those that are one for people; 0 is padding."""
        if not self.of_base:
            self.of_base.append(keys(self.base))
        connected = [*self.of_base[0], *[()] * (len(self) - len(self.base))]
        changed = list(self.rows)
        for item_id, own in zip(changed, keys(Catalog(self.table(changed))), strict=True):
            connected[self.index[item_id] - 1] = own
        return groups(connected)

    @cached_property
    def kin(self) -> tuple[Codes, Codes]:
        """(items + 1,) twice: a number for each product's category, and for the one above that; 0 where not known."""
        texts = [plain(cell.split(SEPARATOR)[0]) for cell in self.whole.categories]
        above = [text.rpartition(cells.LEVEL.strip())[0].strip() for text in texts]
        return _numbered(texts), _numbered(above)

    @cached_property
    def has_groups(self) -> bool:
        """Whether any two products are one for people."""
        return len(np.unique(self.groups)) < len(self.groups)

    def members(self, item: int) -> Ints:
        """The products in the shop that are one with this one, itself included, ascending."""
        order, starts = self._by_group
        code = self.groups[item]
        own = order[starts[code] : starts[code + 1]]
        return own[self.there[own]]

    @cached_property
    def _by_group(self) -> tuple[Ints, Ints]:
        """Items by group, and where each group begins."""
        order = np.argsort(self.groups, kind="stable")
        return order, np.searchsorted(self.groups[order], np.arange(self.groups.max() + 2))

    @cached_property
    def there(self) -> NDArray[np.bool_]:
        """(items + 1,) whether a product is in the shop."""
        mask = np.ones(len(self) + 1, dtype=bool)
        mask[0] = False
        mask[[self.index[item_id] for item_id in self.gone if item_id in self.index]] = False
        return mask

    def mask(self, condition: Filter) -> NDArray[np.bool_]:
        """(items + 1,) the products in the shop that a filter lets through."""
        if condition not in self._masks:
            if len(self._masks) >= MASKS:
                self._masks.clear()
            self._masks[condition] = condition.mask(self.whole) & self.there
        return self._masks[condition]

    def shown(self, item: int) -> dict[str, Any]:
        """What an answer says of a product."""
        known = self._seen.get(item)
        if known is None:
            item_id = self.ids[item - 1]
            row = self.rows.get(item_id) or {
                name: column[item - 1].as_py() for name, column in self._columns.items() if item <= len(self.base)
            }
            known = {name: row[name] for name in SHOWN if row.get(name) is not None}
            known.setdefault("title", item_id)
            if "image" in known:
                known["image"] = str(known["image"]).split(SEPARATOR)[0]
            self._seen[item] = known
        return known

    @cached_property
    def _columns(self) -> dict[str, pa.Array]:
        there = self.base.table.column_names
        return {name: pa.concat_arrays(self.base.table[name].chunks) for name in SHOWN if name in there}

    @cached_property
    def _masks(self) -> dict[Filter, NDArray[np.bool_]]:
        """Filters repeat from request to request."""
        return {}

    @cached_property
    def _seen(self) -> dict[int, dict[str, Any]]:
        """Answers' texts, by index: the same few products are shown again and again."""
        return {}

    def _of_base(self, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows of the base, of those that it has."""
        places = {item_id: place for item_id in item_ids if 0 < (place := self.index.get(item_id, 0)) <= len(self.base)}
        rows = self.base.table.take(pa.array([place - 1 for place in places.values()], pa.int64())).to_pylist()
        return dict(zip(places, rows, strict=True))


def _numbered(texts: Sequence[str]) -> Codes:
    number = {"": 0}
    return np.array([number.setdefault(text, len(number)) for text in texts], np.int32)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the canonical table has them: lists joined, numbers as numbers, everything else as text."""
    return {
        name: value if value is None or _type(name) == pa.float64()
        else SEPARATOR.join(str(each).replace(SEPARATOR, "/") for each in value) if isinstance(value, list | tuple)
        else str(value)
        for name, value in row.items()
    }  # fmt: skip


def _cell(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name)
    return value if value is None or name in NUMBERS else str(value)


def _type(name: str) -> pa.DataType:
    return pa.float64() if name in NUMBERS else pa.string()
