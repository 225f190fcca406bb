"""Which photos belong to which item: those that its catalogue row names, then those whose name or folder is its id."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from endcap.data.catalog import Catalog
from endcap.data.photos.files import CLIPS, File, extension
from endcap.data.photos.problems import Problem

_URL = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_REST = re.compile(r"[-_. (]+[^\W_]+\)?(?:[-_. (]+\d+\)?)?")  # of `4711_2`, `4711-front`, `4711 (3)`, `4711-front-2`


@dataclass(frozen=True)
class Match:
    """A photo or clip of an item."""

    item: int  # its index, from 1
    name: str
    file: File | None  # None for an address

    @property
    def is_clip(self) -> bool:
        """Whether its name says that it is a video."""
        return extension(self.name) in CLIPS


@dataclass(frozen=True)
class Found:
    """What belongs to whom; by item, its photos in the catalogue's order, then by name, its clips last."""

    matches: tuple[Match, ...]
    missing: tuple[Problem, ...]  # named by the catalogue and not there
    unknown: tuple[File, ...]  # of no item


def find(catalog: Catalog, files: Sequence[File] | None, aliases: Mapping[str, str] | None = None) -> Found:
    """The photos of a catalogue among files (None: none were given) and addresses; `aliases` are other names of ids.

    >>> import pyarrow as pa
    >>> catalog = Catalog.from_table(pa.table({"item_id": ["a", "b"], "image": ["x.jpg|y.jpg", None]}), ["a", "b"])
    >>> files = [File(name, name, 1, bytes) for name in ("b_1.jpg", "b_2.jpg", "c.jpg", "photos/y.jpg")]
    >>> found = find(catalog, files)
    >>> [(match.item, match.name) for match in found.matches]
    [(1, 'photos/y.jpg'), (2, 'b_1.jpg'), (2, 'b_2.jpg')]
    >>> found.missing, [file.name for file in found.unknown]
    ((Problem(item_id='a', name='x.jpg', problem='is not among the photos'),), ['c.jpg'])
    """
    named, missing = _named(catalog, files)
    claimed = {match.name for own in named.values() for match in own}
    guessed, unknown = _guessed(catalog, [file for file in files or () if file.name not in claimed], aliases or {})
    matches = [
        match
        for item in sorted({*named, *guessed})
        for match in sorted((*named.get(item, ()), *guessed.get(item, ())), key=lambda match: match.is_clip)
    ]
    return Found(tuple(matches), tuple(missing), tuple(unknown))


def _named(catalog: Catalog, files: Sequence[File] | None) -> tuple[dict[int, list[Match]], list[Problem]]:
    """The photos of each item that its row names, each once, and those that are not there."""
    values = [
        (item, value.strip())
        for column in ("image", "video")
        for item, own in enumerate(catalog.lists(column))
        for value in own
    ]
    place = _places(files or (), [value for _, value in values])
    found: defaultdict[int, dict[str, Match]] = defaultdict(dict)
    missing = []
    for item, value in values:
        if _URL.match(value):
            address = f"https:{value}" if value.startswith("//") else value
            found[item][address] = Match(item, address, None)
        elif file := place(value):
            found[item][file.name] = Match(item, file.name, file)
        else:
            missing.append(Problem(catalog.item_ids[item - 1], value, _why_missing(value, files)))
    return {item: list(own.values()) for item, own in found.items()}, missing


def _guessed(
    catalog: Catalog, files: Sequence[File], aliases: Mapping[str, str]
) -> tuple[dict[int, list[Match]], list[File]]:
    """The photos of each item whose path says so, by number, and those of no item."""
    items = {item_id: item for item, item_id in enumerate(catalog.item_ids, start=1)}
    owners = {alias: items[item_id] for alias, item_id in aliases.items() if item_id in items} | items
    found: defaultdict[int, list[Match]] = defaultdict(list)
    unknown = []
    for file in files:
        if owner := _owner(file.name, owners):
            found[owner].append(Match(owner, file.name, file))
        else:
            unknown.append(file)
    return {item: sorted(own, key=_by_number) if len(own) > 1 else own for item, own in found.items()}, unknown


def _owner(name: str, owners: Mapping[str, int]) -> int | None:
    """The item that a path speaks of: the longest id in it counts, a folder before a file of the same length."""
    whole = name.rpartition(".")[0]
    if whole in owners:
        return owners[whole]
    *folders, stem = whole.split("/")
    found = [folder for folder in reversed(folders) if folder in owners][:1] + list(_beginning(stem, owners))[:1]
    return owners[max(found, key=len)] if found else None


def _beginning(stem: str, owners: Mapping[str, int]) -> Iterator[str]:
    """Ids that a file's name is, or begins with before a separator and a word; the longest first."""
    if stem in owners:
        yield stem
    for end in range(len(stem) - 1, 0, -1):
        if stem[end] in "-_. (" and stem[:end] in owners and _REST.fullmatch(stem, end):
            yield stem[:end]


def _places(files: Sequence[File], values: Iterable[str]) -> Callable[[str], File | None]:
    """Finds the file that a value of the catalogue means: that path, else the only one that ends so, else its base.

    A base name says nothing where several files have it, or several values.
    """
    exact = {file.name: file for file in files}
    endings: dict[str, File | None] = {}
    for file in files:
        pieces = file.name.split("/")
        for start in range(len(pieces)):
            ending = "/".join(pieces[start:])
            endings[ending] = None if ending in endings else file
    paths = {_path(value) for value in values}
    wanted = Counter(path.rpartition("/")[2] for path in paths)

    def place(value: str) -> File | None:
        path = _path(value)
        base = path.rpartition("/")[2]
        found = exact.get(path) or endings.get(path)
        return found or (endings.get(base) if wanted[base] == 1 else None)

    return place


def _path(value: str) -> str:
    """As a catalogue's reader writes it in a list, `|` is `%7C`."""
    return value.replace("\\", "/").removeprefix("./").lstrip("/").replace("%7C", "|")


def _by_number(match: Match) -> tuple[list[tuple[int, str]], str]:
    """A key by which 2 comes before 10, and `a.jpg` before `a-2.jpg`."""
    pieces = re.split(r"(\d+)", match.name.rpartition(".")[0])  # words and numbers in turn
    key = [
        (len(number := piece.lstrip("0")), number) if place % 2 else (0, piece) for place, piece in enumerate(pieces)
    ]
    return key, match.name


def _why_missing(value: str, files: Sequence[File] | None) -> str:
    if _SCHEME.match(value):
        return "is neither a path nor an http or https address"
    return "is not among the photos" if files is not None else "is a path, but no folder or zip with photos was given"
