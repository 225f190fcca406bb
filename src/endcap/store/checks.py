"""What may be written: ids, numbers and JSON are checked before a statement is made of them."""

import json
import math
from typing import Any

from endcap.data.errors import InputError

LONGEST_ID = 512
"""Characters of an id. PostgreSQL indexes at most some 2,700 bytes; UTF-8 takes up to four for a character."""

_SHOWN = 60


def identifier(name: str, value: object) -> str:
    """An id as it is; raises InputError where it is empty, too long, or text that no database can hold."""
    if not isinstance(value, str) or not value:
        raise InputError(f"found {name} {_shown(value)}; expected text of 1 to {LONGEST_ID} characters")
    if len(value) > LONGEST_ID:
        raise InputError(f"found {name} of {len(value):,} characters ({_shown(value)}); expected at most {LONGEST_ID}")
    if not value.isascii() or "\0" in value:
        text(name, value)
    return value


def text(name: str, value: str) -> str:
    """Text as it is; raises InputError where it holds NUL (PostgreSQL has no such text) or half a character."""
    if "\0" in value:
        raise InputError(f"found {name} {_shown(value)} with the character NUL; leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"found {name} {_shown(value)} with half of a surrogate pair; expected Unicode") from error
    return value


def number(name: str, value: float | None) -> float | None:
    """A number or nothing; raises InputError where it is not finite."""
    if value is None:
        return None
    try:
        if math.isfinite(value):
            return float(value)
    except (TypeError, OverflowError):
        pass
    raise InputError(f"found {name} {_shown(value)}; expected a finite number")


def time(name: str, value: float) -> float:
    """Seconds since 1970; raises InputError where they are none."""
    found = number(name, value)
    if found is None:
        raise InputError(f"found no {name}; expected seconds since 1970")
    return found


def json_text(name: str, value: Any) -> str:
    """JSON as text; raises InputError where the value has none, such as NaN."""
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"found {name} that is no JSON: {error}") from error
    return text(name, written)


def _shown(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
