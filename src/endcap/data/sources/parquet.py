"""Parquet: one file, or a folder of parts."""

from collections.abc import Sequence
from functools import partial

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.sources import spark
from endcap.data.sources.duck import Scan, scan_parquet
from endcap.data.sources.plain import Plain, read_events, read_items, unique
from endcap.data.sources.source import Source
from endcap.data.sources.tables import Format, Items, Tables


def names(source: Source) -> list[str]:
    """The columns of the first file; raises InputError where it is no whole Parquet file."""
    try:
        return unique(pq.read_schema(source.files[0]).names, source)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{source.files[0]} is not a whole Parquet file ({str(error).splitlines()[0]}); copy or write it again"
        ) from None


def _local(connection: duckdb.DuckDBPyConnection, source: Source, used: Sequence[str]) -> Scan:
    return scan_parquet(connection, source.files, used)


def _spark(backend: Backend, source: Source, used: Sequence[str]) -> tuple[DataFrame, DataFrame | None]:
    return spark.parquet(backend, source, used)


def _recognises(source: Source) -> bool:
    return source.is_parquet and len({file.suffix for file in source.files}) == 1


READER = Plain("parquet", names, _local, _spark)
FORMAT: Format[Tables] = Format("parquet", "Parquet files", _recognises, partial(read_events, READER))
CATALOGUE: Format[Items] = Format("parquet", "Parquet files", _recognises, partial(read_items, READER))
