"""The merchandiser's figures: what they mean, on a store whose figures are known."""

from pathlib import Path

import pytest

from endcap.abtest import report
from endcap.serve.console.measures import measures
from endcap.store.figures import Span
from endcap.store.records import Event, Shown, Visitor
from endcap.store.store import Store

DAY = 86_400.0
NOON = 20_000 * DAY
WEEK = Span(NOON, int(DAY), 7)
ANN, BOB = Visitor(user_id="ann"), Visitor(user_id="bob")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "shop.db"))


def test_conversion_means_the_same_in_the_console_and_in_tests(store: Store) -> None:
    """Ann buys within a day of her second list, Bob an hour after a day has passed since his only one."""
    lists = [
        Shown(f"l{n}", visitor, NOON + at * DAY, "home", "m", ("tea",), "x", "control")
        for n, (visitor, at) in enumerate([(ANN, 1), (BOB, 1), (ANN, 3)])
    ]
    store.log_shown(lists)
    store.record(
        [Event(ANN, "tea", "purchase", NOON + 3.9 * DAY), Event(BOB, "tea", "purchase", NOON + 2.05 * DAY)], now=0
    )
    total = measures(store, WEEK).total
    assert (total.visitors, total.buyers, total.conversion) == (2, 1, 0.5)
    tested = report(lists, store.events_table(), store.events_of_lists()).sums["control"]
    assert (tested["visitors"], tested["buyers"]) == (2, 1)
