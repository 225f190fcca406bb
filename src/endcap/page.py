"""What the HTML reports share: templates, and plots as SVG that follow the theme of the page.

Plots are drawn by Altair and turned into SVG by vl-convert, without a browser. Their colours are placeholders that
become the variables of `templates/page.css`, so that one drawing serves light, dark and paper.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

INK, QUIET, LINE = "#010101", "#020202", "#030303"
COLOURS = tuple(f"#0{place}0a0b" for place in range(8))
_VARIABLES = {INK: "ink", QUIET: "quiet", LINE: "line"} | {colour: f"c{place}" for place, colour in enumerate(COLOURS)}

_CONFIG = {
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "gridColor": LINE,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 260,
        "titlePadding": 10,
        "labelFlush": False,
    },
}


def environment() -> Environment:
    """Of the templates; everything is escaped that is not Markup, and an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


RESERVE = 1.2
"""How much wider a reader's font may be than the one that plots are laid out with: DejaVu Sans against Arial."""


def svg(chart: Any, text: str) -> Markup:
    """The chart as inline SVG with the text for those who cannot see it; colours become CSS variables.

    Texts are laid out larger by `RESERVE` than they are drawn, so that none leaves the plot in a wider font.
    """
    spec = _scaled({**chart.to_dict(), "config": _CONFIG, "background": None})
    drawn = re.sub(
        r'font-size="([\d.]+)px"',
        lambda size: f'font-size="{float(size[1]) / RESERVE:.4g}px"',
        vl_convert.vegalite_to_svg(spec),
    )
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(colour, f"var(--{variable})")
    start = drawn.index("<svg") + len("<svg")
    # Trusted: Vega escapes the texts inside; ours is escaped here.
    return Markup(f'{drawn[:start]} role="img" aria-label="{escape(text)}"{drawn[start:]}')


def _scaled(spec: Any) -> Any:
    """Every font size times `RESERVE`."""
    if isinstance(spec, dict):
        return {
            name: each * RESERVE
            if name.lower().endswith("fontsize") and isinstance(each, int | float)
            else _scaled(each)
            for name, each in spec.items()
        }
    return [_scaled(each) for each in spec] if isinstance(spec, list) else spec


def colour(field: str, names: Sequence[str]) -> alt.Color:
    """One of the eight colours for each name, without a legend: the page has a key in words."""
    shades = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(names), range=shades), legend=None)


SHAPES = {
    "circle": "●", "square": "■", "triangle-up": "▲", "diamond": "◆",
    "cross": "✚", "triangle-down": "▼", "triangle-right": "▶", "triangle-left": "◀",
}  # fmt: skip
"""Of points, as Vega calls them and as the key writes them."""
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 2, 1, 2, 1, 2], [10, 4], [1, 3], [5, 1])


def mark(place: int) -> str:
    """The name of a series' shape: beyond eight series colours come again, with other shapes."""
    return list(SHAPES)[(place + place // len(COLOURS)) % len(SHAPES)]


def shape(field: str, names: Sequence[str]) -> alt.Shape:
    """A shape for each name."""
    marks = [mark(place) for place in range(len(names))]
    return alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(names), range=marks), legend=None)


def dash(field: str, names: Sequence[str]) -> alt.StrokeDash:
    """A dash for each name."""
    dashes = [DASHES[(place + place // len(COLOURS)) % len(DASHES)] for place in range(len(names))]
    return alt.StrokeDash(f"{field}:N", scale=alt.Scale(domain=list(names), range=dashes), legend=None)


def dodged(places: Sequence[float], gap: float) -> list[float]:
    """The places nearest to the given ones, in their order, that are at least `gap` apart.

    >>> dodged([1.0, 1.0, 5.0], 2.0)
    [0.0, 2.0, 5.0]
    """
    order = sorted(range(len(places)), key=lambda n: (places[n], n))
    groups: list[tuple[float, int]] = []  # (centre, members)
    for n in order:
        groups.append((places[n], 1))
        while len(groups) > 1:
            (first, m), (second, k) = groups[-2:]
            if second - first >= gap * (m + k) / 2:
                break
            groups[-2:] = [((first * m + second * k) / (m + k), m + k)]
    placed = [centre + gap * (at - (n - 1) / 2) for centre, n in groups for at in range(n)]
    return [place for _, place in sorted(zip(order, placed, strict=True))]
