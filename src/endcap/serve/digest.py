"""The week's figures, beside those of the week before: as JSON for programs and as a short text for people."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from endcap.data.sources import simulated
from endcap.engine.engine import Engine
from endcap.serve.console import movers, summary
from endcap.serve.console.measures import rate
from endcap.serve.console.money import Money, currency_of
from endcap.serve.console.plots import Form
from endcap.serve.console.render import day, number, percent
from endcap.serve.console.summary import Figures
from endcap.serve.console.texts import Words
from endcap.serve.console.tiles import change
from endcap.serve.storefront.config import StorefrontConfig
from endcap.serve.storefront.language import LOCALES
from endcap.store import sales
from endcap.store.figures import Span

DAYS = 7
DAY = 86_400
TOP = 3
"""Products of each sort that the text names."""

FIGURES = ("revenue", "orders", "basket", "conversion", "by_lists", "click_rate")
"""In the order of the overview, whose names they have."""


@dataclass(frozen=True)
class Digest:
    """What is sent."""

    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """For people."""
        return str(self.body["text"])


def week_before(now: float, zone: tzinfo) -> Span:
    """The last seven whole days of the shop."""
    today = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = (today - timedelta(days=DAYS)).timestamp()
    return Span(since, DAY, DAYS)


def digest(engine: Engine, words: Words, *, now: float | None = None) -> Digest:
    """Of the seven days before today; raises Unavailable where the database is away."""
    store = engine.store
    assert store is not None
    span, shelf = week_before(time.time() if now is None else now, words.zone), engine.live.shelf
    read = summary.read(store, span, now=span.until)
    money = Money(currency_of(shelf, StorefrontConfig(currency=words.currency)), LOCALES[words.language])
    values = {name: (_figure(read.now, name), _figure(read.past, name)) for name in FIGURES}
    products = movers.products(words, read, shelf, money)
    made_up = engine.live.artifact.config.data.events == simulated.NAME
    body: dict[str, Any] = {
        "shop": engine.name,
        "since": day(span.since, words.zone),
        "until": day(span.until - 1, words.zone),
        "timezone": str(words.zone),
        "currency": money.currency,
        "simulated": made_up,
        "figures": {name: {"value": value, "before": before} for name, (value, before) in values.items()},
        "ranked_by": products.by,
        **{name: [_told(each) for each in getattr(products, name)] for name in ("top", "risers", "fallers")},
    }
    return Digest(body | {"text": _text(words, body, values, money, products)})


def _figure(figures: Figures, name: str) -> float | None:
    """As the overview has it; None where nothing is known."""
    sold, found = sales.total(figures.sold), figures.found
    match name:
        case "revenue":
            return sold.revenue if sold.revenue > 0 else None
        case "orders":
            return float(sold.orders) or None
        case "basket":
            return rate(sold.revenue, sold.orders) if sold.revenue > 0 else None
        case "conversion":
            return found.total.conversion
        case "by_lists":
            return sold.by_lists if sold.revenue > 0 and (found.lists or sold.by_lists) else None
    return found.total.click_rate


def _told(each: movers.Sold) -> dict[str, Any]:
    return {
        "item_id": each.card.item_id,
        "title": each.card.title,
        "pieces": each.now.pieces,
        "revenue": round(each.now.revenue, 2),
        "pieces_before": each.past.pieces,
        "revenue_before": round(each.past.revenue, 2),
    }


def _text(
    words: Words,
    body: Mapping[str, Any],
    values: Mapping[str, tuple[float | None, float | None]],
    money: Money,
    products: movers.Products,
) -> str:
    forms: dict[str, Form] = {"revenue": money.rough, "orders": number, "basket": money, "by_lists": money.rough}
    lines = [words("digest.title", shop=body["shop"], since=body["since"], until=body["until"])]
    if body["simulated"]:
        lines.append(words("nav.simulated"))
    for name, (value, before) in values.items():
        form = forms.get(name, percent)
        if value is None and before is None:
            continue
        shown = "–" if value is None else form(value)
        said, _ = change(words, (value, before), form)
        lines.append(words("digest.line", name=words(f"overview.{name}"), value=shown, change=said))
    for name in ("top", "risers", "fallers"):
        if found := getattr(products, name)[:TOP]:
            titles = words("who.comma").join(each.card.title for each in found)
            lines.append(words(f"digest.{name}", titles=titles))
    if len(lines) == 1 + bool(body["simulated"]):
        lines.append(words("overview.nothing"))
    return "\n".join(lines)
