"""What has to be chosen of a product before it is bought: its size and its colour, where it comes in several."""

from collections.abc import Mapping
from dataclasses import dataclass

from endcap.data.schema import SEPARATOR
from endcap.engine.shelf import Shelf
from endcap.features.cells import plain

COLUMNS = ("colour", "size")
"""Columns whose several values are variants of one product; those of any other are all true of it at once."""
LONGEST = 60
"""Characters of a value, which goes into a cookie."""
JOINT = " · "
COLOURS = {
    "black": "#1c1c1c", "white": "#ffffff", "grey": "#8e9196", "gray": "#8e9196", "silver": "#c3c7cb", "red": "#c8262c",
    "blue": "#2a5fb8", "navy": "#1f2b4d", "turquoise": "#37b5b0", "green": "#2f8a4a", "khaki": "#9a9463",
    "yellow": "#f0c93a", "orange": "#ee7f2d", "purple": "#7a4a9c", "lilac": "#b79bd0", "pink": "#ec8fb0",
    "beige": "#dccdb0", "brown": "#7a5236", "mole": "#8a7f72", "gold": "#c9a24b", "bronze": "#a9743f",
    "lavender": "#b7a6d9", "rose": "#e3a0a8", "cream": "#f3ead2", "tan": "#c8a878",
}  # fmt: skip
"""What names of colours look like; of several words the last one that is known counts (`Dark Blue`)."""


@dataclass(frozen=True)
class Option:
    """Something to choose, such as the size."""

    column: str
    values: tuple[str, ...]  # at least two, as the catalogue writes them


def options(shelf: Shelf, item: int) -> tuple[Option, ...]:
    """Of a product; none where there is nothing to choose."""
    row = shelf.row(shelf.ids[item - 1])
    found = []
    for column in COLUMNS:
        texts = (" ".join(each.split())[:LONGEST] for each in str(row.get(column) or "").split(SEPARATOR))
        values = tuple({plain(text): text for text in texts if text}.values())
        if len(values) > 1:
            found.append(Option(column, values))
    return tuple(found)


def chosen(asked: tuple[Option, ...], form: Mapping[str, str]) -> str | None:
    """What a form chose, as the cart says it: `Red · M`; None where something is missing or is not to be had."""
    picked = [form.get(option.column, "") for option in asked]
    there = all(pick in option.values for pick, option in zip(picked, asked, strict=True))
    return JOINT.join(picked) if there else None


def swatch(name: str) -> str | None:
    """A colour for the eye; None where its name says none.

    >>> swatch("Dark Blue"), swatch("Azure Mist"), swatch("Blue/White")
    ('#2a5fb8', None, '#ffffff')
    """
    words = "".join(letter if letter.isalpha() else " " for letter in name.casefold()).split()
    return next((COLOURS[word] for word in reversed(words) if word in COLOURS), None)
