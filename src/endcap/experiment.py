"""One experiment: a config and a prepared log in, an artifact with its result out.

`python -m endcap.experiment JOB.json` runs one in a process of its own, so that its peak memory is its own;
it prints a line of JSON per epoch.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from endcap import artifact as artifacts
from endcap import config as configuration
from endcap.artifact import Artifact
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.dataset import DataConfig, Dataset
from endcap.data.errors import InputError
from endcap.data.split import Split, merged, repeat_rate, seen_rate, split
from endcap.describe import Described, candidates
from endcap.features.base import Content
from endcap.features.products import Products
from endcap.fitting import fit, keep_chosen
from endcap.measured import TOLD, Given, Outcome, given_away, outcome_of, refit_of
from endcap.models.warm import Start
from endcap.results import save
from endcap.training import Epoch, Task

REPEATS_FROM = 0.05
"""`repeats = "auto"` shows seen items where at least this share of events repeats an item."""


@dataclass(frozen=True)
class Job:
    """What a child process is asked to do."""

    config: dict[str, Any]
    dataset: str  # a folder written by Dataset.save
    described: str | None  # a folder written by Described.save
    out: str  # gets artifact/, result.json, values.npz
    refit: bool = False
    threads: int = 1
    checkpoint: str | None = None


def policy(data: DataConfig, method: str, parts: Split) -> tuple[bool, float]:
    """Whether seen items may be shown, and the rate that decided.

    The rate is the training part's; where the source brings its own test part, the validation questions' (made like
    it), since sources that keep one row per user and item take the repeats out of the test part.
    """
    rate = seen_rate(parts.valid) if method == "given" else repeat_rate(parts.train, data.min_rating)
    if data.repeats == "auto":
        return rate >= REPEATS_FROM, rate
    return data.repeats == "allow", rate


def run(
    config: Config,
    dataset: Dataset,
    described: Described | None = None,
    *,
    refit: bool = False,
    start: Start | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    processes: int = 1,
    apart: bool = False,
) -> Outcome:
    """Fits on the training part, chooses on validation, looks at the test part once.

    With `described` the networks are told what is known of products, and all of the catalogue are candidates.
    With `start` a network goes on from there instead of from nothing.
    processes, apart: for the parts of a hybrid, see `fitting.fit`.
    """
    data, catalog_ids = config.data, candidates(config, dataset)
    parts = split(dataset.table, data.goal, data.min_rating, catalog_ids=catalog_ids)
    for name, queries in (("validation", parts.valid), ("test", parts.test)):
        if not len(queries):
            raise InputError(
                f"found no {name} question after the {config.split.method} split; "
                "use more data, another --split or another goal"
            )
    repeat, rate = policy(data, config.split.method, parts)
    task = Task(data.goal, data.min_rating, repeat)
    catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)

    products, content = told(described, catalog)
    given = Given(
        dataset, described, parts, catalog, products, content, task, rate, given_away(dataset, parts.test, task)
    )
    fitted = fit(
        config.model, parts.train, parts.valid, config.train, task,
        content=content, start=start, checkpoint=checkpoint, on_epoch=on_epoch, processes=processes, apart=apart,
    )  # fmt: skip
    strict = outcome_of(replace(config, model=fitted.config), given, fitted)
    others = {
        name: outcome_of(replace(config, model=part.config), given, part, of=f"{config.model.name}-{name}")
        for name, part in fitted.parts.items()
    }
    if not refit:
        return replace(strict, parts=others)
    # Chosen on validation, then trained as long on training and validation together.
    parts = split(merged(dataset.table), data.goal, data.min_rating, catalog_ids=catalog_ids)
    catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)
    epochs = replace(config.train, epochs=max(1, fitted.best_epoch), patience=0)
    products, content = told(described, catalog)
    again = fit(fitted.config, parts.train, None, epochs, task, content=content, start=start, processes=processes)
    keep_chosen(fitted.model, again.model)
    given = Given(
        dataset, described, parts, catalog, products, content, task, rate, given_away(dataset, parts.test, task)
    )
    refitted = refit_of(strict, given, replace(again, best_epoch=fitted.best_epoch))
    return replace(refitted, parts=others)


def trained_until(artifact: Artifact) -> float | None:
    """As `seen_until`, of an artifact; None where that is not known."""
    cuts = artifact.facts.get("cuts")
    found = artifact.facts.get("trained_until") or (cuts[1] if cuts else None)
    return None if found is None else float(found)


def told(described: Described | None, catalog: Catalog) -> tuple[Products | None, Content | None]:
    """What is known of the items, in the order of a catalogue."""
    if described is None:
        return None, None
    products = described.products.of(catalog.item_ids)
    return products, products.content


def main() -> None:
    """The child process: reads a Job, writes its outcome. With --with-parent it ends when its parent does."""
    if sys.argv[2:] == ["--with-parent"]:
        threading.Thread(target=end_with_parent, daemon=True).start()
    job = TypeAdapter(Job).validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job.threads)
    config = configuration.check(job.config, "job")
    dataset = Dataset.load(Path(job.dataset))
    outcome = run(
        config,
        dataset,
        Described.load(Path(job.described)) if job.described else None,
        refit=job.refit,
        checkpoint=Path(job.checkpoint) if job.checkpoint else None,
        on_epoch=lambda epoch: print(json.dumps(asdict(epoch)), flush=True),
        processes=job.threads,
        apart=True,
    )
    out = Path(job.out)
    for name, part in outcome.parts.items():
        _save(part, out / "parts" / name)
    _save(outcome, out)


def _save(outcome: Outcome, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    artifacts.save(outcome.artifact, out / "artifact")
    for protocol, evaluation in outcome.evaluations.items():
        values = {name: evaluation.metric(name) for name in TOLD}
        np.savez(out / f"values-{protocol}.npz", allow_pickle=False, **values)
    of_intents = {intent: evaluation.metric("ndcg@10") for intent, evaluation in outcome.intents.items()}
    np.savez(out / "values-valid.npz", allow_pickle=False, valid=outcome.valid)
    np.savez(out / "values-intents.npz", allow_pickle=False, **of_intents)
    save(outcome.results, out / "result.json")  # last: its presence says that the run is whole


def end_with_parent() -> None:
    """The parent never writes: standard input ends when the parent has gone, killed or not.

    An orphan would go on writing where the parent's successor writes.
    """
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
