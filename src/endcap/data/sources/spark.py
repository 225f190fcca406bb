"""The plain formats on Spark. `row` keeps the file's order but is consecutive only within one partition of it.

Quoted line ends inside CSV fields are not read, or Spark could not cut a large file into parts: such records are
problems.
"""

from collections.abc import Sequence

from endcap.data.backend import Backend, DataFrame
from endcap.data.sources.source import Source

BROKEN = "endcap_broken_record"


def delimited(
    backend: Backend, source: Source, names: Sequence[str], used: Sequence[str]
) -> tuple[DataFrame, DataFrame | None]:
    """Delimited text as strings, and its broken records."""
    schema = ", ".join(f"{_quoted(name)} STRING" for name in [*names, BROKEN])
    options = {"header": True, "sep": source.delimiter, "escape": '"', "columnNameOfCorruptRecord": BROKEN}
    options["columnPruning"] = False  # or what counts as broken would depend on the columns asked for
    reader = backend.session.read.schema(schema).options(**options)
    return _split(backend, reader.csv([str(file) for file in source.files]), used, "the number of fields is wrong")


def objects(backend: Backend, source: Source, used: Sequence[str]) -> tuple[DataFrame, DataFrame | None]:
    """JSON Lines as strings, and its broken lines."""
    schema = ", ".join(f"{_quoted(name)} STRING" for name in [*used, BROKEN])
    reader = backend.session.read.schema(schema).option("columnNameOfCorruptRecord", BROKEN)
    return _split(backend, reader.json([str(file) for file in source.files]), used, "not a JSON object")


def parquet(backend: Backend, source: Source, used: Sequence[str]) -> tuple[DataFrame, DataFrame | None]:
    """Parquet with its own types."""
    read = backend.session.read.parquet(*[str(file) for file in source.files])
    return _numbered(backend, read).select("row", *map(_quoted, used)), None


def _split(backend: Backend, read: DataFrame, used: Sequence[str], problem: str) -> tuple[DataFrame, DataFrame | None]:
    F = backend.F  # noqa: N806
    records = _numbered(backend, read)
    good = records.where(F.col(BROKEN).isNull()).select("row", *map(_quoted, used))
    # Spark refuses a query of the broken records' column alone, so another one is named, in vain
    value = F.coalesce(F.col(BROKEN), F.col(_quoted(used[0]))).substr(1, 200)
    broken = records.where(F.col(BROKEN).isNotNull()).select(
        "row", F.lit("").alias("column"), value.alias("value"), F.lit(problem).alias("problem")
    )
    return good, broken


def _numbered(backend: Backend, read: DataFrame) -> DataFrame:
    return read.withColumn("row", backend.F.monotonically_increasing_id() + 1)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
