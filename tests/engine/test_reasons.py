"""Reasons that persuade: what is material, what was had before, the rule that placed a product."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from endcap import artifact as artifacts
from endcap.data.catalog import Catalog
from endcap.data.interactions import Histories
from endcap.engine import reasons
from endcap.engine.engine import Engine
from endcap.engine.had import had, sentence
from endcap.engine.relations import Relations
from endcap.engine.requests import Answer, Ask, Reason, Step
from endcap.engine.shelf import Shelf
from endcap.store.records import ItemChange
from tests.engine.artifacts import N, products, trained

DAY = 86_400.0
NOW = 1_800_000_000.0


def history(*items: int) -> Histories:
    n = len(items)
    return Histories(np.array(items, np.int64), np.ones(n, np.int64), None, np.full((n, 3), np.nan, np.float32),
                     np.array([0, n]))  # fmt: skip


def effects_of(weights: np.ndarray, popularity: np.ndarray, items: tuple[int, ...], candidate: int) -> reasons.Effects:
    """Of a model that adds up (items + 1, items + 1) weights and what is popular."""
    one = history(*items)

    def scores(histories: Histories) -> np.ndarray:
        found = np.tile(popularity.astype(np.float32), (len(histories), 1))
        np.add.at(found, histories.owners, weights[histories.items])
        return found

    def keep(mask: np.ndarray) -> Histories:
        return history(*one.items[mask].tolist())

    return reasons.effects(one, np.array([candidate]), scores, keep, len(popularity))


@pytest.mark.parametrize(
    ("weight", "named"),
    [
        (60.0, [2]),  # carries 80 from place 80 to the first ones
        (0.5, []),  # moves it by half a place: lower without it, and no reason
    ],
)
def test_an_event_is_named_where_it_carries_a_material_part(weight: float, named: list[int]) -> None:
    weights, popularity = np.zeros((101, 101), np.float32), -np.arange(101.0)
    weights[2, 80], weights[1, 80] = weight, 75 - weight
    found = effects_of(weights, popularity, (1, 2), 80)
    assert found.losses[found.items.tolist().index(2), 0] > 0
    only_two = np.array([item == 2 for item in found.items])
    assert reasons.named(found, 0, only_two, blind=False).tolist() == named


def test_what_is_popular_anyway_has_no_event_as_its_reason() -> None:
    weights, popularity = np.zeros((101, 101), np.float32), -np.arange(101.0)
    weights[2, 1] = 5.0
    found = effects_of(weights, popularity, (2,), 1)
    assert found.places.tolist() == found.unknown.tolist() == [1]
    assert not len(reasons.named(found, 0, np.array([True]), blind=True))


def test_what_has_nothing_in_common_is_named_only_where_nothing_is_known() -> None:
    weights, popularity = np.zeros((101, 101), np.float32), -np.arange(101.0)
    weights[2, 80] = 75.0
    found = effects_of(weights, popularity, (2,), 80)
    unrelated = np.array([False])
    assert reasons.named(found, 0, unrelated, blind=True).tolist() == [2]
    assert not len(reasons.named(found, 0, unrelated, blind=False))


def test_a_long_history_and_a_large_catalogue_stay_within_bounds() -> None:
    width, sizes = 300_001, []

    def scores(histories: Histories) -> np.ndarray:
        sizes.append(len(histories))
        return np.zeros((len(histories), width), np.float32)

    one = history(*range(1, 1001))
    found = reasons.effects(one, np.array([5, 7]), scores, lambda mask: history(*one.items[mask].tolist()), width)
    assert found.items.tolist() == list(range(1000, 1000 - reasons.LAST, -1))
    assert sum(sizes) == 2 + 2 * reasons.LAST
    assert max(sizes) * width <= reasons.AT_ONCE


def bought(*days: float, kind: str = "purchase") -> list[Step]:
    return [Step("tea", kind, NOW - day * DAY) for day in days]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (bought(29, 20, 11), "you buy this every 9 days, last 11 days ago"),
        (bought(29, 20, 11, 11), "you buy this every 9 days, last 11 days ago"),  # two pieces at once
        (bought(3, 2, 1), "you buy this every day, last yesterday"),
        (bought(800, 790, 780), "you buy this every 10 days"),
        (bought(60, 58, 9), "you bought this 9 days ago"),  # not regularly
        (bought(18, 9), "you bought this 9 days ago"),  # too few to say
        ([*bought(9), *bought(0, kind="view")], "you bought this 9 days ago"),
        (bought(0.1, kind="view"), "you looked at this today"),
        (bought(1.5, kind="cart"), "you put this in your cart yesterday"),
        ([Step("tea", "purchase")], "you bought this before"),
    ],
)
def test_what_was_done_before_in_words(events: list[Step], said: str) -> None:
    found = had(events, NOW, same=True)
    assert found is not None
    assert sentence(found) == said


def test_nothing_was_done_before() -> None:
    assert had([], NOW, same=True) is None
    assert had(bought(1, kind="remove"), NOW, same=True) is None


def test_what_two_products_have_in_common() -> None:
    shelf = Shelf.of(Catalog.from_table(products(), [f"i{n}" for n in range(N)]), {})
    relations = Relations.of(shelf.with_changes([ItemChange("i3", {"brand": "brand 0"}, 0)]))
    assert relations.related(1, 2)  # one quarter
    assert not relations.related(1, 16)
    assert relations.one_product(1, 4)  # the same words and the same brand
    assert not relations.one_product(1, 2)
    assert relations.common >= {"brand 0"}  # every fourth product is of it


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained("transitions", tmp_path_factory.mktemp("reasons") / "shop")


@pytest.fixture
def engine(place: Path, tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(place, f"sqlite:///{tmp_path / 'shop.db'}")
    yield opened
    opened.close()


def reasons_of(engine: Engine, past: tuple[Step, ...], k: int = 5) -> dict[str, Reason]:
    (answer,) = engine.recommend([Ask(history=past, k=k, explain=True)])
    assert isinstance(answer, Answer)
    return {item.item_id: item.reason for item in answer.items if item.reason is not None}


def test_a_pin_is_the_reason_and_nothing_else(engine: Engine) -> None:
    past = (Step("i3"), Step("i4"))
    assert reasons_of(engine, past)["i5"].events
    engine.put_rule("watch of the week", {"action": "pin", "item_ids": ["i5"], "position": 2}, by="mei")
    found = reasons_of(engine, past)["i5"]
    assert found == Reason("by rule watch of the week", kind="rule", rule="watch of the week")


def test_a_boost_is_the_reason_where_the_product_would_not_stand_there_without(engine: Engine) -> None:
    past = (Step("i3"), Step("i4"))
    before = reasons_of(engine, past, k=3)
    engine.put_rule("white", {"action": "boost", "filter": "colour:white", "strength": 20}, by="mei")
    found = reasons_of(engine, past, k=3)
    assert set(found) <= {"i12", "i13", "i14", "i15"}
    assert {reason.rule for item, reason in found.items() if item not in before} == {"white"}
    engine.put_rule("white", {"action": "boost", "filter": "colour:green", "strength": 0.01}, by="mei")
    assert {reason.rule for reason in reasons_of(engine, past, k=3).values()} == {None}


def test_a_product_is_never_its_own_reason(place: Path, tmp_path: Path) -> None:
    # Where seen items may be shown again: bought every four days, or looked at.
    artifact = artifacts.load(place)
    artifact.facts["repeat"] = True
    artifacts.save(artifact, tmp_path / "again")
    engine = Engine.open(tmp_path / "again")
    now = time.time()
    past = (*(Step("i3", "purchase", now - day * DAY) for day in (13, 9, 5)), Step("i4", "view", now - 60))
    found = reasons_of(engine, past, k=N)
    assert found["i3"].had is not None
    assert (found["i3"].had.every, found["i3"].had.days, found["i3"].had.times) == (4, 5, 3)
    assert found["i3"].text == "you buy this every 4 days, last 5 days ago"
    relations, find = Relations.of(engine.live.shelf), engine.live.shelf.find
    for item_id, reason in found.items():
        assert not any(relations.one_product(find(item_id), find(event)) for event in reason.events)
    assert any(reason.events for reason in found.values())
