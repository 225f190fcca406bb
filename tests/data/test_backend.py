"""One API on two engines: the same rows from DuckDB and from PySpark."""

import os
import shutil
import warnings

import pytest

from endcap.data import backend as backends
from endcap.data.bots import BotRule
from endcap.data.check import summarise
from endcap.data.clean import CleanConfig
from endcap.data.mark import SplitConfig, mark
from endcap.data.prepare import prepare_tables
from endcap.data.schema import EVENT_COLUMNS, validate
from tests.data.frames import NOW, raw, taken


def test_two_backends_in_a_process_do_not_share_tables():
    first, second = backends.local(threads=1), backends.local(threads=1)
    assert first.connection is not second.connection
    first.materialise(raw(first, "user_id", ("ann",)))
    second.materialise(raw(second, "user_id", ("bob",), ("cat",)))
    assert [len(backend._tables) for backend in (first, second)] == [1, 1]


def test_a_materialised_frame_is_a_table_until_it_is_released():
    backend = backends.local(threads=1)
    made = backend.materialise(raw(backend, "user_id", ("ann",), ("bob",)))
    count = "SELECT count(*) FROM duckdb_tables()"
    assert taken(made, "user_id") == ["ann", "bob"]
    assert backend.connection.execute(count).fetchone() == (1,)
    backend.release(made)
    backend.release(made)  # nothing left to free
    assert backend.connection.execute(count).fetchone() == (0,)


def test_keys_tell_values_apart_and_columns_too():
    backend = backends.local(threads=1)
    table = raw(backend, "user_id item_id", ("a", "b"), ("b", "a"), ("a", "b"))
    first, second, third = taken(table.select("row", backend.key("user_id", "item_id").alias("key")), "key")
    assert first == third != second


@pytest.fixture(scope="module")
def spark():
    if shutil.which("java") is None:
        pytest.skip("needs Java, which PySpark runs on")
    sql = pytest.importorskip("pyspark.sql", reason="needs pyspark (pip install endcap[spark])")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PySpark's own imports
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = sql.SparkSession.builder.master("local[1]")
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.codegen.wholeStage": "false",
            "spark.log.level": "OFF",
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield backends.spark(session)
        session.stop()


ROWS = [
    ("ann", "tea", "View", "1714564800", "1"),
    ("ann", "tea", "View", "1714564800", "1"),
    ("ann", "tea", "View", "1714564801", None),
    ("bob", " tea", "purr", "1714564800000", "nan"),
    ("", "jam", "buy", "2024-05-01T14:00:00+02:00", "-1"),
    ("红", 'say "hi", 🛒', "buy", "2024-05-01 12:00:00.25", "inf"),
    ("cat", "jam", "Order Completed", "soon", "12 EUR"),
    ("robot", "jam", "view", "2024-05-02", "x\x1ey"),
    *[("robot", f"item {n % 3}", "view", str(1_714_564_900 + n), "2") for n in range(12)],
    *[(f"user {n % 7}", f"item {n % 5}", "add_to_cart", str(1_714_560_000 + 1000 * (n // 2)), "3") for n in range(50)],
]


def everything(backend):
    """Summary, problems, steps, cuts and rows of a log that meets every step."""
    log = raw(backend, "user_id item_id kind time price", *ROWS)
    validated = validate(backend, log, now=NOW)
    rule = BotRule(per_hour=10)
    clean = CleanConfig(bot_rule=rule, min_user_events=2, min_item_events=2)
    prepared = prepare_tables(backend, validated, clean, SplitConfig())
    left_out = mark(backend, validated.events, SplitConfig(method="leave-one-out"))
    return {
        "rows": taken(prepared.events, *EVENT_COLUMNS),
        "steps": prepared.steps,
        "cuts": prepared.cuts,
        "leave one out": taken(left_out.events, *EVENT_COLUMNS),
        "problems": sorted(taken(validated.problems, "row", "column", "value", "problem")),
        "summary": summarise(backend, validated, bot_rule=rule),
    }


@pytest.mark.timeout(900)  # Spark compiles each of its many small jobs
@pytest.mark.filterwarnings("ignore")  # PySpark's own
def test_spark_gives_the_same_rows_as_duckdb(spark):
    ours, theirs = everything(backends.local(threads=1)), everything(spark)
    assert len(ours["rows"]) > 40
    for name, value in ours.items():
        assert value == theirs[name], name
