"""What a comparison says: standings with intervals, paired tests against the chosen model, and a verdict in words.

The choice is made on validation; the test part only tells what it is worth. Intervals are bootstrapped by user:
questions are drawn with replacement, the same draw for all models, 2,000 times (Efron and Tibshirani, 1993).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from endcap.bootstrap import RESAMPLES, holm, interval, p_text, resampled, signed, two_sided
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats
from endcap.intents import Choice, choose, judged
from endcap.results import Result, plain

MAIN = "ndcg@10"
TESTED = ("ndcg@10", "hr@10")
"""The metrics that have intervals; `MAIN` decides."""


_SIMULATED = (
    "The visits are simulated, so these figures tell of no shopper: shelves are filled by {serves}, by likeness of "
    "products, which it knows by what they are."
)


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
class Summary:
    """One split, one protocol, all models."""

    dataset: str
    goal: str
    split: str
    protocol: str
    masked: bool
    users: int
    items: int
    events: int
    questions: int
    chosen: str  # the best on validation
    serves: str  # who fills shelves: the chosen one, unless the visits are simulated
    cheaper: str | None  # a model as good within the interval, five times faster to train
    intents: dict[str, Choice]  # again, new: who is best at it on validation; without those nobody can answer
    standings: list[Standing]  # best on validation first
    verdict: list[str]  # sentences
    resamples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """As summary.json has it; null where a number is not known."""
        found: dict[str, Any] = plain(asdict(self))
        return found


def summarise(
    results: Sequence[Result],
    values: Mapping[tuple[str, int], Mapping[str, Floats]],
    *,
    intents: Mapping[tuple[str, int], Mapping[str, Floats]] | None = None,
    by_content: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Compares results of one data set and protocol.

    values: (model, seed) -> metric -> (questions,) what each test question got, in the same order for all.
    intents: (model, seed) -> intent -> (questions,) the NDCG@10 of its validation questions, likewise.
    by_content: where the visits are simulated, the models that know products by what they are: one of them serves.
    Raises InputError where they are missing or of different lengths.
    """
    if not results:
        raise InputError("found no result to summarise; expected at least one model that was trained and evaluated")
    models = list(dict.fromkeys(result.model for result in results))
    own = {model: [result for result in results if result.model == model] for model in models}
    models.sort(key=lambda model: _order(own[model]))
    per_user = {metric: _per_user(own, values, metric, models) for metric in TESTED}
    sampled = resampled(np.concatenate([per_user[metric] for metric in TESTED], axis=1), resamples, seed)
    compared = {
        metric: _versus(per_user[metric], part)
        for metric, part in zip(TESTED, np.split(sampled, len(TESTED), axis=1), strict=True)
    }
    standings = []
    for place, model in enumerate(models):
        intervals = {metric: interval(sampled[:, i * len(models) + place]) for i, metric in enumerate(TESTED)}
        versus = {metric: compared[metric][place - 1] for metric in TESTED} if place else {}
        standings.append(_standing(own[model], intervals, versus))
    first = results[0]
    questions = len(per_user[MAIN])
    cheaper = _cheaper(standings)
    wanted = {} if by_content else choose(intents or {}, models[0], resamples=resamples, seed=seed)
    serves = next((model for model in models if model in by_content), models[0])
    first_of_all = [_SIMULATED.format(serves=serves)] if by_content else []
    return Summary(
        dataset=first.dataset,
        goal=first.goal,
        split=first.split,
        protocol=first.protocol,
        masked=first.masked,
        users=first.users,
        items=first.items,
        events=first.events,
        questions=questions,
        chosen=standings[0].model,
        serves=serves,
        cheaper=None if cheaper is None else cheaper.model,
        intents=wanted,
        standings=standings,
        verdict=[*first_of_all, *_verdict(standings, cheaper, own, questions, judged(wanted, models[0]))],
        resamples=resamples,
        seed=seed,
    )


def _order(runs: Sequence[Result]) -> tuple[bool, float, str]:
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
    ps = [two_sided(column) for column in differences.T]
    means = per_user.mean(axis=0) if len(per_user) else np.full(per_user.shape[1], np.nan)
    return [
        Versus(float(means[i + 1] - means[0]), *interval(differences[:, i]), p=ps[i], p_holm=corrected)
        for i, corrected in enumerate(holm(ps))
    ]


