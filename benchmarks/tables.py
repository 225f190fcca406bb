"""Reading, checking, cleaning and splitting a generated log with every step on: events/s, peak memory.

python benchmarks/tables.py                # 2, 5, 10 and 20 million events
python benchmarks/tables.py 2              # millions of events
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

OUT = Path(__file__).parent / "out"
MILLIONS = (2, 5, 10, 20)
STAGES = ("read", "validate", "repeats", "check", "clean", "hand on")


def draw(salt: int) -> str:
    """A number in [0, 1) per row that depends on nothing but the row and the salt."""
    return f"(hash(n, {salt}) % 1000000007) / 1000000007.0"


def generate(events: int, path: Path) -> None:
    """A shop's log: zipf-like users and items, carts and purchases after views, copies, bots and broken rows."""
    visits = int(events / 1.3585)  # a visit makes 1.35 events; 0.6 % of events are there twice
    users, items = events // 10, max(events // 100, 1000)
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (
                WITH visits AS (
                    SELECT n, {draw(1)} AS a, {draw(2)} AS b, {draw(3)} AS c, {draw(4)} AS d, {draw(5)} AS e
                    FROM (SELECT unnest(range({visits})) AS n)
                ), steps AS (
                    SELECT *, unnest(CASE WHEN c < .75 THEN ['view_item'] WHEN c < .9 THEN ['view_item', 'add_to_cart']
                        ELSE ['view_item', 'add_to_cart', 'purchase'] END) AS event FROM visits
                ), events AS (
                    SELECT *, unnest(CASE WHEN d < .003 THEN [0, 0] WHEN d < .006 THEN [0, 1] ELSE [0] END) AS again
                    FROM steps
                )
                SELECT CASE WHEN e < .0001 THEN '' WHEN e < .0101 THEN 'crawler-' || (n % 3)
                         ELSE 'u-' || (hash(cast({users} * pow(a, 2) AS bigint)) % 1000000000000) END AS user_id,
                       'SKU-' || lpad(cast({items} * pow(b, 3) AS bigint)::varchar, 8, '0') AS item_id,
                       event AS event_type,
                       CASE WHEN e > .9999 THEN 'yesterday'
                         WHEN e < .0101 THEN (1710000000 + hash(n, 6) % 20000)::varchar
                         ELSE (1700000000 + n * 31536000 // {visits} + again
                         + CASE event WHEN 'view_item' THEN 0 WHEN 'add_to_cart' THEN 40 ELSE 400 END)::varchar
                         END AS timestamp,
                       CASE WHEN e > .9998 THEN 'NaN' ELSE round(5 + 100 * b * b, 2)::varchar END AS price
                FROM events
            ) TO '{path}' (HEADER)""")


def measure(path: Path, threads: int = 2) -> dict[str, float]:
    """The stages that `endcap check` and cleaning take, in this process."""
    from endcap.data import backend as backends
    from endcap.data.check import summarise
    from endcap.data.clean import CleanConfig
    from endcap.data.mark import SplitConfig
    from endcap.data.prepare import prepare_tables
    from endcap.data.repeats import repeats
    from endcap.data.schema import validate
    from endcap.data.sources import read

    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - start

    backend = backends.local(threads=threads)
    with stage("read"):
        tables = read(backend, path)
    with stage("validate"):
        validated = validate(backend, tables.events, now=1.8e9)
    with stage("repeats"):
        found = repeats(backend, validated.events)
    with stage("check"):
        summary = summarise(backend, validated, broken=tables.problems, found=found)
    config = CleanConfig(min_user_events=5, min_item_events=5)
    with stage("clean"):
        prepared = prepare_tables(backend, validated, config, SplitConfig(), found=found)
    with stage("hand on"):  # every column of every event that is left
        events = sum(len(batch) for batch in prepared.events.toArrow(1 << 18))
    cpu = time.process_time()
    total = sum(seconds.values())
    return {
        "events": summary.rows_read,
        "events_left": events,
        **seconds,
        "seconds": total,
        "cpu_seconds": cpu,  # of both cores; on a machine with other work `seconds` are longer
        "events_per_second": summary.rows_read / total,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    OUT.mkdir(exist_ok=True)
    results = []
    print(
        f"{'events':>12}"
        + "".join(f"{stage:>10}" for stage in STAGES)
        + f"{'total s':>10}{'cpu s':>8}{'events/s':>12}{'peak MB':>10}"
    )
    for millions in [float(word) for word in sys.argv[1:]] or MILLIONS:
        path = OUT / f"log_{millions:g}m.csv"
        if not path.exists():
            generate(int(millions * 1e6), path)
        child = subprocess.run([sys.executable, __file__, "--measure", path], stdout=subprocess.PIPE, check=True)
        result = json.loads(child.stdout)
        results.append(result)
        stages = "".join(f"{result[stage]:>10.2f}" for stage in STAGES)
        totals = f"{result['seconds']:>10.1f}{result['cpu_seconds']:>8.1f}{result['events_per_second']:>12,.0f}"
        print(f"{result['events']:>12,}{stages}{totals}{result['peak_rss_mb']:>10,.0f}", flush=True)
        (OUT / "tables.json").write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    if "--measure" in sys.argv:
        print(json.dumps(measure(Path(sys.argv[-1]))))
    else:
        main()
