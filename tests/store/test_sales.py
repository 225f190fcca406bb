"""What was sold, and what came before it, on events that are counted by hand."""

from typing import Any

from endcap.store import sales
from endcap.store.figures import Span
from endcap.store.records import Event, Shown, Visitor
from endcap.store.sales import Step, Traded
from endcap.store.store import Store

SPAN = Span(1_000.0, 100, 3)
CLICKS = ("click", "view", "cart", "purchase")
ANN, BOB, CEM = Visitor(user_id="ann"), Visitor(user_id="bob"), Visitor(session_id="s1")


def event(visitor: Visitor, item_id: str, kind: str, time: float, **more: Any) -> Event:
    return Event(visitor, item_id, kind, time=time, **more)


def bought(visitor: Visitor, item_id: str, time: float, price: float | None, **more: Any) -> Event:
    return event(visitor, item_id, "purchase", time, price=price, **more)


def sold(store: Store, span: Span = SPAN, most: int = 100) -> list[Step]:
    return sales.sold(store, span, most, clicks=CLICKS, within=150.0)


def test_orders_and_revenue_of_each_step(store: Store) -> None:
    store.record(
        [
            bought(ANN, "tea", 1_010, 2.0, quantity=3.0), bought(ANN, "milk", 1_060, 1.0),  # one order
            bought(BOB, "tea", 1_012, None), bought(ANN, "tea", 1_250, 2.0),  # two more
            bought(ANN, "tea", 999, 50.0), bought(ANN, "tea", 1_300, 50.0),
        ],
        now=2_000,
    )  # fmt: skip
    assert sold(store) == [Step(2, 5.0, 7.0, 0.0, 1), Step(), Step(1, 1.0, 2.0, 0.0, 0)]
    assert sold(store, most=1) == [Step()] * 3  # the event that came last is no longer of the span
    assert sold(store, Span(1_000.0, 100, 3, cut=1_011.0)) == [Step(1, 3.0, 6.0, 0.0, 0), Step(), Step()]


def test_revenue_by_lists_follows_a_click_on_the_same_product(store: Store) -> None:
    store.record(
        [
            event(ANN, "tea", "click", 1_000, recommendation_id="l1"), bought(ANN, "tea", 1_150, 1.0),  # in time
            event(ANN, "milk", "click", 1_000, recommendation_id="l1"), bought(ANN, "milk", 1_151, 10.0),  # too late
            bought(ANN, "jam", 1_050, 100.0), bought(BOB, "tea", 1_050, 1_000.0),  # another product, another visitor
            event(BOB, "egg", "view", 1_000), bought(BOB, "egg", 1_050, 10_000.0),  # without a list
            event(BOB, "rye", "impression", 1_000, recommendation_id="l1"), bought(BOB, "rye", 1_050, 100_000.0),
            bought(BOB, "ham", 1_060, 0.5, recommendation_id="l2"),
        ],
        now=2_000,
    )  # fmt: skip
    assert sum(step.by_lists for step in sold(store)) == 1.5


def test_the_funnel_counts_who_came_as_far_or_further(store: Store) -> None:
    store.record(
        [event(ANN, "tea", "view", 1_000), bought(ANN, "tea", 1_001, 1.0), bought(BOB, "tea", 1_002, 1.0),
         event(CEM, "tea", "cart", 1_003), event(Visitor(user_id="dan"), "tea", "impression", 1_004),
         bought(Visitor(user_id="eve"), "tea", 1_300, 1.0)],
        now=2_000,
    )  # fmt: skip
    visitors = {"l1": Visitor(user_id="fay"), "l2": ANN, "l3": Visitor(session_id="l3")}  # the last is nobody
    store.log_shown([Shown(each, visitor, 1_005, "home", "m", ("tea",)) for each, visitor in visitors.items()])
    assert sales.funnel(store, SPAN, 100) == (5, 3, 3, 2)


def test_what_visitors_did_with_each_product(store: Store) -> None:
    store.record(
        [event(ANN, "tea", "view", 1_000), event(BOB, "tea", "click", 1_001), event(ANN, "tea", "cart", 1_002),
         bought(ANN, "tea", 1_003, 2.0, quantity=2.0), bought(BOB, "milk", 1_004, None),
         event(BOB, "jam", "impression", 1_005), bought(BOB, "egg", 1_400, 1.0)],
        now=2_000,
    )  # fmt: skip
    found = sales.traded(store, SPAN, 100)
    assert found == {"tea": Traded(2, 1, 2.0, 4.0), "milk": Traded(0, 0, 1.0, 0.0), "jam": Traded()}


def test_an_empty_store_sold_nothing(store: Store) -> None:
    assert sold(store) == [Step()] * 3
    assert sales.funnel(store, SPAN, 10) == (0, 0, 0, 0)
    assert sales.traded(store, SPAN, 10) == {}