def _standing(runs: Sequence[Result], intervals: dict[str, tuple[float, float]], versus: dict[str, Versus]) -> Standing:
    names = runs[0].metrics
    return Standing(
        model=runs[0].model,
        seeds=len(runs),
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


def _cheaper(standings: Sequence[Standing]) -> Standing | None:
    """The best on validation of the models that train five times faster than the chosen one and are as good.

    As good: at least 95 % of the chosen one's validation metric, and the interval of the difference on the test part
    reaches zero. An interval alone would do for anything on a small test part.
    """
    chosen = standings[0]
    for each in standings[1:]:
        fast = each.train_seconds <= chosen.train_seconds / 5 and chosen.train_seconds >= 1
        if fast and each.valid >= 0.95 * chosen.valid and each.versus[MAIN].high >= 0:
            return each
    return None


def _verdict(
    standings: Sequence[Standing],
    cheaper: Standing | None,
    own: Mapping[str, Sequence[Result]],
    questions: int,
    of_intents: Sequence[str],
) -> list[str]:
    """Which model to use and why, and for which intent another one; then what the data and the runs say about it."""
    chosen = standings[0]
    if not questions:
        return ["There is no test question: nothing can be said. Use more data or another split."]
    return [
        *_choice(chosen, standings, cheaper),
        *of_intents,
        *_surprises(chosen, standings),
        *[f"{_name(chosen)}: {run.note}." for run in own[chosen.model][:1] if run.note],
        *_about_data(chosen, own[chosen.model][0], questions),
        *_about_runs(standings, own),
    ]


def _choice(chosen: Standing, standings: Sequence[Standing], cheaper: Standing | None) -> list[str]:
    low, high = chosen.intervals[MAIN]
    reached = (
        f"on the test part it reaches NDCG@10 {chosen.metrics[MAIN]:.4f} (95 % interval {low:.4f} to {high:.4f}) "
        f"and HR@10 {chosen.metrics['hr@10']:.4f}, after {_duration(chosen.train_seconds)} of training."
    )
    if math.isnan(chosen.valid):
        return [
            f"No model has a validation figure, so none is chosen; {chosen.model} comes first by name alone: {reached}"
        ]
    if len(standings) == 1:
        return [f"{_name(chosen)} is the only model here: {reached}"]
    if cheaper is not None:
        versus = cheaper.versus[MAIN]
        return [
            f"Use {cheaper.model}: it is as good as {chosen.model} within the interval "
            f"(NDCG@10 {cheaper.metrics[MAIN]:.4f}, {signed(versus.difference)}, "
            f"interval {signed(versus.low)} to {signed(versus.high)}) "
            f"and trains in {_duration(cheaper.train_seconds)} instead of {_duration(chosen.train_seconds)}.",
            f"{_name(chosen)} is the best on validation ({chosen.valid:.4f}): {reached}",
        ]
    second = standings[1]
    versus = second.versus[MAIN]
    apart = versus.p_holm < 0.05
    return [
        f"Use {chosen.model}: it is the best on validation ({chosen.valid:.4f}; next is {second.model} with "
        f"{second.valid:.4f}); {reached}",
        f"{_name(second)} differs by {signed(versus.difference)} on the test part (interval {signed(versus.low)} to "
        f"{signed(versus.high)}, corrected p {p_text(versus.p_holm)}): "
        + ("more than chance explains." if apart else "that may be chance; more test questions would tell."),
    ]


def _surprises(chosen: Standing, standings: Sequence[Standing]) -> list[str]:
    better = [each for each in standings[1:] if each.versus[MAIN].low > 0]
    return [
        f"On the test part {each.model} is better than the choice by {each.versus[MAIN].difference:.4f} "
        f"(corrected p {p_text(each.versus[MAIN].p_holm)}). The choice stays with validation, or the figure would "
        "flatter; with a temporal split it may mean that tastes moved after the validation period."
        for each in better[:1]
    ]


def _about_data(chosen: Standing, run: Result, questions: int) -> list[str]:
    lines = []
    low, high = chosen.intervals[MAIN]
    if chosen.metrics[MAIN] > 0 and (high - low) / 2 > 0.1 * chosen.metrics[MAIN]:
        lines.append(
            f"{questions:,} test questions leave an interval of ±{(high - low) / 2 / chosen.metrics[MAIN]:.0%}: "
            "differences smaller than that cannot be seen here, more users in the test period would show them."
        )
    per_item = run.events / max(1, run.items)
    lines.append(
        f"Training saw {run.events:,} events of {run.users:,} users on {run.items:,} items, {per_item:.1f} an item"
        + (
            ": little for learning items one by one; titles, categories or more history would help most."
            if per_item < 10
            else "."
        )
    )
    missed = chosen.metrics.get("missed_never_in_training", 0.0)
    if missed > 0.02:
        lines.append(
            f"{missed:.0%} of the answers were never in training, and none of these models can show them: "
            "train more often, or use models that read the catalogue."
        )
    other = run.other.get("metrics", {}).get(MAIN, math.nan)
    if not math.isnan(other):
        here, there = ("masked", "allowed") if run.masked else ("allowed", "masked")
        lines.append(
            f"Items that a user had before are {here} in the lists; with them {there}, {run.model} would reach "
            f"NDCG@10 {other:.4f} instead of {run.metrics[MAIN]:.4f} (seed {run.seed})."
        )
    return lines


def _about_runs(standings: Sequence[Standing], own: Mapping[str, Sequence[Result]]) -> list[str]:
    lines = []
    trained = [each.model for each in standings if any(run.history for run in own[each.model])]
    alone = [model for model in trained if len(own[model]) == 1]
    if alone:
        lines.append(
            f"{', '.join(alone)} ran with one seed: how much chance moves {'it' if len(alone) == 1 else 'them'} "
            "is not known; --seeds 3 tells."
        )
    unfinished = [
        model
        for model in trained
        if all(run.history and run.epochs >= run.history[-1]["epoch"] and len(run.history) > 1 for run in own[model])
    ]
    if unfinished:
        lines.append(f"{', '.join(unfinished)} still improved in the last epoch: more epochs may bring more.")
    return lines


def _name(standing: Standing) -> str:
    return standing.model[:1].upper() + standing.model[1:]


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
