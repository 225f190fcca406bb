import doctest
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.engine import rules
from endcap.engine.policy import Policy, arrange, companions, compile_rules
from endcap.engine.requests import Slot
from endcap.engine.rules import ACTIONS, check_rule, dump_rule, parse_rule

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
IDS = ("a", "b", "c", "d", "e")
SHOP = Catalog.from_table(
    pa.table(
        {
            "item_id": IDS,
            "brand": ["Acme", "acme ", "Alp", None, None],
            "category": ["Dairy", "Dairy", "Dairy > Cheese", "Light", None],
            "price": [1.0, 2.0, 3.0, 30.0, None],
            "stock": ["1", "0", None, "2", "no"],
        }
    ),
    IDS,
)


def find(item_id: str) -> int:
    return IDS.index(item_id) + 1 if item_id in IDS else 0


def policy_of(
    *bodies: dict[str, Any], slot: Slot = "home", now: float = 1000.0, rebought: tuple[str, ...] = ()
) -> Policy:
    return compile_rules(
        {f"r{n}": parse_rule(body) for n, body in enumerate(bodies)}, slot, SHOP, find, now, rebought=rebought
    )


def ids(places: Any) -> str:
    return "".join(IDS[item - 1] for item in places)


def allowed(policy: Policy) -> str:
    assert not policy.allowed[0]
    return ids(np.flatnonzero(policy.allowed))


def listed(*bodies: dict[str, Any], candidates: str = "abcde", k: int = 5) -> str:
    return ids(arrange(np.array([find(item_id) for item_id in candidates], np.int64), policy_of(*bodies), k))


def pin(item_ids: str, position: int = 1, **more: Any) -> dict[str, Any]:
    return {"action": "pin", "item_ids": [*item_ids], "position": position, **more}


def companion(beside: str, item_ids: str, **more: Any) -> dict[str, Any]:
    return {"action": "complement", "beside": [*beside], "item_ids": [*item_ids], **more}


def hide(condition: str, **more: Any) -> dict[str, Any]:
    return {"action": "hide", "filter": condition, **more}


@pytest.mark.parametrize("body", EXAMPLES, ids=[body["action"] for body in EXAMPLES])
def test_the_examples_of_the_page(body: dict[str, Any]) -> None:
    rule = parse_rule(body)
    assert parse_rule(json.loads(json.dumps(dump_rule(rule)))) == rule
    assert all(body[name] == value for name, value in dump_rule(rule).items())
    compile_rules({"r": rule}, "home", SHOP, find, 0.0)


def test_the_page_has_every_action_key_and_slot() -> None:
    assert {body["action"] for body in EXAMPLES} == {*ACTIONS}
    keys = {field.name for kind in ACTIONS.values() for field in fields(kind)} - {"action"}
    for name in keys | {*get_args(Slot)}:
        assert f"`{name}`" in PAGE, name


