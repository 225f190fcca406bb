"""Options that several commands have, and `name=value` as a dictionary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from endcap import config as configuration
from endcap.data import sources
from endcap.data.dataset import DataConfig
from endcap.data.errors import InputError

ItemsOption = Annotated[Path | None, typer.Option("--items", help="The catalogue.")]
FormatOption = Annotated[
    str | None, typer.Option("--format", help=f"Guessed; or one of {', '.join(form.name for form in sources.FORMATS)}.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=NAME", help="Our column = its name in the file; repeatable."),
]
KindOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kind", metavar="WORD=KIND|KIND", help="The file's word = our kind, repeatable; or what every row is."
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="COLUMN=VALUE|COLUMN!=VALUE", help="Rows that are kept; repeatable."),
]
CarryOption = Annotated[
    str | None,
    typer.Option("--carry", metavar="COLUMN", help="Orders by it have their user and time on one row alone."),
]
HeaderOption = Annotated[
    str | None, typer.Option("--header", metavar="NAME,NAME,…", help="The columns of a file without a header.")
]
TimeFormatOption = Annotated[
    str | None,
    typer.Option("--time-format", metavar="FORM", help="day-first, month-first, excel, or such as '%d.%m.%Y %H:%M'."),
]
TimezoneOption = Annotated[
    str | None, typer.Option("--timezone", metavar="ZONE", help="Of times that name none, such as Asia/Shanghai.")
]
SeparatorOption = Annotated[
    str | None,
    typer.Option("--category-separator", metavar="SIGN", help="Between the levels of categories, where it is not >."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@dataclass(frozen=True)
class Asked:
    """What options say of one log, beyond its columns and words."""

    where: Sequence[str] | None = None
    carry: str | None = None
    header: str | None = None
    time_format: str | None = None
    timezone: str | None = None
    category_separator: str | None = None


def data_config(
    events: str,
    items: Path | None,
    format: str | None,  # noqa: A002
    map: Sequence[str] | None,  # noqa: A002
    kind: Sequence[str] | None,
    asked: Asked,
) -> DataConfig:
    """What is read: the log that is named, or the [data] of a TOML; options come before what the TOML says.

    Raises InputError where an option is none, and where options of one log meet several.
    """
    every = [word for word in kind or [] if "=" not in word]
    if len(every) > 1:
        raise InputError(f"found --kind {' --kind '.join(every)}; every row can be of one kind")
    said: dict[str, Any] = {
        "format": format,
        "columns": pairs(map, "--map"),
        "kinds": pairs([word for word in kind or [] if "=" in word], "--kind"),
        "kind": every[0] if every else None,
        "where": tuple(asked.where or ()),
        "carry": asked.carry,
        "header": tuple(name.strip() for name in asked.header.split(",")) if asked.header else (),
        "time_format": asked.time_format,
        "timezone": asked.timezone,
        "category_separator": asked.category_separator,
    }
    said = {name: value for name, value in said.items() if value}
    data = configuration.data(Path(events)) if events.endswith(".toml") else DataConfig(events=events)
    if data.logs and said:
        raise InputError(f"{events} names several logs; say what differs in their [[data.logs]], not by options")
    for name in ("columns", "kinds"):
        said[name] = getattr(data, name) | said.get(name, {})
    return replace(data, items=str(items) if items else data.items, **said)


def with_events(data: DataConfig, events: str) -> DataConfig:
    """The same, of another log that is written in the same way."""
    return configuration.data(Path(events)) if events.endswith(".toml") else replace(data, events=events, logs=())


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`name=value` options as a dictionary; raises InputError where one is none."""
    found = {}
    for text in given or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise InputError(f"found {option} {text!r}; expected {option} name=value")
        found[name] = value
    return found
