"""One file per format; a new one is named here, the more particular ones first."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources import (
    attributes,
    completejourney,
    delimited,
    diginetica,
    folders,
    ga4,
    google_retail,
    hm,
    jsonl,
    magento,
    merchant,
    parquet,
    personalize,
    recbole,
    retailrocket,
    sequences,
    shopify,
    simulated,
    woocommerce,
)
from endcap.data.sources.log import AS_IT_IS, Log
from endcap.data.sources.recognise import choose, split_columns, with_items
from endcap.data.sources.tables import Format, Items, Tables
from endcap.data.sources.values import understood

FORMATS: tuple[Format[Tables], ...] = (
    completejourney.FORMAT,
    diginetica.FORMAT,
    retailrocket.FORMAT,
    recbole.FORMAT,
    ga4.FORMAT,
    google_retail.FORMAT,
    personalize.FORMAT,
    hm.FORMAT,
    parquet.FORMAT,
    jsonl.FORMAT,
    delimited.TSV,
    delimited.CSV,
    sequences.FORMAT,
)
PLAIN = ("csv", "tsv", "parquet", "jsonl", "recbole", "personalize")
"""Formats whose rows are events, and whose columns can be named."""

CATALOGUES: tuple[Format[Items], ...] = (
    folders.CATALOGUE,
    shopify.CATALOGUE,
    woocommerce.CATALOGUE,
    magento.CATALOGUE,
    hm.CATALOGUE,
    attributes.CATALOGUE,
    recbole.CATALOGUE,
    google_retail.CATALOGUE,
    personalize.CATALOGUE,
    merchant.CATALOGUE,
    parquet.CATALOGUE,
    jsonl.CATALOGUE,
    delimited.TSV_CATALOGUE,
    delimited.CSV_CATALOGUE,
)


def read(
    backend: Backend,
    path: Path,
    *,
    format: str | None = None,  # noqa: A002
    columns: Mapping[str, str] | None = None,
    items: Path | None = None,
    log: Log = AS_IT_IS,
) -> Tables:
    """The raw tables at a path, `columns` naming what is not guessed right; raises InputError where it is unusable."""
    of_events, of_items = split_columns(columns or {})
    if str(path) == simulated.NAME and not path.exists():
        if items is None:
            raise InputError(
                "found simulated events without a catalogue; give --items PATH, or [data] items in the TOML"
            )
        catalogue = read_items(backend, items, columns=of_items)
        return with_items(simulated.read(backend, catalogue), catalogue)
    form, source = choose(FORMATS, path, format, log)
    if not (log.is_plain or form.name in PLAIN):
        raise InputError(
            f"{path} is {form.name}, whose columns are fixed: --where, --carry and --header are for"
            f" {', '.join(PLAIN)}; name one of these with --format"
        )
    tables = form.read(backend, source, of_events)
    if log.kind:
        tables = replace(tables, events=tables.events.withColumn("kind", backend.F.lit(log.kind)))
    tables = understood(backend, tables, log)
    if of_items and not items:
        items = recbole.beside(source) if form is recbole.FORMAT else None
        if items is None:
            said = ", ".join(f"--map items.{name}={value}" for name, value in of_items.items())
            why = "the catalogue's columns are fixed" if tables.items is not None else "there is no catalogue"
            raise InputError(f"{said}: {why}; name one with --items")
    return with_items(tables, read_items(backend, items, columns=of_items)) if items else tables


def read_items(
    backend: Backend,
    path: Path,
    *,
    format: str | None = None,  # noqa: A002
    columns: Mapping[str, str] | None = None,
) -> Items:
    """The raw catalogue at a path, alone."""
    if format in (None, folders.CATALOGUE.name) and (nested := folders.nested(path)):
        return folders.CATALOGUE.read(backend, nested, columns or {})
    form, source = choose(CATALOGUES, path, format)
    return form.read(backend, source, columns or {})
