"""Google Analytics 4, exported from BigQuery as JSON Lines: `events_YYYYMMDD` tables, one file or a folder of days.

Late events change the tables of the last three days, so exports overlap: an event that is there twice counts once.
"""

from endcap.data.backend import Backend
from endcap.data.sources import parquet
from endcap.data.sources.jsonl import is_jsonl
from endcap.data.sources.nested import Nested, read_nested
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Mapped, Tables

EVENTS = Nested(
    format="ga4",
    event="event_name",
    kinds={
        "view_item": "view", "add_to_cart": "cart", "purchase": "purchase", "remove_from_cart": "remove",
        "select_item": "click", "view_item_list": "impression",
    },
    users=("user_id", "user_pseudo_id"),
    time="event_timestamp",
    items="items",
    item={"item_id": ("item_id",), "price": ("price",), "quantity": ("quantity",)},
    about={
        "title": ("item_name",), "brand": ("item_brand",), "price": ("price",),
        "category": ("item_category", "item_category2", "item_category3", "item_category4", "item_category5"),
    },
)  # fmt: skip


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """E-commerce events with their items, and a catalogue of what those items were last called."""
    return read_nested(EVENTS, backend, source, given)


def _recognises(source: Source) -> bool:
    marks = {"event_name", "event_timestamp"}
    if source.is_parquet:
        return len({file.suffix for file in source.files}) == 1 and {*marks, "items"} <= {*parquet.names(source)}
    return is_jsonl(source) and marks <= set(source.keys)


FORMAT: Format[Tables] = Format(
    "ga4", "JSON Lines or Parquet with event_name, event_timestamp, items", _recognises, read
)
