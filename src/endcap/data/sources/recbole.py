"""RecBole's atomic files: `NAME.inter` with a header of `field:type`, tab-separated, and `NAME.item` beside it.

`NAME.train.inter`, `NAME.valid.inter` and `NAME.test.inter` are a split of the source's own; its validation events
count as training ones.
"""

from functools import partial
from pathlib import Path

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.duck import ROW, Scan, frame, literal_name, local, readable, scan_delimited, view
from endcap.data.sources.guess import event_columns, item_columns
from endcap.data.sources.plain import others, unique
from endcap.data.sources.recognise import with_items
from endcap.data.sources.rows import asked, selected
from endcap.data.sources.source import Source, fields, find, head
from endcap.data.sources.tables import Format, Items, Mapped, Tables

PARTS = {".train": "train", ".valid": "train", ".test": "test"}


def read(backend: Backend, source: Source, given: Mapped) -> Tables:
    """The interactions, with the items where their file is there."""
    files = _files(source, ".inter")
    parts = {file: PARTS.get(Path(file.stem).suffix) for file in files}
    if len(files) > 1 and None in parts.values():
        raise InputError(
            f"{source.path} holds {len(files)} .inter files ({', '.join(f.name for f in files)}); give one"
        )
    connection = local(backend, source, "recbole")
    columns: dict[str, str] = {}
    selects, notes, problems, before = [], [], [], 0
    for file, part in parts.items():
        scan, names = _scan(backend, find(file))
        columns = event_columns(names, given, str(file))
        made, told = selected(connection, scan, asked(columns, source.log, names, str(file)), source.log)
        columns.pop("order", None)
        own = [literal_name(column) for column in columns] + ([f"'{part}' AS part"] if part else [])
        selects.append(f"SELECT row + {before} AS row, {', '.join(own)} FROM {made}")
        notes += told
        problems += [scan.problems] if scan.problems else []
        before += scan.records
        notes.append(f"read {scan.records:,} interactions from {file.name}")
    tables = Tables(
        "recbole",
        frame(backend, view(connection, " UNION ALL ".join(selects))),
        columns=columns,
        problems=frame(backend, view(connection, " UNION ALL ".join(f"FROM {p}" for p in problems)))
        if problems
        else None,
        notes=notes,
    )
    items = beside(source)
    return with_items(tables, read_items(backend, find(items), {})) if items else tables


def beside(source: Source) -> Path | None:
    """The file of the items, where it lies beside that of the interactions."""
    first = _files(source, ".inter")[0]
    items = first.parent / f"{first.name.split('.')[0]}.item"
    return items if items.exists() else None


def read_items(backend: Backend, source: Source, given: Mapped) -> Items:
    """The `.item` file; its types are left out of the names."""
    file = _files(source, ".item")[0]
    scan, names = _scan(backend, find(file))
    columns = item_columns(names, given, str(file))
    kept = columns | others(names, columns.values())
    selected = ", ".join(f"{literal_name(name)} AS {literal_name(column)}" for column, name in kept.items())
    items = view(local(backend, source, "recbole"), f"SELECT {ROW} AS row, {selected} FROM {scan.name}")
    problems = frame(backend, scan.problems) if scan.problems else None
    return Items("recbole", frame(backend, items), columns, problems, [f"read {scan.records:,} items from {file.name}"])


def _scan(backend: Backend, source: Source) -> tuple[Scan, list[str]]:
    names = unique([field.rsplit(":", 1)[0] for field in fields(source.head, "\t")], source)
    with readable(source, "recbole"):
        connection = local(backend, source, "recbole")
        scan = scan_delimited(connection, source.files, names, names, delimiter="\t", quote="")
    if not scan.records:
        raise InputError(f"{source.path} has a header but no readable records")
    return scan, names


def _files(source: Source, suffix: str) -> list[Path]:
    return [file for file in source.files if file.suffix == suffix and ":" in head(file).split("\n", 1)[0]]


def _recognises(source: Source, suffix: str) -> bool:
    return any(file.suffix == suffix for file in source.files) and bool(_files(source, suffix))


FORMAT: Format[Tables] = Format(
    "recbole", "a .inter file with a header of field:type", partial(_recognises, suffix=".inter"), read
)
CATALOGUE: Format[Items] = Format(
    "recbole", "a .item file with a header of field:type", partial(_recognises, suffix=".item"), read_items
)
