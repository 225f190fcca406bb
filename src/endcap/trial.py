"""A new model on trial: what is held back for it, how it compares with the live one, and its last fit."""

import math
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from endcap.artifact import Artifact
from endcap.bootstrap import Interval, bounded, resampled, two_sided
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.complements import complements
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.interactions import waits
from endcap.data.mark import SplitConfig
from endcap.data.split import split
from endcap.data.vocabulary import Floats
from endcap.describe import Described, candidates
from endcap.engine.version import Version
from endcap.evaluation import evaluate
from endcap.experiment import told
from endcap.fitting import fit, keep_chosen
from endcap.live_log import LiveLog, asked_of, cuts
from endcap.measured import Outcome
from endcap.models import Network, Traits
from endcap.models.hybrid import Hybrid
from endcap.models.warm import Start
from endcap.training import Task

METRICS = ("ndcg@10", "hr@10")
"""The first one decides."""

FEWEST = 30
"""Questions of validation and of the newest days, below which nothing is decided."""


@dataclass(frozen=True)
class Trial:
    """What a new model learns from and is decided by."""

    config: Config  # the live one's, with the cuts of this trial
    cuts: tuple[float, float]  # seconds: where validation and the newest days begin
    dataset: Dataset
    described: Described | None


@dataclass(frozen=True)
class Compared:
    """The new model, before its last fit, and the live one on the questions of the newest days."""

    questions: int
    live: dict[str, float]  # METRICS
    new: dict[str, float]
    difference: Interval  # new - live, of the first metric; bootstrapped over questions
    p: float


def held_back(name: str, version: Version, log: LiveLog, until: float, newest_days: float) -> Trial:
    """Everything that is known, cut for a trial; raises InputError where too little is held back.

    The encoders of [features] stay those of the live model: content vectors must go on meaning what they meant to the
    weights that the new model starts from, and what the store keeps of products is by these encoders.
    """
    live, found = version.artifact, cuts(log.times, until, newest_days)
    clean = replace(live.config.clean, latest=None)  # it ended the first log; live events are all later
    config = replace(live.config, split=SplitConfig(cuts=found), clean=clean)
    dataset = log.dataset(name, config)
    parts = split(dataset.table, config.data.goal, config.data.min_rating, catalog_ids=candidates(config, dataset))
    if min(len(parts.valid), len(parts.test)) < FEWEST:
        raise InputError(
            f"found {len(parts.valid)} questions to choose by and {len(parts.test)} to decide by in what is newer than "
            f"the live model; expected at least {FEWEST} of each: wait for more events"
        )
    described = live.described
    if described is not None and version.products is not None:
        described = replace(described, products=version.products)
    return Trial(config, found, dataset, described)


def start_of(version: Version) -> Start | None:
    """Where a network, or those of a hybrid, go on from; counting models are counted anew."""
    model = version.artifact.model
    return Start(model, version.artifact.vocabulary) if isinstance(model, Network | Hybrid) else None


def compared(trial: Trial, version: Version, outcome: Outcome) -> Compared:
    """Both on the same questions, each with its own items, kinds and rule for seen items, as it would answer."""
    queries = asked_of(version, trial.dataset.table, trial.cuts[1], trial.config)
    live = evaluate(version.artifact.model, queries, repeat=version.repeat)
    new = outcome.evaluations["refit"]
    values = {metric: (live.metric(metric), new.metric(metric)) for metric in METRICS}
    of_live, of_new = values[METRICS[0]]
    difference: Floats = of_new - of_live
    sampled = resampled(difference[:, None])[:, 0]
    return Compared(
        questions=len(queries),
        live={metric: float(each.mean()) for metric, (each, _) in values.items()},
        new={metric: float(each.mean()) for metric, (_, each) in values.items()},
        difference=Interval(float(difference.mean()), *bounded(sampled, difference, -1.0)),
        p=two_sided(sampled, difference),
    )


def epochs(outcome: Outcome) -> int:
    """As many as validation chose."""
    return max(1, outcome.results[0].epochs)


def last_fit(trial: Trial, version: Version, outcome: Outcome, start: Start | None) -> Artifact:
    """The model of the trial, fitted on every event for as many epochs; its figures are those from before this fit.

    Raises InputError where that ends in numbers that are none.
    """
    tried, config, dataset = outcome.artifact, outcome.artifact.config, trial.dataset
    place = dataset.table.column_names.index("part")
    every = dataset.table.set_column(place, "part", pa.array(["train"] * len(dataset.table)))
    parts = split(every, config.data.goal, config.data.min_rating, catalog_ids=candidates(config, dataset))
    catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)
    products, content = told(trial.described, catalog)
    training = replace(config.train, epochs=epochs(outcome), patience=0)
    task = Task(config.data.goal, config.data.min_rating, bool(tried.facts["repeat"]))
    model = fit(config.model, parts.train, None, training, task, content=content, start=start).model
    keep_chosen(tried.model, model)
    if not all(bool(each.isfinite().all()) for each in model.parameters()):
        raise InputError("training on everything ended in numbers that are none; lower [train] learning_rate")
    last = math.nextafter(float(pc.max(every["time"]).as_py()), math.inf)
    facts = {
        "protocol": "update",
        "waits": waits(parts.train),
        "cuts": (trial.cuts[1], last),  # nothing from the second on was learned or chosen by
        "trained_until": last,
        "measured_from": trial.cuts[1],  # the metrics: of the model before this fit, on the events from here on
    }
    original = version.artifact.config
    return replace(
        tried,
        config=replace(config, split=original.split, clean=original.clean),
        traits=Traits.of(parts.train, content),
        vocabulary=parts.train.vocabulary,
        catalog=catalog,
        model=model,
        described=None if trial.described is None or products is None else replace(trial.described, products=products),
        facts=tried.facts | facts,
        complements=complements(parts.train, catalog.categories),
    )
