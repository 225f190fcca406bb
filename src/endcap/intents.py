"""Which model is best at what a visitor may want: what they had before, or what nobody had before them.

One model can be the best at both together and the worst at one of them: where most answers are repeats, who reminds
well wins, and discovers nothing. All of it is chosen on validation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from endcap.bootstrap import RESAMPLES, bounded, holm, p_text, resampled, signed, two_sided
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats
from endcap.evaluation import INTENTS, Intent

LEAST = 100
"""Questions below which nothing is chosen by them: two models then differ by what a handful of visitors did."""
WARNING = "Warning: "
"""How a sentence of a verdict begins that is not to be read over."""
SURE = 0.05
"""A corrected p below this is more than chance explains."""


@dataclass(frozen=True)
class Reached:
    """One model at one intent, on validation."""

    model: str
    value: float  # NDCG@10, the mean over seeds
    low: float  # 95 % interval, by user
    high: float
    difference: float  # from the model that was chosen for everything
    difference_low: float
    difference_high: float
    p_holm: float  # two-sided, corrected for the number of models; 1 of the chosen one itself


@dataclass(frozen=True)
class Choice:
    """Who answers one intent."""

    intent: Intent
    questions: int
    model: str  # the best where it is better than chance explains, else the one chosen for everything
    best: str
    reached: list[Reached]  # best first

    def of(self, model: str) -> Reached:
        """What a model reached."""
        return next(each for each in self.reached if each.model == model)


def choose(
    values: Mapping[tuple[str, int], Mapping[str, Floats]], chosen: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Choice]:
    """For each intent that has a question, the model that answers it.

    values: (model, seed) -> intent -> (questions,) the NDCG@10 of each validation question, in the same order for all.
    chosen: the model that is best at everything together. Raises InputError where models had different questions.
    """
    models = list(dict.fromkeys(model for model, _ in values))
    return {
        intent: _choice(intent, {model: _mean(values, model, intent) for model in models}, chosen, resamples, seed)
        for intent in INTENTS
        if models and all(len(each.get(intent, ())) for each in values.values())
    }


def _mean(values: Mapping[tuple[str, int], Mapping[str, Floats]], model: str, intent: Intent) -> Floats:
    """(questions,) over a model's seeds."""
    seeds = [each[intent] for (name, _), each in values.items() if name == model]
    if len({len(each) for each in seeds}) > 1:
        raise InputError(f"{model} was evaluated on other questions than the rest; evaluate all on one split")
    return np.mean(seeds, axis=0)


def _choice(intent: Intent, own: Mapping[str, Floats], chosen: str, resamples: int, seed: int) -> Choice:
    if len({len(each) for each in own.values()}) > 1:
        raise InputError(f"models were evaluated on different questions of intent {intent}; evaluate all on one split")
    order = sorted(own, key=lambda model: (-float(own[model].mean()), model != chosen, model))
    sampled = resampled(np.stack([own[model] for model in order], axis=1), resamples, seed)
    place = order.index(chosen)
    others = [n for n in range(len(order)) if n != place]
    pairs = [own[model] - own[chosen] for model in order]
    ps = [two_sided(sampled[:, n] - sampled[:, place], pairs[n]) for n in others]
    corrected = dict(zip(others, holm(ps), strict=True))
    reached = [
        Reached(
            model, float(own[model].mean()), *bounded(sampled[:, n], own[model]),
            float(own[model].mean() - own[chosen].mean()), *bounded(sampled[:, n] - sampled[:, place], pairs[n], -1.0),
            corrected.get(n, 1.0),
        )
        for n, model in enumerate(order)
    ]  # fmt: skip
    questions, best = len(own[chosen]), reached[0]
    sure = questions >= LEAST and best.difference > 0 and best.p_holm < SURE
    return Choice(intent, questions, best.model if sure else chosen, best.model, reached)


def judged(choices: Mapping[str, Choice], chosen: str) -> list[str]:
    """The second verdict, in words: who finds what nobody had before, and who reminds."""
    return [_sentence(choices[intent], chosen) for intent in ("new", "again") if intent in choices]


WANTED = {"new": "what a visitor never had", "again": "what a visitor had before"}


def _sentence(choice: Choice, chosen: str) -> str:
    own, best, what = choice.of(chosen), choice.reached[0], WANTED[choice.intent]
    asked = f"{choice.questions:,} validation questions"
    figure = f"{own.value:.4f}, 95 % interval {own.low:.4f} to {own.high:.4f}"
    if choice.model != chosen:
        start = f"{WARNING}for discovery" if choice.intent == "new" else "For buying again"
        return (
            f"{start} use {choice.model} beside it: of {what} {chosen} has NDCG@10 {own.value:.4f}, {choice.model} "
            f"{best.value:.4f} ({signed(best.difference)}, interval {signed(best.difference_low)} to "
            f"{signed(best.difference_high)}, corrected p {p_text(best.p_holm)}; {asked}). It takes the slot "
            f"{choice.intent}."
        )
    if choice.questions < LEAST:
        return f"Of {what} {chosen} has NDCG@10 {figure}; {asked} are too few to choose another model for it."
    if best.model == chosen:
        return f"It is also the best at {what}: NDCG@10 {figure} ({asked})."
    return (
        f"Of {what} {chosen} has NDCG@10 {figure}; {best.model} has {best.value:.4f}, which may be chance "
        f"(corrected p {p_text(best.p_holm)}; {asked})."
    )
