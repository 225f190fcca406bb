"""Pictures for products without a photo: a pattern and a colour for each category, drawn as SVG."""

import colorsys
import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import escape


@dataclass(frozen=True)
class Colours:
    """Paper, two shades on it, and ink for letters."""

    paper: str
    light: str
    deep: str
    ink: str


PALETTE = (
    Colours("#ece5d8", "#d9c9a8", "#b99a5f", "#5f4a1e"),
    Colours("#dfe8e0", "#b5cdb9", "#6f9c7b", "#2b5138"),
    Colours("#e2e6ef", "#b8c2da", "#7385b0", "#2e3d66"),
    Colours("#f1e1da", "#e0b8a6", "#c27c5d", "#73371f"),
    Colours("#e9e2eb", "#c9b2ce", "#96719f", "#51305a"),
    Colours("#dceaea", "#a8ced1", "#559aa0", "#17525a"),
    Colours("#f2ead0", "#e2cb80", "#bd9a32", "#5d480b"),
    Colours("#e6ebd8", "#c1d09c", "#879f52", "#42531a"),
    Colours("#f2e1e5", "#e0afbb", "#bd6d83", "#6e2b41"),
    Colours("#e0e5e8", "#b4c1c9", "#72889a", "#30434f"),
    Colours("#ede2d8", "#cfb59d", "#a07a58", "#573c22"),
    Colours("#e1e5f3", "#b3bee8", "#6d7fc4", "#2c3a7a"),
)


DRAWN = Colours("var(--paper)", "var(--light)", "var(--deep)", "var(--ink)")
"""What patterns are drawn in; a style inside the picture says what these are, by day and by night."""
DARK = (0.13, 0.21, 0.36, 0.86)
"""Lightness of paper, light, deep and ink in the dark, where pale pictures would be all that is seen."""
KINDS = 3
"""Patterns that products of one category have among them."""


def tile(title: str, category: Sequence[str], seed: str = "") -> str:
    """An SVG: colour by category, letters by title, the pattern and its turn by category and seed; always the same.

    In the dark it is dark: browsers draw a picture in the colour scheme of the page that it stands on.
    """
    letters = escape(initials(title))
    middle = (
        f'<circle cx="200" cy="200" r="74" fill="{DRAWN.paper}"/>'
        f'<text x="200" y="202" fill="{DRAWN.ink}" font-family="Inter, system-ui, sans-serif" font-size="58"'
        f' font-weight="600" text-anchor="middle" dominant-baseline="central">{letters}</text>'
    )
    return _drawn(category, seed, middle if letters else "")


def plain_tile(category: Sequence[str]) -> str:
    """An SVG for a category itself."""
    return _drawn(category, "", "")


