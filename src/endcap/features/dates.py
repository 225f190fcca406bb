"""Dates in catalogues: ISO 8601, those of e-mail, and seconds since 1970."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

from endcap.data.vocabulary import Floats

YEAR = 365.25 * 24 * 3600
"""Seconds."""

_ISO = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ].*)?")
_EMAIL = re.compile(r"([A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4}.*")
_ZONE = re.compile(r"\s*(UTC|Z)$")
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def seconds(cells: Sequence[str]) -> Floats:
    """(n,) seconds since 1970 UTC, NaN where a text is no date after 1990; without a zone it is UTC.

    >>> seconds(["1990-01-02", "Tue, 02 Jan 1990 01:00:00 +0100", "soon", "20200101"]).tolist()
    [631238400.0, 631238400.0, nan, nan]
    """
    found = np.array([_seconds(cell) for cell in cells], dtype=np.float64)
    return np.where((found >= _EARLIEST) & (found < _LATEST), found, np.nan)


def unix(found: Floats) -> Floats:
    """(n,) numbers as seconds since 1970, from seconds or milliseconds; NaN where they are neither."""
    found = np.where(found > 1e11, found / 1000, found)
    return np.where((found >= _EARLIEST) & (found < _LATEST), found, np.nan)


def _seconds(cell: str) -> float:
    try:
        if _ISO.fullmatch(cell):
            day, mark, rest = cell.replace("/", "-").replace("T", " ").partition(" ")
            year, month, date = day.split("-")
            moment = datetime.fromisoformat(f"{year}-{month:0>2}-{date:0>2}{mark}{_ZONE.sub('+00:00', rest)}")
        elif _EMAIL.fullmatch(cell):
            moment = parsedate_to_datetime(cell)
        else:
            return float("nan")
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return float("nan")
