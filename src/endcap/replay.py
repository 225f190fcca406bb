"""Replay: what another model would have earned, told from lists in which chance decided some places.

Where a place was explored (engine/explore.py), the log has the pool of products that could have stood there and the
chance of the one that did. A candidate says which of the pool it would have put there; where that is the one that was
shown, its reward counts, weighed by one over its chance. IPS divides the sum by the number of places (Horvitz and
Thompson, 1952): right on average, but it swings. SNIPS divides it by the sum of the weights (Swaminathan and Joachims,
2015): steadier, and right in the long run. Both speak of the explored places alone, all others left as they were.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from endcap.bootstrap import RESAMPLES, Interval, interval, ratio, resampled, two_sided
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats
from endcap.exposure import CLICKS, clicked, person
from endcap.results import plain
from endcap.store.records import Shown

Choose = Callable[[Shown, int, Sequence[str]], str | None]
"""The product that a candidate would put at a place of a list, out of a pool of ids; None where it knows none of it."""

Rewards = Mapping[tuple[str, str], float]
"""(list, item) -> what it earned; nothing where it is not there."""

UNEXPLORED = "no place of them was explored"
UNKNOWN = "the candidate knows no product of their pools"

SMALL = 100
"""Effective places below which an interval of replay is not to be trusted."""

HITS = 10
"""Rewards that the candidate's choices must have met before an interval is given."""

ODD = 3.3
"""Standard errors by which the weights may miss their mean of 1: once in a thousand by chance."""


