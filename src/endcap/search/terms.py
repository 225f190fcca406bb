"""Texts as terms: words without their endings, codes without their dashes, quantities in one unit.

>>> [term.name for term in terms("Women's Dresses, 2 m")]
['women', 'dress', '2000mm']
>>> terms("IFP5550-BUN")[0]
Term(name='ifp5550bun', parts=('ifp5550', 'bun'))
"""

import re
import unicodedata
from dataclasses import dataclass

from endcap.features.words import words

UNITS = {
    "mm": (1, "mm"), "cm": (10, "mm"), "m": (1000, "mm"), "meter": (1000, "mm"), "metre": (1000, "mm"),
    "inch": (25.4, "mm"), "inches": (25.4, "mm"), '"': (25.4, "mm"), "ft": (304.8, "mm"),
    "feet": (304.8, "mm"), "foot": (304.8, "mm"),
    "mg": (0.001, "g"), "g": (1, "g"), "gram": (1, "g"), "grams": (1, "g"), "kg": (1000, "g"),
    "lb": (453.59, "g"), "lbs": (453.59, "g"), "oz": (28.35, "g"), "ounce": (28.35, "g"), "ounces": (28.35, "g"),
    "ml": (1, "ml"), "cl": (10, "ml"), "l": (1000, "ml"), "liter": (1000, "ml"), "litre": (1000, "ml"),
    "kb": (1e-6, "gb"), "mb": (0.001, "gb"), "gb": (1, "gb"), "tb": (1000, "gb"),
    "w": (1, "w"), "watt": (1, "w"), "watts": (1, "w"), "kw": (1000, "w"), "mah": (0.001, "ah"), "ah": (1, "ah"),
    "厘米": (10, "mm"), "毫米": (1, "mm"), "米": (1000, "mm"), "英寸": (25.4, "mm"), "寸": (25.4, "mm"),
    "克": (1, "g"), "公斤": (1000, "g"), "千克": (1000, "g"), "斤": (500, "g"), "毫升": (1, "ml"), "升": (1000, "ml"),
}  # fmt: skip
"""What a unit is in the one that all of its kind are written in. `oz` weighs, also where it is of a fluid."""

_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_SPECIAL = re.compile(
    rf"(?<![\w.])(?P<number>\d+(?:[.,]\d+)?|\d+/\d+)\s?-?(?P<unit>{_UNIT})(?![a-z0-9])"
    r"|(?<![\w-])(?P<code>(?=[a-z/_.-]*\d)[a-z0-9]+(?:[-_/.][a-z0-9]+)+)(?![\w-])"
)
_NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")
_POSSESSIVE = re.compile(r"['’`]s\b|['’`]")
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile("[\u0300-\u036f]+")
_UNSPACED = re.compile("[\u0e00-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]")
LONGEST = 40
"""Characters of a term; what is longer is no word."""


@dataclass(frozen=True)
class Term:
    """A term and, of a code, what stands between its dashes."""

    name: str
    parts: tuple[str, ...] = ()


def terms(text: str) -> list[Term]:
    """In order; equal for all ways of writing the same."""
    text = folded(text)
    found: list[Term] = []
    place = 0
    for match in _SPECIAL.finditer(text):
        found += map(Term, _plain(text[place : match.start()]))
        found.append(_code(match["code"]) if match["code"] else Term(_quantity(match["number"], match["unit"])))
        place = match.end()
    return [*found, *map(Term, _plain(text[place:]))]


def names(text: str) -> list[str]:
    """The terms of a text to be found: of a code the whole and its parts."""
    text = folded(text)
    found: list[str] = []
    place = 0
    for match in _SPECIAL.finditer(text):
        found += _plain(text[place : match.start()])
        if match["code"]:
            code = _code(match["code"])
            found += (code.name, *code.parts)
        else:
            found.append(_quantity(match["number"], match["unit"]))
        place = match.end()
    return found + _plain(text[place:])


def folded(text: str) -> str:
    """Without case, width, accents and the ends of possessives.

    >>> folded("Women’s ＸＬ Décor")
    'women xl decor'
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    return _POSSESSIVE.sub("", text)


def _plain(text: str) -> list[str]:
    found = words(text) if _UNSPACED.search(text) else _WORD.findall(text)
    return [_STEMS.get(word) or stem(word) for word in found if len(word) <= LONGEST]


def _code(text: str) -> Term:
    if _NUMBER.fullmatch(text):  # 1.75, 1/2, 16:9
        return Term(text.replace(",", "."))
    parts = tuple(re.split(r"[-_/.]", text))
    return Term("".join(parts)[:LONGEST], parts)


def _quantity(number: str, unit: str) -> str:
    """Three digits are kept: 17 inches and 43.2 cm are one."""
    over, _, under = number.replace(",", ".").partition("/")
    value = float(over) / float(under or 1) if float(under or 1) else 0.0
    factor, base = UNITS[unit]
    return f"{float(f'{value * factor:.3g}'):g}{base}"


def stem(word: str) -> str:
    """A word without its plural; other endings tell words apart (`bath`, `bathing`).

    >>> [stem(word) for word in ("batteries", "watches", "shoes", "glass", "hoodies", "hoodie")]
    ['battery', 'watch', 'shoe', 'glass', 'hoody', 'hoody']
    """
    found = _stem(word)
    if len(_STEMS) < MOST_STEMS:
        _STEMS[word] = found
    return found


def _stem(word: str) -> str:
    if word.endswith("ie") and len(word) > 4:  # hoodie, hoodies, hoody
        return word[:-2] + "y"
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1]


MOST_STEMS = 200_000
_STEMS: dict[str, str] = {}
"""Words repeat: a dictionary is quicker than a function."""
