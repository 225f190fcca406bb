"""CSV and its kin: text with a header, delimited by comma, tab, semicolon or bar."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import duckdb

from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.sources import spark
from endcap.data.sources.duck import Scan, joined, scan_delimited
from endcap.data.sources.plain import Plain, read_events, read_items, unique
from endcap.data.sources.source import Source, fields
from endcap.data.sources.tables import Format, Items, Tables

_VALUE = re.compile(r"[-+]?\d+([.,]\d+)?|\d{4}-\d\d-\d\d([T ][\d:.]+.*)?|[A-Za-z]*\d[\w.:+-]*")
"""What no column is called: a number, a date, an id with a digit."""


def header(source: Source) -> list[str]:
    """The column names of all files; raises InputError where one of a folder has others, or where there are none."""
    names = unique(_checked(source), source)
    for part in _parts(source)[1:]:
        if sorted(part.header) != sorted(source.header):
            raise InputError(
                f"{source.path}: {part.path.name} has other columns than {source.files[0].name}; give one file, a"
                " folder of parts with the same columns, or a TOML that has a [[data.logs]] for each"
            )
    return names


def _parts(source: Source) -> list[Source]:
    """Each file as a source of its own."""
    return [replace(source, path=file, files=(file,)) for file in source.files]


def _checked(source: Source) -> list[str]:
    names = source.header
    given = source.log.header
    first = fields(source.head.split("\n", source.preamble)[-1], source.delimiter)
    if given and len(given) != len(first):
        raise InputError(f"--header names {len(given)} columns, but {source.path} has {len(first)}")
    if not given and len(names) > 1 and all(_VALUE.fullmatch(name.strip()) for name in names):
        raise InputError(
            f"the first line of {source.path}, {', '.join(names[:6])}, looks like data, so it has no header; name its"
            " columns in their order with --header user_id,item_id,…"
        )
    return names


def looks_delimited(source: Source) -> bool:
    """Whether the first line has several fields."""
    return same_suffix(source) and len(source.header) > 1


def same_suffix(source: Source) -> bool:
    """Whether a folder's files are parts of one table, by their names."""
    return len({"".join(file.suffixes[-2:]) for file in source.files}) == 1


def _local(connection: duckdb.DuckDBPyConnection, source: Source, used: Sequence[str]) -> Scan:
    header(source)
    scans = [
        scan_delimited(
            connection, part.files, unique(part.header, part), used,
            delimiter=part.delimiter, preamble=part.preamble, header=not part.log.header,
        )
        for part in _parts(source)
    ]  # fmt: skip
    return joined(connection, scans, used)


def _spark(backend: Backend, source: Source, used: Sequence[str]) -> tuple[DataFrame, DataFrame | None]:
    names = header(source)
    if source.preamble or any(part.header != source.header for part in _parts(source)):
        raise InputError(f"{source.path}: Spark reads files that begin with the same header; use the local backend")
    return spark.delimited(backend, source, names, used)


def _is_tsv(source: Source) -> bool:
    return looks_delimited(source) and source.delimiter == "\t"


CSV_READER, TSV_READER = (Plain(name, header, _local, _spark) for name in ("csv", "tsv"))
_CSV_LOOK = "text with a header line, delimited by , ; tab or |"
_TSV_LOOK = "text with a header line, delimited by tabs"

CSV: Format[Tables] = Format("csv", _CSV_LOOK, looks_delimited, partial(read_events, CSV_READER))
TSV: Format[Tables] = Format("tsv", _TSV_LOOK, _is_tsv, partial(read_events, TSV_READER))
CSV_CATALOGUE: Format[Items] = Format("csv", _CSV_LOOK, looks_delimited, partial(read_items, CSV_READER))
TSV_CATALOGUE: Format[Items] = Format("tsv", _TSV_LOOK, _is_tsv, partial(read_items, TSV_READER))
