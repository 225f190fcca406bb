"""Many experiments on one split: each in a process of its own, skipped when nothing it depends on has changed."""

import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from endcap import config as configuration
from endcap.config import Config
from endcap.data.audit import audit
from endcap.data.dataset import Dataset, code_hash, fingerprint
from endcap.data.errors import InputError
from endcap.data.places import linked, replacing, write
from endcap.data.sources import simulated
from endcap.data.split import split
from endcap.describe import Described
from endcap.experiment import Job, policy
from endcap.fitting import most_epochs
from endcap.models import ModelConfig, counting
from endcap.results import Result, load, save
from endcap.summary import Summary, summarise

Values = dict[tuple[str, int], dict[str, np.ndarray]]
"""(model, seed) -> metric -> (queries,) values on the same test questions."""


@dataclass(frozen=True)
class Progress:
    """What one run just did."""

    run: str  # model and seed
    state: str  # waiting, training, done, skipped
    epoch: int = 0
    epochs: int = 0
    metric: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """All results, and what they say, by protocol."""

    results: list[Result]
    summaries: dict[str, Summary]  # strict, and refit where asked for


def compare(
    configs: Sequence[Config],
    dataset: Dataset,
    out: Path,
    described: Described | None = None,
    *,
    seeds: int = 1,
    refit: bool = False,
    processes: int | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_comparison: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Trains and evaluates every config with every seed, and compares them on the same questions.

    `out` gets results.json and models/NAME/ (the artifact of the seed that validation prefers).
    Counting models draw nothing at random: one seed tells all.
    Where products are not `described`, only counting models can be trained, which are told nothing of them.
    `on_comparison` hears, after each run but the last, what all that are done say; `out` has their models by then.
    The runs begin in the order of the configs then; else long ones do, or the last would run alone at the end.
    Raises InputError where a run fails, where two configs are of one model, and where `out` holds something else.
    """
    check(configs, out)
    cores = os.cpu_count() or 1
    jobs = [
        replace(config, train=replace(config.train, seed=config.train.seed + seed))
        for config in configs
        for seed in range(1 if counting(config.model) else seeds)
    ]
    if on_comparison is None:
        jobs.sort(key=lambda config: counting(config.model))
    if described is None and (told := [_name(job) for job in jobs if job.features.use and not counting(job.model)]):
        raise InputError(f"found no description of the products, which {told[0]} is told; expected one")
    processes = processes or max(1, min(cores, len(jobs)))
    data = out / "data"
    with replacing(data) as new:
        dataset.save(new)
        if described is not None:
            described.save(new / "features")
    key = _key(dataset)
    print_lock, collect_lock = threading.Lock(), threading.Lock()
    done: set[Path] = set()

    def announce(progress: Progress) -> None:
        with print_lock:
            on_progress(progress)

    def one(config: Config) -> None:
        folder = _run(config, data, out, key, refit, max(1, cores // processes), announce, stop)
        with collect_lock:
            done.add(folder)
            if on_comparison is not None and len(done) < len(jobs):
                on_comparison(_collected([each for each in folders if each in done], configs, out, refit))

    folders = [_folder(out, config) for config in jobs]
    for config in jobs:
        announce(Progress(_name(config), "waiting", epochs=_epochs(config)))
    stop = threading.Event()
    with ThreadPoolExecutor(processes) as pool:
        runs = [pool.submit(one, config) for config in jobs]
        try:
            for run in runs:
                run.result()
        except BaseException:
            stop.set()
            for run in runs:
                run.cancel()
            raise
    return _collected(folders, configs, out, refit)


def _collected(folders: Sequence[Path], configs: Sequence[Config], out: Path, refit: bool) -> Comparison:  # noqa: FBT001
    """What the runs that are done say together; `out` gets their results and models."""
    folders = _with_parts(folders)
    results = [result for folder in folders for result in load(folder / "result.json")]
    save(results, out / "results.json")
    valid, intents = _values(folders, "valid"), _values(folders, "intents")
    by_content = _by_content(configs)
    summaries = {
        protocol: summarise(
            [result for result in results if result.protocol == protocol],
            _values(folders, protocol),
            valid={run: values["valid"] for run, values in valid.items()},
            intents=intents,
            by_content=by_content,
        )
        for protocol in (("strict", "refit") if refit else ("strict",))
    }
    _keep_best(folders, out / "models")
    return Comparison(results, summaries)


def check(configs: Sequence[Config], out: Path) -> None:
    """Raises InputError where configs cannot be compared, or `out` is a folder of something else."""
    names = [config.model.name for config in configs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"found {', '.join(sorted(twice))} twice; expected each model once: compare variants apart")
    first = configs[0]
    if any((c.clean, c.split, c.features) != (first.clean, first.split, first.features) for c in configs):
        raise InputError(
            "found different [clean], [split] or [features] sections; expected the same for all: they answer the same "
            "questions ([model] items.content = false keeps one model from what is known of products)"
        )
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; expected a new folder, or one that `endcap compare` made")
    others = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
    if others and not (out / "data" / "dataset.json").exists():
        raise InputError(f"found {others[0]} in {out}; expected a new folder, or one that `endcap compare` made")


def account(dataset: Dataset, config: Config, described: Described | None = None) -> dict[str, Any]:
    """What the report says about data, cleaning and protocol; see report.render."""
    parts = split(dataset.table, config.data.goal, config.data.min_rating)
    repeat, rate = policy(config.data, config.split.method, parts)
    counted = "validation answers" if config.split.method == "given" else "training events"
    listed = "catalogue" if config.features.use else "training part"
    given = dataset.facts
    cuts = given["cuts"]
    return {
        "dataset": dataset.name,
        "data": {
            "format": given["format"],
            "rows read": given["rows"],
            "events used": dataset.table.num_rows,
            "training events": len(parts.train.items),
            "training users": len(parts.train),
            "items in training": parts.train.n_items,
            "validation questions": len(parts.valid),
            "test questions": len(parts.test),
        },
        "columns": given["columns"],
        "notes": [*given["notes"], *(described.notes if described else ())],
        "steps": given["steps"],
        "audit": [asdict(line) for line in audit(dataset.table, parts, config.split.method)],
        "protocol": {
            "split": config.split.method,
            "cuts": None
            if cuts is None
            else [f"{datetime.fromtimestamp(cut, UTC):%Y-%m-%d %H:%M:%S} UTC" for cut in cuts],
            "goal": config.data.goal or "any kind of event",
            "seen items": "may be shown again" if repeat else "masked",
            "repeat rate": f"{rate:.1%} of {counted}; {config.data.repeats}",
            "ranking": f"all items of the {listed}, ranks counted, none sampled",
            "choice": f"on validation by {config.train.metric}; the test part is looked at once",
        },
    }


def _with_parts(folders: Sequence[Path]) -> list[Path]:
    """The runs, and the parts of hybrids by themselves: but for those that are compared as they are."""
    compared = [_model(folder) for folder in folders if not (folder / "parts").is_dir()]
    parts = [part for folder in folders for part in sorted(folder.glob("parts/*/"))]
    return [*folders, *(part for part in parts if not (counting(model := _model(part)) and model in compared))]


def _model(folder: Path) -> ModelConfig:
    """As validation chose it."""
    return configuration.load(folder / "artifact" / "config.toml").model


def _by_content(configs: Sequence[Config]) -> list[str]:
    """Where the visits are simulated: the networks, which are told what products are."""
    if configs[0].data.events != simulated.NAME or not configs[0].features.use:
        return []
    return [config.model.name for config in configs if not counting(config.model)]


def _name(config: Config) -> str:
    return f"{config.model.name} seed {config.train.seed}"


def _folder(out: Path, config: Config) -> Path:
    return out / "runs" / f"{config.model.name}-{config.train.seed}"


def _epochs(config: Config) -> int:
    return most_epochs(config.model, config.train)


def _run(
    config: Config,
    data: Path,
    out: Path,
    key: str,
    refit: bool,  # noqa: FBT001
    threads: int,
    announce: Callable[[Progress], None],
    stop: threading.Event,
) -> Path:
    """Runs one job in a child process, unless its result is there; returns its folder."""
    folder = _folder(out, config)
    document = json.loads(json.dumps(asdict(config)))
    described = (data / "features").exists()
    whole = hashlib.sha256(json.dumps([key, document, refit, described], sort_keys=True).encode()).hexdigest()
    mark = folder / "key"
    if (folder / "result.json").exists() and mark.exists() and mark.read_text() == whole:
        announce(Progress(_name(config), "skipped"))
        return folder
    if not (mark.exists() and mark.read_text() == whole):  # another run's remains; our own checkpoint may stay
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write(mark, whole)
    job = Job(
        config=configuration.without_none(document),
        dataset=str(data),
        described=str(data / "features") if described else None,
        out=str(folder),
        refit=refit,
        threads=threads,
        checkpoint=str(folder / "checkpoint"),
    )
    write(folder / "job.json", json.dumps(asdict(job)))
    announce(Progress(_name(config), "training", epochs=_epochs(config)))
    _child(
        folder,
        lambda epoch: announce(Progress(_name(config), "training", epoch["epoch"], _epochs(config), epoch["metric"])),
        threads,
        stop,
    )
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    announce(Progress(_name(config), "done"))
    return folder


def _child(folder: Path, on_epoch: Callable[[dict[str, Any]], None], threads: int, stop: threading.Event) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "endcap.experiment", str(folder / "job.json"), "--with-parent"]
    with (
        (folder / "log.txt").open("w") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        ) as process,
    ):
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        while True:
            try:
                line = lines.get(timeout=0.5)
            except queue.Empty:
                if stop.is_set():
                    process.kill()
                continue
            if line is None:
                break
            on_epoch(json.loads(line))
        code = process.wait()
    if code:
        said = (folder / "log.txt").read_text(errors="replace").strip().splitlines()
        message = said[-1] if said else f"exit code {code}"
        if code < 0:
            message = f"killed by signal {-code}" + (", perhaps for want of memory" if code == -signal.SIGKILL else "")
        message = message.removeprefix("endcap.data.errors.InputError: ")
        raise InputError(f"{folder.name} failed: {message} (see {folder / 'log.txt'})")


def _read(stream: Any, lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _key(dataset: Dataset) -> str:
    """Changes with the code, the files, and how they were read and split."""
    told = json.dumps([code_hash(), dataset.files, dataset.facts], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def keyed(configs: Sequence[Config]) -> str:
    """Of all that a comparison depends on, told without reading the log: files, settings and code."""
    data = configs[0].data
    files = fingerprint(data.paths)
    whole = json.dumps([code_hash(), files, [asdict(config) for config in configs]], sort_keys=True, default=str)
    return hashlib.sha256(whole.encode()).hexdigest()


def _values(folders: Sequence[Path], of: str) -> Values:
    """of: a protocol, `valid`, or `intents`."""
    values: Values = {}
    for folder in folders:
        if not (folder / f"values-{of}.npz").exists():
            continue  # parts are not refitted
        result = load(folder / "result.json")[0]
        with np.load(folder / f"values-{of}.npz") as arrays:
            values[result.model, result.seed] = {name: arrays[name] for name in arrays.files}
    return values


def _keep_best(folders: Sequence[Path], models: Path) -> None:
    """The artifact of each model's best seed on validation; the files are those of its run, and take no more room."""
    best: dict[str, tuple[float, Path]] = {}
    for folder in folders:
        result = load(folder / "result.json")[0]
        if result.model not in best or result.valid > best[result.model][0]:
            best[result.model] = (result.valid, folder)
    with replacing(models) as new:
        for name, (_, folder) in best.items():
            linked(folder / "artifact", new / name)
