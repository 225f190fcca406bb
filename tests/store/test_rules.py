import math

import pytest

from endcap.data.errors import InputError
from endcap.store.records import Revisions
from endcap.store.store import Store


def test_rules_are_published_replaced_and_taken_back(store: Store) -> None:
    assert store.put_rule("b", {"action": "hide"}, by="ann", now=1.0) == 1
    assert store.put_rule("a", {"action": "pin"}, by="ann", now=2.0) == 2
    assert store.put_rule("b", {"action": "bury", "note": "茶"}, by="bob", now=3.0) == 3
    assert store.rules() == [("a", {"action": "pin"}), ("b", {"action": "bury", "note": "茶"})]
    assert store.delete_rule("a", by="bob", now=4.0) == 4
    assert [rule_id for rule_id, _ in store.rules()] == ["b"]
    assert store.delete_rule("a", by="bob", now=5.0) == 4  # nothing to take back
    assert store.revisions() == Revisions(rules=4)


def test_the_log_tells_who_changed_what(store: Store) -> None:
    store.put_rule("a", {"n": 1}, by="ann", now=1.0)
    store.put_rule("a", {"n": 2}, by="bob", now=2.0)
    store.delete_rule("a", by="cat", now=3.0)
    assert store.changes() == [
        {"time": 3.0, "by": "cat", "what": "rule", "name": "a", "before": {"n": 2}, "after": None},
        {"time": 2.0, "by": "bob", "what": "rule", "name": "a", "before": {"n": 1}, "after": {"n": 2}},
        {"time": 1.0, "by": "ann", "what": "rule", "name": "a", "before": None, "after": {"n": 1}},
    ]
    assert [change["by"] for change in store.changes(last=1)] == ["cat"]


def test_a_change_without_an_author_is_refused_whole(store: Store) -> None:
    with pytest.raises(InputError, match="found by ''"):
        store.put_rule("a", {}, by="", now=1.0)
    with pytest.raises(InputError, match="no JSON"):
        store.put_rule("a", {"n": math.nan}, by="ann", now=1.0)
    assert (store.rules(), store.changes(), store.revisions()) == ([], [], Revisions())


def test_the_model_that_was_live_becomes_the_previous_one(store: Store) -> None:
    assert store.set_model("shop", "live", "/a", by="ann", now=1.0) == 1
    assert store.models("shop") == {"live": {"path": "/a", "since": 1.0, "share": 0.0}}
    store.set_model("shop", "live", "/b", by="ann", now=2.0)
    store.set_model("shop", "candidate", "/c", share=0.25, by="ann", now=3.0)
    assert store.models("shop") == {
        "live": {"path": "/b", "since": 2.0, "share": 0.0},
        "previous": {"path": "/a", "since": 2.0, "share": 0.0},
        "candidate": {"path": "/c", "since": 3.0, "share": 0.25},
    }
    store.set_model("shop", "live", "/b", by="ann", now=4.0)  # the same again: the way back stays
    assert store.models("shop")["previous"]["path"] == "/a"
    store.set_model("shop", "live", "/a", by="ann", now=5.0)  # back
    assert {role: place["path"] for role, place in store.models("shop").items()} == {
        "live": "/a", "previous": "/b", "candidate": "/c",
    }  # fmt: skip
    assert store.set_model("shop", "candidate", None, by="bob", now=6.0) == 6
    assert "candidate" not in store.models("shop")
    assert store.models("another") == {}
    assert store.revisions() == Revisions(models=6)
    assert store.changes(last=1)[0] | {"before": None} == {
        "time": 6.0, "by": "bob", "what": "model", "name": "shop candidate", "before": None, "after": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"role": "boss"}, {"path": ""}, {"share": 1.5}, {"share": math.nan}, {"name": "\0"}, {"now": math.inf}]
)
def test_a_role_that_cannot_be_is_refused(store: Store, wrong: dict) -> None:
    with pytest.raises(InputError):
        store.set_model(**{"name": "shop", "role": "live", "path": "/a", "by": "ann", "now": 1.0} | wrong)
    assert store.models("shop") == {}


def test_a_rule_is_offered_once(store: Store) -> None:
    assert store.offer_rule("a", {"n": 1}, by="ann", now=1.0)
    store.delete_rule("a", by="bob", now=2.0)
    assert not store.offer_rule("a", {"n": 1}, by="ann", now=3.0)
    assert store.rules() == []
    store.put_rule("b", {"n": 2}, by="bob", now=4.0)
    assert not store.offer_rule("b", {"n": 1}, by="ann", now=5.0)
    assert dict(store.rules())["b"] == {"n": 2}
    assert store.revisions().rules == 3
