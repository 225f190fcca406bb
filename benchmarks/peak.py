"""What the machine can do at most, and how near training and evaluation come to it: products, memory, one run.

    .venv/bin/python benchmarks/peak.py               # two minutes on two quiet cores
    .venv/bin/python benchmarks/peak.py --threads 1
    .venv/bin/python benchmarks/peak.py --compile     # and `torch.compile`, which needs a C++ compiler
    .venv/bin/python benchmarks/peak.py --artifact runs/beauty    # and a question to what `endcap train` made

GEMM        the best of products of several square sizes, in billions of operations a second; bfloat16: of factors of
            sixteen bits, which some processors multiply faster, and others more slowly.
memory      bytes a second of a copy of 256 MB, read and written.
softmax     loss and gradients of the full softmax of one training step over the 12,101 items of Amazon Beauty: ours in
            chunks, `torch.nn.functional.linear_cross_entropy`, and plain `cross_entropy` over all logits. Its share of
            the GEMM peak of its factors counts the three products that are needed (logits, gradients of states and of
            items), not what an implementation computes again. Beside them shared negatives, which need fewer.
update      of the vectors of those items after one step: AdamW on all rows, SparseAdam on the rows that an event, a
            target or a shared negative of the step touched.
evaluation  of the 22,363 users of Beauty, among all items: the encoder, the product, counting ranks
            and the first ten, apart. Untrained weights: time does not depend on them.
compile     30 training steps (loss and gradients) of a transformer of 128 numbers as it is, with its feed-forward nets
            compiled, with all of its encoder compiled; and what the first 30 take longer, for compiling.
question    the scores of all items for one history of ten events, by the model of an artifact as it is, and `ready`, as
            it is served: with the item tables of its networks made beforehand.

Each is the median of several rounds, which take turns.
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from endcap import artifact as artifacts
from endcap import config as configuration
from endcap import evaluation, ranking
from endcap.data import backend
from endcap.data.batch import ask
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.mark import SplitConfig
from endcap.data.questions import Questions
from endcap.data.split import Split, split
from endcap.examples import history_of
from endcap.models import Network, Traits, build
from endcap.models.losses import full_softmax, sampled_softmax
from peers.measurement import BEAUTY
from serving import OUT, machine, middle, spread

ITEMS, POSITIONS, NEGATIVES = 12_101, 1_024, 2_048
SIZES = (512, 1_024, 2_048, 4_096)


def seconds(run: Callable[[], object]) -> float:
    """Of one run, once the same has warmed up; short ones are repeated for a tenth of a second."""
    began = time.perf_counter()
    run()
    times = max(1, int(0.1 / max(time.perf_counter() - began, 1e-6)))
    began = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - began) / times


def gemm(size: int, factors: torch.dtype = torch.float32) -> float:
    """Billions of operations a second."""
    one, other = torch.randn(size, size).to(factors), torch.randn(size, size).to(factors)
    out = torch.empty(size, size, dtype=factors)
    return 2e-9 * size**3 / seconds(lambda: torch.mm(one, other, out=out))


def copied() -> float:
    """Billions of bytes a second."""
    one = torch.ones(2**26)
    other = torch.empty_like(one)
    return 2e-9 * one.nbytes / seconds(lambda: other.copy_(one))


def steps(dim: int) -> dict[str, Callable[[], object]]:
    """Name -> loss and gradients of one step."""
    states = torch.randn(POSITIONS, dim, requires_grad=True)
    table = torch.randn(ITEMS + 1, dim, requires_grad=True)
    bias = torch.zeros(ITEMS + 1, requires_grad=True)
    targets = torch.randint(1, ITEMS + 1, (POSITIONS,))
    drawn = torch.randint(1, ITEMS + 1, (NEGATIVES,))

    def chunks(factors: torch.dtype | None = None) -> torch.Tensor:
        return full_softmax(states, table, bias, targets, factors=factors)

    def library() -> torch.Tensor:
        return F.linear_cross_entropy(states, table, targets, linear_bias=bias)

    def plain() -> torch.Tensor:
        return F.cross_entropy(F.linear(states, table, bias), targets)

    def sampled(factors: torch.dtype | None = None) -> torch.Tensor:
        positives = (states * table[targets]).sum(1) + bias[targets]
        return sampled_softmax(states, targets, positives, table[drawn], drawn, -bias[drawn], factors)

    def learned(loss: Callable[[], torch.Tensor]) -> None:
        loss().backward()
        states.grad = table.grad = bias.grad = None

    named = {
        "chunks": chunks,
        "chunks, bfloat16": partial(chunks, torch.bfloat16),
        "linear_cross_entropy": library,
        "cross_entropy": plain,
        "sampled": sampled,
        "sampled, bfloat16": partial(sampled, torch.bfloat16),
    }
    return {name: partial(learned, loss) for name, loss in named.items()}


def updates(dim: int) -> dict[str, Callable[[], object]]:
    """Name -> one update of the item table."""
    touched = torch.randint(1, ITEMS + 1, (2 * POSITIONS + NEGATIVES,)).unique()
    dense, sparse = (torch.randn(ITEMS + 1, dim, requires_grad=True) for _ in range(2))
    dense.grad = torch.randn(ITEMS + 1, dim)
    sparse.grad = torch.sparse_coo_tensor(touched.unsqueeze(0), torch.randn(len(touched), dim), sparse.shape)
    return {
        "all rows": torch.optim.AdamW([dense], fused=True).step,
        "touched rows": torch.optim.SparseAdam([sparse]).step,
    }


def compiled(parts: Split) -> dict[str, float]:
    """Seconds of a step as it is and compiled, and of compiling."""
    batches = Questions.of(parts.train).batches(np.random.default_rng(0), history=50, tokens=POSITIONS)
    some, found = list(itertools.islice(batches, 30)), {}
    for name in ("as it is", "feed-forward nets", "encoder"):
        model = build(configuration.model("transformer", heads=1), Traits.of(parts.train))
        model.observe(parts.train)
        nets = {"as it is": [], "encoder": [model.encoder]}
        for net in nets.get(name, [block.forward_net for block in model.encoder.blocks]):
            net.compile(dynamic=True)

        def steps(model: Network = model) -> float:
            began = time.perf_counter()
            for batch in some:
                model.zero_grad()
                model.loss(batch).backward()
            return time.perf_counter() - began

        first, again = steps(), min(steps(), steps())
        found |= {f"step, {name}": again / len(some), f"compiling, {name}": first - again}
    return found


@torch.inference_mode()
def asked(place: Path) -> dict[str, float]:
    """Seconds of a question."""
    artifact = artifacts.load(place)
    history, _ = history_of(artifact.vocabulary.ids[:10], artifact)
    batch = ask(history, np.ones(1, np.int64), last=artifact.model.history)
    models = {"as it is": artifact.model, "ready": artifact.model.ready()}
    return {name: seconds(partial(model.score, batch)) for name, model in models.items()}


@torch.inference_mode()
def evaluated(name: str, parts: Split) -> dict[str, float]:
    """Seconds of each part of an evaluation, as `evaluate` goes through it, and of the whole."""
    model = build(configuration.model(name, dim=64, start="random"), Traits.of(parts.train)).eval()
    assert isinstance(model, Network)
    found = dict.fromkeys(("encoder", "product", "ranks", "first ten"), 0.0)
    vectors, bias = model.table()
    rows = max(1, evaluation.SCORES // len(bias))
    for start in range(0, len(parts.test), rows):
        chunk = parts.test.take(np.arange(start, min(start + rows, len(parts.test))))
        marks = [time.perf_counter()]
        queries = model.encode(ask(chunk.histories, chunk.goals, chunk.asked, last=model.history))
        marks.append(time.perf_counter())
        scored = torch.addmm(bias, queries, vectors.T)
        marks.append(time.perf_counter())
        evaluation._ranks(scored, torch.arange(len(chunk)), torch.from_numpy(chunk.targets))
        marks.append(time.perf_counter())
        ranking.top(scored, 10)
        marks.append(time.perf_counter())
        for part, took in zip(found, np.diff(marks), strict=True):
            found[part] += float(took)
    whole = time.perf_counter()
    evaluation.evaluate(model, parts.test)
    found["all without lists"] = time.perf_counter() - whole
    whole = time.perf_counter()
    evaluation.evaluate(model, parts.test, shown=10)
    return found | {"all with lists": time.perf_counter() - whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--artifact", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    state = machine()
    log = prepare(backend.local(), DataConfig(events=str(BEAUTY)), CleanConfig(), SplitConfig(method="leave-one-out"))
    parts = split(log.table)
    runs = {(dim, name): run for dim in (64, 128) for name, run in steps(dim).items()}
    changes = {(dim, name): run for dim in (64, 128) for name, run in updates(dim).items()}
    rounds = []
    for _ in range(given.rounds):
        rounds.append({
            "gemm": max(gemm(size) for size in SIZES),
            "gemm, bfloat16": max(gemm(size, torch.bfloat16) for size in SIZES),
            "memory": copied(),
            **{f"softmax/{dim}/{name}": seconds(run) for (dim, name), run in runs.items()},
            **{f"update/{dim}/{name}": seconds(run) for (dim, name), run in changes.items()},
            **{f"evaluation/{name}/{part}": took for name in ("transformer", "gru")
               for part, took in evaluated(name, parts).items()},
        })  # fmt: skip
    found = {name: middle([each[name] for each in rounds]) for name in rounds[0]}
    if given.compile:
        found |= {f"compile/{name}": middle([took]) for name, took in compiled(parts).items()}
    if given.artifact:
        found |= {f"question/{name}": middle([took]) for name, took in asked(given.artifact).items()}
    OUT.mkdir(exist_ok=True)
    about = {"machine": state, "threads": given.threads, "torch": torch.__version__, **found}
    (OUT / f"peak-{given.threads}.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    print(f"{state['cpu']}, {given.threads} of {os.cpu_count()} cores, load before: {state['load']}\n")
    print("| what | measured | |\n|---|--:|--:|")
    for name in ("gemm", "gemm, bfloat16"):
        print(f"| {name.replace('gemm', 'GEMM')} | {spread(found[name])} GFLOP/s | |")
    print(f"| memory | {spread(found['memory'], '.1f')} GB/s | |")
    for (dim, name), _ in runs.items():
        each = found[f"softmax/{dim}/{name}"]
        peak = found["gemm, bfloat16" if "bfloat16" in name else "gemm"]["median"]
        share = 6e-9 * POSITIONS * ITEMS * dim / each["median"] / peak
        beside = "" if name.startswith("sampled") else f"{share:.0%} of the peak"
        print(f"| softmax of {POSITIONS:,} positions, {dim} numbers, {name} | {spread(each, '.4f')} s | {beside} |")
    for dim, name in changes:
        each = found[f"update/{dim}/{name}"]
        print(f"| update of the item table, {dim} numbers, {name} | {spread(each, '.4f')} s | |")
    for name, each in found.items():
        if name.startswith(("evaluation/", "compile/", "question/")):
            print(f"| {name.replace('/', ', ')} | {spread(each, '.4f')} s | |")


if __name__ == "__main__":
    main()
