"""The plain formats give the same rows on Spark as on DuckDB."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.data import backend as backends
from endcap.data.backend import Backend, DataFrame
from endcap.data.errors import InputError
from endcap.data.sources import read, read_items

LOCAL = backends.local(threads=1)


@pytest.fixture(scope="module")
def spark() -> Iterator[Backend]:
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed (pip install 'endcap[spark]')")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    yield backends.spark(session)
    session.stop()


def rows(frame: DataFrame | None) -> list[tuple[object, ...]]:
    assert frame is not None
    return sorted(tuple(row) for row in frame.collect())


CSV = 'user id,item,ts,price\n007,"a, ""b""",1,\n商品,😀 x,2,3.50\nbroken\nu,i,3,4\n'
JSONL = '{"user id":"007","item":"a","ts":1}\nbroken\n{"user id":7,"item":"b","ts":"x"}\n'


@pytest.mark.parametrize(("name", "text"), [("log.csv", CSV), ("log.tsv", "user\titem\na\tb\n"), ("log.jsonl", JSONL)])
def test_text_is_the_same(spark: Backend, tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    here, there = read(LOCAL, path), read(spark, path)
    assert there.events.columns == here.events.columns
    assert there.columns == here.columns
    assert rows(there.events) == rows(here.events)
    if here.problems is not None:
        assert [row for row, *_ in rows(there.problems)] == [row for row, *_ in rows(here.problems)]


def test_parquet_and_a_catalogue_are_the_same(spark: Backend, tmp_path: Path) -> None:
    pq.write_table(pa.table({"User ID": ["a", "b"], "item": [1, 2], "a `tick`": [0.5, None]}), tmp_path / "x.parquet")
    assert rows(read(spark, tmp_path / "x.parquet").events) == rows(read(LOCAL, tmp_path / "x.parquet").events)
    items = [read_items(backend, tmp_path / "x.parquet").frame for backend in (spark, LOCAL)]
    assert rows(items[0]) == rows(items[1])


def test_other_formats_say_what_spark_reads(spark: Backend, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("u a b\n")
    with pytest.raises(InputError, match="Spark reads csv, tsv, parquet and jsonl; sequences needs the local backend"):
        read(spark, path)
