"""The merchandiser's figures: what they mean, on a store whose figures are known."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from endcap.abtest import report
from endcap.data.catalog import Catalog
from endcap.engine.shelf import Shelf
from endcap.serve.console import movers, summary, tiles
from endcap.serve.console.files import csv_of
from endcap.serve.console.measures import measures
from endcap.serve.console.money import Money, currency_of
from endcap.serve.console.plots import Sheet, axis_of, columns, lines
from endcap.serve.console.texts import Words
from endcap.serve.console.tiles import Tile
from endcap.serve.storefront.config import StorefrontConfig
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


def shop(*ids: str) -> Shelf:
    table = pa.table({"item_id": [*ids], "title": [each.title() for each in ids], "currency": ["EUR"] * len(ids)})
    return Shelf.of(Catalog.from_table(table, [*ids]), {})


SHELF = shop("tea", "milk", "jam", "rye")
EUROS = Money("EUR", "en_US")


def told(store: Store, span: Span = WEEK) -> dict[str, Tile]:
    found = summary.read(store, span, now=span.until)
    return {tile.name: tile for tile in tiles.tiles(Words("en"), found, SHELF, EUROS)}


def bought(visitor: Visitor, item_id: str, day: float, price: float | None = 10.0, **more: Any) -> Event:
    return Event(visitor, item_id, "purchase", NOON + day * DAY, price=price, **more)


def test_the_figures_are_money_and_say_what_they_were(store: Store) -> None:
    store.log_shown([Shown(f"l{n}", ANN, NOON + n * DAY, "home", "m", ("tea", "jam")) for n in (1, 2)])
    store.record(
        [Event(ANN, "tea", "click", NOON + DAY + 5, recommendation_id="l1"), bought(ANN, "tea", 1.5, quantity=3.0),
         bought(BOB, "milk", 2), bought(BOB, "rye", 2, None), bought(BOB, "milk", -3), bought(BOB, "milk", -4)],
        now=0,
    )  # fmt: skip
    found = told(store)
    assert {name: tile.value for name, tile in found.items()} == {
        "Revenue": "€40.00", "Orders": "2", "Average basket": "€20.00", "Conversion": "100.0%",
        "Revenue by shelves": "€30.00", "Clicks per shelf": "50.0%", "Products never shown": "2",
    }  # fmt: skip
    assert (found["Revenue"].change, found["Revenue"].up) == ("100% more than before (€20.00)", True)
    assert (found["Orders"].change, found["Orders"].up) == ("as before", None)
    assert found["Revenue"].note == "one purchase without a price counts nothing"
    assert found["Revenue by shelves"].note.startswith("75.0% of the revenue")
    assert found["Conversion"].change == "nothing to compare with"


def test_an_empty_period_has_dashes(store: Store) -> None:
    store.record([bought(BOB, "milk", -3)], now=0)
    found = told(store)
    assert {tile.value for tile in found.values()} == {"–"}
    assert (found["Revenue"].change, found["Revenue"].up) == ("before: €10.00", None)


def test_fewer_products_that_nobody_was_shown_is_good(store: Store) -> None:
    store.log_shown([Shown("l1", ANN, NOON + DAY, "home", "m", ("tea", "jam")),
                     Shown("l0", ANN, NOON - DAY, "home", "m", ("tea",))])  # fmt: skip
    tile = told(store)["Products never shown"]
    assert (tile.value, tile.change, tile.up, tile.good) == ("2", "33% less than before (3)", False, True)


def test_a_period_that_is_not_over_is_compared_with_as_much_of_the_one_before(store: Store) -> None:
    store.record([bought(BOB, "milk", 1), bought(BOB, "milk", -6), bought(ANN, "milk", -1)], now=0)
    read = summary.read(store, WEEK, now=NOON + 2 * DAY)
    assert sum(step.orders for step in read.past.sold) == 1  # that of day -1 has no like yet


def test_the_funnel_leaves_out_what_no_event_speaks_of(store: Store) -> None:
    store.record([bought(BOB, "milk", 1), Event(ANN, "tea", "view", NOON + DAY)], now=0)
    read = summary.read(store, WEEK, now=WEEK.until)
    found = tiles.stages(Words("en"), read.now)
    assert [(stage.name, stage.visitors, stage.kept) for stage in found] == [
        ("Visitors", 2, None), ("Looked at a product", 2, 1.0), ("Ordered", 1, 0.5),
    ]  # fmt: skip


def test_products_that_rise_fall_and_are_never_shown(store: Store) -> None:
    store.log_shown([Shown("l1", ANN, NOON + DAY, "home", "m", ("tea", "jam"))])
    store.record([bought(ANN, "tea", 1), bought(ANN, "milk", 2, 4.0), bought(BOB, "milk", -3, 9.0)], now=0)
    read = summary.read(store, WEEK, now=WEEK.until)
    found = movers.products(Words("en"), read, SHELF, EUROS)
    assert found.by == "revenue"
    assert [(each.card.item_id, each.value, each.lists) for each in found.top] == [
        ("tea", "€10.00", 1),
        ("milk", "€4.00", 0),
    ]
    assert [(each.card.item_id, each.change) for each in found.risers] == [("tea", "+€10.00")]
    assert [(each.card.item_id, each.before, each.change) for each in found.fallers] == [("milk", "€9.00", "−€5.00")]
    assert [each.card.item_id for each in found.unseen] == ["milk", "rye"]  # what sells first


def test_without_prices_products_are_ranked_by_pieces_and_without_sales_by_looks(store: Store) -> None:
    store.record([Event(ANN, "tea", "view", NOON)], now=0)
    assert movers.measure(summary.read(store, WEEK, now=WEEK.until)) == "looked"
    store.record([bought(ANN, "tea", 1, None)], now=0)
    assert movers.measure(summary.read(store, WEEK, now=WEEK.until)) == "pieces"
    assert told(store)["Revenue"].value == told(store)["Average basket"].value == "–"


def test_sums_are_in_the_currency_that_the_catalogue_names() -> None:
    config = StorefrontConfig(currency="CHF")
    assert currency_of(SHELF, config) == "EUR"
    mixed = pa.table({"item_id": ["a", "b"], "currency": ["EUR", "USD"]})
    assert currency_of(Shelf.of(Catalog.from_table(mixed, ["a", "b"]), {}), config) == "CHF"
    assert Money("USD", "zh_Hans_CN").short(12_500) == "US$1.2万"
    assert EUROS.rough(12_345.6) == "€12,346"


def test_a_file_says_what_the_table_says_and_a_spreadsheet_works_nothing_out() -> None:
    sheet = Sheet("x", ("product", "n"), [("=1+1", 2.5), ('a "b"', None), ("-x", math.nan)])
    body = bytes(csv_of(sheet).body).decode("utf-8-sig")
    assert body == 'product,n\r\n\'=1+1,2.5\r\n"a ""b""",\r\n\'-x,\r\n'


def test_where_nothing_is_known_no_axis_is_drawn() -> None:
    axis = axis_of(WEEK, Words("en"))
    none = lines("n", "N", axis, {"a": [None] * 7}, form="{:g}".format, shades={"a": "c0"})
    assert none.empty
    assert columns("n", "N", axis, [0.0] * 7, form="{:g}".format).empty
    zero = lines("n", "N", axis, {"a": [0.0] * 7}, form="{:.0%}".format, shades={"a": "c0"})
    assert not zero.empty
    assert [tick.text for tick in zero.y_ticks] == ["0%"]  # and no 100 % above it
