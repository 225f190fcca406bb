"""What was sold in a span, what came before it, and which products it was: sums of the events that came last."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Subquery,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from endcap.store.figures import Span
from endcap.store.store import Store
from endcap.store.tables import EVENTS, SHOWN

ORDER = 60.0
"""Seconds between two purchases of a visitor from which on they are two orders: a basket has no number of its own."""

STAGES = ("visitors", "looked", "cart", "ordered")
"""Of a visit, each further than the one before."""

_STAGE: Mapping[int, tuple[str, ...]] = {3: ("purchase",), 2: ("cart", "remove"), 1: ("view", "click", "review")}


@dataclass(frozen=True)
class Step:
    """What was sold in a step of a span."""

    orders: int = 0
    pieces: float = 0.0  # no quantity is one
    revenue: float = 0.0  # price * quantity; no price is nothing
    by_lists: float = 0.0  # the part of it that followed a click on a list
    unpriced: int = 0  # purchases without a price


def total(steps: Sequence[Step]) -> Step:
    """All steps as one."""
    return Step(*map(sum, zip(*map(astuple, steps), strict=True))) if steps else Step()


@dataclass(frozen=True)
class Traded:
    """What visitors did with a product."""

    looked: int = 0
    carted: int = 0
    pieces: float = 0.0
    revenue: float = 0.0


def sold(store: Store, span: Span, most: int, *, clicks: Collection[str], within: float) -> list[Step]:
    """Each step of a span, among the `most` events that came last.

    A purchase followed a click where the same visitor had clicked on that product in a list (an event of the kinds
    `clicks` that names one) at most `within` seconds before, or where the purchase itself names a list.
    """
    events = _latest(span, most)
    bought = select(events).where(events.c.kind == "purchase").subquery()
    click = EVENTS.alias()
    followed = exists(
        select(literal(1)).where(
            click.c.visitor == bought.c.visitor,
            click.c.time <= bought.c.time,
            click.c.time >= bought.c.time - within,
            click.c.item_id == bought.c.item_id,
            click.c.kind.in_(clicks),
            click.c.recommendation_id.is_not(None),
        )
    )
    pieces = func.coalesce(bought.c.quantity, 1.0)
    revenue = func.coalesce(bought.c.price, 0.0) * pieces
    before = func.lag(bought.c.time).over(partition_by=bought.c.visitor, order_by=bought.c.time)
    each = select(
        _place(bought.c.time, span).label("place"),
        case((or_(before.is_(None), bought.c.time - before > ORDER), 1), else_=0).label("begins"),
        pieces.label("pieces"),
        revenue.label("revenue"),
        case((followed, revenue), else_=0.0).label("by_lists"),
        case((bought.c.price.is_(None), 1), else_=0).label("unpriced"),
    ).subquery()
    names = ("begins", "pieces", "revenue", "by_lists", "unpriced")
    statement = select(each.c.place, *[func.sum(each.c[name]) for name in names]).group_by(each.c.place)
    rows = store.read(lambda connection: connection.execute(statement).all(), whole=True)
    found = {
        min(int(place), span.n - 1): Step(int(orders), pieces, revenue, by_lists, int(unpriced))
        for place, orders, pieces, revenue, by_lists, unpriced in rows
    }
    return [found.get(place, Step()) for place in range(span.n)]


def funnel(store: Store, span: Span, most: int) -> tuple[int, ...]:
    """How many visitors came as far as each of STAGES, or further; lists count as a visit, events as `sold` has them.

    Who ordered counts as having looked, also where no event says so. A list that was asked for without a visitor
    (its session is named as the list is) is none.
    """
    events = _latest(span, most)
    stage = case(*[(events.c.kind.in_(kinds), place) for place, kinds in _STAGE.items()], else_=0)
    shown = select(SHOWN.c.visitor, literal(0).label("stage")).where(
        and_(SHOWN.c.time >= span.since, SHOWN.c.time < span.until),
        SHOWN.c.visitor != literal("s:") + SHOWN.c.recommendation_id,
    )
    everyone = union_all(select(events.c.visitor, stage.label("stage")), shown).subquery()
    furthest = select(func.max(everyone.c.stage).label("stage")).group_by(everyone.c.visitor).subquery()
    statement = select(furthest.c.stage, func.count()).group_by(furthest.c.stage)
    rows = store.read(lambda connection: connection.execute(statement).all(), whole=True)
    return tuple(sum(n for stage, n in rows if stage >= place) for place in range(len(STAGES)))


def traded(store: Store, span: Span, most: int) -> dict[str, Traded]:
    """Product -> what visitors did with it, of those that any event names, events as `sold` has them."""
    events = _latest(span, most)
    pieces = func.coalesce(events.c.quantity, 1.0)
    wanted = {
        "looked": _when(events.c.kind.in_(("view", "click")), 1),
        "carted": _when(events.c.kind == "cart", 1),
        "pieces": _when(events.c.kind == "purchase", pieces),
        "revenue": _when(events.c.kind == "purchase", func.coalesce(events.c.price, 0.0) * pieces),
    }
    statement = select(events.c.item_id, *wanted.values()).group_by(events.c.item_id)
    rows = store.read(lambda connection: connection.execute(statement).all(), whole=True)
    return {item_id: Traded(int(looked), int(carted), *sums) for item_id, looked, carted, *sums in rows}


def _latest(span: Span, most: int) -> Subquery:
    """Events of a span among those that came last."""
    newest = select(EVENTS).order_by(EVENTS.c.id.desc()).limit(most).subquery()
    return select(newest).where(newest.c.time >= span.since, newest.c.time < span.until).subquery()


def _place(time: ColumnElement[float], span: Span) -> ColumnElement[int]:
    return cast(time - span.since, BigInteger) // span.step


def _when(condition: ColumnElement[bool], value: Any) -> ColumnElement[Any]:
    return func.sum(case((condition, value), else_=0))
