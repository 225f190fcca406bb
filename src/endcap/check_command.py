"""`endcap check`: look at a log and a catalogue before anything is made of them."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pyarrow.csv
import typer

from endcap import screen
from endcap.data import backend as backends
from endcap.data.aliases import resolve
from endcap.data.check import all_problems, summarise
from endcap.data.errors import InputError
from endcap.data.logs import read_logs
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
    problems: Annotated[
        Path | None, typer.Option("--problems", metavar="FILE.csv", help="Write every problem there, row by row.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a log: what is in it, what is wrong with it, row by row.

    Exits with 0, or with 2 if the data cannot be used.

    `endcap check events.csv --items products.csv`

    `endcap check events.csv --problems problems.csv --json`

    `endcap check log.csv --map item_id=sku --map time=created --kind seen=view`

    `endcap check orders.csv --kind purchase --carry order --where status=completed`
    """
    data = data_config(events, items, format, map, kind, Asked(where, carry, header, time_format, timezone))
    backend = backends.local()
    with screen.steps() as step:
        step("reading")
        tables = read_logs(backend, data.all_logs, Path(data.items) if data.items else None)
        step("checking every row")
        validated = validate(backend, tables.events, now=time.time(), kinds=data.kinds)
        validated = resolve(backend, validated, tables.aliases)
        catalogue = None if tables.items is None else validate_items(backend, tables.items)
        step("summarising")
        summary = summarise(backend, validated, catalogue, broken=tables.problems)
        if problems:
            step("writing the problems")
            every = all_problems(backend, validated, catalogue, tables.problems).orderBy("row", "column")
            pyarrow.csv.write_csv(every.toArrow(), problems)
    if as_json:
        about = {"format": tables.format, "columns": tables.columns, **asdict(summary)}
        about["notes"] = [*tables.notes, *summary.notes]
        print(json.dumps(plain(about), indent=2, allow_nan=False))
    else:
        screen.check(tables, summary)
    if not summary.usable:
        raise InputError(f"{events} cannot be used: {summary.reason}")
