"""What `endcap look` and `endcap similar` say in the terminal."""

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from endcap.alike import Alike
from endcap.look import Look
from endcap.look_report import gist
from endcap.screen import out


def look(found: Look) -> None:
    """The gist: photos, accuracy, the oddest rows."""
    for note in found.notes[:NOTES]:
        out.print(f"· {escape(note)}", highlight=False)
    if len(found.notes) > NOTES:
        out.print(f"· {len(found.notes) - NOTES} more notes are in the report", highlight=False)
    for sentence in gist(found):
        out.print(escape(sentence), highlight=False)
    if found.oddities:
        table = Table(title="the oddest rows", title_justify="left", box=box.SIMPLE, pad_edge=False)
        table.add_column("product", max_width=36, overflow="fold")
        table.add_column("why")
        table.add_column("sure", justify="right")
        for oddity in found.oddities:
            title = "" if oddity.title in oddity.item_id else f"{escape(oddity.title)}\n"
            product = f"{title}[dim]{escape(oddity.item_id)}[/dim]"
            table.add_row(product, escape(oddity.reason), f"{oddity.score:.2f}")
        out.print(table)


def alike(lines: Sequence[Alike], title: str) -> None:
    """One list, the nearest first."""
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE, pad_edge=False)
    for name in ("item", "title", "category"):
        table.add_column(name)
    table.add_column("price", justify="right")
    table.add_column("likeness", justify="right")
    for line in lines:
        price = "–" if line.price is None else f"{line.price:,.2f}"
        table.add_row(escape(line.item_id), escape(line.title), escape(line.category), price, f"{line.likeness:.3f}")
    out.print(table)


NOTES = 6
"""That are shown; the report has all."""
