"""What a comparison says: standings with intervals, paired tests against the chosen model, and a verdict in words.

The choice is made on validation; the test part only tells what it is worth (see standings.py and verdict.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from endcap.bootstrap import RESAMPLES
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats
from endcap.intents import Choice, choose, judged
from endcap.results import Result, plain
from endcap.standings import Standing, cheaper, ordered, stand
from endcap.verdict import verdict

_SIMULATED = (
    "The visits are simulated, so these figures tell of no shopper: shelves are filled by {serves}, by likeness of "
    "products, which it knows by what they are."
)


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
    cheaper: str | None  # a model as good on validation, five times faster to train
    intents: dict[str, Choice]  # again, new: who is best at it on validation; without those nobody can answer
    standings: list[Standing]  # best on validation first
    giveaway: dict[str, Any]  # what the test questions give away of their answers; see data/giveaway.py
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
    valid: Mapping[tuple[str, int], Floats] | None = None,
    intents: Mapping[tuple[str, int], Mapping[str, Floats]] | None = None,
    by_content: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Summary:
    """Compares results of one data set and protocol.

    values: (model, seed) -> metric -> (questions,) what each test question got, in the same order for all.
    valid: (model, seed) -> (questions,) what each validation question got, likewise; NaN where it was not asked. Who is
    as good as the chosen one and cheaper, it alone tells.
    intents: (model, seed) -> intent -> (questions,) the NDCG@10 of its validation questions, likewise.
    by_content: where the visits are simulated, the models that know products by what they are: one of them serves.
    Raises InputError where they are missing or of different lengths.
    """
    if not results:
        raise InputError("found no result to summarise; expected at least one model that was trained and evaluated")
    models = list(dict.fromkeys(result.model for result in results))
    own = {model: [result for result in results if result.model == model] for model in models}
    models.sort(key=lambda model: ordered(own[model]))
    standings = stand(models, own, values, resamples=resamples, seed=seed)
    first = results[0]
    as_good = cheaper(standings, valid or {}, resamples=resamples, seed=seed)
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
        questions=standings[0].questions,
        chosen=standings[0].model,
        serves=serves,
        cheaper=None if as_good is None else as_good.standing.model,
        intents=wanted,
        standings=standings,
        giveaway=first.giveaway,
        verdict=[*first_of_all, *verdict(standings, as_good, own, judged(wanted, models[0]))],
        resamples=resamples,
        seed=seed,
    )
