"""Folding a shop's export, a row per variant or photo, into a catalogue with a row per product.

Of a product's rows the one that describes the product itself comes first, then the file's order. Words are the first
row's that has them; lists (colours, sizes, photos) are joined; the price is the lowest and `price_max` the highest.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.schema import EXTRA_COLUMNS, ITEM_COLUMNS, LISTS, SEPARATOR
from endcap.data.sources.duck import frame, local, store
from endcap.data.sources.markup import plain_text
from endcap.data.sources.money import Price, Problem, in_one_currency, problem_table
from endcap.data.sources.plain import others
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Items

OPTIONS = {
    "colour": "color colour farbe couleur colore cor kleur 颜色 顏色",
    "size": "size größe grösse taille talla taglia maat tamanho 尺码 尺寸",
    "material": "material fabric materiau matériau stoff 材质 材料",
}
"""What shops call the options that have columns of their own."""

_OPTION = {word: column for column, words in OPTIONS.items() for word in words.split()}

Values = Mapping[str, str | Sequence[str] | None]
"""Column -> text, or several texts for one of LISTS."""


@dataclass(frozen=True)
class Record:
    """One row of an export: a product, one of its variants, or another photo of either."""

    row: int
    product: str | None  # the item_id it belongs to
    names: tuple[str | None, ...]  # its own id and SKU: what an event may call it
    values: Values
    main: bool = False  # describes the product itself


@dataclass(frozen=True)
class Export:
    """What was read, before it is folded."""

    format: str
    records: Sequence[Record]
    columns: dict[str, str]  # canonical -> the source's name, for people
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    other_names: Mapping[str, str] = field(default_factory=dict)  # names without a record of their own -> product


def option_column(name: str) -> str | None:
    """Which of the columns an option such as `Farbe` is, if any."""
    return _OPTION.get(name.strip().lower())


def joined(values: Iterable[str | None], column: str) -> str | None:
    """Several values as one text, each once; None where there are none."""
    mark = "%7C" if column == "image" else "/"
    kept = dict.fromkeys(value.strip().replace(SEPARATOR, mark) for value in values if value and value.strip())
    return SEPARATOR.join(kept) or None


def fold(backend: Backend, source: Source, export: Export) -> Items:
    """The catalogue of an export; raises InputError where it names no product."""
    problems = list(export.problems)
    records = _identified(export.records, problems)
    if not records:
        raise InputError(f"{source.path} has no products; expected one row per product or variant ({export.format})")
    prices, currency, wrong = in_one_currency(
        [Price(record.row, str(price), _text(record.values.get("currency")))
         for record in records if (price := record.values.get("price"))]
    )  # fmt: skip
    problems += wrong
    products: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        products[record.product or ""].append(record)
    aliases = _aliases(records, export.other_names, products.keys(), problems)
    rows = [_product(own, prices) | {"currency": currency} for own in products.values()]
    table, kept = _table(rows)
    notes = [*export.notes, f"{len(export.records):,} rows are {len(rows):,} products"]
    notes += [f"{len(aliases):,} ids and SKUs of variants stand for their product"] * bool(aliases)
    notes += [f"prices are in {currency}"] * bool(currency)
    notes += [f"kept under their own names: {', '.join(kept)}"] * bool(kept)
    connection = local(backend, source, export.format)
    alias_table = pa.table({"alias": [*aliases], "item_id": [*aliases.values()]}, _ALIASES)
    return Items(
        export.format,
        frame(backend, store(connection, table)),
        {column: name for column, name in export.columns.items() if column in table.column_names and name},
        frame(backend, store(connection, problem_table(problems))) if problems else None,
        notes,
        frame(backend, store(connection, alias_table)) if aliases else None,
    )


_ALIASES = pa.schema([("alias", pa.string()), ("item_id", pa.string())])


def _identified(records: Sequence[Record], problems: list[Problem]) -> list[Record]:
    """Records with a product, each variant once: a repeated one is reported, with its price if that differs."""
    kept, seen = [], dict[tuple[str, str], Record]()
    for record in records:
        if not record.product or not record.product.strip():
            problems.append((record.row, "item_id", "", "no item_id; row left out"))
            continue
        keys = [(record.product, name) for name in record.names if name]
        if before := next((seen[key] for key in keys if key in seen), None):
            price, first = record.values.get("price"), before.values.get("price")
            other = f" with another price ({first})" if price and first and price != first else ""
            name = next(key[1] for key in keys if key in seen)
            value = f"{name}: {price}" if other else name
            problems.append((record.row, "item_id", value, f"was in row {before.row} before{other}; row left out"))
            continue
        kept.append(record)
        seen.update(dict.fromkeys(keys, record))
    return kept


def _aliases(
    records: Sequence[Record], more: Mapping[str, str], products: Iterable[str], problems: list[Problem]
) -> dict[str, str]:
    """Name -> product where it is one product's alone; the others are problems, because events would go astray."""
    ids = set(products)
    owners: dict[str, Record] = {}
    ambiguous = set()
    for record in records:
        for name in dict.fromkeys(record.names):
            if not name or name == record.product:
                continue
            if name in ids:
                fault = f"a variant of {record.product}, but the id of another product; events with it are that one's"
                problems.append((record.row, "item_id", name, fault))
            elif (first := owners.setdefault(name, record)).product != record.product:
                ambiguous.add(name)
                price, before = record.values.get("price"), first.values.get("price")
                prices = f" at another price ({price}, not {before})" if price and before and price != before else ""
                fault = (
                    f"in the products {first.product} (row {first.row}) and {record.product}{prices}; "
                    "events with it are not resolved"
                )
                problems.append((record.row, "item_id", name, fault))
    found = {name: record.product or "" for name, record in owners.items() if name not in ambiguous}
    added = {
        name: product for name, product in more.items() if name not in owners and name not in ids and product in ids
    }
    return found | added


