"""A/B tests: which arm a visitor is in, and what the arms differ by, with intervals.

A visitor is drawn into an arm by a hash of the experiment's name and the visitor's: no table has to be kept, every
replica says the same, and experiments are independent of each other. Intervals are bootstrapped over visitors, since
the lists and purchases of one person are not independent (bootstrap.py).
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from endcap.bootstrap import RESAMPLES, Interval, interval, ratio, resampled, two_sided
from endcap.data.errors import InputError
from endcap.data.vocabulary import Floats
from endcap.exposure import COLUMNS, Exposed, buy, clicked, exposed
from endcap.results import plain
from endcap.store.records import Shown

ArmName = Literal["control", "candidate"]
ARMS: tuple[ArmName, ArmName] = ("control", "candidate")

MEASURES = {
    "clicks per list": ("lists clicked", "lists"),
    "clicks per item": ("items clicked", "items"),
    "conversion": ("buyers", "visitors"),
    "revenue per visitor": ("revenue", "visitors"),
}
"""Each a sum over visitors by another one."""

DECIDES = "conversion"
"""The measure of the verdict: one that is named beforehand, or the best of four would be picked by chance."""

FEWEST = 10
"""An interval needs as many visitors of each arm as would have done it, and not done it, if the arms were alike.

With fewer, resampling claims too much: where nobody did it, it would give an interval of no width.
"""

NORMAL = NormalDist()

LONGEST = 365
"""Days of a test."""

MOST_UPLIFT = 10.0
"""Ten times as many buyers more: nobody expects more of a list."""

MISMATCH = 0.001
"""P of the arms' sizes below which something is wrong with the test itself (Fabijan et al., KDD 2019)."""

POWER = 0.8
"""How many of five experiments that large would show a difference like the one found: four."""


def arm(experiment: str, visitor_key: str, share: float) -> ArmName:
    """The arm of a visitor: `share` of all are in the candidate's. A larger share moves nobody out of it.

    Raises InputError where the share is none.
    """
    if not 0 <= share <= 1:
        raise InputError(f"found an experiment with a share of {share}; expected 0 to 1")
    digest = hashlib.sha256(f"{experiment}\0{visitor_key}".encode()).digest()  # neither holds a NUL
    place = (int.from_bytes(digest[:8]) >> 11) / 2**53  # [0, 1), exact as a float
    return "candidate" if place < share else "control"


@dataclass(frozen=True)
class Plan:
    """What is decided before a test begins."""

    days: int  # that it runs
    uplift: float  # the smallest part by which conversion must grow, or shrink, to matter: 0.1 is a tenth

    def __post_init__(self) -> None:
        """Raises InputError where a test cannot be so."""
        if not 1 <= self.days <= LONGEST:
            raise InputError(f"found a test of {self.days} days; expected 1 to {LONGEST}")
        if not 0 < self.uplift <= MOST_UPLIFT:
            most = f"{MOST_UPLIFT:.0%}"
            raise InputError(f"found an uplift of {self.uplift:.1%}; expected more than 0, and at most {most}")


@dataclass(frozen=True)
class Measured:
    """One measure of both arms."""

    name: str
    control: Interval
    candidate: Interval
    difference: Interval  # candidate - control
    p: float  # two-sided, that there is no difference
    more: int | None  # visitors still needed to see a difference like the one found; None where that cannot be said


