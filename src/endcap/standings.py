"""Standings: each model's figures with intervals, and its paired tests against the chosen one.

Intervals are bootstrapped by user: questions are drawn with replacement, the same draw for all models.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from endcap.bootstrap import bounded, holm, resampled, two_sided
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats
from endcap.results import Result

MAIN = "ndcg@10"
TESTED = ("ndcg@10", "hr@10")
"""The metrics that have intervals; `MAIN` decides."""


@dataclass(frozen=True)
class Versus:
    """One metric of a model minus that of the chosen one, on the same questions."""

    difference: float
    low: float  # 95 % interval
    high: float
    p: float  # two-sided
    p_holm: float  # corrected for the number of models compared with the chosen one


@dataclass(frozen=True)
class Standing:
    """One model over its seeds."""

    model: str
    seeds: int
    questions: int  # of the test part
    valid: float  # mean over seeds, as all of the following
    metrics: dict[str, float]
    spread: dict[str, float]  # standard deviation between seeds; NaN for one seed
    intervals: dict[str, tuple[float, float]]  # 95 %, by user, of the mean over seeds; for TESTED
    versus: dict[str, Versus]  # for TESTED; empty for the chosen model
    train_seconds: float
    evaluate_seconds: float
    peak_rss_mb: float
    parameters: int


@dataclass(frozen=True)
class AsGood:
    """A model that is as good as the chosen one for a fifth of the training time; both as validation has it."""

    standing: Standing
    difference: float  # from the chosen one, on validation
    low: float  # 95 % interval
    high: float


def stand(
    models: Sequence[str],
    own: Mapping[str, Sequence[Result]],
    values: Mapping[tuple[str, int], Mapping[str, Floats]],
    *,
    resamples: int,
    seed: int,
) -> list[Standing]:
    """The standing of each of the models, the chosen one first; own, values: as `summarise` has them."""
    per_user = {metric: _per_user(own, values, metric, models) for metric in TESTED}
    sampled = resampled(np.concatenate([per_user[metric] for metric in TESTED], axis=1), resamples, seed)
    drawn = dict(zip(TESTED, np.split(sampled, len(TESTED), axis=1), strict=True))
    compared = {metric: _versus(per_user[metric], drawn[metric]) for metric in TESTED}
    standings = []
    for place, model in enumerate(models):
        intervals = {metric: bounded(drawn[metric][:, place], per_user[metric][:, place]) for metric in TESTED}
        versus = {metric: compared[metric][place - 1] for metric in TESTED} if place else {}
        standings.append(_standing(own[model], len(per_user[MAIN]), intervals, versus))
    return standings


def ordered(runs: Sequence[Result]) -> tuple[bool, float, str]:
    """Best on validation first; models without a figure last, by name: the test part must not order them."""
    valid = _mean([run.valid for run in runs])
    return math.isnan(valid), 0.0 if math.isnan(valid) else -valid, runs[0].model


def _per_user(
    own: Mapping[str, Sequence[Result]],
    values: Mapping[tuple[str, int], Mapping[str, Floats]],
    metric: str,
    models: Sequence[str],
) -> Floats:
    """(questions, models) the mean over a model's seeds."""
    columns: list[Floats] = []
    for model in models:
        try:
            seeds = [np.asarray(values[model, run.seed][metric], dtype=np.float64) for run in own[model]]
        except KeyError as error:
            raise InputError(f"found no values of {metric} for {error}; evaluate that model again") from error
        if len({len(each) for each in (*seeds, *columns)}) > 1:
            raise InputError(f"{model} was evaluated on other questions than the rest; evaluate all on one split")
        columns.append(np.mean(seeds, axis=0))
    return np.stack(columns, axis=1)


def _versus(per_user: Floats, sampled: Floats) -> list[Versus]:
    """Each model after the first against the first."""
    differences = sampled[:, 1:] - sampled[:, :1]  # (resamples, models - 1)
    pairs = per_user[:, 1:] - per_user[:, :1]  # (questions, models - 1)
    ps = [two_sided(column, own) for column, own in zip(differences.T, pairs.T, strict=True)]
    means = per_user.mean(axis=0) if len(per_user) else np.full(per_user.shape[1], np.nan)
    return [
        Versus(
            float(means[i + 1] - means[0]), *bounded(differences[:, i], pairs[:, i], -1.0), p=ps[i], p_holm=corrected
        )
        for i, corrected in enumerate(holm(ps))
    ]


def _standing(
    runs: Sequence[Result], questions: int, intervals: dict[str, tuple[float, float]], versus: dict[str, Versus]
) -> Standing:
    names = runs[0].metrics
    return Standing(
        model=runs[0].model,
        seeds=len(runs),
        questions=questions,
        valid=_mean([run.valid for run in runs]),
        metrics={name: _mean([run.metrics[name] for run in runs]) for name in names},
        spread={name: _deviation([run.metrics[name] for run in runs]) for name in names},
        intervals=intervals,
        versus=versus,
        train_seconds=_mean([run.train_seconds for run in runs]),
        evaluate_seconds=_mean([run.evaluate_seconds for run in runs]),
        peak_rss_mb=_mean([run.peak_rss_mb for run in runs]),
        parameters=runs[0].parameters,
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def cheaper(
    standings: Sequence[Standing], valid: Mapping[tuple[str, int], Floats], *, resamples: int, seed: int
) -> AsGood | None:
    """The best on validation of the models that train five times faster than the chosen one and are as good.

    As good: at least 95 % of its validation metric, and the interval of the paired difference on the validation
    questions reaches zero. An interval alone would do for anything where few questions are asked. Of the test part
    nothing is looked at. None where validation's values are not known.
    """
    chosen, own = standings[0], {model for model, _ in valid}
    for each in standings[1:] if chosen.model in own and chosen.train_seconds >= 1 else []:
        if each.model not in own or each.train_seconds > chosen.train_seconds / 5 or each.valid < 0.95 * chosen.valid:
            continue
        differences = _over_seeds(valid, each.model) - _over_seeds(valid, chosen.model)
        known = differences[~np.isnan(differences)]  # asked of both
        low, high = bounded(resampled(known[:, None], resamples, seed)[:, 0], known, -1.0)
        if high >= 0:
            return AsGood(each, float(known.mean()), low, high)
    return None


def _over_seeds(valid: Mapping[tuple[str, int], Floats], model: str) -> Floats:
    """(questions,) the mean over a model's seeds; NaN where one of them was not asked."""
    found: Floats = np.mean([values for (name, _), values in valid.items() if name == model], axis=0)
    return found
