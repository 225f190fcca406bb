"""Which time a page is about: a day, a week or a month, now or earlier."""

import time
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

from endcap.store.figures import Span

Period = Literal["day", "week", "month"]
STEPS: dict[Period, tuple[int, int]] = {"day": (24, 3_600), "week": (14, 43_200), "month": (30, 86_400)}
"""How many steps of how many seconds."""


def span_of(period: Period, until: float | None, zone: tzinfo) -> Span:
    """Whole steps of the shop's days; the last one has begun and is not over."""
    n, step = STEPS[period]
    at = time.time() if until is None else until
    ahead = (datetime.fromtimestamp(at, zone).utcoffset() or timedelta()).total_seconds()
    end = ((at + ahead) // step + 1) * step - ahead
    return Span(end - n * step, step, n)


def choice(span: Span, period: Period, until: float | None) -> dict[str, Any]:
    """What the buttons for another period need."""
    return {
        "period": period,
        "periods": [*STEPS],
        "span": span,
        "now": until is None,
        "earlier": span.since,
        "later": min(span.until + span.step * span.n, time.time()),
    }
