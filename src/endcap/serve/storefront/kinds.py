"""Products that are one for people (features/groups.py): one card in a listing, and the others beside a product."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from endcap.data.schema import SEPARATOR
from endcap.data.vocabulary import Ints
from endcap.engine.shelf import Shelf
from endcap.features.groups import one_each
from endcap.serve.storefront.catalogue import CODES, TOLD, Product, product, readable
from endcap.serve.storefront.variants import COLUMNS, LONGEST

MOST = 24
"""Kinds that a product's page shows."""
TELLING = (*COLUMNS, "package_size", "material", "pattern", "product_type")
"""Columns by which people tell kinds apart, before any other."""


@dataclass(frozen=True)
class Kind:
    """A product beside others that are one with it."""

    product: Product
    label: str  # by what it differs; its id where it differs in nothing else; empty: by its price
    colour: str | None  # its colour, where that is what it differs by
    is_this: bool


def one_card_each(shelf: Shelf, items: Ints) -> Ints:
    """Of some products, in their order, the first of each group."""
    return one_each(items, shelf.groups) if shelf.has_groups else items


def as_cards(shelf: Shelf, items: Iterable[int]) -> list[Product]:
    """Products as cards: with how many kinds there are, and the price of the cheapest."""
    found = []
    for item in items:
        shown, members = product(shelf, int(item)), shelf.members(int(item))
        prices = shelf.whole.prices[members]
        known = prices[np.isfinite(prices)]
        if len(members) > 1:
            cheapest = float(known.min()) if len(known) else None
            is_from = len(known) > 0 and known.min() < known.max()
            shown = replace(shown, kinds=len(members), price=cheapest, is_from=is_from)
        found.append(shown)
    return found


def kinds(shelf: Shelf, item: int) -> list[Kind]:
    """The products that are one with this one, itself among them; none where it is alone."""
    members = shelf.members(item)
    if len(members) < 2:
        return []
    near = members[np.argsort(members != item, kind="stable")][:MOST]  # whatever is cut, the product itself is there
    rows = {int(each): shelf.row(shelf.ids[each - 1]) for each in np.sort(near)}
    column = _differing([*rows.values()])
    by_price = column is None and len({row.get("price") for row in rows.values()} - {None}) == len(rows)
    found = []
    for each, row in rows.items():
        text = readable(str(row[column]).replace(SEPARATOR, ", ")) if column and row.get(column) else None
        colour = text if column == "colour" else None
        found.append(
            Kind(product(shelf, each), text or ("" if by_price else shelf.ids[each - 1]), colour, each == item)
        )
    return found


def _differing(rows: list[dict[str, object]]) -> str | None:
    """The column in which most of some products differ, of the telling ones the first in which half of them do."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row)
             if name not in TOLD and not name.endswith(CODES)]  # fmt: skip
    values = {name: {str(row[name]) for row in rows if row.get(name)} for name in names}
    different = {name: len(own) for name, own in values.items() if all(len(each) <= LONGEST for each in own)}
    for name in TELLING:
        if different.get(name, 0) * 2 > len(rows):
            return name
    best = max(different, key=lambda name: different[name], default=None)
    return best if best is not None and different[best] == len(rows) else None
