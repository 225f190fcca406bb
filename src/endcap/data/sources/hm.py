"""H&M: transactions.csv; as a catalogue articles.csv, the sample's items_in_transactions.csv, or a folder of both.

An item is an article, one colour of a product; `product_code` is what its colours share.
"""

from dataclasses import replace
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.sources import delimited
from endcap.data.sources.export import Row, has_columns, kept, named, read_rows, unread
from endcap.data.sources.money import Problem
from endcap.data.sources.products import Export, Record, fold
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Mapped, Tables

COLUMNS = {
    "item_id": ("article_id",), "title": ("prod_name",), "description": ("detail_desc",),
    "colour": ("colour_group_name",), "product_code": ("product_code",),
}  # fmt: skip
EVENTS = {"user_id": "customer_id", "item_id": "article_id", "time": "t_dat", "price": "price"}
CATEGORY = ("product_group_name", "product_type_name")


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """Every row is a purchase, of one article on one day; the price is H&M's own, scaled."""
    tables = delimited.CSV.read(backend, source, {**EVENTS, **given})
    events = tables.events.withColumn("kind", backend.F.lit("purchase"))
    return replace(tables, format="hm", events=backend.view(events))


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """Ids keep their leading zeros. An article in both files has the values of both, articles.csv's first."""
    problems: list[Problem] = []
    notes, before = [], 0
    columns: dict[str, str] = {}
    articles: dict[str, Record] = {}
    repeated: list[Record] = []
    files = [file for file in source.files if _is_articles(file)]
    for file in files:
        table = read_rows(backend, source, file, "hm", before=before)
        notes.append(f"read {len(table.rows):,} articles from {file.name}")
        problems += table.problems
        found = named(COLUMNS, table.header, given, file)
        columns = found | columns
        for row, values in table.rows:
            levels = [level for name in CATEGORY if (level := values.get(name))]
            own: dict[str, str | None] = {
                **kept(values, table.header, found.values()),
                **{column: values[name] for column, name in found.items()},
                "category": " > ".join(levels) or None,
            }
            own |= {"title": own["title"] or _title(values)}
            article = values[found["item_id"]]
            record = Record(row, article, (article,), own)
            earlier = articles.get(article or "")
            if article and earlier and earlier.row <= before:  # of an earlier file
                filled = {name: value for name, value in earlier.values.items() if value}
                articles[article] = Record(earlier.row, article, (article,), {**own, **filled})
            elif article and not earlier:
                articles[article] = record
            else:
                repeated.append(record)
        before += len(table.rows) + len(table.problems)
    notes += unread(source, files)
    told = columns | {"category": " > ".join(CATEGORY)}
    return fold(backend, source, Export("hm", [*articles.values(), *repeated], told, problems, notes))


def _title(values: Row) -> str | None:
    """What an article without a name is called: `Trousers, beige`."""
    kind, colour = values.get("product_type_name"), values.get("colour_group_name")
    return f"{kind}, {colour.lower()}" if kind and colour else kind


def _is_articles(file: Path) -> bool:
    is_csv = file.name.lower().endswith((".csv", ".csv.gz"))
    return is_csv and has_columns(file, ("article_id", "product_code", "prod_name", "product_type_name"))


def _recognises(source: Source) -> bool:
    return any(map(_is_articles, source.files))


def _is_log(source: Source) -> bool:
    return not source.path.is_dir() and {"t_dat", "customer_id", "article_id"} <= set(source.header)


FORMAT: Format[Tables] = Format("hm", "CSV with t_dat, customer_id, article_id, price", _is_log, read)
CATALOGUE: Format[Items] = Format(
    "hm", "CSV with article_id, product_code, prod_name, product_type_name …", _recognises, read_catalogue
)
