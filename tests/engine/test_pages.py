"""The shelves of a page share no product."""

import pytest

from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.page import FEWEST
from endcap.engine.requests import Answer, Ask, Step
from endcap.store.records import Event, Visitor
from tests.engine.artifacts import trained


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("pages")
    made = Engine.open(trained("gru", folder / "shop"), f"sqlite:///{folder / 'shop.db'}")
    made.put_items([{"item_id": item_id, "title": "Twin", "brand": "Both"} for item_id in ("i7", "i8")])
    return made


def lists(found: list[Answer | InputError]) -> list[list[str]]:
    assert all(isinstance(one, Answer) for one in found), found
    return [[item.item_id for item in one.items] for one in found if isinstance(one, Answer)]


def test_no_product_stands_twice_on_a_page_nor_beside_itself(engine: Engine) -> None:
    history = (Step("i2"), Step("i3"))
    shelves = [
        Ask(slot="product", item_id="i3", history=history, k=4),
        Ask(slot="home", history=history, k=4),
        Ask(slot="cart", cart=("i5",), history=history, k=4),
    ]
    first, second, third = lists(engine.page(shelves))
    every = [*first, *second, *third]
    assert len(every) == len(set(every)) == 8 + len(third)
    assert not {"i3", "i5"} & {*every}  # the page's own product and what lies in the cart, on no shelf
    assert not {"i7", "i8"} <= {*every}  # two that are one for people are one
    assert third == [] or len(third) == 4
    alone = Ask(slot="product", item_id="i3", history=history, k=4, exclude=("i5",))
    assert [first] == lists(engine.recommend([alone]))


def test_two_shelves_of_one_question_go_on_where_the_first_ended(engine: Engine) -> None:
    ask = Ask(history=(Step("i2"),), k=4)
    whole = lists(engine.recommend([Ask(history=(Step("i2"),), k=8)]))[0]
    assert [item for one in lists(engine.page([ask, ask])) for item in one] == whole


def test_too_few_are_no_shelf_and_stay_free_for_those_below(engine: Engine) -> None:
    few = Ask(history=(Step("i2"),), k=6, filter='brand:"brand 1" AND price < 35')
    (alone,) = lists(engine.recommend([few]))
    assert 0 < len(alone) < FEWEST
    empty, home = lists(engine.page([few, Ask(history=(Step("i2"),), k=14)]))
    assert empty == []
    assert {*alone} <= {*home}


def test_what_is_kept_of_a_page_is_what_it_shows(engine: Engine) -> None:
    visitor = Visitor(session_id="page")
    found = engine.page([Ask(visitor, k=4), Ask(visitor, k=4), Ask(visitor, k=4, filter="price > 99999")])
    engine.flush()
    assert engine.store is not None
    kept = {shown.recommendation_id: list(shown.items) for shown in engine.store.shown() if shown.visitor == visitor}
    given = {one.recommendation_id: [item.item_id for item in one.items] for one in found if isinstance(one, Answer)}
    assert given.pop("") == []  # nothing was shown there, so nothing is kept
    assert kept == given


def test_a_shelf_that_cannot_be_answered_says_so(engine: Engine) -> None:
    good, wrong = engine.page([Ask(k=3), Ask(slot="similar", k=3)])
    assert isinstance(good, Answer)
    assert isinstance(wrong, InputError)
    assert "item_id" in str(wrong)


def test_the_same_for_everybody(engine: Engine) -> None:
    engine.record([Event(Visitor("ann"), "i9", "purchase")])
    known, unknown = engine.recommend([Ask(Visitor("ann"), slot="popular", k=9), Ask(slot="popular", k=9)])
    assert lists([known]) == lists([unknown])
