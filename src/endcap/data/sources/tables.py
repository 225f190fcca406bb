"""The nouns of reading: `Tables` and `Items` are what a reader gives back, a `Format` is a way to write a log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from endcap.data.backend import Backend, DataFrame
from endcap.data.sources.source import Source

Mapped = Mapping[str, str]
"""Canonical column -> the source's own name for it."""


@dataclass(frozen=True)
class Tables:
    """A log as raw tables: columns renamed, values as the source wrote them (strings or its own types)."""

    format: str  # its name, as --format takes it
    events: DataFrame  # `row` and those of the other EVENT_COLUMNS that the source has
    items: DataFrame | None = None
    columns: dict[str, str] = field(default_factory=dict)  # canonical -> the source's; `items.title` for the catalogue
    problems: DataFrame | None = None  # (row, column, value, problem): records that could not be split into fields
    notes: list[str] = field(default_factory=list)
    aliases: DataFrame | None = None  # those of its catalogue


@dataclass(frozen=True)
class Items:
    """A catalogue as a raw table: `row`, `item_id`, the ITEM_COLUMNS and EXTRA_COLUMNS it has, then its others."""

    format: str
    frame: DataFrame
    columns: dict[str, str] = field(default_factory=dict)
    problems: DataFrame | None = None
    notes: list[str] = field(default_factory=list)
    aliases: DataFrame | None = None  # (alias, item_id): a variant's id or SKU, once each, and the product it is of


T = TypeVar("T", Tables, Items)


@dataclass(frozen=True)
class Format(Generic[T]):
    """How to recognise and read one way of writing; `read` raises InputError for what does not fit."""

    name: str
    about: str  # what it looks like, for help and errors
    recognises: Callable[[Source], bool]
    read: Callable[[Backend, Source, Mapped], T]
    accepts: Callable[[Source], bool] | None = None  # less strict than `recognises`, for when the format is named
    built_in: Callable[[], Path] | None = None  # where the data is when the path is just the format's name
