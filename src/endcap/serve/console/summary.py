"""What the store says of a span, in figures, plots and rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from endcap.data.schema import KINDS
from endcap.engine.engine import Role
from endcap.exposure import CLICKS, WITHIN
from endcap.serve.console import plots
from endcap.serve.console.measures import Counted, Key, Measures, measures, rate, wilson
from endcap.serve.console.plots import Axis, Plot, shades_of
from endcap.serve.console.render import number, percent
from endcap.serve.console.texts import Words
from endcap.store import figures, sales
from endcap.store.figures import Span
from endcap.store.sales import Step, Traded
from endcap.store.store import Store

FEWEST = 5
"""Lists or visitors of a step from which on a share of them is drawn."""

Rate = Callable[[Counted], tuple[int, int]]
"""The part and the whole of a measure."""

EVENTS = 500_000
"""Of the newest events that are counted."""


@dataclass(frozen=True)
class Figures:
    """What the store says of a span."""

    found: Measures
    kinds: Mapping[str, Sequence[int]]
    sold: Sequence[Step]
    funnel: tuple[int, ...]
    traded: Mapping[str, Traded]


@dataclass(frozen=True)
class Read:
    """A span, and the time before it."""

    now: Figures
    past: Figures
    size: tuple[int, float | None]


def read(store: Store, span: Span, *, now: float) -> Read:
    """A span, and the one before it of the same length, up to where this one has come."""
    length = span.step * span.n
    before = Span(span.since - length, span.step, span.n, cut=now - length)
    return Read(now=_figures(store, span), past=_figures(store, before), size=figures.size(store))


def _figures(store: Store, span: Span) -> Figures:
    return Figures(
        found=measures(store, span),
        kinds=figures.kinds(store, span, EVENTS),
        sold=sales.sold(store, span, EVENTS, clicks=CLICKS, within=WITHIN),
        funnel=sales.funnel(store, span, EVENTS),
        traded=sales.traded(store, span, EVENTS),
    )


def models(found: Measures, roles: Mapping[Role, str]) -> dict[str, str]:
    """Model -> its colour on this page."""
    return shades_of(sorted({model for _, model in found.by}), roles)


@dataclass(frozen=True)
class Course:
    """A measure over time: a panel for each slot, a line for each model."""

    name: str
    total: str
    panels: tuple[Plot, ...]


def courses(words: Words, axis: Axis, found: Measures, shades: Mapping[str, str]) -> list[Course]:
    """Clicks per list and conversion; what few lists or visitors say is left out."""
    slots = dict.fromkeys(slot for slot, _ in found.by)
    measured: tuple[tuple[str, Rate], ...] = (
        ("click_rate", lambda each: (each.clicked, each.lists)),
        ("conversion", lambda each: (each.buyers, each.visitors)),
    )
    result = []
    for name, parts in measured:
        panels = []
        for slot in slots:
            own = {model: found.steps[slot, model] for each, model in found.by if each == slot}
            series = {model: [rate(*parts(step), fewest=FEWEST) for step in steps] for model, steps in own.items()}
            sums = [sum(pair) for pair in zip(*(parts(found.by[slot, model]) for model in own), strict=True)]
            panels.append(
                plots.lines(
                    f"{name}-{slot}", words(f"slot.{slot}"), axis, series, form=percent, shades=shades,
                    total=percent(rate(sums[0], sums[1])), head=words("table.when"),
                )
            )  # fmt: skip
        result.append(Course(words(f"overview.{name}"), percent(rate(*parts(found.total))), tuple(panels)))
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
            f"kind-{kind}", words.known("kind", kind), axis, [float(n) for n in kinds[kind]], form=number,
            head=words("table.when"), total=number(sum(kinds[kind])),
        )
        for kind in known
    ]  # fmt: skip
