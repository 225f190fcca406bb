"""What the HTML reports share: templates, and plots as SVG that follow the theme of the page.

Plots are drawn by Altair and turned into SVG by vl-convert, without a browser. Their colours are placeholders that
become the variables of `templates/page.css`, so that one drawing serves light, dark and paper.
"""

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


def svg(chart: Any, text: str) -> Markup:
    """The chart as inline SVG with the text for those who cannot see it; colours become CSS variables."""
    drawn = vl_convert.vegalite_to_svg({**chart.to_dict(), "config": _CONFIG, "background": None})
    for colour, variable in _VARIABLES.items():
        drawn = drawn.replace(colour, f"var(--{variable})")
    start = drawn.index("<svg") + len("<svg")
    # Trusted: Vega escapes the texts inside; ours is escaped here.
    return Markup(f'{drawn[:start]} role="img" aria-label="{escape(text)}"{drawn[start:]}')


def colour(field: str, names: Sequence[str]) -> alt.Color:
    """One of the eight colours for each name, without a legend: the page has a key in words."""
    shades = [COLOURS[place % len(COLOURS)] for place in range(len(names))]
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(names), range=shades), legend=None)
