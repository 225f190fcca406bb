"""What a fitted model is measured to be: its result on the test part, its values on validation, what is kept of it."""

import math
import resource
import time
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
import torch

from endcap.artifact import Artifact
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.complements import complements
from endcap.data.dataset import Dataset
from endcap.data.giveaway import MOST, giveaway, question_instead
from endcap.data.interactions import waits
from endcap.data.repurchase import rebought
from endcap.data.split import Queries, Split
from endcap.data.vocabulary import Floats
from endcap.describe import Described
from endcap.evaluation import INTENTS, Evaluation, Intent, by_intent, evaluate, measure, slices
from endcap.features.base import Content
from endcap.features.groups import groups, keys
from endcap.features.products import Products
from endcap.models import ClosedForm, Traits
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.results import Result
from endcap.training import Fitted, Task

TOLD = ("hr@10", "ndcg@10")
"""The metrics whose value for each question is kept, and which are told of each intent."""


@dataclass(frozen=True)
class Given:
    """What a model was fitted to and is measured on."""

    dataset: Dataset
    described: Described | None
    parts: Split
    catalog: Catalog
    products: Products | None
    content: Content | None
    task: Task
    repeat_rate: float
    giveaway: dict[str, Any]  # of the test questions


@dataclass(frozen=True)
class Outcome:
    """The strict result, the refitted one where asked for, and the model to keep."""

    results: list[Result]
    evaluations: dict[str, Evaluation]  # by protocol, on the test questions
    valid: Floats  # (questions,) what was maximised, on the validation questions; NaN where one was not drawn
    intents: dict[Intent, Evaluation]  # on the validation questions, before any refit
    artifact: Artifact
    parts: "dict[str, Outcome]" = field(default_factory=dict)  # of a hybrid, each by itself


def outcome_of(config: Config, given: Given, fitted: Fitted, *, of: str | None = None) -> Outcome:
    """Measures a model that was fitted to the training part alone; config: with what validation chose.

    of: what the model is called where that is not its config's name.
    """
    valid, task = fitted.values, given.task
    if valid is None:
        valid = evaluate(fitted.model, given.parts.valid, repeat=task.repeat).metric(config.train.metric)
    intents = by_intent(fitted.model, given.parts.valid)
    result, evaluation = _result(config, given, fitted, "strict", intents)
    result = replace(result, model=of or result.model, valid=float(np.nanmean(valid)))
    if of is not None:
        result = replace(
            result, part_of=of.partition("-")[0], peak_rss_mb=math.nan
        )  # fitted in the process of the whole
    kept = _artifact(config, given, fitted, result)
    return Outcome([result], {"strict": evaluation}, valid, intents, kept)


def refit_of(strict: Outcome, given: Given, fitted: Fitted) -> Outcome:
    """The same model fitted again with validation, which chose it: figures of both, and the new one to keep."""
    config = strict.artifact.config
    result, evaluation = _result(config, given, fitted, "refit", strict.intents)
    result = replace(result, valid=strict.results[0].valid)
    return replace(
        strict,
        results=[*strict.results, result],
        evaluations=strict.evaluations | {"refit": evaluation},
        artifact=_artifact(config, given, fitted, result),
    )


def _artifact(config: Config, given: Given, fitted: Fitted, result: Result) -> Artifact:
    train, described = given.parts.train, given.described
    facts = {
        "repeat": given.task.repeat,
        "repeat_rate": given.repeat_rate,
        "rebought": rebought(train, given.catalog.categories),
        "cuts": given.dataset.facts.get("cuts"),
        "trained_until": seen_until(given.dataset),
        "waits": waits(train),
        "protocol": result.protocol,
        "metrics": result.metrics,
        "endcap": version("endcap"),
    }
    if described is None:  # counting models can do without, and say so
        config = replace(config, features=replace(config.features, use=()))
    return Artifact(
        config=config,
        traits=Traits.of(train, given.content),
        vocabulary=train.vocabulary,
        catalog=given.catalog,
        model=fitted.model,
        described=None if described is None or given.products is None else replace(described, products=given.products),
        files=given.dataset.files,
        facts=facts,
        aliases=given.dataset.aliases,
        complements=complements(train, given.catalog.categories),
    )


def seen_until(dataset: Dataset) -> float | None:
    """Events from this time (seconds) on had no part in training or choosing; None where the source has no times."""
    if cuts := dataset.facts.get("cuts"):
        return float(cuts[1])
    last = pc.max(dataset.table["time"]).as_py()
    return None if last is None else math.nextafter(last, math.inf)  # the other splits may train on any event


def _result(
    config: Config,
    given: Given,
    fitted: Fitted,
    protocol: Literal["strict", "refit"],
    intents: dict[Intent, Evaluation],
) -> tuple[Result, Evaluation]:
    dataset, parts, task, train = given.dataset, given.parts, given.task, given.parts.train

    codes = groups(keys(given.catalog)).astype(np.int64)

    def look(queries: Queries, repeat: bool) -> tuple[dict[str, float], Evaluation]:  # noqa: FBT001
        vectors = None if given.products is None else given.products.code.vectors
        return measure(
            fitted.model, queries, train,
            categories=given.catalog.categories, vectors=vectors, groups=codes, repeat=repeat,
        )  # fmt: skip

    started = time.perf_counter()
    metrics, evaluation = look(parts.test, task.repeat)
    evaluate_seconds = time.perf_counter() - started
    other, _ = look(parts.test, not task.repeat)
    result = Result(
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
        curve=_curve(config, given) if fitted.epochs else "",
        slices=slices(evaluation, parts.test, train),
        questions=len(parts.test),
        giveaway=given.giveaway,
        note=getattr(fitted.model, "note", ""),
        chosen=_chosen(fitted),
        made_of=_made_of(fitted),
    )
    return _with_intents(result, intents, by_intent(fitted.model, parts.test)), evaluation


def given_away(dataset: Dataset, test: Queries, task: Task) -> dict[str, Any]:
    """What the questions give away, with what to ask instead; see data/giveaway.py."""
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


def _curve(config: Config, given: Given) -> str:
    asked, all_of_them = config.train.valid_queries, len(given.parts.valid)
    of = f"{asked:,} of {all_of_them:,}" if 0 < asked < all_of_them else f"all {all_of_them:,}"
    return f"{config.train.metric.upper()} of {of} validation questions"


def _made_of(fitted: Fitted) -> str:
    if not isinstance(fitted.model, Hybrid) or not isinstance(fitted.config, HybridConfig):
        return ""
    names = [part.name for part in fitted.config.parts] + ["a second look"] * bool(fitted.model.reranker.top)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _chosen(fitted: Fitted) -> dict[str, Any]:
    if isinstance(fitted.model, Hybrid) and isinstance(fitted.config, HybridConfig):
        return {
            part.name: weight for part, weight in zip(fitted.config.parts, fitted.model.weights.tolist(), strict=True)
        }
    if isinstance(fitted.model, ClosedForm):
        return {name: getattr(fitted.config, name) for name in fitted.model.grid}
    return {"epoch": fitted.best_epoch}
