"""Texts as words: what is written without spaces is segmented, Chinese by jieba, the rest into pairs of characters."""

import contextlib
import logging
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

import jieba

from endcap.data.photos.cache import cache_folder

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3040-\u30ff\u31f0-\u31ff"
_HANGUL = "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
_MARKS = "\u0300-\u036f\u0900-\u0dff"  # parts of words that are no letters, as in Hindi
_SEGMENTED = f"{_HAN}{_KANA}{_HANGUL}{_UNSPACED}"
_RUNS = re.compile(rf"(?P<east>[{_HAN}{_KANA}]+)|(?P<pairs>[{_HANGUL}]+|[{_UNSPACED}]+)"
                   rf"|(?P<word>(?:(?![{_SEGMENTED}_])[\w{_MARKS}])+)")  # fmt: skip
_IS_JAPANESE = re.compile(f"[{_KANA}]")


def words(text: str) -> list[str]:
    """In order, in lower case, without punctuation.

    >>> words("Jersey T-Shirt, 100% cotton"), words("红色连衣裙"), words("ワンピース")
    (['jersey', 't', 'shirt', '100', 'cotton'], ['红色', '连衣裙'], ['ワン', 'ンピ', 'ピー', 'ース'])
    """
    return list(_words(unicodedata.normalize("NFKC", text).casefold()))


def _words(text: str) -> Iterator[str]:
    japanese = bool(_IS_JAPANESE.search(text))
    for run in _RUNS.finditer(text):
        if run["word"]:
            yield run["word"]
        elif run["east"] and not japanese:
            yield from _chinese().cut(run["east"])
        else:
            yield from _pairs(run[0])


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(max(1, len(run) - 1))]


@cache
def _chinese() -> Any:
    """jieba's dictionary, read once; its own cache is kept with ours, not where everybody can write."""
    jieba.setLogLevel(logging.CRITICAL)
    tokenizer = jieba.Tokenizer()
    tokenizer.tmp_dir = str(cache_folder() / "jieba")
    with contextlib.suppress(OSError):  # without a place, it reads its dictionary anew each time
        (cache_folder() / "jieba").mkdir(parents=True, exist_ok=True)
    return tokenizer