@dataclass(frozen=True)
class Report:
    """What an A/B test has shown so far."""

    experiment: str
    first: float  # seconds, of the first and the last list
    last: float
    share: float | None  # of visitors that the candidate should have
    sums: dict[str, dict[str, float]]  # arm -> COLUMNS added up
    measures: tuple[Measured, ...]
    changed: int  # visitors that were shown both arms; left out
    ratio_p: float | None  # of the arms' sizes; None without a share
    warnings: tuple[str, ...]
    verdict: str
    resamples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON; null where a number is not known."""
        found: dict[str, Any] = plain(asdict(self))
        return found


def report(
    shown: Iterable[Shown],
    events: pa.Table,
    named: pa.Table,
    *,
    experiment: str | None = None,
    share: float | None = None,
    share_since: float = -math.inf,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Report:
    """Compares the arms of an experiment; without a name, of the one that had the latest list.

    events: Store.events_table, for purchases within a day of a list of the experiment (exposure.follows); named:
    Store.events_of_lists, for clicks. `share` is what the candidate should have of the visitors; it says nothing of an
    experiment that began before `share_since` (seconds), when another one held.
    Raises InputError where no list belongs to an experiment.
    """
    lists = [each for each in shown if each.experiment is not None and each.arm in ARMS and each.items]
    if experiment is None:
        experiment = max(lists, key=lambda each: each.time).experiment if lists else None
    own = [each for each in lists if each.experiment == experiment]
    if not own or experiment is None:
        names = sorted({str(each.experiment) for each in lists})
        raise InputError(
            f"found no list of {'any experiment' if experiment is None else f'experiment {experiment!r}'}"
            + (f", but of {', '.join(names)}" if names else "; give a model the role candidate and a share of visitors")
        )
    everyone = exposed(own, clicked(named))
    unpriced = buy(everyone, events)
    left = [each for each in everyone.values() if not each.changed]
    tables = {name: _table([each for each in left if each.arm == name]) for name in ARMS}
    sizes = {name: len(table) for name, table in tables.items()}
    changed, first = len(everyone) - len(left), min(each.time for each in own)
    share = share if first >= share_since else None
    ratio_p = None if share is None else ratio_test(sizes, share)
    sampled = {name: resampled(table, resamples, seed + place) for place, (name, table) in enumerate(tables.items())}
    measures = tuple(_measured(name, tables, sampled) for name in MEASURES)
    return Report(
        experiment=experiment,
        first=first,
        last=max(each.time for each in own),
        share=share,
        sums={name: dict(zip(COLUMNS, table.sum(axis=0).tolist(), strict=True)) for name, table in tables.items()},
        measures=measures,
        changed=changed,
        ratio_p=ratio_p,
        warnings=tuple(_warnings(sizes, share, ratio_p, changed, unpriced)),
        verdict=_verdict(next(each for each in measures if each.name == DECIDES), sizes, ratio_p),
        resamples=resamples,
        seed=seed,
    )


def ratio_test(sizes: Mapping[ArmName, int], share: float) -> float:
    """P that arms of these sizes come from a share: the test for a sample ratio mismatch."""
    from scipy.stats import chisquare  # a second of imports, which a server does without until somebody asks

    n = sum(sizes.values())
    expected = [n * (1 - share), n * share]
    observed = [sizes[name] for name in ARMS]
    if 0 in expected:
        return 1.0 if observed == expected else 0.0
    return float(chisquare(observed, expected).pvalue)


def visitors_needed(rate: float, uplift: float, share: float) -> int | None:
    """Visitors of both arms together, so that `POWER` of tests show a conversion of rate x (1 + uplift) against `rate`.

    Two-sided at 5 %, by the normal approximation without a correction for continuity: Fleiss, Levin and Paik,
    Statistical Methods for Rates and Proportions, 3rd edition, 2003, section 4.4 (arms of unequal size). `share` of the
    visitors are the candidate's. None where the rates are none: nobody or everybody buys.
    """
    grown = rate * (1 + uplift)
    if not (0 < rate < 1 and 0 < grown < 1 and 0 < share < 1 and uplift):
        return None
    times = share / (1 - share)  # visitors of the candidate for each of the live model
    mean = (rate + times * grown) / (1 + times)
    alike = NORMAL.inv_cdf(0.975) * math.sqrt((1 + times) * mean * (1 - mean))
    apart = NORMAL.inv_cdf(POWER) * math.sqrt(times * rate * (1 - rate) + grown * (1 - grown))
    control = (alike + apart) ** 2 / (times * (grown - rate) ** 2)
    return math.ceil(control * (1 + times))


def _table(visitors: list[Exposed]) -> Floats:
    """(visitors, COLUMNS)"""
    return np.array([[each.sums[name] for name in COLUMNS] for each in visitors], np.float64).reshape(-1, len(COLUMNS))


def _measured(name: str, tables: Mapping[ArmName, Floats], sampled: Mapping[ArmName, Floats]) -> Measured:
    above, below = (COLUMNS.index(column) for column in MEASURES[name])
    values = {each: float(ratio(table[:, above].sum(), table[:, below].sum())) for each, table in tables.items()}
    drawn = {each: ratio(table[:, above], table[:, below]) for each, table in sampled.items()}
    difference = values["candidate"] - values["control"]
    if not _enough(name, tables):
        nothing = {each: Interval(value, math.nan, math.nan) for each, value in values.items()}
        return Measured(
            name, nothing["control"], nothing["candidate"], Interval(difference, math.nan, math.nan), math.nan, None
        )
    differences = drawn["candidate"] - drawn["control"]
    control, candidate = (Interval(values[each], *interval(drawn[each])) for each in ARMS)
    n = sum(len(table) for table in tables.values())
    more = _more(difference, float(np.nanstd(differences)), n)
    return Measured(
        name, control, candidate, Interval(difference, *interval(differences)), two_sided(differences), more
    )


def _enough(name: str, tables: Mapping[ArmName, Floats]) -> bool:
    """Whether `FEWEST` visitors of the smaller arm would have done it, and not done it, if the arms were alike."""
    above, below = (COLUMNS.index(column) for column in MEASURES[name])
    everyone = np.concatenate([*tables.values()])
    did = int((everyone[:, above] > 0).sum())
    fewer = did if name == "revenue per visitor" else min(did, int((everyone[:, above] < everyone[:, below]).sum()))
    smaller = min(len(table) for table in tables.values())
    return smaller > 0 and fewer * smaller / len(everyone) >= FEWEST


def _more(difference: float, error: float, n: int) -> int | None:
    """Visitors that are missing, both arms at their present shares: the error falls with the root of their number."""
    if not difference or not math.isfinite(error):
        return None
    wanted = n * ((NORMAL.inv_cdf(0.975) + NORMAL.inv_cdf(POWER)) * error / difference) ** 2
    return max(0, math.ceil(wanted - n))


def _warnings(
    sizes: Mapping[ArmName, int], share: float | None, ratio_p: float | None, changed: int, unpriced: int
) -> list[str]:
    lines = []
    if ratio_p is None:
        lines.append("Whether the arms have the sizes that they should was not tested: no one share held throughout.")
    if ratio_p is not None and share is not None and ratio_p < MISMATCH:
        lines.append(
            f"The arms have other sizes than they should: {sizes['control']:,} and {sizes['candidate']:,} visitors, "
            f"where a share of {share:.0%} gives {(1 - share) * sum(sizes.values()):,.0f} and "
            f"{share * sum(sizes.values()):,.0f} (p {ratio_p:.1g}). Visitors are lost or counted twice in one of them, "
            "or the share was changed while the test ran; the arms may then differ in more than the model."
        )
    if changed:
        lines.append(
            f"{changed:,} visitors were shown lists of both arms, because the share changed or they logged in between; "
            "they are left out."
        )
    if unpriced:
        lines.append(f"{unpriced:,} purchases have no price and count nothing in the revenue.")
    return lines


def _verdict(measured: Measured, sizes: Mapping[ArmName, int], ratio_p: float | None) -> str:
    """One sentence, which claims no more than the interval allows."""
    if ratio_p is not None and ratio_p < MISMATCH:
        return "Nothing can be concluded: the arms do not have the sizes that they should, so find out why first."
    difference = measured.difference
    if math.isnan(difference.low):
        return (
            f"Nothing can be said yet: of {sizes['control']:,} and {sizes['candidate']:,} visitors too few have "
            "bought, or too few have not, to tell the arms apart."
        )
    found = (
        f"{_points(difference.value)} points (95 % interval {_points(difference.low)} to {_points(difference.high)})"
    )
    if difference.low > 0:
        return f"The candidate makes more visitors buy: {found}."
    if difference.high < 0:
        return f"The candidate makes fewer visitors buy: {found}."
    more = "" if not measured.more else f"; to see so small a difference {measured.more:,} more visitors are needed"
    return f"No difference in how many visitors buy is seen: {found}{more}."


def _points(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")
