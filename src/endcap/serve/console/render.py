"""Templates, how they write numbers and times, and the files that they name."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path

from jinja2 import Environment, pass_context
from jinja2.runtime import Context

from endcap.serve.assets import assets, templates
from endcap.serve.console.session import PATH

FOLDER = Path(__file__).parent
STATIC = assets(FOLDER / "static")


@cache
def environment() -> Environment:
    """Of the templates, with what they write numbers and times by."""
    made = templates(FOLDER / "templates")
    made.globals["asset"] = lambda name: f"{PATH}/static/{name}?{STATIC[name].tag}"
    made.filters |= {"number": number, "percent": percent, "seconds": seconds}
    made.filters |= {"moment": _zoned(moment), "day": _zoned(day), "clock": _zoned(clock)}
    return made


def number(value: float | None, places: int = 0) -> str:
    """Thousands apart; a dash where it is not known."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{places}f}".replace("-", "−")


def percent(value: float | None, places: int = 1) -> str:
    """A share in hundredths."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{places}%}".replace("-", "−")


def moment(value: float | None, zone: tzinfo = UTC) -> str:
    """Day and minute."""
    return _written(value, "%Y-%m-%d %H:%M", zone)


def day(value: float | None, zone: tzinfo = UTC) -> str:
    """Of a moment, in a time zone."""
    return _written(value, "%Y-%m-%d", zone)


def clock(value: float | None, zone: tzinfo = UTC) -> str:
    """Hour and minute."""
    return _written(value, "%H:%M", zone)


def _zoned(form: Callable[[float | None, tzinfo], str]) -> Callable[[Context, float | None], str]:
    """As a filter, in the time zone of the shop."""

    @pass_context
    def written(context: Context, value: float | None) -> str:
        return form(value, context["t"].zone)

    return written


def midnight(now: float, zone: tzinfo) -> float:
    """When the day began, in seconds."""
    return datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def seconds(value: float | None) -> str:
    """A short time: 4.2 ms, 1.3 s."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _written(value: float | None, form: str, zone: tzinfo) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    try:
        return datetime.fromtimestamp(value, zone).strftime(form)
    except (OverflowError, ValueError, OSError):
        return "–"