def _drawn(category: Sequence[str], seed: str, middle: str) -> str:
    chance = _number(seed)
    first = _number("/".join(category[:2])) // len(PALETTE)
    pattern = PATTERNS[(first + chance // 4 % KINDS) % len(PATTERNS)]
    turn = f"translate(200 200) rotate({90 * (chance % 4)}) scale({1 + chance // 16 % 3 * 0.25:g}) translate(-200 -200)"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="800" height="800">'
        f"<style>{_style(_colours(category))}</style>"
        f'<rect width="400" height="400" fill="{DRAWN.paper}"/>'
        f'<g transform="{turn}">{pattern(DRAWN, chance)}</g>{middle}</svg>'
    )


def _style(colours: Colours) -> str:
    """The four colours, and those of the same hues for the dark."""
    return f":root{{{_variables(colours)}}}@media(prefers-color-scheme:dark){{:root{{{_variables(_dark(colours))}}}}}"


def _variables(colours: Colours) -> str:
    return ";".join(f"--{name}:{value}" for name, value in vars(colours).items())


def _dark(colours: Colours) -> Colours:
    found = []
    for value, lightness in zip(vars(colours).values(), DARK, strict=True):
        red, green, blue = (int(value[place : place + 2], 16) / 255 for place in (1, 3, 5))
        hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
        parts = colorsys.hls_to_rgb(hue, lightness, 0.7 * saturation)
        found.append("#" + "".join(f"{round(255 * part):02x}" for part in parts))
    return Colours(*found)


def _colours(category: Sequence[str]) -> Colours:
    return PALETTE[_number("/".join(category)) % len(PALETTE)]


def initials(title: str) -> str:
    """Two letters, of the first two words or of the only one; one of a script that writes without spaces.

    >>> initials("Green tea, 50 g"), initials("Bananas, 40 lb"), initials("绿茶"), initials(" !"), initials("7-Up")
    ('GT', 'Ba', '绿', '', 'Up')
    """
    first = unicodedata.normalize("NFKC", title).partition(",")[0]
    words = "".join(letter if letter.isalnum() else " " for letter in first).split()
    words = [word for word in words if word[0].isalpha()] or words  # numbers say little
    if not words:
        return ""
    if not (words[0][0].isupper() or words[0][0].islower()):
        return words[0][0]
    return words[0][:2].capitalize() if len(words) == 1 else (words[0][0] + words[1][0]).upper()


def _number(text: str) -> int:
    """Between processes and over time the same, which `hash` is not."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest())


def _quarters(colours: Colours, chance: int) -> str:
    """Quarter circles in a grid of four by four, each turned by chance."""
    return "".join(
        f'<path d="M0 0H100A100 100 0 0 1 0 100Z"'
        f' fill="{colours.deep if (chance >> place) % 3 == 0 else colours.light}"'
        f' transform="translate({100 * (place % 4)} {100 * (place // 4)}) rotate({90 * (chance >> place & 3)} 50 50)"/>'
        for place in range(16)
    )


def _hills(colours: Colours, chance: int) -> str:
    """Round hills behind each other."""
    shift = chance % 120
    return (
        f'<circle cx="{40 + shift}" cy="470" r="300" fill="{colours.light}"/>'
        f'<circle cx="{430 - shift}" cy="500" r="260" fill="{colours.deep}"/>'
        f'<circle cx="{300 - shift // 2}" cy="90" r="46" fill="{colours.light}"/>'
    )


def _stripes(colours: Colours, chance: int) -> str:
    """Slanting stripes, some of them deep."""
    deep = chance % 4
    return "".join(
        f'<path d="M{x} 420L{x + 260} -20" stroke-width="26"'
        f' stroke="{colours.deep if n % 4 == deep else colours.light}"/>'
        for n, x in enumerate(range(-280, 420, 58))
    )


def _dots(colours: Colours, chance: int) -> str:
    """Dots that grow from one side to the other."""
    deep = chance % 5
    return "".join(
        f'<circle cx="{40 + 80 * column}" cy="{40 + 80 * row}" r="{9 + 5 * row}"'
        f' fill="{colours.deep if (column + row) % 5 == deep else colours.light}"/>'
        for row in range(5) for column in range(5)
    )  # fmt: skip


def _rings(colours: Colours, chance: int) -> str:
    """Rings around a corner."""
    deep = chance % 6
    return "".join(
        f'<circle cx="0" cy="400" r="{radius}" fill="none" stroke-width="30"'
        f' stroke="{colours.deep if n % 6 == deep else colours.light}"/>'
        for n, radius in enumerate(range(60, 580, 62))
    )


def _moons(colours: Colours, chance: int) -> str:
    """Half circles in rows."""
    return "".join(
        f'<path d="M{x} {y}a50 50 0 0 {(chance >> (row + column)) & 1} 100 0Z"'
        f' fill="{colours.deep if (row * 4 + column + chance) % 5 == 0 else colours.light}"/>'
        for row, y in enumerate(range(50, 450, 100)) for column, x in enumerate(range(0, 400, 100))
    )  # fmt: skip


def _waves(colours: Colours, chance: int) -> str:
    """Waves in rows."""
    deep = chance % 4
    return "".join(
        f'<path d="M-50 {y}q50 -44 100 0t100 0t100 0t100 0t100 0" fill="none" stroke-width="18" stroke-linecap="round"'
        f' stroke="{colours.deep if n % 4 == deep else colours.light}"/>'
        for n, y in enumerate(range(20, 420, 52))
    )


def _petals(colours: Colours, chance: int) -> str:
    """Petals around the middle."""
    n = 8 + 2 * (chance % 3)
    return "".join(
        f'<ellipse cx="330" cy="200" rx="92" ry="34" transform="rotate({360 * place / n:g} 200 200)"'
        f' fill="{colours.deep if place % 4 == 0 else colours.light}"/>'
        for place in range(n)
    )


PATTERNS: tuple[Callable[[Colours, int], str], ...] = (
    _quarters, _hills, _stripes, _dots, _rings, _moons, _waves, _petals,
)  # fmt: skip
