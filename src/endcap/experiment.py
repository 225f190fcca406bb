"""One experiment: a config and a prepared log in, an artifact with its result out.

`python -m endcap.experiment JOB.json` runs one in a process of its own, so that its peak memory is its own;
it prints a line of JSON per epoch.
"""

import json
import math
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
import torch
from pydantic import TypeAdapter

from endcap import artifact as artifacts
from endcap import config as configuration
from endcap.artifact import Artifact
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.complements import complements
from endcap.data.dataset import DataConfig, Dataset
from endcap.data.errors import InputError
from endcap.data.giveaway import MOST, giveaway, question_instead
from endcap.data.interactions import waits
from endcap.data.repurchase import rebought
from endcap.data.split import Queries, Split, merged, repeat_rate, seen_rate, split
from endcap.data.vocabulary import Floats
from endcap.describe import Described, candidates
from endcap.evaluation import INTENTS, Evaluation, Intent, by_intent, evaluate, measure, slices
from endcap.features.base import Content
from endcap.features.products import Products
from endcap.fitting import fit, keep_chosen
from endcap.models import ClosedForm, Traits
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.warm import Start
from endcap.results import Result, save
from endcap.training import Epoch, Fitted, Task

TOLD = ("hr@10", "ndcg@10")
"""The metrics whose value for each question is kept, and which are told of each intent."""
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


