"""The figures above all others, each beside what it was before; and how far visitors came."""

from collections.abc import Sequence
from dataclasses import dataclass

from endcap.engine.shelf import Shelf
from endcap.serve.console import plots
from endcap.serve.console.measures import rate
from endcap.serve.console.money import Money
from endcap.serve.console.plots import Form
from endcap.serve.console.render import number, percent
from endcap.serve.console.summary import Figures, Read
from endcap.serve.console.texts import Words
from endcap.store import sales
from endcap.store.sales import STAGES, Step

KINDS = {"looked": ("view", "click", "review"), "cart": ("cart", "remove"), "ordered": ("purchase",)}
"""Stage -> kinds of events that say it; one that no event says is left out of the funnel."""


FINE = 0.1
"""A change below which it is told in tenths of a percent."""


ABOUT = {"click_rate": "clicks per list"}
"""Figures that are told under another name."""


@dataclass(frozen=True)
class Tile:
    """A figure, and how it was in the time before."""

    name: str
    about: str  # what it means: a text's key
    value: str
    change: str  # in words
    up: bool | None  # None: as it was, or nothing to compare with
    good: bool | None
    line: str  # its course, as a path
    note: str = ""


def tiles(words: Words, read: Read, shelf: Shelf, money: Money) -> list[Tile]:
    """Revenue, orders, their mean, what comes of lists, and what no list showed."""
    steps = read.now.sold
    now, past = sales.total(steps), sales.total(read.past.sold)
    found = read.now.found
    parts = [[own[place] for own in found.steps.values()] for place in range(len(found.shown))]
    clicks = [rate(sum(each.clicked for each in step), sum(each.lists for each in step)) for step in parts]
    buyers = [rate(sum(each.buyers for each in step), sum(each.visitors for each in step)) for step in parts]
    by_lists = _by_lists(read.now, now), _by_lists(read.past, past)
    share = rate(now.by_lists, now.revenue) if by_lists[0] is not None else None
    unseen = _unseen(read.now, shelf), _unseen(read.past, shelf)
    n_items = int(shelf.there.sum())

    def tile(name: str, values: tuple[float | None, float | None], form: Form, course: Sequence[float | None] = (),
             note: str = "", *, more: bool = True) -> Tile:  # fmt: skip
        text, up = change(words, values, form)
        return Tile(
            words(f"overview.{name}"), ABOUT.get(name, name), "–" if values[0] is None else form(values[0]), text, up,
            None if up is None else up == more, plots.spark(course), note,
        )  # fmt: skip

    unpriced = words("overview.unpriced", n=now.unpriced, purchases=number(now.unpriced)) if now.unpriced else ""
    return [
        tile("revenue", (_revenue(now), _revenue(past)), money.rough, [each.revenue for each in steps], unpriced),
        tile("orders", (now.orders or None, past.orders or None), number, [float(each.orders) for each in steps]),
        tile("basket", (_basket(now), _basket(past)), money, [_basket(each) for each in steps]),
        tile("conversion", (found.total.conversion, read.past.found.total.conversion), percent, buyers),
        tile("by_lists", by_lists, money.rough, [each.by_lists for each in steps],
             "" if share is None else words("overview.by_lists_share", share=percent(share))),
        tile("click_rate", (found.total.click_rate, read.past.found.total.click_rate), percent, clicks),
        tile("unseen", unseen, number, (), words("overview.unseen_of", n=n_items, items=number(n_items)), more=False),
    ]  # fmt: skip


def _revenue(step: Step) -> float | None:
    """None where nothing was sold, or nothing had a price."""
    return step.revenue if step.revenue > 0 else None


def _basket(step: Step) -> float | None:
    return rate(step.revenue, step.orders) if step.revenue > 0 else None


def _by_lists(figures: Figures, step: Step) -> float | None:
    return step.by_lists if step.revenue > 0 and (figures.found.lists or step.by_lists) else None


def _unseen(figures: Figures, shelf: Shelf) -> float | None:
    """Products in the shop that no list showed; None where there was no list."""
    if not figures.found.lists:
        return None
    shown = {shelf.find(item_id) for item_id in figures.found.placed}
    return int(shelf.there.sum()) - sum(bool(shelf.there[item]) for item in shown)


def change(words: Words, values: tuple[float | None, float | None], form: Form) -> tuple[str, bool | None]:
    """What became of a figure in words, and whether it is higher; None where that cannot be said."""
    now, past = values
    if past is None:
        return words("change.none"), None
    if now is None or form(now) == form(past):
        return words("change.before" if now is None else "change.same", value=form(past)), None
    if past == 0:
        return words("change.before", value=form(past)), True
    key = "change.more" if now > past else "change.less"
    share = abs(now / past - 1)
    return words(key, share=percent(share, 0 if share >= FINE else 1), value=form(past)), now > past


@dataclass(frozen=True)
class Stage:
    """How many visitors came so far."""

    name: str
    visitors: int
    share: float  # of all
    kept: float | None  # of those at the stage before


def stages(words: Words, figures: Figures) -> list[Stage]:
    """The funnel; without the stages that no event of the period speaks of."""
    everyone = figures.funnel[0]
    result: list[Stage] = []
    for name, n in zip(STAGES, figures.funnel, strict=True):
        if name in KINDS and not any(kind in figures.kinds for kind in KINDS[name]):
            continue
        kept = rate(n, result[-1].visitors) if result else None
        result.append(Stage(words(f"funnel.{name}"), n, n / max(1, everyone), kept))
    return result
