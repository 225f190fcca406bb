"""Choosing the format of a path by its content, and joining a log with its catalogue."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from endcap.data.backend import DataFrame
from endcap.data.errors import InputError
from endcap.data.schema import EVENT_COLUMNS, ITEM_COLUMNS
from endcap.data.sources.log import AS_IT_IS, Log
from endcap.data.sources.source import Source, find
from endcap.data.sources.tables import Format, Items, Mapped, T, Tables


def choose(formats: Sequence[Format[T]], path: Path, name: str | None, log: Log = AS_IT_IS) -> tuple[Format[T], Source]:
    """The format asked for, or the first that recognises what is there; InputError where none fits."""
    for form in formats:
        if form.built_in and str(path) == form.name and not path.exists():
            path, name = form.built_in(), form.name
    if name and name not in [form.name for form in formats]:
        raise InputError(f"--format {name} is not known; formats are {_names(formats)}")
    source = find(path, log)
    try:
        for form in formats:
            if (name is None and form.recognises(source)) or (
                name == form.name and (form.accepts or form.recognises)(source)
            ):
                return form, source
    except InputError as error:
        if path.is_dir():
            raise InputError(f"{path} is a folder of no known format: {error}") from None
        raise
    raise InputError(_unlike(formats, source, name))


def split_columns(columns: Mapped) -> tuple[dict[str, str], dict[str, str]]:
    """The mapping of events and that of items: `items.price` and names that only a catalogue has, like `title`."""
    of_items = {column for column in columns if column.startswith("items.") or column in ITEM_COLUMNS} - {
        *EVENT_COLUMNS
    }
    events = {column: name for column, name in columns.items() if column not in of_items}
    items = {column.removeprefix("items."): name for column, name in columns.items() if column in of_items}
    return events, items


def with_items(tables: Tables, items: Items) -> Tables:
    """The log with a catalogue; what is said of the catalogue is marked with `items`."""
    return replace(
        tables,
        items=items.frame,
        columns=tables.columns | {f"items.{column}": name for column, name in items.columns.items()},
        problems=_both(tables.problems, items.problems),
        notes=tables.notes + [f"items: {note}" for note in items.notes],
        aliases=items.aliases,
    )


def _both(first: DataFrame | None, second: DataFrame | None) -> DataFrame | None:
    return (
        first.unionByName(second) if first is not None and second is not None else first if second is None else second
    )


def _unlike(formats: Sequence[Format[T]], source: Source, name: str | None) -> str:
    if not name:
        what = "a folder of no known format" if source.path.is_dir() else "of no known format"
        found = ", ".join(list(source.names)[:10]) if source.path.is_dir() else repr(source.head[:80])
        return f"{source.path} is {what}: found {found}; formats are {_names(formats)}"
    about = next(form.about for form in formats if form.name == name)
    others = [form.name for form in formats if form.recognises(source)]
    hint = f"it looks like {others[0]}" if others else "leave --format out to have it recognised"
    return f"{source.path} is not {name}: expected {about}; {hint}"


def _names(formats: Sequence[Format[T]]) -> str:
    return ", ".join(form.name for form in formats)
