"""Where a column of ours comes from: a column of the source, several of them, or a place inside objects and lists.

| text | means |
|---|---|
| `sku` | the column |
| `user_id or session_id` | the first that is filled |
| `date + time` | both, with a space in between |
| `properties.products[].id` | a place in JSON or a nested column; `[]`: one event for each element of the list |
| `-` | none: a column that was guessed is left out |

A column whose own name reads like that is that column.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from endcap.data.parse import NOTHING
from endcap.data.sources.duck import literal, literal_name

NONE = "-"
_WHOLE = r"^\s*\d{4}-\d\d?-\d\d?[T ]|^\s*\d{10,}"  # a time with its date
_OR, _PLUS = re.compile(r"\s+or\s+"), re.compile(r"\s+\+\s+")

Path = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A column, or a path into it: `lists` are the paths to the lists on the way, `path` goes on from the last."""

    column: str
    lists: tuple[Path, ...] = ()
    path: Path = ()


@dataclass(frozen=True)
class Origin:
    """Alternatives, each of one or several places that are joined by a space."""

    alternatives: tuple[tuple[Place, ...], ...]

    @property
    def places(self) -> list[Place]:
        """All of them."""
        return [place for each in self.alternatives for place in each]

    @property
    def is_column(self) -> bool:
        """Whether it is just a column."""
        return len(self.places) == 1 and self.places[0] == Place(self.places[0].column)


def origin(text: str, found: Collection[str]) -> Origin | None:
    """The origin that a text names among the columns found; None where it names none of them.

    >>> origin("a.b[].c or d", ["a", "d"]).places
    [Place(column='a', lists=(('b',),), path=('c',)), Place(column='d', lists=(), path=())]
    """
    if text in found:
        return Origin(((Place(text),),))
    alternatives = []
    for each in _OR.split(text):
        places = [place(part, found) for part in ([each] if each in found else _PLUS.split(each))]
        if None in places:
            return None
        alternatives.append(tuple(filter(None, places)))
    return Origin(tuple(alternatives))


def place(text: str, found: Collection[str]) -> Place | None:
    """A column or a place in one: the longest name of a column that the text begins with counts."""
    text = text.strip()
    if text in found:
        return Place(text)
    for end in sorted({match.start() for match in re.finditer(r"\.|\[\]", text)}, reverse=True):
        if text[:end] in found:
            steps = re.findall(r"\[\]|[^.\[\]]+", text[end:])
            lists: list[Path] = []
            path: list[str] = []
            for step in steps:
                if step == "[]":
                    lists.append(tuple(path))
                    path = []
                else:
                    path.append(step)
            return Place(text[:end], tuple(lists), tuple(path))
    return None


def columns(origins: Collection[Origin]) -> list[str]:
    """The columns that are read, each once."""
    return list(dict.fromkeys(place.column for each in origins for place in each.places))


@dataclass(frozen=True)
class Unnested:
    """A query with a row for each element of the lists, and the places as they are in it."""

    query: str
    places: Mapping[Place, Place]
    order: Sequence[str]  # the columns that number its rows


def unnested(query: str, places: Collection[Place], types: Mapping[str, str], row: str) -> Unnested:
    """Opens the lists that places lie in, level by level; a row whose lists are empty stays one row."""
    now = {each: each for each in places}
    order = [row]
    level = 0
    while lists := list(dict.fromkeys((each.column, each.lists[0]) for each in now.values() if each.lists)):
        level += 1
        names = {key: f"endcap_element_{level}_{n}" for n, key in enumerate(lists)}
        parts = []
        for (column, path), name in names.items():
            fields = ", ".join(
                f"{literal_name(each)}: {'e' if each == name else 'NULL::JSON'}" for each in names.values()
            )
            elements = f"json_extract({_json(column, types)}, {literal('$' + ''.join(map(_step, path)) + '[*]')})"
            parts.append(f"list_transform(coalesce({elements}, []), lambda e: {{{fields}}})")
        whole = " || ".join(parts)
        nothing = ", ".join(f"{literal_name(each)}: NULL::JSON" for each in names.values())
        listed = f"SELECT *, {whole} AS endcap_list FROM ({query})"
        padded = f"CASE WHEN len(endcap_list) > 0 THEN endcap_list ELSE [{{{nothing}}}] END"
        place = f"generate_subscripts(endcap_list, 1) AS endcap_place_{level}"
        one = (
            f"SELECT * EXCLUDE (endcap_list), unnest(endcap_list) AS endcap_one, {place}"
            f" FROM (SELECT * REPLACE ({padded} AS endcap_list) FROM ({listed}))"
        )
        taken = ", ".join(f"endcap_one.{literal_name(each)} AS {literal_name(each)}" for each in names.values())
        query = f"SELECT * EXCLUDE (endcap_one), {taken} FROM ({one})"
        order.append(f"endcap_place_{level}")
        now = {
            each: Place(names[at.column, at.lists[0]], at.lists[1:], at.path) if at.lists else at
            for each, at in now.items()
        }
    return Unnested(query, now, order)


def value(given: Origin, at: Mapping[Place, Place], types: Mapping[str, str]) -> str:
    """The origin as SQL: a plain column keeps its type, everything else is text.

    Of a date and a column of clock times both are taken; where the second holds whole times, it alone.
    """
    if given.is_column:
        return literal_name(given.places[0].column)
    alternatives = [_joined([_text(at[place], types) for place in each]) for each in given.alternatives]
    return alternatives[0] if len(alternatives) == 1 else f"coalesce({', '.join(map(filled, alternatives))})"


def filled(text: str) -> str:
    """The text as SQL, null where it is blank or a word for nothing."""
    return f"CASE WHEN lower(trim({text})) NOT IN ('', {', '.join(map(literal, NOTHING))}) THEN {text} END"


def _joined(parts: Sequence[str]) -> str:
    """Several texts with spaces; of a date at midnight, as spreadsheets write it, the date."""
    if len(parts) == 1:
        return parts[0]
    midnight = literal(r"[ T]0?0:00(:00(\.0+)?)?$")
    first = f"regexp_replace({parts[0]}, {midnight}, '')"
    both = f"concat_ws(' ', {', '.join([first, *parts[1:]])})"
    return f"CASE WHEN regexp_matches({parts[-1]}, {literal(_WHOLE)}) THEN {parts[-1]} ELSE {both} END"


def _text(place: Place, types: Mapping[str, str]) -> str:
    if place.column.startswith("endcap_element_") or place.path:
        pointer = "".join("/" + each.replace("~", "~0").replace("/", "~1") for each in place.path)
        return f"json_extract_string({_json(place.column, types)}, {literal(pointer)})"
    return f"{literal_name(place.column)}::VARCHAR"


def _json(column: str, types: Mapping[str, str]) -> str:
    name = literal_name(column)
    if column.startswith("endcap_element_"):
        return name
    if types.get(column, "VARCHAR") in ("VARCHAR", "JSON"):
        return f"CASE WHEN json_valid({name}) THEN {name}::JSON END"
    return f"to_json({name})"


def _step(name: str) -> str:
    return '."' + name.replace('"', '\\"') + '"'
