"""Google Retail: user events and products as JSON Lines, in the API's own camelCase.

An event has several `productDetails`, each of which is a row here.
"""

from endcap.data.backend import Backend
from endcap.data.sources.duck import frame, literal, literal_name, local, readable, view
from endcap.data.sources.jsonl import is_jsonl, pointer, scan_objects
from endcap.data.sources.nested import Nested, read_nested, refuse_mapping
from endcap.data.sources.plain import others
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped, Tables

EVENTS = Nested(
    format="google-retail",
    event="eventType",
    kinds={
        "detail-page-view": "view", "add-to-cart": "cart", "purchase-complete": "purchase",
        "remove-from-cart": "remove", "category-page-view": "impression", "search": "impression",
    },
    users=("userInfo/userId", "visitorId"),
    time="eventTime",
    items="productDetails",
    item={"item_id": ("product/id",), "price": ("product/priceInfo/price",), "quantity": ("quantity",)},
)  # fmt: skip
PRODUCT = {
    "item_id": ("/id",), "title": ("/title",), "category": ("/categories/0",), "brand": ("/brands/0",),
    "price": ("/priceInfo/price",), "rating": ("/rating/averageRating",), "rating_count": ("/rating/ratingCount",),
    "stock": ("/availableQuantity", "/availability"), "description": ("/description",), "image": ("/images/0/uri",),
}  # fmt: skip


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """Views, carts, removals, purchases and what was shown in lists; other events are counted in the notes."""
    return read_nested(EVENTS, backend, source, given)


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Products; of several categories or images the first is taken, what is left keeps its name."""
    refuse_mapping(given, source, "google-retail")
    connection = local(backend, source, "google-retail")
    with readable(source, "google-retail"):
        products = scan_objects(connection, source)
    used = {path.split("/")[1] for paths in PRODUCT.values() for path in paths}
    columns = {column: _first(paths) for column, paths in PRODUCT.items()}
    columns |= {column: f"line ->> {pointer(key)}" for column, key in others(source.keys, used).items()}
    selected = ", ".join(f"{expression} AS {literal_name(column)}" for column, expression in columns.items())
    frame_name = view(connection, f"SELECT row, {selected} FROM {products.name}")
    problems = frame(backend, products.problems) if products.problems else None
    named = {column: paths[0][1:].replace("/", ".") for column, paths in PRODUCT.items()}
    notes = [f"read {products.records:,} products from {source.path.name}"]
    return Items("google-retail", frame(backend, frame_name), named, problems, notes)


def _first(paths: tuple[str, ...]) -> str:
    places = ", ".join(f"line ->> {literal(path)}" for path in paths)
    return f"coalesce({places})"


def _has_events(source: Source) -> bool:
    return is_jsonl(source) and {"eventType", "visitorId"} <= set(source.keys)


def _has_products(source: Source) -> bool:
    marks = {"priceInfo", "categories", "primaryProductId", "availability", "brands"}
    return is_jsonl(source) and {"id", "title"} <= set(source.keys) and bool(marks & set(source.keys))


FORMAT: Format[Tables] = Format("google-retail", "JSON Lines with eventType and visitorId", _has_events, read)
CATALOGUE: Format[Items] = Format(
    "google-retail", "JSON Lines with id, title, priceInfo …", _has_products, read_catalogue
)
