"""CSV and its kin: text with a header, delimited by comma, tab, semicolon or bar."""

from collections.abc import Sequence
from functools import partial

import duckdb

from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.sources import spark
from endcap.data.sources.duck import Scan, scan_delimited
from endcap.data.sources.plain import Plain, read_events, read_items, unique
from endcap.data.sources.source import Source, fields, head
from endcap.data.sources.tables import Format, Items, Tables


def header(source: Source) -> list[str]:
    """The column names; raises InputError where the files of a folder differ in them."""
    for file in source.files[1:]:
        if fields(head(file), source.delimiter) != source.header:
            raise InputError(
                f"{source.path}: {file.name} has another header than {source.files[0].name}; "
                "give one file, or a folder of parts with the same columns"
            )
    return unique(source.header, source)


def looks_delimited(source: Source) -> bool:
    """Whether the first line has several fields."""
    return same_suffix(source) and len(source.header) > 1


def same_suffix(source: Source) -> bool:
    """Whether a folder's files are parts of one table, by their names."""
    return len({"".join(file.suffixes[-2:]) for file in source.files}) == 1


def _local(connection: duckdb.DuckDBPyConnection, source: Source, used: Sequence[str]) -> Scan:
    return scan_delimited(connection, source.files, header(source), used, delimiter=source.delimiter)


def _spark(backend: Backend, source: Source, used: Sequence[str]) -> tuple[DataFrame, DataFrame | None]:
    return spark.delimited(backend, source, header(source), used)


def _is_tsv(source: Source) -> bool:
    return looks_delimited(source) and source.delimiter == "\t"


CSV_READER, TSV_READER = (Plain(name, header, _local, _spark) for name in ("csv", "tsv"))
_CSV_LOOK = "text with a header line, delimited by , ; tab or |"
_TSV_LOOK = "text with a header line, delimited by tabs"

CSV: Format[Tables] = Format("csv", _CSV_LOOK, looks_delimited, partial(read_events, CSV_READER))
TSV: Format[Tables] = Format("tsv", _TSV_LOOK, _is_tsv, partial(read_events, TSV_READER))
CSV_CATALOGUE: Format[Items] = Format("csv", _CSV_LOOK, looks_delimited, partial(read_items, CSV_READER))
TSV_CATALOGUE: Format[Items] = Format("tsv", _TSV_LOOK, _is_tsv, partial(read_items, TSV_READER))
