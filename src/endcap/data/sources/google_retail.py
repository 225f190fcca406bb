"""Google Retail: user events and products as JSON Lines, in the API's own camelCase.

An event has several `productDetails`, each of which is a row here.
"""

import json
from typing import Any

from endcap.data.backend import Backend
from endcap.data.sources.duck import local, readable
from endcap.data.sources.jsonl import is_jsonl, scan_objects
from endcap.data.sources.nested import Nested, read_nested, refuse_mapping
from endcap.data.sources.products import Export, Record, Values, fold
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
    "item_id": "primaryProductId or id", "title": "title", "category": "categories", "categories": "categories",
    "brand": "brands", "price": "priceInfo.price", "price_max": "priceInfo.price", "currency": "priceInfo.currencyCode",
    "rating": "rating.averageRating", "rating_count": "rating.ratingCount",
    "stock": "availableQuantity or availability", "description": "description", "image": "images.uri",
    "colour": "colorInfo.colors", "size": "sizes", "material": "materials", "gender": "audience.genders",
    "tags": "tags", "attributes": "attributes", "created": "publishTime",
}  # fmt: skip
_USED = {name.split(".")[0] for names in PRODUCT.values() for name in names.split(" or ")}


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """Views, carts, removals, purchases and what was shown in lists; other events are counted in the notes."""
    return read_nested(EVENTS, backend, source, given)


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Products; a VARIANT is part of its primary product. What has no meaning here keeps its name, as JSON."""
    refuse_mapping(given, source, "google-retail")
    connection = local(backend, source, "google-retail")
    with readable(source, "google-retail"):
        lines = scan_objects(connection, source)
        found = connection.execute(f"SELECT row, line FROM {lines.name} ORDER BY row").fetchall()
        broken = connection.execute(f"FROM {lines.problems}").fetchall() if lines.problems else []
    records = [_record(row, json.loads(line)) for row, line in found]
    return fold(backend, source, Export("google-retail", records, dict(PRODUCT), broken))


def _record(row: int, product: dict[str, Any]) -> Record:
    own = _text(product.get("id"))
    primary = _text(product.get("primaryProductId")) if product.get("type") == "VARIANT" else None
    categories = _texts(product.get("categories"))
    attributes = product.get("attributes")
    values: Values = {
        **{name: _text(value) for name, value in product.items() if name not in _USED},
        "title": _text(product.get("title")), "description": _text(product.get("description")),
        "categories": categories, "category": max(categories, key=lambda each: each.count(">"), default=None),
        "brand": next(iter(_texts(product.get("brands"))), None),
        "price": _text(_inner(product, "priceInfo", "price")),
        "currency": _text(_inner(product, "priceInfo", "currencyCode")),
        "rating": _text(_inner(product, "rating", "averageRating")),
        "rating_count": _text(_inner(product, "rating", "ratingCount")),
        "stock": _text(product.get("availableQuantity")) or _text(product.get("availability")),
        "image": [uri for image in _list(product.get("images")) if (uri := _text(_inner(image, "uri")))],
        "colour": _texts(_inner(product, "colorInfo", "colors")), "size": _texts(product.get("sizes")),
        "material": _texts(product.get("materials")), "tags": _texts(product.get("tags")),
        "gender": ", ".join(_texts(_inner(product, "audience", "genders"))) or None,
        "attributes": [
            f"{name}={each}"
            for name, value in (attributes.items() if isinstance(attributes, dict) else ())
            for kind in ("text", "numbers")
            for each in _texts(_inner(value, kind))
        ],
        "created": _text(product.get("publishTime")),
    }  # fmt: skip
    return Record(row, primary or own, (own,), values, main=not primary)


def _inner(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> list[str]:
    return [text for each in _list(value) if (text := _text(each))]


def _text(value: Any) -> str | None:
    """A JSON value as text; objects and lists stay JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _has_events(source: Source) -> bool:
    return is_jsonl(source) and {"eventType", "visitorId"} <= set(source.keys)


def _has_products(source: Source) -> bool:
    marks = {"priceInfo", "categories", "primaryProductId", "availability", "brands"}
    return is_jsonl(source) and {"id", "title"} <= set(source.keys) and bool(marks & set(source.keys))


FORMAT: Format[Tables] = Format("google-retail", "JSON Lines with eventType and visitorId", _has_events, read)
CATALOGUE: Format[Items] = Format(
    "google-retail", "JSON Lines with id, title, priceInfo …", _has_products, read_catalogue
)
