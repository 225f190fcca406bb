"""Prices as shops write them: `15.00 USD`, `1.234,50 €`; a catalogue has one currency."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

_NUMBER = re.compile(r"[-+]?(?:\d[\d.,'’\s]*\d|\d)")
_NAMES = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "US$": "USD", "R$": "BRL", "zł": "PLN", "Kč": "CZK",
    "Ft": "HUF", "lei": "RON", "лв": "BGN", "₺": "TRY", "₴": "UAH", "руб": "RUB", "元": "CNY", "円": "JPY", "kr": "kr",
    "Fr": "CHF", "Rs": "INR", "RM": "MYR",
}  # fmt: skip
"""Signs of one currency; $ and ¥ are several currencies'."""


@dataclass(frozen=True)
class Price:
    """A price as written, in a row of a source; `currency` is the row's own column for it, if any."""

    row: int
    text: str
    currency: str | None = None


Problem = tuple[int, str, str, str]
"""(row, column, value, problem)"""

_PROBLEM = pa.schema([("row", pa.int64()), ("column", pa.string()), ("value", pa.string()), ("problem", pa.string())])


def problem_table(problems: Sequence[Problem]) -> pa.Table:
    """The problems of a catalogue in the order of their rows; its columns are named `items.COLUMN`."""
    ordered = sorted(problems, key=lambda problem: problem[0])
    rows = [(row, f"items.{column}", value, problem) for row, column, value, problem in ordered]
    return pa.Table.from_pylist([dict(zip(_PROBLEM.names, each, strict=True)) for each in rows], _PROBLEM)


def decimal_comma(texts: Iterable[str]) -> bool | None:
    """Whether a column's commas are decimal ones, where one of its values shows it: `9,5`, `1.234,50`; else None.

    >>> decimal_comma(["1.205", "9,5"]), decimal_comma(["1,205.50"]), decimal_comma(["1,205"])
    (True, False, None)
    """
    numbers = [re.sub(r"['’\s]", "", found.group()) for text in texts if (found := _NUMBER.search(text))]
    comma = any(re.search(r"\.\d+,\d+$|^\d+,(\d{1,2}|\d{4,})$|^0,\d+$", each) for each in numbers)
    point = any(re.search(r",\d+\.\d+$|^\d+\.(\d{1,2}|\d{4,})$", each) for each in numbers)
    return comma if comma != point else None


def money(text: str, *, comma: bool | None = None) -> tuple[float, str | None] | None:
    """The number and the currency where one is named; None where it is no price.

    `comma` says whether the decimal sign is a comma; where it is not known, each text is looked at alone.

    >>> money("15.00 USD"), money("1.234,50 €"), money("$1,234"), money("9,5"), money("free")
    ((15.0, 'USD'), (1234.5, 'EUR'), (1234.0, '$'), (9.5, None), None)
    """
    found = _NUMBER.search(text)
    if not found:
        return None
    rest = (text[: found.start()] + text[found.end() :]).strip(" \t\xa0.-")
    symbol = rest in _NAMES or (len(rest) == 1 and unicodedata.category(rest) == "Sc")
    if rest and not symbol and not re.fullmatch("[A-Za-z]{3}", rest):
        bare = _finite(text)  # 1e-05
        return None if bare is None else (bare, None)
    value = _decimal(found.group(), comma_decimal=comma)
    return None if value is None else (value, _NAMES.get(rest, rest.upper()) or None)


def in_one_currency(prices: Sequence[Price]) -> tuple[dict[int, float], str | None, list[Problem]]:
    """Row -> number, the currency that most rows name, and the prices that were left out: no numbers, other money."""
    comma = decimal_comma(price.text for price in prices)
    read = {price.row: money(price.text, comma=comma) for price in prices}
    problems, named = [], {}
    for price in prices:
        if found := read[price.row]:
            named[price.row] = found[1] or (price.currency or "").strip().upper() or None
    counts = Counter(currency for currency in named.values() if currency)
    usual = counts.most_common(1)[0][0] if counts else None
    values = {}
    for price in prices:
        found, currency = read[price.row], named.get(price.row)
        if found is None:
            fault = "not a number; value left empty"
        elif found[0] < 0:
            fault = "below 0; value left empty"
        elif currency not in (None, usual):
            fault = f"another currency than the catalogue's {usual}; value left empty"
        else:
            values[price.row] = found[0]
            continue
        value = price.text if found is None or found[1] or not currency else f"{price.text} {currency}"
        problems.append((price.row, "price", value[:200], fault))
    return values, usual, problems


def _decimal(digits: str, *, comma_decimal: bool | None) -> float | None:
    """The last of `.` and `,` is the decimal one, unless it repeats or is a lone comma before three digits."""
    digits = re.sub(r"['’\s]", "", digits)
    if comma_decimal is not None:
        return _finite(digits.replace(".", "").replace(",", ".") if comma_decimal else digits.replace(",", ""))
    point, comma = digits.rfind("."), digits.rfind(",")
    if comma > point:
        thousands = digits.count(",") > 1 or (point < 0 and re.search(r",\d{3}$", digits))
        return _finite(digits.replace(",", "") if thousands else digits.replace(".", "").replace(",", "."))
    return _finite(digits.replace(",", "") if digits.count(".") < 2 else digits.replace(".", ""))


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
