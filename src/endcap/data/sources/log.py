"""How one log is read, beyond the names of its columns: what its file does not say of itself."""

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from endcap.data.errors import InputError
from endcap.data.kinds import NAMES

_CONDITION = re.compile(r"(?P<column>.+?)\s*(?P<sign>!?=)\s*(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """Rows are kept where a column has one of the values; with `keeps` false, where it has none of them."""

    column: str
    values: tuple[str, ...]
    keeps: bool

    def __str__(self) -> str:
        sign, word = ("=", " or ") if self.keeps else ("!=", " and ")
        return word.join(f"{self.column}{sign}{value}" for value in self.values)


@dataclass(frozen=True)
class Log:
    """What is said of a log; the defaults take it as it is."""

    kind: str | None = None  # every row is one of these; for logs without a column of kinds
    where: tuple[str, ...] = ()  # COLUMN=VALUE or COLUMN!=VALUE: rows that are kept
    carry: str | None = None  # a column whose rows share what only their first one has: an order's head
    header: tuple[str, ...] = ()  # the names of the columns of a file without a header
    time_format: str | None = None  # day-first, month-first, excel, or such as %d.%m.%Y %H:%M
    timezone: str | None = None  # of times that name none, such as Asia/Shanghai; UTC where not given

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in NAMES:
            raise InputError(f"found kind {self.kind!r}; expected one of {', '.join(NAMES)}, or WORD=KIND")
        if self.timezone is not None:
            try:
                zoneinfo.ZoneInfo(self.timezone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
                raise InputError(
                    f"found timezone {self.timezone!r}; expected a name such as Europe/Berlin or Asia/Shanghai"
                ) from None
        conditions(self.where)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked that needs the columns of the file."""
        return not (self.where or self.carry or self.header)


def conditions(where: Sequence[str]) -> list[Condition]:
    """The conditions, those of one column and sign together; InputError where one is none.

    >>> [str(each) for each in conditions(["status=paid", "status=sent", "sku!=TEST"])]
    ['status=paid or status=sent', 'sku!=TEST']
    """
    grouped: dict[tuple[str, bool], list[str]] = {}
    for text in where:
        found = _CONDITION.fullmatch(text.strip())
        if not found:
            raise InputError(f"found --where {text!r}; expected COLUMN=VALUE or COLUMN!=VALUE")
        grouped.setdefault((found["column"], found["sign"] == "="), []).append(found["value"].strip())
    return [Condition(column, tuple(values), keeps) for (column, keeps), values in grouped.items()]


AS_IT_IS = Log()
