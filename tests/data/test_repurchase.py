import numpy as np
import pytest

from endcap.data.interactions import Interactions, from_table
from endcap.data.repurchase import rebought
from tests.worlds import table

DAY = 86_400.0
START = 10_000 * DAY


def log_of(events: list[tuple[str, str, float | None]], kind: str = "purchase") -> Interactions:
    """Events are (user, item, day)."""
    rows = [{"user_id": user, "item_id": item, "kind": kind, "time": None if day is None else START + day * DAY}
            for user, item, day in events]  # fmt: skip
    return from_table(table(rows))


def categories(log: Interactions, of: dict[str, str]) -> list[str]:
    return ["", *(of.get(item_id.split("-")[0], "") for item_id in log.vocabulary.ids)]


SHOP = {"milk": "Dairy", "tv": "Screens", "rare": "Rare"}


def shop(n: int = 40, *, apart: float = 7) -> list[tuple[str, str, float | None]]:
    """Every other user buys milk again; nobody buys a television twice."""
    events: list[tuple[str, str, float | None]] = []
    for user in range(n):
        events += [(f"u{user}", "milk", 0), (f"u{user}", f"tv-{user % 5}", 0)]
        events += [(f"u{user}", "milk", apart)] * (user % 2)
        events += [(f"u{user}", f"tv-{(user + 1) % 5}", apart)]  # another television is no repeat
    return events


def test_what_users_buy_again_and_again() -> None:
    log = log_of(shop(200))
    assert rebought(log, categories(log, SHOP)) == ("Dairy",)


def test_the_same_day_is_one_purchase() -> None:
    log = log_of(shop(200, apart=0.4))
    assert rebought(log, categories(log, SHOP)) == ()


def test_without_times_a_step_is_a_purchase() -> None:
    log = log_of([(user, item, None) for user, item, _ in shop(200)])
    assert log.times is None
    assert rebought(log, categories(log, SHOP)) == ("Dairy",)


def test_an_event_without_a_time_proves_nothing() -> None:
    events = shop(200)
    log = log_of([*events, *((f"u{user}", f"tv-{user % 5}", None) for user in range(200))])
    assert log.times is not None
    assert np.isnan(log.times).any()
    assert rebought(log, categories(log, SHOP)) == ("Dairy",)


def test_few_purchases_are_drawn_to_the_whole_shop() -> None:
    seldom = [(f"u{user}", f"tv-{user % 5}", 0.0) for user in range(400)]
    rare = [("u0", "rare", 0.0), ("u0", "rare", 9.0)]
    log = log_of([*seldom, *rare])
    # One user of one is 100 %: drawn to almost nothing it is 1 of 21.
    assert rebought(log, categories(log, SHOP)) == ()
    log = log_of([*seldom, *rare, ("u1", "rare", 0.0), ("u1", "rare", 9.0)])
    assert rebought(log, categories(log, SHOP)) == ("Rare",)


@pytest.mark.parametrize("kind", ["view", "cart", "review"])
def test_where_there_are_no_purchases_there_is_nothing(kind: str) -> None:
    log = log_of(shop(), kind)
    assert rebought(log, categories(log, SHOP)) == ()


def test_items_without_a_category_are_in_none() -> None:
    log = log_of(shop(200))
    assert rebought(log, [""] * (log.n_items + 1)) == ()
    assert rebought(log_of([]), [""]) == ()