@dataclass(frozen=True)
class Estimate:
    """What a candidate would have earned at an explored place, beside what was earned there."""

    places: int  # explored ones that count
    lists: int
    visitors: int
    met: int  # places where the candidate would have shown what was shown
    effective: float  # (sum of weights)² / sum of squared weights: as many places without weights say as much
    weight: float  # their mean over all places; about 1 where the chances are what they are said to be
    logged: Interval  # the mean reward of what was shown
    ips: Interval
    snips: Interval
    difference: Interval  # snips - logged, on the same places
    p: float
    left_out: dict[str, int]  # reason -> lists
    warnings: tuple[str, ...]
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON; null where a number is not known."""
        found: dict[str, Any] = plain(asdict(self))
        return found


def rewards(named: pa.Table, kinds: tuple[str, ...] = CLICKS) -> dict[tuple[str, str], float]:
    """1 for each item of a list that an event of these kinds names with it; named: Store.events_of_lists."""
    return {(each, item_id): 1.0 for each, items in clicked(named, kinds).items() for item_id in items}


def replay(
    shown: Iterable[Shown],
    rewards: Rewards,
    choose: Choose,
    *,
    left_out: Mapping[str, int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """What `choose` would have earned at the explored places; intervals are bootstrapped over visitors.

    `left_out` are lists that were not even given, by reason.
    Raises InputError where no list was explored, or a record of exploration cannot be true.
    """
    lists = list(shown)
    without: Counter[str] = Counter(left_out or {})
    judged: list[_Place] = []
    for each in lists:
        own = [_place(each, record, rewards, choose) for record in checked(each)]
        known = [place for place in own if place is not None]
        if not known:
            without[UNKNOWN if own else UNEXPLORED] += 1
        judged += known
    if not judged:
        raise InputError(
            f"found no explored place in {len(lists):,} lists{_reasons(without)}; a replay needs lists served with "
            "`explore`, which draws some places by chance and logs the chance"
        )
    return _estimate(judged, without, resamples, seed)


def checked(each: Shown) -> Iterator[Mapping[str, Any]]:
    """The records of exploration of a list; raises InputError where one cannot be true."""
    for record in each.explored:
        try:
            place, pool, chance = record["place"], record["pool"], float(record["chance"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"list {each.recommendation_id} has an explored place without place, pool and chance: {dict(record)}"
            ) from error
        wrong = ""
        if not 0 < chance <= 1:
            wrong = f"a chance of {chance}, and chances are above 0 and at most 1"
        elif not 0 <= place < len(each.items):
            wrong = f"place {place} explored, and {len(each.items)} items"
        elif each.items[place] not in pool:
            wrong = f"{each.items[place]} at place {place}, which is not in the pool that it was drawn from"
        elif chance == 1 and len(set(pool)) > 1:
            wrong = f"a pool of {len(set(pool))} at place {place} and a chance of 1, which leaves nothing to the others"
        if wrong:
            raise InputError(f"list {each.recommendation_id} has {wrong}: the log cannot be replayed")
        yield record


@dataclass(frozen=True)
class _Place:
    person: str
    list_id: str
    met: bool
    weight: float
    reward: float


def _place(each: Shown, record: Mapping[str, Any], rewards: Rewards, choose: Choose) -> _Place | None:
    pool, place = record["pool"], int(record["place"])
    wanted = choose(each, place, pool)
    if wanted is None:
        return None
    if wanted not in pool:
        raise InputError(f"the candidate chose {wanted} for place {place} of {each.recommendation_id}: not in the pool")
    met = wanted == each.items[place]
    reward = rewards.get((each.recommendation_id, each.items[place]), 0.0)
    return _Place(person(each.visitor), each.recommendation_id, met, met / float(record["chance"]), reward)


def _estimate(judged: Sequence[_Place], without: Mapping[str, int], resamples: int, seed: int) -> Estimate:
    weights = np.array([each.weight for each in judged])
    earned = np.array([each.reward for each in judged])
    _, owners = np.unique([each.person for each in judged], return_inverse=True)
    # (visitors, 4) of each visitor: places, weights, weighed rewards, rewards
    sums = np.stack(
        [np.bincount(owners, values) for values in (np.ones(len(judged)), weights, weights * earned, earned)], axis=1
    ).astype(np.float64)
    hits = sum(each.met and each.reward != 0 for each in judged)
    values, drawn = _figures(sums.sum(axis=0)[None]), _figures(resampled(sums, resamples, seed))
    enough = hits >= HITS
    found = {
        name: Interval(float(values[name][0]), *(interval(drawn[name]) if enough else (math.nan, math.nan)))
        for name in values
    }
    squares = float((weights**2).sum())
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    error = float(drawn["weight"].std())
    estimate = Estimate(
        places=len(judged),
        lists=len({each.list_id for each in judged}),
        visitors=len(sums),
        met=sum(each.met for each in judged),
        effective=effective,
        weight=float(weights.mean()),
        logged=Interval(found["logged"].value, *interval(drawn["logged"])),
        ips=found["ips"],
        snips=found["snips"],
        difference=found["difference"],
        p=two_sided(drawn["difference"]) if enough else math.nan,
        left_out=dict(without),
        warnings=tuple(_warnings(effective, float(weights.mean()), error, hits)),
        verdict="",
    )
    return replace(estimate, verdict=_verdict(estimate))


def _figures(sums: Floats) -> dict[str, Floats]:
    """(n, 4) sums or means of places, weights, weighed rewards and rewards -> (n,) of each figure."""
    places, weights, weighed, earned = sums.T
    logged, snips = ratio(earned, places), ratio(weighed, weights)
    return {
        "logged": logged,
        "ips": ratio(weighed, places),
        "snips": snips,
        "difference": snips - logged,
        "weight": ratio(weights, places),
    }


def _warnings(effective: float, weight: float, error: float, hits: int) -> list[str]:
    lines = []
    if effective < SMALL or hits < HITS:
        lines.append(
            f"The candidate would have shown what was shown at too few places: they say as much as {effective:,.0f} "
            f"places without weights, with {hits:,} rewards. Explore more places, or for longer."
        )
    if error > 0 and abs(weight - 1) > ODD * error:
        lines.append(
            f"The weights are {weight:.3f} on average where they should be 1: the chances in the log are not those by "
            "which the lists were drawn, so that no figure here can be trusted."
        )
    return lines


def _verdict(estimate: Estimate) -> str:
    """One sentence, which claims no more than the interval allows."""
    difference = estimate.difference
    if math.isnan(difference.low):
        return "Nothing can be said yet: too few rewards at places where the candidate would have shown the same."
    found = (
        f"{difference.value:+.4f} a place (95 % interval {difference.low:+.4f} to {difference.high:+.4f}; "
        f"{estimate.snips.value:.4f} instead of {estimate.logged.value:.4f})"
    ).replace("-", "−")
    if difference.low > 0:
        return f"At the explored places the candidate would have earned more: {found}."
    if difference.high < 0:
        return f"At the explored places the candidate would have earned less: {found}."
    return f"At the explored places no difference from what was shown is seen: {found}."


def _reasons(without: Mapping[str, int]) -> str:
    return f" ({'; '.join(f'{n:,} left out: {reason}' for reason, n in without.items())})" if without else ""