def _product(records: Sequence[Record], prices: Mapping[int, float]) -> dict[str, object]:
    ordered = sorted(records, key=lambda record: not record.main)
    variants = [record for record in records if not record.main] or records
    result: dict[str, object] = {"row": min(record.row for record in records), "item_id": records[0].product}
    for column in dict.fromkeys(name for record in ordered for name in record.values):
        if column not in ("item_id", "price", "price_max", "currency", "stock"):
            values = [value for record in ordered if (value := record.values.get(column))]
            result[column] = _merged(column, values)
    amounts = [prices[record.row] for record in variants if record.row in prices]
    amounts = amounts or [prices[record.row] for record in records if record.row in prices]
    if amounts:
        result |= {"price": min(amounts), "price_max": max(amounts)}
    stocks = [str(stock) for record in variants if (stock := record.values.get("stock")) not in (None, "")]
    stocks = stocks or [str(stock) for record in records if (stock := record.values.get("stock")) not in (None, "")]
    return result | {"stock": _stock(stocks)}


def _merged(column: str, values: Sequence[str | Sequence[str]]) -> str | None:
    if column in LISTS:
        return joined((each for value in values for each in ([value] if isinstance(value, str) else value)), column)
    first = next((text for value in values if (text := _text(value))), None)
    return plain_text(first) or None if first and column in ("title", "description") else first


def _text(value: str | Sequence[str] | None) -> str | None:
    return (value if value is None or isinstance(value, str) else SEPARATOR.join(value)) or None


def _stock(stocks: Sequence[str]) -> str | None:
    """The pieces together; where some variants have words, the first word of one that can be bought."""
    if len(stocks) < 2:
        return next(iter(stocks), None)
    try:
        total = sum(max(0.0, float(stock)) for stock in stocks)  # oversold variants take nothing from the others
    except ValueError:
        return next((stock for stock in stocks if in_stock(stock)), stocks[0])
    return f"{total:g}" if total < 1e6 else f"{total:.0f}"


def in_stock(stock: str) -> bool:
    """Whether a number of pieces or a shop's word means that it can be bought now."""
    word = "".join(letter for letter in stock.lower() if letter.isalnum())
    return word in ("instock", "true", "yes", "available") or (word.isdigit() and int(word) > 0 and "-" not in stock)


def _table(rows: Sequence[Mapping[str, object]]) -> tuple[pa.Table, list[str]]:
    """The table without columns in which nothing is known, and the names of those that are the source's own."""
    filled = dict.fromkeys(name for row in rows for name, value in row.items() if value is not None)
    canonical = [name for name in ("row", *ITEM_COLUMNS, *EXTRA_COLUMNS) if name in filled]
    own = others(filled, canonical)
    kinds = {"row": pa.int64(), "price": pa.float64(), "price_max": pa.float64()}
    columns = {name: (name, kinds.get(name, pa.string())) for name in canonical}
    columns |= {name: (original, pa.string()) for name, original in own.items()}
    arrays = {name: pa.array([row.get(original) for row in rows], kind) for name, (original, kind) in columns.items()}
    return pa.table(arrays), list(own)