def test_the_examples_in_docstrings() -> None:
    failed, tried = doctest.testmod(rules)
    assert tried
    assert not failed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], r"found \[\]; expected a rule: an object with an action, one of pin, boost"),
        ({}, "found no action; expected one of pin,"),
        ({"action": "promote"}, "found action 'promote'; expected one of pin,"),
        ({"action": ["pin"]}, "found action"),
        ({"action": "pin"}, "found no item_ids, which pin needs"),
        (pin(""), "item_ids: found"),
        (pin("a", 0), "position: found 0"),
        (hide("price <"), "filter: found its end in place 8 of the filter; expected a number"),
        (hide("in_stock", strength=2), "unknown key strength; expected some of slots, starts, ends, note"),
        (hide("in_stock", slots=["hom"]), "slots.0: found 'hom'; .*'home', 'popular'"),
        (hide("in_stock", starts=5, ends=5), "found starts 5 and ends 5; expected starts before ends"),
        ({"action": "boost", "filter": "in_stock", "strength": float("nan")}, "strength: found nan"),
        ({"action": "bury", "filter": "in_stock", "strength": 1e9}, "strength: found 1000000000"),
        ({"action": "complement", "item_ids": ["a"]}, "found no beside, which complement needs"),
        (
            {"action": "complement", "beside": ["a"], "item_ids": ["b"], "slots": ["home"]},
            "found slots home; expected some of product, cart",
        ),
        ({"action": "at_most", "n": 0, "of": "brand"}, "n: found 0"),
        ({"action": "at_most", "n": 1, "of": "colour"}, "of: found 'colour'"),
        ({"action": "floor", "price": float("inf")}, "price: found inf"),
        ({"action": "no_repeats", "days": -1}, "days: found -1"),
        ({"action": "floor", "price": "x" * 1000, "shop": 1}, r"price: found 'x{99}…; .*unknown key shop"),
    ],
)
def test_what_is_no_rule_is_an_error(body: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_rule(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["action", "filter", "item_ids", "position", "slots", "starts", "ends", "note", "n", "of", "days", "price"]


@settings(max_examples=200, deadline=None)
@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from([*ACTIONS])))
def test_any_json_is_a_rule_or_an_error(body: Any) -> None:
    try:
        rule = parse_rule(body)
    except InputError:
        return
    assert parse_rule(dump_rule(rule)) == rule


def test_without_rules_everything_may_be_shown() -> None:
    policy = policy_of()
    assert allowed(policy) == "abcde"
    assert (policy.bonus, policy.no_repeats, policy.pins, policy.at_most) == (None, None, (), ())
    assert policy.until == np.inf


def test_hide_only_and_floor_all_have_to_pass() -> None:
    assert allowed(policy_of(hide("brand:Acme"))) == "cde"
    assert allowed(policy_of({"action": "only", "filter": "in_stock"})) == "acd"
    assert allowed(policy_of({"action": "floor", "price": 2})) == "bcd"  # e has no price
    assert allowed(policy_of(hide("brand:Alp"), {"action": "only", "filter": "in_stock"})) == "ad"


def test_boosts_and_buries_add_up() -> None:
    boost, bury = {"action": "boost", "filter": "brand:Acme"}, {"action": "bury", "filter": "price < 2.5"}
    policy = policy_of(boost, {**boost, "strength": 0.5}, {**bury, "strength": 2})
    assert policy.bonus is not None
    assert policy.bonus.dtype == np.float32
    assert policy.bonus.tolist() == [0, -0.5, -0.5, 0, 0, 0]


def test_slots_and_times_say_where_a_rule_holds() -> None:
    rule = hide("brand:Acme", slots=["cart", "email"], starts=100, ends=200)
    assert allowed(policy_of(rule, slot="cart", now=100)) == "cde"
    for slot, now in (("home", 150), ("cart", 99), ("cart", 200)):
        assert allowed(policy_of(rule, slot=slot, now=now)) == "abcde"


def test_a_policy_says_until_when_it_holds() -> None:
    rule = hide("in_stock", starts=100, ends=200)
    assert [policy_of(rule, now=now).until for now in (50, 100, 200)] == [100, 200, np.inf]


def test_no_repeats_leaves_out_what_is_bought_again_and_again() -> None:
    month = {"action": "no_repeats", "days": 30}
    policy = policy_of(month, {**month, "days": 2, "unless_rebought": False}, rebought=("Dairy",))
    assert policy.no_repeats is not None
    assert policy.no_repeats[1:].tolist() == [2, 2, 30, 30, 30]


