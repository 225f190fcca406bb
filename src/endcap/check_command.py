"""`endcap check`: look at a log and a catalogue before anything is made of them."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pyarrow.csv
import tomli_w
import typer

from endcap import config, screen
from endcap.data import backend as backends
from endcap.data.advice import Advice, advise
from endcap.data.aliases import resolve
from endcap.data.check import all_problems, summarise
from endcap.data.dataset import DataConfig
from endcap.data.errors import InputError
from endcap.data.logs import read_logs
from endcap.data.places import write
from endcap.data.schema import validate, validate_items
from endcap.options import (
    Asked,
    CarryOption,
    FormatOption,
    HeaderOption,
    ItemsOption,
    JsonOption,
    KindOption,
    MapOption,
    SeparatorOption,
    TimeFormatOption,
    TimezoneOption,
    WhereOption,
    data_config,
)
from endcap.results import plain

EventsArgument = Annotated[
    str, typer.Argument(metavar="EVENTS", help="The log: a file, a folder, completejourney, or a TOML with [data].")
]


def check(
    events: EventsArgument,
    items: ItemsOption = None,
    format: FormatOption = None,  # noqa: A002
    map: MapOption = None,  # noqa: A002
    kind: KindOption = None,
    where: WhereOption = None,
    carry: CarryOption = None,
    header: HeaderOption = None,
    time_format: TimeFormatOption = None,
    timezone: TimezoneOption = None,
    category_separator: SeparatorOption = None,
    problems: Annotated[
        Path | None, typer.Option("--problems", metavar="FILE.csv", help="Write every problem there, row by row.")
    ] = None,
    to_write: Annotated[
        Path | None,
        typer.Option("--write", metavar="SHOP.toml", help="Write there how the log is read, with all advice."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a log: what is in it, what is wrong with it, row by row.

    Exits with 0, or with 2 if the data cannot be used.

    `endcap check events.csv --items products.csv`

    `endcap check events.csv --problems problems.csv --json`

    `endcap check log.csv --map item_id=sku --map time=created --kind seen=view`

    `endcap check orders.csv --kind purchase --carry order --where status=completed`

    `endcap check orders.csv --items products.csv --write shop.toml`
    """
    data = data_config(
        events, items, format, map, kind, Asked(where, carry, header, time_format, timezone, category_separator)
    )
    backend = backends.local()
    with screen.steps() as step:
        step("reading")
        tables = read_logs(backend, data.all_logs, Path(data.items) if data.items else None, data.category_separator)
        step("checking every row")
        validated = validate(backend, tables.events, now=time.time(), kinds=data.kinds)
        validated = resolve(backend, validated, tables.aliases)
        catalogue = None if tables.items is None else validate_items(backend, tables.items)
        step("summarising")
        summary = summarise(backend, validated, catalogue, broken=tables.problems)
        advice = advise(backend, data.all_logs, tables, validated, catalogue, summary)
        if problems:
            step("writing the problems")
            every = all_problems(backend, validated, catalogue, tables.problems).orderBy("row", "column")
            pyarrow.csv.write_csv(every.toArrow(), problems)
    if as_json:
        about = {"format": tables.format, "columns": tables.columns, **asdict(summary)}
        about["notes"] = [*tables.notes, *summary.notes]
        about["advice"] = [asdict(each) for each in advice]
        print(json.dumps(plain(about), indent=2, allow_nan=False))
    else:
        screen.check(tables, summary, advice)
    if to_write:
        write(to_write, _toml(data, advice))
        screen.err.print(f"wrote {to_write}; read it, change it, and give it in place of the log", highlight=False)
    if not summary.usable:
        raise InputError(f"{events} cannot be used: {summary.reason}")


def _toml(data: DataConfig, advice: Sequence[Advice]) -> str:
    """The [data] of a TOML: what was said, and all that is advised, with the reasons above it."""
    default = asdict(DataConfig(events="-"))
    section = {name: value for name, value in asdict(data).items() if value != default.get(name)}
    section = {**section, "columns": {**data.columns}, "where": [*data.where]}
    for each in advice:
        for name, value in each.keys.items():
            if name == "columns":
                section["columns"] |= value
            elif name == "where":
                section["where"] += value
            else:
                section[name] = value
    section = {name: value for name, value in section.items() if value}
    reasons = "".join(f"# {each.text}\n" for each in advice)
    return reasons + tomli_w.dumps({"data": config.without_none(section)})
