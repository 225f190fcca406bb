"""What goes with a cart: from the same baskets, of another category, or nothing."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from endcap import artifact as artifacts
from endcap.engine.engine import Engine
from endcap.engine.requests import Answer, Ask, Step
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.store.records import Event, Visitor
from tests.engine.baskets import DAY, LONE, SETS, trained


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("together") / "popular")


@pytest.fixture
def engine(place: Path, tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(place, f"sqlite:///{tmp_path / 'shop.db'}")
    yield opened
    opened.close()


def answered(engine: Engine, **ask: object) -> Answer:
    (found,) = engine.recommend([Ask(slot="cart", **ask)])  # type: ignore[arg-type]
    assert isinstance(found, Answer), found
    return found


def listed(engine: Engine, **ask: object) -> list[str]:
    return [item.item_id for item in answered(engine, **ask).items]


@pytest.mark.parametrize("main", SETS)
def test_what_goes_with_a_product_is_what_lay_in_its_baskets(engine: Engine, main: str) -> None:
    assert listed(engine, cart=(main,)) == [*SETS[main]]
    assert listed(engine, item_id=main) == [*SETS[main]]


def test_nothing_is_known_of_what_was_bought_alone(engine: Engine) -> None:
    assert listed(engine, cart=(LONE,)) == []
    assert listed(engine, cart=("unheard of",)) == []
    assert listed(engine) == []


def test_a_cart_of_two_is_the_sum_and_has_neither_twice(engine: Engine) -> None:
    found = listed(engine, cart=("fish", "tacos", "lemon"))
    assert {*found} == {*SETS["fish"], *SETS["tacos"]} - {"lemon"}
    scores = {item.item_id: item.score for item in answered(engine, cart=("fish", "lemon")).items}
    alone = {item.item_id: item.score for item in answered(engine, cart=("fish",)).items}
    assert scores["rice"] > alone["rice"]  # type: ignore[operator]


def test_a_cart_that_is_not_named_is_the_one_that_the_shop_told_of(engine: Engine) -> None:
    ann = Visitor("ann")
    engine.record([Event(ann, item, "cart", time=DAY * n) for n, item in enumerate(("fish", "tacos"), start=1100)])
    engine.record([Event(ann, "tacos", "remove", time=DAY * 1103)])
    assert listed(engine, visitor=ann) == [*SETS["fish"]]
    engine.record([Event(ann, "fish", "purchase", time=DAY * 1104)])
    assert listed(engine, visitor=ann) == []


def test_filters_rules_and_stock_hold(engine: Engine) -> None:
    assert listed(engine, cart=("fish",), filter="NOT category:rice") == ["lemon", "dill", "wine"]
    assert listed(engine, cart=("fish",), exclude=("wine",)) == ["lemon", "rice", "dill"]
    engine.put_rule("no-dill", {"action": "hide", "filter": "category:dill"}, by="test")
    engine.delete_items(["rice"])
    assert listed(engine, cart=("fish",)) == ["lemon", "wine"]
    engine.put_rule("drinks", {"action": "boost", "filter": "category:Drinks", "strength": 5}, by="test")
    assert listed(engine, cart=("fish",)) == ["wine", "lemon"]


def test_what_a_person_chose_stands_first_also_where_nothing_is_known(engine: Engine) -> None:
    engine.put_rule("hand", {"action": "complement", "beside": ["fish", LONE], "item_ids": ["beer"]}, by="test")
    assert listed(engine, cart=("fish",)) == ["beer", *SETS["fish"]]
    assert listed(engine, cart=(LONE,)) == ["beer"]
    first, second, *_ = answered(engine, cart=("fish",), explain=True).items
    assert first.reason is not None
    assert second.reason is not None
    assert (first.reason.kind, first.reason.rule) == ("rule", "hand")
    assert second.reason.events == ("fish",)


def test_the_reason_is_the_product_without_which_the_score_falls(engine: Engine) -> None:
    cart = ("tacos", "fish", LONE)
    for item in answered(engine, cart=cart, explain=True).items:
        assert item.reason is not None
        assert item.reason.events
        rest = tuple(each for each in cart if each not in item.reason.events)
        less = {each.item_id: each.score for each in answered(engine, cart=rest).items}
        assert less.get(item.item_id, 0.0) < item.score  # type: ignore[operator]


def test_one_product_for_people_is_one_place(engine: Engine) -> None:
    engine.put_items([{"item_id": each, "title": "Herbs"} for each in ("dill", "lemon")])
    assert listed(engine, cart=("fish",)) == ["lemon", "rice", "wine"]
    assert listed(engine, cart=("fish", "dill")) == ["rice", "wine"]


def test_it_does_not_ask_who_looks(engine: Engine) -> None:
    history = tuple(Step(item, "purchase") for item in (LONE, "tacos", "beer", "wine"))
    assert listed(engine, cart=("fish",), history=history) == [*SETS["fish"]]


def test_an_artifact_of_before_has_none(place: Path, tmp_path: Path) -> None:
    artifacts.save(replace(artifacts.load(place), complements=None), tmp_path / "old")
    assert listed(Engine.open(tmp_path / "old"), cart=("fish",)) == []
    artifacts.save(artifacts.load(place), tmp_path / "new")  # what was read is what is written
    assert listed(Engine.open(tmp_path / "new"), cart=("fish",)) == [*SETS["fish"]]


def test_the_same_over_http_beside_other_shelves(engine: Engine, place: Path) -> None:
    client = TestClient(create_app(engine, ServeConfig(out=place)), base_url="http://localhost:8000")
    body = {"item_id": "fish", "cart": ["tacos"], "shelves": [{"slot": "popular", "k": 2}, {"slot": "cart", "k": 7}]}
    popular, goes = client.post("/v1/pages", json=body).json()["shelves"]
    first, second = ([item["id"] for item in shelf["items"]] for shelf in (popular, goes))
    assert {*first} | {*second} == {*SETS["fish"], *SETS["tacos"], LONE} - ({LONE} - {*first})
    assert not {*first} & {*second}
    answer = client.post("/v1/recommendations", json={"slot": "cart", "cart": ["fish"], "explain": True}).json()
    assert [item["id"] for item in answer["items"]] == [*SETS["fish"]]
    assert answer["items"][0]["reason"]["text"] == "often in one basket with fish"
    assert client.post("/v1/recommendations", json={"slot": "cart", "cart": [LONE]}).json()["items"] == []