def test_a_rule_that_cannot_be_followed_is_named_and_left_out() -> None:
    policy = policy_of(hide("grams > 5"), hide("brand:Acme"), pin("ax"))
    assert allowed(policy) == "cde"
    first, second = policy.problems
    assert re.match("hide was left out: found the column 'grams'", first)
    assert second == "pin: x is no product of the catalogue"
    with pytest.raises(InputError, match="'grams'"):
        check_rule(parse_rule(hide("grams > 5")), SHOP)
    check_rule(parse_rule(pin("x")), SHOP)


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([], "abcde"),
        ([pin("e")], "eabcd"),
        ([pin("ed", 2)], "aedbc"),
        ([pin("e", 9)], "abcde"),  # beyond the list: where its score puts it
        ([pin("a", 5)], "bcdea"),
        ([pin("d", 2), pin("e", 2)], "adebc"),
        ([pin("e", 2), pin("d", 1)], "deabc"),
        ([pin("ee")], "eabcd"),
        ([pin("xe")], "aebcd"),  # x is no product, and e stays where it was put
        ([pin("de"), hide("category:Light")], "aebc"),
        ([{"action": "at_most", "n": 1, "of": "brand"}], "acde"),  # d and e have none
        ([{"action": "at_most", "n": 1, "of": "category"}], "acde"),
        ([{"action": "at_most", "n": 1, "of": "brand"}, pin("b", 3)], "acbde"),  # pins do not count
    ],
)
def test_arrange(bodies: list[dict[str, Any]], expected: str) -> None:
    assert listed(*bodies) == expected


def test_complements_stand_beside_some_products_alone() -> None:
    policy = policy_of(companion("ab", "cd"), companion("b", "dac"), slot="product")
    assert ids(companions(policy, [1])) == "cd"
    assert ids(companions(policy, [2, 5])) == "cda"  # each once, the first rule's first
    assert companions(policy, [3, 0]) == ()
    assert policy_of(companion("a", "c"), slot="home").complements == ()
    assert policy_of(companion("a", "c", slots=["cart"]), slot="product").complements == ()


def test_complements_that_are_sold_out_or_no_products_are_left_out() -> None:
    policy = policy_of(companion("ax", "becy"), slot="cart")  # b and e are sold out
    assert ids(companions(policy, [1])) == "c"
    assert policy.problems == tuple(f"complement: {item_id} is no product of the catalogue" for item_id in "xy")


def test_a_short_list_has_its_pins_at_the_end() -> None:
    assert listed(pin("e", 4), candidates="ab") == "abe"
    assert listed(pin("ec", 1), candidates="", k=1) == "e"
    assert listed(candidates="", k=3) == ""


def test_what_a_request_leaves_out_holds_for_pins_too() -> None:
    policy = policy_of(pin("e"))
    stricter = replace(policy, allowed=policy.allowed & (np.arange(6) != 5))
    assert ids(arrange(np.array([5, 1, 2]), stricter, 3)) == "ab"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 12), max_size=20),
    st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12)), max_size=5),
    st.lists(st.booleans(), min_size=13, max_size=13),
    st.lists(st.integers(0, 3), min_size=13, max_size=13),
    st.integers(1, 3),
    st.integers(0, 8),
)
def test_no_list_breaks_a_rule(
    candidates: list[int], pins: list[tuple[int, int]], may: list[bool], brands: list[int], n: int, k: int
) -> None:
    mask = np.array(may)
    mask[0] = False
    codes = np.array([0, *brands[1:]], np.int32)
    policy = Policy(mask, None, tuple(pins), (), ((codes, n),), None, np.inf, ())
    items = np.array(candidates, np.int64)
    shown = arrange(items, policy, k).tolist()
    assert len(shown) == len({*shown}) <= k
    assert mask[shown].all()
    pinned = {item for _, item in pins}
    free = [item for item in shown if item not in pinned]
    assert [item for item in dict.fromkeys(candidates) if item in free] == free  # in the order of the candidates
    counts = np.bincount(codes[free], minlength=4)
    assert (counts[1:] <= n).all()
    if len(shown) < k:  # nothing that could be shown was left
        left = [item for item in candidates if mask[item] and item not in shown]
        assert all(codes[item] and (codes[shown] == codes[item]).sum() >= n for item in left)
    assert shown == arrange(items, policy, k).tolist()
