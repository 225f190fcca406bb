"""Previews: what rules would change, and what each model makes of a visitor; nothing is written down."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endcap.data.errors import InputError
from endcap.engine.answering import Exploring
from endcap.engine.engine import Engine, EngineConfig
from endcap.engine.preview import beside, preview, published
from endcap.engine.requests import Answer, Ask, Step
from endcap.engine.rules import parse_rule
from endcap.store.records import Event, Visitor
from tests.engine.artifacts import trained

ANN = Visitor(user_id="ann")


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shops")
    trained("transitions", folder / "shop")
    trained("popular", folder / "other")
    return folder


@pytest.fixture
def engine(shops: Path, tmp_path: Path) -> Iterator[Engine]:
    settings = EngineConfig(exploring=Exploring(places=3, pool=5))
    opened = Engine.open(shops / "shop", f"sqlite:///{tmp_path / 'shop.db'}", config=settings)
    opened.record([Event(ANN, "i3", "view")])
    yield opened
    opened.close()


def ids(answer: Answer | InputError) -> list[str]:
    assert isinstance(answer, Answer)
    return [item.item_id for item in answer.items]


def test_a_draft_is_seen_before_and_after(engine: Engine) -> None:
    engine.put_rule("no-white", {"action": "hide", "filter": "colour:white"}, by="mei")
    draft = parse_rule({"action": "pin", "item_ids": ["i9"], "position": 2})
    rules = published(engine) | {"draft": draft}
    (before, after), (nobody, _) = preview(engine, rules, [Ask(ANN, k=4), Ask(k=4)])
    assert ids(before)[0] == "i4"
    assert ids(after) == [ids(before)[0], "i9", *[each for each in ids(before)[1:] if each != "i9"][:2]]
    assert not {"i12", "i13", "i14", "i15"} & {*ids(before), *ids(after), *ids(nobody)}  # what is published holds


def test_a_preview_is_the_list_that_is_served_once_the_rule_is_published(shops: Path, tmp_path: Path) -> None:
    engine = Engine.open(shops / "shop", f"sqlite:///{tmp_path / 'plain.db'}")
    body = {"action": "at_most", "n": 1, "of": "category"}
    ask = Ask(ANN, history=(Step("i6"),), k=6)
    ((_, after),) = preview(engine, {"draft": parse_rule(body)}, [ask])
    engine.put_rule("variety", body, by="mei")
    (served,) = engine.recommend([ask])
    assert ids(after) == ids(served)
    engine.close()


def test_hand_picked_complements_come_first_where_they_may(engine: Engine) -> None:
    body = {"action": "complement", "beside": ["i3", "i5"], "item_ids": ["i12", "i1", "i9"]}
    engine.put_rule("goes-with-it", body, by="mei")
    engine.put_items([{"item_id": "i12", "stock": 0}])
    engine.put_rule("no-nine", {"action": "hide", "filter": "item_id:i9", "slots": ["product"]}, by="mei")
    engine.put_rule("first", {"action": "pin", "item_ids": ["i15"]}, by="mei")

    def first(n: int, **ask: Any) -> list[str]:
        (answer,) = engine.recommend([Ask(k=8, **ask)])  # the last three places are left to chance
        return ids(answer)[:n]

    assert first(2, item_id="i3", slot="product") == ["i15", "i1"]  # a pin has its place; i12 is sold out, i9 hidden
    assert first(3, cart=("i7", "i5"), slot="cart") == ["i15", "i1", "i9"]
    assert first(2, cart=("i5", "i1"), slot="cart") == ["i15", "i9"]  # i1 is in the cart
    assert first(2, item_id="i7", slot="product") == ["i15", "i8"]
    assert "i1" not in first(3, cart=("i5",), slot="purchased")


def test_nothing_is_written_down(engine: Engine) -> None:
    assert engine.store is not None
    both = Visitor("ann", "s1")  # asking for a list would say that the session is ann's
    engine.store.record([Event(Visitor(session_id="s1"), "i7", "view")], now=1e9)
    preview(engine, {}, [Ask(both), Ask(ANN)])
    beside(engine, Ask(both))
    engine.flush()
    assert list(engine.store.shown()) == []
    assert engine.store.export("ann")["sessions"] == []


def test_a_request_that_cannot_be_answered_says_why(engine: Engine) -> None:
    ((before, after),) = preview(engine, {}, [Ask(ANN, slot="product")])
    assert isinstance(before, InputError)
    assert isinstance(after, InputError)


def test_each_loaded_model_answers_with_reasons(engine: Engine, shops: Path) -> None:
    engine.set_role("shadow", shops / "other", by="mei")
    found = beside(engine, Ask(ANN, k=3, explain=True))
    assert set(found) == {"live", "shadow"}
    live, shadow = found["live"], found["shadow"]
    assert isinstance(live, Answer)
    assert isinstance(shadow, Answer)
    assert (live.model, shadow.model) == (engine.live.name, engine.versions["shadow"].name)
    assert live.items[0].reason is not None
    assert live.items[0].reason.kind == "taste"  # i3 carries it, which is of another category


def test_rules_that_cannot_be_read_or_followed_are_left_out(engine: Engine) -> None:
    assert engine.store is not None
    engine.store.put_rule("newer", {"action": "dance"}, by="mei", now=1e9)
    engine.store.put_rule("odd", {"action": "hide", "filter": "nothing:red"}, by="mei", now=1e9)
    rules = published(engine)
    assert list(rules) == ["odd"]
    ((before, after),) = preview(engine, rules, [Ask(ANN, k=1)])
    assert ids(before) == ids(after) == ["i4"]


def test_without_a_database_there_are_no_rules(shops: Path) -> None:
    engine = Engine.open(shops / "shop")
    assert published(engine) == {}
    ((before, after),) = preview(engine, {}, [Ask(history=(Step("i3"),), k=1)])
    assert ids(before) == ids(after) == ["i4"]
