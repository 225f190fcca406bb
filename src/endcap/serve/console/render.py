"""Templates, how they write numbers and times, and the files that they name."""

import hashlib
import math
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent


@cache
def environment() -> Environment:
    """Of the templates; everything is escaped that is not Markup, and an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"number": number, "percent": percent, "moment": moment, "day": day, "seconds": seconds}
    return made


@cache
def static() -> dict[str, bytes]:
    """The files that pages name, in memory."""
    return {path.name: path.read_bytes() for path in sorted((FOLDER / "static").iterdir())}


@cache
def static_version() -> str:
    """Changes with any of them, so that browsers may keep them for good."""
    return hashlib.sha256(b"".join(static().values())).hexdigest()[:10]


def number(value: float | None, places: int = 0) -> str:
    """Thousands apart; a dash where it is not known."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{places}f}".replace("-", "−")


def percent(value: float | None, places: int = 1) -> str:
    """A share in hundredths."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{places}%}".replace("-", "−")


def moment(value: float | None) -> str:
    """Day and minute, UTC."""
    return _written(value, "%Y-%m-%d %H:%M")


def day(value: float | None) -> str:
    """UTC."""
    return _written(value, "%Y-%m-%d")


def seconds(value: float | None) -> str:
    """A short time: 4.2 ms, 1.3 s."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _written(value: float | None, form: str) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    try:
        return datetime.fromtimestamp(value, UTC).strftime(form)
    except (OverflowError, ValueError, OSError):
        return "–"
