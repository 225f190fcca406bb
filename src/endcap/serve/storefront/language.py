"""What pages say, in English and Chinese: a file of texts for each, and numbers and times as people write them."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from babel.core import UnknownLocaleError
from babel.dates import format_timedelta
from babel.numbers import format_currency, format_decimal

LOCALES = {"en": "en_US", "zh": "zh_Hans_CN"}
"""The languages there are; the first one is for everybody else."""
COOKIE = "endcap_lang"


@dataclass(frozen=True)
class Language:
    """A language as templates use it: `say("cart.title")`, `money(2.5, "USD")`."""

    name: str  # as in <html lang>
    texts: Mapping[str, str]

    def __call__(self, text: str, /, **values: object) -> str:
        """A text of the file with its values; a number `n` chooses between `text.one` and `text.other`."""
        if f"{text}.other" in self.texts:
            text = f"{text}.{'one' if values['n'] == 1 else 'other'}"
        if "n" in values:
            values = {**values, "n": self.number(values["n"])}
        return self.texts[text].format(**values)

    def number(self, value: object) -> str:
        """With separators."""
        return format_decimal(str(value), locale=LOCALES[self.name])

    def money(self, value: float | None, currency: str) -> str:
        """A price, as `Intl.NumberFormat` writes it in the widget; empty where none is known."""
        if value is None or not math.isfinite(value):
            return ""
        try:
            return format_currency(value, currency, locale=LOCALES[self.name])
        except (UnknownLocaleError, ValueError):
            return f"{value:.2f} {currency}"

    def ago(self, moment: float) -> str:
        """How long something is past."""
        passed = timedelta(seconds=min(0.0, moment - time.time()))
        return format_timedelta(passed, add_direction=True, locale=LOCALES[self.name])


@cache
def language(name: str) -> Language:
    """One of LOCALES; what a language lacks would be a mistake in its file, which a test finds."""
    path = Path(__file__).parent / "texts" / f"{name}.json"
    return Language(name, json.loads(path.read_text(encoding="utf-8")))


def preferred(asked: str | None, kept: str | None, accepted: str) -> str:
    """What the address says, else the cookie, else the browser.

    >>> preferred(None, None, "de-AT,zh-CN;q=0.8,en;q=0.6"), preferred(None, "en", "zh"), preferred("zh", "en", "")
    ('zh', 'en', 'zh')
    """
    for name in (asked, kept):
        if name in LOCALES:
            return name
    wanted = []
    for place, part in enumerate(accepted.split(",")):
        tag, _, weight = part.partition(";q=")
        try:
            wanted.append((-float(weight or 1), place, tag.strip().lower().split("-")[0]))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(wanted) if name in LOCALES), next(iter(LOCALES)))
