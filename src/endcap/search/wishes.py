"""What a query asks for beside its words: bounds of the price, an order, what is not wanted. English and Chinese.

The patterns are the grammar of asking, not the words of a shop: what things are called is the catalogue's business.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Sort = Literal["best", "cheap", "dear", "rating"]
"""By fit, price, price from above, or rating."""

_SIGN = r"us\$|[$€£¥￥]|(?:usd|eur|gbp|cny|rmb)\b"
_WORDS = r"(?:dollars?|bucks|euros?|pounds?|yuan)\b|元|块钱?|美元|欧元|英镑"


def _money(name: str) -> str:
    """An amount and its currency, as groups of this name."""
    amount = r"\d{1,9}(?:,\d{3})*(?:\.\d{1,2})?"
    return rf"(?P<{name}c>{_SIGN})?\s?(?P<{name}>{amount})\s?(?P<{name}d>{_SIGN}|{_WORDS})?"


_ONE, _LOW, _HIGH = _money("one"), _money("low"), _money("high")
_NO_UNIT = (
    r"(?![\w.,]*\d|\s?(?:%|[a-z]{1,2}\b(?<!\bin)(?<!\bor)|inch|inches|feet|foot|watts?|years?|yrs?|months?|days?|hours?"
    r"|people|persons?|players?|pieces?|pcs|packs?|count|kids|grams?|ounces?|litres?|liters?|calories|degrees|psi|mah"
    r"|厘米|毫米|米|英寸|寸|克|公斤|斤|升|毫升|岁|个|件|人|码))"
)
"""What may not stand behind a number that is a price."""
_FLAGS = re.IGNORECASE

CURRENCIES = {
    "$": "USD", "us$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "bucks": "USD", "美元": "USD",
    "€": "EUR", "eur": "EUR", "euro": "EUR", "euros": "EUR", "欧元": "EUR",
    "£": "GBP", "gbp": "GBP", "pound": "GBP", "pounds": "GBP", "英镑": "GBP",
    "¥": "CNY", "￥": "CNY", "cny": "CNY", "rmb": "CNY", "yuan": "CNY", "元": "CNY", "块": "CNY", "块钱": "CNY",
}  # fmt: skip
AROUND = 0.2
"""How far from a price "around" it reaches."""
_DIGITS = {"零": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_TENS = {"十": 10, "百": 100, "千": 1000, "万": 10000}


@dataclass(frozen=True)
class Wishes:
    """What was read of a query; `text` is what is left of it."""

    text: str
    low: float | None = None
    high: float | None = None
    currency: str | None = None  # as the query has it, such as USD
    sort: Sort = "best"
    unwanted: tuple[str, ...] = ()  # each a few words


def wishes_of(query: str) -> Wishes:
    """Reads a query; what nobody understands stays in the text.

    >>> wishes_of("red dress under $50 without polyester")
    Wishes(text='red dress', low=None, high=50.0, currency='USD', sort='best', unwanted=('polyester',))
    >>> wishes_of("100元以下的裙子，不要红色")
    Wishes(text='裙子', low=None, high=100.0, currency='CNY', sort='best', unwanted=('红色',))
    """
    found = Wishes(_with_digits(" ".join(query.split())))
    for pattern, read in _PRICES:
        found = _applied(found, pattern, read)
    for sort, pattern in _SORTS.items():
        found = _applied(found, pattern, lambda match, sort=sort: Wishes("", sort=sort))  # type: ignore[misc]
    found = _without(found)
    return replace(found, text=" ".join(found.text.split()).strip(" ,，。;；的$€£¥").removeprefix("but "))


def _applied(found: Wishes, pattern: str, read: Callable[[re.Match[str]], Wishes | None]) -> Wishes:
    """What the first match of a pattern says; it is taken out of the text."""
    match = re.search(pattern, found.text, _FLAGS)
    new = None if match is None else read(match)
    if match is None or new is None:
        return found
    low, high = new.low if new.low is not None else found.low, new.high if new.high is not None else found.high
    if low is not None and high is not None and low > high:
        low, high = high, low
    return replace(
        found,
        text=f"{found.text[: match.start()]} {found.text[match.end() :]}",
        low=low,
        high=high,
        currency=new.currency or found.currency,
        sort=new.sort if new.sort != "best" else found.sort,
    )


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _currency(match: re.Match[str], *names: str) -> str | None:
    signs = [match[f"{name}{side}"] for name in names for side in "cd"]
    return next((CURRENCIES[sign.casefold()] for sign in signs if sign), None)


def _between(match: re.Match[str]) -> Wishes | None:
    currency = _currency(match, "low", "high")
    if currency is None and not match["word"]:
        return None
    low, high = sorted((_number(match["low"]), _number(match["high"])))
    return Wishes("", low, high, currency)


def _at_most(match: re.Match[str]) -> Wishes:
    return Wishes("", high=_number(match["one"]), currency=_currency(match, "one"))


def _at_least(match: re.Match[str]) -> Wishes:
    return Wishes("", low=_number(match["one"]), currency=_currency(match, "one"))


def _around(match: re.Match[str]) -> Wishes:
    price = _number(match["one"])
    return Wishes("", price * (1 - AROUND), price * (1 + AROUND), _currency(match, "one"))


def _with_sign(read: Callable[[re.Match[str]], Wishes]) -> Callable[[re.Match[str]], Wishes | None]:
    """What is a price only where a currency stands with it."""
    return lambda match: read(match) if _currency(match, "one") else None


_BELOW = (
    r"\b(?:under|below|less than|lower than|cheaper than|no more than|not more than|at most|up to|within)"
    r"|<=?|不超过|低于|少于|不到"
)
_ABOVE = r"\b(?:over|above|more than|higher than|at least|starting at)|>=?|不低于|高于|超过|至少"
_ABOUT = r"\b(?:around|about|roughly|approximately|approx\.?)|~|大约|大概|约"
_TO = r"(?:-|–|~|to|and|到|至)"
_PRICES: Sequence[tuple[str, Callable[[re.Match[str]], Wishes | None]]] = [
    (rf"(?:\b(?P<word>between|from|price)\s*)?{_LOW}\s*{_TO}\s*{_HIGH}(?:之间)?{_NO_UNIT}", _between),
    (rf"(?:{_BELOW})\s*{_ONE}{_NO_UNIT}", _at_most),
    (rf"{_ONE}\s*(?:以下|以内|之内|or less|or under|max\b|and under)", _at_most),
    (rf"(?:{_ABOVE})\s*{_ONE}{_NO_UNIT}", _at_least),
    (rf"{_ONE}\s*(?:以上|起\b|or more|and up)", _at_least),
    (rf"(?:{_ABOUT})\s*{_ONE}{_NO_UNIT}", _around),
    (rf"{_ONE}\s*(?:左右|上下)", _around),
    (rf"\b(?:max|maximum|budget(?: of)?|for|预算)\s*:?\s*{_ONE}", _with_sign(_at_most)),
    (rf"^\s*{_ONE}\s*$", _with_sign(_around)),
]

_SORTS: dict[Sort, str] = {
    "cheap": r"\b(?:the )?(?:cheapest|cheap|lowest priced?|least expensive|inexpensive|affordable)\b"
    r"|最便宜|便宜|价格最低|实惠",
    "dear": r"\b(?:the )?(?:most expensive|dearest|highest priced?|priciest)\b|最贵|价格最高",
    "rating": r"\b(?:the )?(?:best|top|highest)[ -](?:rated|reviewed|rating)\b|评分最高|好评",
}

_NOT = re.compile(
    r"(?:^|(?<=[\s,，]))(?:without(?: any)?|excluding|except(?: for)?|but not|not|no|non)[\s-]+(?P<en>[^,，;.]+?)"
    r"(?=\s+(?:but|with|for|in|under|over|below|above)\b|[,，;.]|$)"
    r"|(?:^|(?<=\s))-(?P<minus>[^\W\d]\w+)"
    r"|\b(?P<free>\w+)[\s-]free\b"
    r"|(?:不要|不含|不想要|除了|没有|不带|无需)(?P<zh>[^，,。；;\s的]+?)(?:以外|之外|外)?(?:的(?=\S)|$|(?=[，,。；;\s]))",
    _FLAGS,
)  # fmt: skip
_OR = re.compile(r"\s+(?:or|and|nor)\s+(?:no\s+|without\s+)?|\s*[/&]\s*|或者?|和")


def _without(found: Wishes) -> Wishes:
    """Negations, taken out of the text; of `sulfate free` the word stays, since titles say it so."""
    unwanted: list[str] = []

    def take(match: re.Match[str]) -> str:
        own = next(name for name in ("en", "minus", "free", "zh") if match[name])
        unwanted.extend(part.strip() for part in _OR.split(match[own]) if part.strip())
        return match["free"] if own == "free" else " "

    text = _NOT.sub(take, found.text)
    return replace(found, text=text, unwanted=tuple(dict.fromkeys(unwanted)))


def _with_digits(text: str) -> str:
    """Chinese numbers before what they count are written in digits: 五十元 is 50元."""
    return re.sub(
        r"[零一二两三四五六七八九十百千万]+(?=元|块|以下|以内|左右)", lambda match: str(_chinese(match[0])), text
    )


def _chinese(text: str) -> int:
    total = digit = 0
    for character in text:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character == "万":
            total, digit = (total + digit) * _TENS[character], 0
        else:
            total, digit = total + (digit or 1) * _TENS[character], 0
    return total + digit
