"""A query as the words to look for: corrected, joined or split where the catalogue writes them so."""

import bisect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from endcap.search.lexicon import translated
from endcap.search.ranking import Corpus, Words
from endcap.search.spelling import Speller, likeliest
from endcap.search.terms import Term, terms
from endcap.search.wishes import Wishes

EMPTY = frozenset({
    "a", "an", "and", "any", "are", "at", "be", "by", "can", "could", "do", "find", "for", "from", "get",
    "give", "go", "got", "has", "have", "hello", "help", "hey", "hi", "i", "im", "in", "is", "it", "like",
    "look", "looking", "me", "my", "need", "of", "on", "or", "our", "please", "pls", "search", "show", "some",
    "something", "that", "the", "these", "they", "thing", "this", "to", "us", "want", "we", "which", "with",
    "would", "you", "your", "一", "个", "些", "件", "条", "双", "我", "想", "要", "想要", "买", "找", "给", "的",
    "了", "有", "请", "吗", "有没有", "一个", "一件", "一条", "一双", "需要", "想买", "帮", "帮我",
    "看看", "推荐", "什么", "元", "吧", "呢",
})  # fmt: skip
"""Words of asking, which say nothing of what is asked for; they count where there are no others."""
AFTER = re.compile(r"\b(?:for|with|in|from|of)\b", re.IGNORECASE)
"""What stands behind what is looked for."""
LONGEST_PART = 2
"""Letters that each half of a split word has, at least."""
MOST_WORDS = 24
"""Words of a query that are looked for."""


@dataclass(frozen=True)
class Reading:
    """Words to look for, and what was made of those that were typed."""

    words: Words
    corrected: Mapping[str, str] = field(default_factory=dict)  # a word as typed -> as it was looked for
    unknown: tuple[str, ...] = ()  # words that no product has, nor one like them
    typed: tuple[str, ...] = ()  # for each wanted one of `words`, what was typed


def reading_of(corpus: Corpus, speller: Speller, wishes: Wishes) -> Reading:
    """Looks every word up in the catalogue."""
    asked = terms(wishes.text)
    meant = [term for term in dict.fromkeys(asked) if term.name not in EMPTY] or list(dict.fromkeys(asked))
    known = [term.name for term in meant if corpus.count(term.name)]
    wanted: list[tuple[str, str]] = []  # as it is looked for, as it was typed
    corrected: dict[str, str] = {}
    unknown: list[str] = []
    for place, term in enumerate(meant[:MOST_WORDS]):
        ways = _ways(corpus, speller, term, meant, place, known)
        if not ways:
            unknown.append(term.name)
        elif ways != [term.name] and not term.parts:
            corrected[term.name] = " ".join(ways)
        wanted += [(way, term.name) for way in ways if way not in {each for each, _ in wanted}]
    names = [name for name, _ in wanted]
    unwanted = tuple(dict.fromkeys(found for text in wishes.unwanted if (found := _unwanted(corpus, speller, text))))
    words = Words(
        wanted=tuple((name,) for name in names),
        pairs=tuple(f"{a} {b}" for a, b in pairwise(names)),
        unwanted=unwanted,
        kind=_kind(wishes.text, names, corrected),
    )
    return Reading(words, corrected, tuple(unknown), tuple(typed for _, typed in wanted))


def _ways(
    corpus: Corpus, speller: Speller, term: Term, meant: Sequence[Term], place: int, known: Sequence[str]
) -> list[str]:
    """How the catalogue writes a term: as it is, in parts, with the next one, or spelt another way."""
    name = term.name
    if corpus.count(name):
        return [name] if corpus.count(name) > 2 else _commoner(corpus, speller, name, known) or [name]
    if term.parts:
        return [part for part in term.parts if corpus.count(part)]
    for other, joined in ((place + 1, "{0}{1}"), (place - 1, "{1}{0}")):
        if 0 <= other < len(meant) and corpus.count(found := joined.format(name, meant[other].name)):
            return [found]
    if meaning := translated(name, lambda each: corpus.count(each) > 0):
        return meaning
    return _split(corpus, name) or _begun(speller, name, last=place == len(meant) - 1) or _spelt(
        corpus, speller, name, known
    )  # fmt: skip


def _commoner(corpus: Corpus, speller: Speller, name: str, known: Sequence[str]) -> list[str]:
    """What is meant by a word that hardly any product has, where another is a hundred times as common."""
    others = [each for each in known if each != name]
    if any(_together(corpus, name, [other]) for other in others):
        return []
    return _spelt(corpus, speller, name, known, corpus.count(name))


def _split(corpus: Corpus, name: str) -> list[str]:
    """Two words that stand side by side in titles."""
    halves = [(name[:n], name[n:]) for n in range(LONGEST_PART + 1, len(name) - LONGEST_PART)]
    found = max(((corpus.count(f"{a} {b}"), a, b) for a, b in halves), default=(0, "", ""))
    return [found[1], found[2]] if found[0] else []


def _begun(speller: Speller, name: str, *, last: bool) -> list[str]:
    """The commonest word that begins so, where it may not have been typed to its end."""
    if not last or len(name) < 3:
        return []
    start, end = (bisect.bisect_left(speller.words, text) for text in (name, name + "\U0010ffff"))
    return [speller.words[start + int(np.argmax(speller.counts[start:end]))]] if start < end else []


def _spelt(corpus: Corpus, speller: Speller, name: str, known: Sequence[str], count: int = 0) -> list[str]:
    near = speller.near(name, count)
    others = [each for each in known if each != name]
    return [likeliest(near, [_together(corpus, word, others) for _, word, _ in near])] if near else []


def _together(corpus: Corpus, word: str, others: Sequence[str]) -> int:
    """Items that have a word and any of the others."""
    if not others:
        return 0
    rest = np.logical_or.reduce([corpus.having(other, named=False) for other in others])
    return int((corpus.having(word, named=False) & rest).sum())


def _unwanted(corpus: Corpus, speller: Speller, text: str) -> tuple[str, ...]:
    found: list[str] = []
    for term in terms(text):
        if term.name in EMPTY:
            continue
        if corpus.count(term.name):
            found.append(term.name)
        elif other := translated(term.name, lambda each: corpus.count(each) > 0):
            found += other
        else:
            near = speller.near(term.name)
            found.append(near[0][1] if near else term.name)
    return tuple(dict.fromkeys(found))


def _kind(text: str, names: Sequence[str], corrected: Mapping[str, str]) -> str:
    """The last word before what it is for or made of."""
    end = AFTER.search(text)
    first = terms(text[: end.start()] if end and end.start() > 2 else text)
    found = [word for term in first for word in corrected.get(term.name, term.name).split() if word in names]
    return found[-1] if found else ""
