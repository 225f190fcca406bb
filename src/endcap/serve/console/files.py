"""What a page shows as files: its tables as CSV, its plots as SVG, at its own address with `csv=NAME` or `svg=NAME`."""

import csv
import io
import re
from collections.abc import Iterable, Mapping

from starlette.responses import Response

from endcap.serve.assets import TOKENS
from endcap.serve.console.plots import Plot, Sheet
from endcap.serve.console.render import environment
from endcap.serve.errors import Refused

MARK = "\ufeff"
"""Tells spreadsheets that the file is UTF-8."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would work out; titles and ids come from anywhere."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"


def file_of(files: Iterable[Sheet | Plot], query: Mapping[str, str]) -> Response | None:
    """The file that an address asks for; None where it asks for none. Raises Refused where there is none such."""
    kind = next((each for each in ("csv", "svg") if each in query), None)
    if kind is None:
        return None
    known = {each.name: each for each in files}
    found = known.get(query[kind])
    if isinstance(found, Plot):
        return svg_of(found) if kind == "svg" else csv_of(found.sheet)
    if found is None or kind == "svg":
        raise Refused(404, "not_found", f"this page has no {kind} {query[kind]!r}")
    return csv_of(found)


def csv_of(sheet: Sheet) -> Response:
    """Comma, double quotes, CRLF (RFC 4180); a cell of which nothing is known is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([_cell(each) for each in sheet.head])
    writer.writerows([_cell(each) for each in row] for row in sheet.rows)
    return _file(MARK + text.getvalue(), "text/csv; charset=utf-8", f"{sheet.name}.csv")


def svg_of(plot: Plot) -> Response:
    """The plot by itself: on light paper, with its title and the names of its lines."""
    colours = dict(re.findall(r"--(\w+): light-dark\((#\w{6}),", TOKENS.read_text(encoding="utf-8")))
    text = environment().get_template("plot.svg").render(plot=plot, colours=colours)
    return _file(text, "image/svg+xml", f"{plot.name}.svg")


def _cell(value: str | float | None) -> str | float | None:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return None if value is None or value != value else value


def _file(text: str, media_type: str, name: str) -> Response:
    return Response(
        text,
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Security-Policy": POLICY,
            "X-Frame-Options": "DENY",
            "Cache-Control": "no-store",
        },
    )
