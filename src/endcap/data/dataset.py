"""A log from file to marked table: read, checked, cleaned, split; with an account of every step."""

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from endcap.data.aliases import resolve
from endcap.data.backend import Backend, local
from endcap.data.clean import CleanConfig
from endcap.data.errors import InputError
from endcap.data.logs import LogConfig, read_logs
from endcap.data.mark import SplitConfig
from endcap.data.prepare import prepare_tables
from endcap.data.schema import validate, validate_items


@dataclass(frozen=True)
class DataConfig:
    """Which files, how they are read, and what is asked of them."""

    events: str = ""  # the log: a file, a folder, or completejourney
    items: str | None = None  # the catalogue: a file or a folder
    category_separator: str | None = None  # between the levels of the catalogue's categories, where it is not >
    images: str | None = None  # photos of the products: a folder or a zip; the catalogue may also hold addresses
    format: str | None = None  # guessed where not given
    columns: dict[str, str] = field(default_factory=dict)  # canonical name -> the file's column, or a place in it
    kinds: dict[str, str] = field(default_factory=dict)  # the file's word -> view, cart, purchase, review, ...
    kind: str | None = None  # what every row is, where the file has no words for it
    where: tuple[str, ...] = ()  # COLUMN=VALUE or COLUMN!=VALUE: the rows that are kept
    carry: str | None = None  # the column of orders whose head stands on one of their rows alone
    header: tuple[str, ...] = ()  # names of the columns, of a file without a header
    time_format: str | None = None  # day-first, month-first, excel, or such as %d.%m.%Y %H:%M
    timezone: str | None = None  # of times that name none, such as Asia/Shanghai
    logs: tuple[LogConfig, ...] = ()  # instead of events: several logs, each with keys of its own
    goal: Literal["view", "cart", "purchase", "review"] | None = None  # the kind to predict; none: whatever is next
    min_rating: float | None = None  # reviews below it are no answers: a one-star review is not love
    repeats: Literal["auto", "mask", "allow"] = "auto"  # whether seen items may be shown

    def __post_init__(self) -> None:
        if not self.events and not self.logs:
            raise ValueError("missing key data.events, or [[data.logs]] for several logs")
        if self.events and self.logs:
            raise ValueError("found both events and [[data.logs]]; name all logs in [[data.logs]]")

    @property
    def all_logs(self) -> tuple[LogConfig, ...]:
        """The logs, in the order in which they are read."""
        return self.logs or (LogConfig(**{each.name: getattr(self, each.name) for each in fields(LogConfig)}),)

    @property
    def paths(self) -> list[Path]:
        """Every file or folder that is read."""
        return [Path(given) for given in (*(each.events for each in self.all_logs), self.items, self.images) if given]

    @property
    def name(self) -> str:
        """What the log is called: its path, or those of all logs."""
        return self.events or " + ".join(each.events for each in self.logs)


@dataclass(frozen=True)
class Dataset:
    """A prepared log; the table has the canonical columns, `part` set."""

    name: str
    table: pa.Table
    items: pa.Table | None
    files: dict[str, str]  # path -> sha256
    facts: dict[str, Any]  # format, columns, notes, problems, steps, cuts: for people and for the report
    aliases: dict[str, str] = field(default_factory=dict)  # a variant's id or SKU -> its product's id

    @property
    def apart(self) -> str | None:
        """That log and catalogue share no id, with one of each; None where they share some, or there is none."""
        if self.items is None or not len(self.items):
            return None
        ids = self.table["item_id"].unique()
        if pc.any(pc.is_in(ids, value_set=self.items["item_id"].cast(ids.type))).as_py():
            return None
        ours, theirs = pc.min(ids).as_py(), pc.min(self.items["item_id"]).as_py()
        return (
            f"none of the {len(ids):,} items of the log is in the catalogue: the log has {ours}, the catalogue {theirs}"
        )

    def save(self, folder: Path) -> None:
        """Writes the folder that `load` reads: for the processes that train on it."""
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(self.table, folder / "events.parquet")
        if self.items is not None:
            pq.write_table(self.items, folder / "items.parquet")
        about = {"name": self.name, "files": self.files, "aliases": self.aliases, "facts": self.facts}
        (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Dataset":
        """Reads what `save` wrote."""
        about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        items = folder / "items.parquet"
        return cls(
            name=about["name"],
            table=pq.read_table(folder / "events.parquet"),
            items=pq.read_table(items) if items.exists() else None,
            files=about["files"],
            aliases=about["aliases"],
            facts=about["facts"],
        )


def prepare(
    backend: Backend,
    data: DataConfig,
    clean: CleanConfig,
    split: SplitConfig,
    *,
    on_step: Callable[[str], None] = lambda step: None,
) -> Dataset:
    """Reads, validates, cleans and marks a log. `on_step` hears what is being done.

    Raises InputError where the data cannot be used.
    """
    on_step("reading")
    tables = read_logs(backend, data.all_logs, Path(data.items) if data.items else None, data.category_separator)
    on_step("checking")
    validated = validate(backend, tables.events, now=time.time(), kinds=data.kinds)
    validated = resolve(backend, validated, tables.aliases)
    catalogue = None if tables.items is None else validate_items(backend, tables.items)
    on_step("cleaning and splitting")
    prepared = prepare_tables(backend, validated, clean, split)
    table = prepared.events.toArrow()
    if not len(table):
        raise InputError(f"{data.name}: found no usable event; run `endcap check {data.name}` to see why")
    kinds = set(table["kind"].unique().to_pylist())
    if data.goal and data.goal not in kinds:
        why = "since the log names no kinds" if "kind" not in tables.columns else "as their words for kinds are read"
        raise InputError(
            f"{data.name}: found no {data.goal}: all {len(table):,} events are {', '.join(sorted(kinds))}, {why};"
            f" --kind {data.goal} says that every row is one, --kind WORD={data.goal} what a word means"
        )
    return Dataset(
        name=" + ".join(Path(each.events).name.split(".")[0] or each.events for each in data.all_logs),
        table=table,
        items=None if catalogue is None else catalogue.items.toArrow(),
        files=fingerprint(data.paths),
        aliases={}
        if tables.aliases is None
        else dict(zip(*tables.aliases.toArrow().to_pydict().values(), strict=True)),
        facts={
            "format": tables.format,
            "columns": tables.columns,
            "notes": [*tables.notes, *validated.notes],
            "rows": validated.rows,
            "steps": [asdict(step) for step in prepared.steps],
            "cuts": prepared.cuts,
            "split": split.method,
        },
    )


def prepare_locally(
    data: DataConfig, clean: CleanConfig, split: SplitConfig, *, on_step: Callable[[str], None] = lambda step: None
) -> Dataset:
    """`prepare` by a DuckDB of its own, whose memory is given back at the end."""
    with closing(local()) as backend:
        return prepare(backend, data, clean, split, on_step=on_step)


@cache
def code_hash() -> str:
    """sha256 of endcap's own source: what other code made may not be what this code would make."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint(paths: list[Path]) -> dict[str, str]:
    """sha256 of each file, folders file by file; a built-in data set counts by its name alone."""
    result = {}
    for path in paths:
        files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for file in files:
            if file.exists():
                with file.open("rb") as stream:
                    result[str(file)] = hashlib.file_digest(stream, "sha256").hexdigest()
    return result
