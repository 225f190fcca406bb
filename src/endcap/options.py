"""Options that several commands have, and `name=value` as a dictionary."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from endcap.data import sources
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
    list[str] | None, typer.Option("--kind", metavar="WORD=KIND", help="The file's word = our kind; repeatable.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def pairs(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """`name=value` options as a dictionary; raises InputError where one is none."""
    found = {}
    for text in given or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise InputError(f"found {option} {text!r}; expected {option} name=value")
        found[name] = value
    return found