@dataclass(frozen=True)
class Outcome:
    """The strict result, the refitted one where asked for, and the model to keep."""

    results: list[Result]
    evaluations: dict[str, Evaluation]  # by protocol, on the test questions
    valid: Floats  # (questions,) what was maximised, on the validation questions; NaN where one was not drawn
    intents: dict[Intent, Evaluation]  # on the validation questions, before any refit
    artifact: Artifact


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
) -> Outcome:
    """Fits on the training part, chooses on validation, looks at the test part once.

    With `described` the networks are told what is known of products, and all of the catalogue are candidates.
    With `start` a network goes on from there instead of from nothing.
    processes: for the parts of a hybrid, see `fitting.fit`.
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
    fitted = fit(
        config.model, parts.train, parts.valid, config.train, task,
        content=content, start=start, checkpoint=checkpoint, on_epoch=on_epoch, processes=processes,
    )  # fmt: skip
    chosen = replace(config, model=fitted.config)
    evaluations, results = {}, []
    intents = by_intent(fitted.model, parts.valid)
    valid = fitted.values
    if valid is None:
        valid = evaluate(fitted.model, parts.valid, repeat=repeat).metric(config.train.metric)
    result, evaluations["strict"] = _result(chosen, dataset, parts, fitted, catalog, products, "strict", task)
    result = replace(result, valid=float(np.nanmean(valid)))
    results.append(_with_intents(result, intents, by_intent(fitted.model, parts.test)))
    if refit:
        # Chosen on validation, then trained as long on training and validation together.
        parts = split(merged(dataset.table), data.goal, data.min_rating, catalog_ids=catalog_ids)
        catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)
        epochs = replace(config.train, epochs=max(1, fitted.best_epoch), patience=0)
        products, content = told(described, catalog)
        again = fit(fitted.config, parts.train, None, epochs, task, content=content, start=start, processes=processes)
        keep_chosen(fitted.model, again.model)
        fitted = replace(again, best_epoch=fitted.best_epoch)
        result, evaluations["refit"] = _result(chosen, dataset, parts, fitted, catalog, products, "refit", task)
        # It was chosen by the strict one's validation.
        result = replace(result, valid=results[0].valid)
        results.append(_with_intents(result, intents, by_intent(fitted.model, parts.test)))
    facts = {
        "repeat": repeat,
        "repeat_rate": rate,
        "rebought": rebought(parts.train, catalog.categories),
        "cuts": dataset.facts.get("cuts"),
        "trained_until": seen_until(dataset),
        "waits": waits(parts.train),
        "protocol": results[-1].protocol,
        "metrics": results[-1].metrics,
        "endcap": version("endcap"),
    }
    kept = Artifact(
        config=chosen,
        traits=Traits.of(parts.train, content),
        vocabulary=parts.train.vocabulary,
        catalog=catalog,
        model=fitted.model,
        described=None if described is None or products is None else replace(described, products=products),
        files=dataset.files,
        facts=facts,
        aliases=dataset.aliases,
        complements=complements(parts.train, catalog.categories),
    )
    return Outcome(results, evaluations, valid, intents, kept)


def seen_until(dataset: Dataset) -> float | None:
    """Events from this time (seconds) on had no part in training or choosing; None where the source has no times."""
    if cuts := dataset.facts.get("cuts"):
        return float(cuts[1])
    last = pc.max(dataset.table["time"]).as_py()
    return None if last is None else math.nextafter(last, math.inf)  # the other splits may train on any event


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


def _result(
    config: Config,
    dataset: Dataset,
    parts: Split,
    fitted: Fitted,
    catalog: Catalog,
    products: Products | None,
    protocol: Literal["strict", "refit"],
    task: Task,
) -> tuple[Result, Evaluation]:
    train = parts.train

    def look(queries: Queries, repeat: bool) -> tuple[dict[str, float], Evaluation]:  # noqa: FBT001
        vectors = None if products is None else products.code.vectors
        return measure(fitted.model, queries, train, categories=catalog.categories, vectors=vectors, repeat=repeat)

    started = time.perf_counter()
    metrics, evaluation = look(parts.test, task.repeat)
    evaluate_seconds = time.perf_counter() - started
    other, _ = look(parts.test, not task.repeat)
    return (
        Result(
            model=config.model.name,
            seed=config.train.seed,
            dataset=dataset.name,
            goal=task.goal or "any",
            split=config.split.method,
            masked=not task.repeat,
            protocol=protocol,
            metrics=metrics,
            users=len(train),
            items=train.n_items,
            events=len(train.items),
            train_seconds=fitted.seconds,
            evaluate_seconds=evaluate_seconds,
            epochs=fitted.best_epoch,
            peak_rss_mb=_peak_mb(),
            parameters=sum(tensor.numel() for tensor in fitted.model.state_dict().values()),
            other={"masked": task.repeat, "metrics": other},
            history=[asdict(epoch) for epoch in fitted.epochs],
            slices=slices(evaluation, parts.test, train),
            questions=len(parts.test),
            giveaway=_given_away(dataset, parts.test, task),
            note=getattr(fitted.model, "note", ""),
            chosen=_chosen(fitted),
        ),
        evaluation,
    )


def _given_away(dataset: Dataset, test: Queries, task: Task) -> dict[str, Any]:
    found = giveaway(test)
    if found.most > MOST:
        instead, history = question_instead(dataset.table, task.goal, task.min_rating)
        found = replace(found, instead=instead, instead_history=history)
    return asdict(found)


def _with_intents(result: Result, valid: dict[Intent, Evaluation], test: dict[Intent, Evaluation]) -> Result:
    parts = {"valid": valid, "test": test}
    return replace(
        result,
        intents={
            intent: {part: _figures(evaluations[intent]) for part, evaluations in parts.items()} for intent in INTENTS
        },
    )


def _figures(evaluation: Evaluation) -> dict[str, float]:
    """Of the questions of an intent; without any the means are NaN."""
    n = len(evaluation.offsets) - 1
    means = {name: float(evaluation.metric(name).mean()) if n else math.nan for name in TOLD}
    return {"n": n, **means}


def _peak_mb() -> float:
    """At most, where parts were fitted side by side: as if all of those processes had been largest at once."""
    own, largest = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + torch.get_num_threads() * largest) / 1024


def _chosen(fitted: Fitted) -> dict[str, Any]:
    if isinstance(fitted.model, Hybrid) and isinstance(fitted.config, HybridConfig):
        return {
            part.name: weight for part, weight in zip(fitted.config.parts, fitted.model.weights.tolist(), strict=True)
        }
    if isinstance(fitted.model, ClosedForm):
        return {name: getattr(fitted.config, name) for name in fitted.model.grid}
    return {"epoch": fitted.best_epoch}


def main() -> None:
    """The child process: reads a Job, writes its outcome. With --with-parent it ends when its parent does."""
    if sys.argv[2:] == ["--with-parent"]:
        threading.Thread(target=_end_with_parent, daemon=True).start()
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
    )
    out = Path(job.out)
    out.mkdir(parents=True, exist_ok=True)
    artifacts.save(outcome.artifact, out / "artifact")
    for protocol, evaluation in outcome.evaluations.items():
        values = {name: evaluation.metric(name) for name in TOLD}
        np.savez(out / f"values-{protocol}.npz", allow_pickle=False, **values)
    of_intents = {intent: evaluation.metric("ndcg@10") for intent, evaluation in outcome.intents.items()}
    np.savez(out / "values-valid.npz", allow_pickle=False, valid=outcome.valid)
    np.savez(out / "values-intents.npz", allow_pickle=False, **of_intents)
    save(outcome.results, out / "result.json")  # last: its presence says that the run is whole


def _end_with_parent() -> None:
    """The parent never writes: standard input ends when the parent has gone, killed or not.

    An orphan would go on writing where the parent's successor writes.
    """
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
