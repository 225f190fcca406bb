"""Words of shopping in the other language, for a catalogue that is written in one of them; used where it lacks a word.

A short list of common words: colours, clothes, materials, food, household, electronics. A shop's own names are its own.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from endcap.search.terms import names

FILE = Path(__file__).with_name("lexicon.tsv")  # Chinese, a tab, English; / between several
LONGEST = 6
"""Characters of a Chinese word that is looked for within a longer one."""


def translated(name: str, is_known: Callable[[str], bool]) -> list[str]:
    """The terms in the other language that a catalogue has for a word; of a long Chinese word those of its parts."""
    for wording in _wordings().get(name, ()):
        if all(map(is_known, wording)):
            return list(wording)
    return [term for part in _parts(name) for term in translated(part, is_known)]


def _parts(name: str) -> list[str]:
    """The longest known words within a word, from its beginning; none where it is one itself."""
    found, place = [], 0
    while place < len(name):
        sizes = range(min(LONGEST, len(name) - place), 0, -1)
        size = next((n for n in sizes if name[place : place + n] in _wordings() and n < len(name)), 0)
        found += [name[place : place + size]] if size else []
        place += size or 1
    return found if not name.isascii() else []


@cache
def _wordings() -> dict[str, list[tuple[str, ...]]]:
    """A word -> its wordings in the other language, as terms, the commonest first."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        chinese, _, english = line.partition("\t")
        for wording in english.split("/"):
            own = tuple(names(wording))
            found.setdefault(chinese.casefold(), []).append(own)
            if len(own) == 1:
                found.setdefault(own[0], []).append((chinese.casefold(),))
    return found
