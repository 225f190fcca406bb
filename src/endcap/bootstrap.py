"""Intervals by resampling: what other visitors of the same shop would change (Efron and Tibshirani, 1993).

A row is a visitor or a question: what belongs to one person is drawn together or not at all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from endcap.data.vocabulary import Floats

RESAMPLES = 2_000
FEWEST = 6
"""Pairs below which no difference can be more than chance: five that all agree have a sign test's p of .0625."""
Z = 1.96
"""Standard deviations to either end of a 95 % interval."""
ALIKE = 1e-12
"""Values this close are equal: means over seeds are rounded."""
_AT_A_TIME = 50
_MOST = 5_000_000  # drawn rows held at a time, 100 MB


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval; NaN where too little is known."""

    value: float
    low: float
    high: float


def resampled(values: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """(resamples, columns) means over rows drawn with replacement; values: (rows, columns)."""
    random = np.random.default_rng(seed)
    n, columns = values.shape
    if not n:
        return np.full((resamples, columns), np.nan)
    means = np.empty((resamples, columns))
    at_a_time = min(_AT_A_TIME, max(1, _MOST // n))
    for start in range(0, resamples, at_a_time):
        size = min(at_a_time, resamples - start)
        drawn = random.integers(0, n, (size, n), dtype=np.int32)
        drawn += np.arange(size, dtype=np.int32)[:, None] * n
        # How often each row was drawn: one product instead of gathering values draw by draw.
        weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        means[start : start + size] = weights.astype(np.float64) @ values / n
    return means


def ratio(above: Floats, below: Floats) -> Floats:
    """One mean over another, NaN where there is nothing below: a rate per list, per visitor, per weight."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def interval(sampled: Floats) -> tuple[float, float]:
    """The middle 95 % of (resamples,) figures; those that are no number are left out."""
    known = sampled[~np.isnan(sampled)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def wilson(mean: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n (Wilson, 1927), NaN where n is 0.

    Of the mean of n values between 0 and 1 it is a bound: with the same mean none vary more than hits and misses do.

    >>> [round(end, 4) for end in wilson(0.5, 4)]
    [0.15, 0.85]
    """
    if not n or math.isnan(mean):
        return math.nan, math.nan
    centre, half = mean + Z**2 / (2 * n), Z * math.sqrt(max(0.0, mean * (1 - mean)) / n + Z**2 / (4 * n**2))
    return max(0.0, (centre - half) / (1 + Z**2 / n)), min(1.0, (centre + half) / (1 + Z**2 / n))


def bounded(sampled: Floats, values: Floats, least: float = 0.0, most: float = 1.0) -> tuple[float, float]:
    """The 95 % interval of the mean of (rows,) values that lie between `least` and `most`, of its (resamples,) figures.

    Of values that are all equal every draw is the same, which says nothing of other rows. Then it is as wide as their
    number allows: of n rows alike, at most z² / (n + z²) of all rows are otherwise (Wilson, 1927), and those may have
    anything from `least` to `most`. Of hits and misses that is Wilson's interval itself; of a graded metric its bound.
    """
    if not len(values) or np.ptp(values) > ALIKE:
        return interval(sampled)
    others, value = Z**2 / (len(values) + Z**2), float(values[0])
    return value - others * (value - least), value + others * (most - value)


def two_sided(differences: Floats, pairs: Floats | None = None) -> float:
    """P that no difference lies behind (resamples,) differences.

    pairs: (rows,) the differences that were drawn from, where rows are paired. Then it is not below what a sign test of
    those that differ can say, 2^(1 − n): draws alone would call two questions beyond doubt.
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return float("nan")
    beyond = min(int((known <= 0).sum()), int((known >= 0).sum()))
    fewest = 0.0 if pairs is None else 2.0 ** (1 - int((np.abs(pairs) > ALIKE).sum()))
    return min(1.0, max(fewest, 2 * (1 + beyond) / (len(known) + 1)))


def holm(ps: Sequence[float]) -> list[float]:
    """P values corrected for their number, in the order given (Holm, 1979).

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(ps, kind="stable")
    steps = np.asarray(ps)[order] * (len(ps) - np.arange(len(ps)))
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in corrected]


def signed(value: float) -> str:
    """A difference for people.

    >>> signed(-0.25)
    '−0.2500'
    """
    return f"{value:+.4f}".replace("-", "−")


def p_text(p: float) -> str:
    """A p value for people.

    >>> p_text(0.0004)
    'below .001'
    """
    return "below .001" if p < 0.001 else f"{p:.3f}"
