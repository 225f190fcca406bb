"""What the store says of a span, in figures, plots and rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from endcap.data.schema import KINDS
from endcap.serve.console import plots
from endcap.serve.console.measures import Counted, Key, Measures, measures, wilson
from endcap.serve.console.plots import Axis, Plot, shades_of
from endcap.serve.console.render import number, percent
from endcap.serve.console.texts import Words
from endcap.store import figures
from endcap.store.figures import Span
from endcap.store.store import Store

FEWEST = 5
"""Lists or visitors of a step from which on a share of them is drawn."""

Rate = Callable[[Counted], tuple[int, int]]
"""The part and the whole of a measure."""

EVENTS = 500_000
"""Of the newest events that are counted."""


@dataclass(frozen=True)
class Read:
    """What the store says of a span."""

    found: Measures
    past: Measures  # of the span before
    kinds: Mapping[str, Sequence[int]]
    past_kinds: Mapping[str, Sequence[int]]
    size: tuple[int, float | None]


def read(store: Store, span: Span) -> Read:
    """A span, and the one before it of the same length."""
    before = Span(span.since - span.step * span.n, span.step, span.n)
    return Read(
        found=measures(store, span),
        past=measures(store, before),
        kinds=figures.kinds(store, span, EVENTS),
        past_kinds=figures.kinds(store, before, EVENTS),
        size=figures.size(store),
    )


@dataclass(frozen=True)
class Tile:
    """A figure, and how it was in the period before."""

    name: str
    value: str
    before: str
    up: bool | None  # None: as it was, or nothing to compare with
    line: str  # its course, as a path
    note: str = ""


def tiles(words: Words, read: Read, n_items: int) -> list[Tile]:
    """The figures above all others; n_items: of the products in the shop."""
    found, past = read.found, read.past
    steps = [[own[place] for own in found.steps.values()] for place in range(len(found.shown))]
    clicks = [_rate(sum(each.clicked for each in step), sum(each.lists for each in step)) for step in steps]
    bought = [_rate(sum(each.buyers for each in step), sum(each.visitors for each in step)) for step in steps]
    events = [float(sum(values)) for values in zip(*read.kinds.values(), strict=True)]
    before = sum(sum(values) for values in read.past_kinds.values())
    seen = [len(each.total.items) / max(1, n_items) if each.lists else None for each in (found, past)]
    shown = words("overview.coverage_of", shown=number(len(found.total.items)), n=n_items, items=number(n_items))
    return [
        _tile(words("overview.lists"), found.lists, past.lists or None, number, found.shown),
        _tile(words("overview.clicks"), found.total.click_rate, past.total.click_rate, percent, clicks),
        _tile(words("overview.conversion"), found.total.conversion, past.total.conversion, percent, bought),
        _tile(words("overview.coverage"), seen[0], seen[1], percent, [], shown),
        _tile(words("overview.events"), sum(events), before or None, number, events),
    ]


def _tile(
    name: str,
    value: float | None,
    before: float | None,
    form: plots.Form,
    course: Sequence[float | None],
    note: str = "",
) -> Tile:
    same = value is None or before is None or form(value) == form(before)
    up = None if same or value is None or before is None else value > before
    text = "–" if value is None else form(value)
    return Tile(name, text, "" if before is None else form(before), up, plots.spark(course), note)


def _rate(part: int, whole: int, *, fewest: int = 1) -> float | None:
    return part / whole if whole >= fewest else None


def models(found: Measures) -> dict[str, str]:
    """Model -> its colour on this page."""
    return shades_of(sorted({model for _, model in found.by}))


@dataclass(frozen=True)
class Course:
    """A measure over time: a panel for each slot, a line for each model."""

    name: str
    total: str
    panels: tuple[Plot, ...]


def courses(words: Words, axis: Axis, found: Measures) -> list[Course]:
    """Clicks per list and conversion; what few lists or visitors say is left out."""
    shades, slots = models(found), dict.fromkeys(slot for slot, _ in found.by)
    measured: tuple[tuple[str, Rate], ...] = (
        ("click_rate", lambda each: (each.clicked, each.lists)),
        ("conversion", lambda each: (each.buyers, each.visitors)),
    )
    result = []
    for name, parts in measured:
        panels = []
        for slot in slots:
            own = {model: found.steps[slot, model] for each, model in found.by if each == slot}
            series = {model: [_rate(*parts(step), fewest=FEWEST) for step in steps] for model, steps in own.items()}
            sums = [sum(pair) for pair in zip(*(parts(found.by[slot, model]) for model in own), strict=True)]
            panels.append(
                plots.lines(
                    words(f"slot.{slot}"), axis, series, form=percent, shades=shades,
                    total=percent(_rate(sums[0], sums[1])), head=words("table.when"),
                )
            )  # fmt: skip
        result.append(Course(words(f"overview.{name}"), percent(_rate(*parts(found.total))), tuple(panels)))
    return result


@dataclass(frozen=True)
class Row:
    """A slot and a model in the table."""

    slot: str
    model: str
    counted: Counted
    clicks: tuple[float, float]  # 95 % interval
    buys: tuple[float, float]
    coverage: float


def rows(found: Measures, n_items: int) -> list[Row]:
    """The table beside the courses."""

    def row(key: Key, each: Counted) -> Row:
        clicks, buys = wilson(each.clicked, each.lists), wilson(each.buyers, each.visitors)
        return Row(*key, each, clicks, buys, len(each.items) / max(1, n_items))

    return [row(key, each) for key, each in found.by.items()]


def kinds_of(words: Words, axis: Axis, kinds: Mapping[str, Sequence[int]]) -> list[Plot]:
    """A panel for each kind of event that occurred."""
    known = [kind for kind in KINDS if kind in kinds]
    return [
        plots.columns(
            words.known("kind", kind), axis, [float(n) for n in kinds[kind]], form=number,
            head=words("table.when"), total=number(sum(kinds[kind])),
        )
        for kind in known
    ]  # fmt: skip
