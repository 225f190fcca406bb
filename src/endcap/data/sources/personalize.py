"""Amazon Personalize CSV: interactions USER_ID, ITEM_ID, TIMESTAMP (seconds), EVENT_TYPE; items ITEM_ID …"""

from dataclasses import replace

from endcap.data.backend import Backend
from endcap.data.sources import delimited
from endcap.data.sources.plain import read_events, read_items
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped, Tables

EVENTS = {"user_id": "USER_ID", "item_id": "ITEM_ID", "kind": "EVENT_TYPE", "time": "TIMESTAMP"}
ITEMS = {
    "item_id": "ITEM_ID", "title": "TITLE", "category": "CATEGORY_L1", "brand": "BRAND", "price": "PRICE",
    "description": "PRODUCT_DESCRIPTION", "gender": "GENDER", "created": "CREATION_TIMESTAMP",
}  # fmt: skip


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """EVENT_VALUE has no fixed meaning, so it is read only where it is mapped."""
    tables = read_events(delimited.CSV_READER, backend, source, _mapped(EVENTS, source, given))
    unread = {"EVENT_VALUE", "IMPRESSION"} & set(source.header) - set(tables.columns.values())
    hints = {
        "EVENT_VALUE": "EVENT_VALUE is not read; --map rating=EVENT_VALUE or --map price=EVENT_VALUE says what it is",
        "IMPRESSION": "IMPRESSION is not read",
    }
    return replace(tables, format="personalize", notes=tables.notes + [hints[name] for name in sorted(unread)])


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """The items; CATEGORY_L2 and the rest stay columns of their own."""
    items = read_items(delimited.CSV_READER, backend, source, _mapped(ITEMS, source, given))
    return replace(items, format="personalize")


def _mapped(usual: Mapped, source: Source, given: Mapped) -> dict[str, str]:
    return {column: name for column, name in usual.items() if name in source.header} | dict(given)


def _has_interactions(source: Source) -> bool:
    return delimited.looks_delimited(source) and {"USER_ID", "ITEM_ID"} <= set(source.header)


def _has_items(source: Source) -> bool:
    return delimited.looks_delimited(source) and "ITEM_ID" in source.header


FORMAT: Format[Tables] = Format("personalize", "CSV with USER_ID, ITEM_ID, TIMESTAMP", _has_interactions, read)
CATALOGUE: Format[Items] = Format("personalize", "CSV with ITEM_ID", _has_items, read_catalogue)
