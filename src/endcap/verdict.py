"""The verdict in words: which model to use and why, and what the questions, the data and the runs say about it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from endcap.bootstrap import FEWEST, p_text, signed
from endcap.data.giveaway import MOST
from endcap.intents import WARNING
from endcap.results import Result
from endcap.standings import MAIN, AsGood, Standing


def verdict(
    standings: Sequence[Standing],
    cheaper: AsGood | None,
    own: Mapping[str, Sequence[Result]],
    of_intents: Sequence[str],
) -> list[str]:
    """Which model to use and why, and for which intent another one; then what the data and the runs say about it."""
    chosen = standings[0]
    first = own[chosen.model][0]
    if not chosen.questions:
        return ["There is no test question: nothing can be said. Use more data or another split."]
    return [
        *given_away(first.giveaway, masked=first.masked),
        *_few(chosen),
        *_choice(chosen, standings, cheaper, own),
        *of_intents,
        *_surprises(chosen, standings),
        *[f"{_name(chosen)}: {run.note}." for run in own[chosen.model][:1] if run.note],
        *_about_data(chosen, first),
        *_about_runs(standings, own),
    ]


def given_away(found: Mapping[str, Any], *, masked: bool) -> list[str]:
    """The headline where most answers can be read off the history, and the question to ask instead."""
    if not found or max(found["last"], found["history"], found["last_cart"]) <= MOST:
        return []
    answers, history = f"{found['answers']:,} answers", found["history"]
    instead = (
        f"ask for the next other product, --goal {found['instead']} --repeats mask "
        f"({found['instead_history']:.0%} of those answers stand in the history)"
        if found["instead"]
        else "no other kind of event of this log asks for another product; read the figures of what is new"
    )
    if masked:
        return [
            f"{WARNING}{history:.0%} of the {answers} are products of the history, which no list may show while items "
            f"seen before are masked: they count as missed. Use --repeats allow, or {instead}."
        ]
    ways = {
        "last_cart": "the product that was put into the cart last",
        "last": "the product of the event before",
    }
    obvious = [way for way in ways if found[way] > MOST]
    if obvious:
        return [
            f"{WARNING}this question gives its answer away: {found[obvious[0]]:.0%} of the {answers} are "
            f"{ways[obvious[0]]} ({found['last']:.0%} that of the event before, {history:.0%} stand anywhere in the "
            f"history). Who repeats it looks perfect, and shows shoppers what they hold already. Instead, {instead}."
        ]
    return [
        f"{WARNING}{history:.0%} of the {answers} are products that stand in the history already: these figures say "
        "who reminds well. For what is new to a visitor use --repeats mask"
        + (f", or {instead}." if found["instead"] else ".")
    ]


def _few(chosen: Standing) -> list[str]:
    if chosen.questions >= FEWEST:
        return []
    return [
        f"{WARNING}{_counted(chosen.questions)} tell{'s' * (chosen.questions == 1)} nothing apart: below {FEWEST} no "
        "difference can be more than chance. Use more data."
    ]


def _counted(questions: int) -> str:
    return f"{questions:,} test question" + "s" * (questions != 1)


def _choice(
    chosen: Standing, standings: Sequence[Standing], cheaper: AsGood | None, own: Mapping[str, Sequence[Result]]
) -> list[str]:
    low, high = chosen.intervals[MAIN]
    reached = (
        f"on the test part ({_counted(chosen.questions)}) it reaches NDCG@10 {chosen.metrics[MAIN]:.4f} "
        f"(95 % interval {low:.4f} to {high:.4f}) "
        f"and HR@10 {chosen.metrics['hr@10']:.4f}, after {_duration(chosen.train_seconds)} of training."
    )
    if math.isnan(chosen.valid):
        return [
            f"No model has a validation figure, so none is chosen; {chosen.model} comes first by name alone: {reached}"
        ]
    if len(standings) == 1:
        return [f"{_name(chosen)} is the only model here: {reached}"]
    if cheaper is not None:
        fast = cheaper.standing
        return [
            f"Use {_made(fast, own)}: on validation it is as good as {chosen.model} within the interval "
            f"({fast.valid:.4f}, {signed(cheaper.difference)}, interval {signed(cheaper.low)} to "
            f"{signed(cheaper.high)}), and it trains "
            f"in {_duration(fast.train_seconds)} instead of {_duration(chosen.train_seconds)}. On the test part "
            f"({_counted(fast.questions)}) it reaches NDCG@10 {fast.metrics[MAIN]:.4f} "
            f"(95 % interval {fast.intervals[MAIN][0]:.4f} to {fast.intervals[MAIN][1]:.4f}), "
            f"{signed(fast.versus[MAIN].difference)} to {chosen.model}.",
            f"{_name(chosen)} is the best on validation ({chosen.valid:.4f}): {reached}",
        ]
    second = standings[1]
    versus = second.versus[MAIN]
    apart = versus.p_holm < 0.05
    return [
        f"Use {_made(chosen, own)}: it is the best on validation ({chosen.valid:.4f}; next is {second.model} with "
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


def _about_data(chosen: Standing, run: Result) -> list[str]:
    lines = []
    low, high = chosen.intervals[MAIN]
    if chosen.metrics[MAIN] > 0 and (high - low) / 2 > 0.1 * chosen.metrics[MAIN]:
        lines.append(
            f"{_counted(chosen.questions)} leave an interval of ±{(high - low) / 2 / chosen.metrics[MAIN]:.0%}: "
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


def _made(standing: Standing, own: Mapping[str, Sequence[Result]]) -> str:
    """The model and, of a hybrid, what of."""
    made_of = own[standing.model][0].made_of
    return f"{standing.model} ({made_of})" if made_of else standing.model


def _name(standing: Standing) -> str:
    return standing.model[:1].upper() + standing.model[1:]


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
