"""What came of a test, in a sentence that names both figures, what chance may have done, and when it is decided."""

import math
from datetime import timedelta

from endcap.abtest import DECIDES, MISMATCH, Measured, Report
from endcap.serve.console.render import day, percent
from endcap.serve.console.texts import Words

FARTHEST = timedelta(days=365)
"""A day beyond this is named by nobody."""


def verdict(words: Words, found: Report) -> str:
    """Decided or not, by the measure that was named beforehand."""
    measured = next(each for each in found.measures if each.name == DECIDES)
    if math.isnan(measured.difference.low) or (found.ratio_p is not None and found.ratio_p < MISMATCH):
        return words.said(found.verdict)
    low, high = measured.difference.low, measured.difference.high
    key = "better" if low > 0 else "worse" if high < 0 else "undecided"
    said = words(
        f"verdict.{key}",
        candidate=percent(measured.candidate.value),
        live=percent(measured.control.value),
        p=chance(measured.p),
    )
    return said if key != "undecided" else said + pace(words, found, measured)


def pace(words: Words, found: Report, measured: Measured) -> str:
    """When as many visitors as it takes will have come, if they come as they did so far; empty where nobody can say."""
    sums = [found.sums[arm]["visitors"] for arm in found.sums]
    took = found.last - found.first
    if not measured.more or took <= 0:
        return ""
    wait = measured.more * took / sum(sums)
    if wait > FARTHEST.total_seconds():
        return words("verdict.never")
    return words("verdict.pace", when=day(found.last + wait, words.zone))


def chance(p: float) -> str:
    """A probability as papers write it: .08.

    >>> chance(0.0812), chance(0.0004)
    ('.08', '< .001')
    """
    if p < 0.001:
        return "< .001"
    return f"{p:.3f}".removeprefix("0") if p < 0.01 else f"{p:.2f}".removeprefix("0")
