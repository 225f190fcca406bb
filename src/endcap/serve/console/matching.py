"""The products that a filter means, beside the form while it is made; and what is wrong with one, in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

from endcap.data.errors import InputError
from endcap.engine.columns import FilterError
from endcap.engine.filters import parse
from endcap.engine.version import Version
from endcap.serve.console.cards import Card, card_of
from endcap.serve.console.texts import Words
from endcap.serve.storefront.taste import best

SHOWN = 9
"""Products of the strip."""


@dataclass(frozen=True)
class Wrong:
    """A filter that cannot be read: what is wrong, and where."""

    text: str
    before: str = ""  # the filter up to there
    there: str = ""
    after: str = ""


@dataclass(frozen=True)
class Matches:
    """Products that a filter means."""

    n: int | None  # None: nothing is asked for yet
    of: int
    cards: tuple[Card, ...] = ()  # the most wanted first
    wrong: Wrong | None = None


def matches(version: Version, text: str, words: Words, *, shown: int = SHOWN) -> Matches:
    """Of the shop as it is now."""
    shelf = version.shelf
    of = int(shelf.there.sum())
    if not text.strip():
        return Matches(None, of)
    try:
        mask = shelf.mask(parse(text))
        n = int(mask.sum())
        first = best(version, (), shown, text).tolist() if n else []
    except InputError as error:
        return Matches(None, of, wrong=wrong(error, text, words))
    rest = [item for item in mask.nonzero()[0][: shown * 2].tolist() if item not in first]
    items: Sequence[int] = [*first, *rest][: min(shown, n)]
    return Matches(n, of, tuple(card_of(shelf.ids[item - 1], shelf) for item in items))


def wrong(error: InputError, text: str, words: Words) -> Wrong:
    """In words of the page, with the place marked where it is known."""
    if not isinstance(error, FilterError):
        return Wrong(str(words.said(str(error))))
    column = words.known("column", error.value)
    said = words(f"filter.{error.kind}", value=error.value or "", column=column)
    if error.near:
        said = f"{said} {words('filter.near', near=error.near)}"
    if not error.place:
        return Wrong(said)
    start = error.place - 1
    end = start + len(error.value)
    return Wrong(said, text[:start], text[start:end], text[end:])
