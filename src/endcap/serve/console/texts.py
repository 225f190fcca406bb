"""The words of the pages in English and Chinese: one file per language, and sentences that the engine says."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from starlette.requests import Request

from endcap.serve.storefront.language import language

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "endcap_lang"
FOLDER = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Words:
    """`words("rules.title")` is a text; `{n}` in it is filled in, and `KEY.one` taken where n is 1."""

    language: str
    currency: str = "USD"  # of prices whose product names none
    zone: tzinfo = UTC  # of the shop

    def __call__(self, key: str, **values: Any) -> str:
        """Raises KeyError for a text that is not there."""
        texts = texts_of(self.language)
        if values.get("n") == 1 and f"{key}.one" in texts:
            key = f"{key}.one"
        return texts[key].format(**values)

    def known(self, prefix: str, name: str) -> str:
        """The text of a name that may be a new one, such as a kind of event: then the name itself."""
        return texts_of(self.language).get(f"{prefix}.{name}", name)

    def metric(self, name: str) -> str:
        """A figure such as `ndcg@10`."""
        kind, at, k = name.partition("@")
        return f"{self.known('metric', kind)}{at}{k}"

    def money(self, price: float | None, currency: str = "") -> str:
        """A price as the shop writes it; empty where none is known."""
        return language(self.language).money(price, currency or self.currency)

    def said(self, sentence: str) -> str | Markup:
        """A sentence of the engine, which speaks English, as far as it is known in this language."""
        if self.language == "en":
            return sentence
        for pattern, template in sentences_of(self.language):
            if found := pattern.fullmatch(sentence):
                return template.format(*[part or "" for part in found.groups()])
        return Markup('<span lang="en">{}</span>').format(escape(sentence))


@cache
def texts_of(language: str) -> Mapping[str, str]:
    """Key -> text."""
    found: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


@cache
def sentences_of(language: str) -> list[tuple[re.Pattern[str], str]]:
    """What the engine says, as patterns, and how it is said in this language."""
    pairs = json.loads((FOLDER / f"sentences.{language}.json").read_text(encoding="utf-8"))
    return [(re.compile(pattern, re.DOTALL), template) for pattern, template in pairs]


def language_of(request: Request) -> str:
    """As the address says, else as was chosen before, else as the browser asks."""
    for wanted in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if wanted in LANGUAGES:
            return wanted
    accepted = request.headers.get("accept-language", "").lower().split(",")
    spoken = [each.strip()[:2] for each in accepted]
    return next((each for each in spoken if each in LANGUAGES), "en")
