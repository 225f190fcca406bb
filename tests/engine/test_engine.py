import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from endcap import artifact as artifacts
from endcap.data.errors import InputError
from endcap.data.split import split
from endcap.engine.answering import Exploring
from endcap.engine.engine import Engine, EngineConfig
from endcap.engine.requests import Answer, Ask, Step
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.examples import history_of, top_items
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.recurrent import RecurrentConfig
from endcap.models.transitions import TransitionsConfig
from endcap.store.records import Event, ItemChange, Visitor
from tests.engine.artifacts import N, trained
from tests.worlds import circle_table

MODELS = ("transitions", "gru", "transformer")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("shops")
    made = {name: trained(name, folder / name) for name in MODELS}
    made["told"] = trained("gru", folder / "told", use=("tabular", "text"), epochs=10)
    # Put together by hand: validation may well say that on a circle counts alone are enough.
    counts, network = artifacts.load(made["transitions"]), artifacts.load(made["told"])
    assert isinstance(counts.config.model, TransitionsConfig)
    assert isinstance(network.config.model, RecurrentConfig)
    config = replace(network.config, model=HybridConfig(parts=(counts.config.model, network.config.model)))
    model = Hybrid([counts.model, network.model])
    model.counts = torch.ones(N + 1)
    artifacts.save(replace(network, config=config, model=model), folder / "hybrid")
    return made | {"hybrid": folder / "hybrid"}


@pytest.fixture
def engine(places: dict[str, Path], tmp_path: Path) -> Iterator[Engine]:
    opened = Engine.open(places["told"], f"sqlite:///{tmp_path / 'shop.db'}")
    yield opened
    opened.close()


def listed(engine: Engine, ask: Ask) -> Answer:
    (found,) = engine.recommend([ask])
    assert isinstance(found, Answer), found
    return found


def ids(answer: Answer) -> list[str]:
    return [item.item_id for item in answer.items]


def walked(*items: str) -> tuple[Step, ...]:
    return tuple(Step(item) for item in items)


def test_a_product_as_it_is_now(engine: Engine) -> None:
    before = engine.item("i3")
    assert before["title"] == "red thing aaa"
    assert before["colour"] == ["red"]
    engine.put_items([{"item_id": "i3", "price": 5, "colour": ["red", "blue"], "brand": None}])
    assert engine.item("i3") == {name: value for name, value in before.items() if name != "brand"} | {
        "price": 5.0, "colour": ["red", "blue"],
    }  # fmt: skip
    engine.delete_items(["i3"])
    assert engine.item("i3") == engine.item("never") == {}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_served_is_what_was_measured(name: str, places: dict[str, Path]) -> None:
    artifact, engine = artifacts.load(places[name]), Engine.open(places[name])
    queries = split(circle_table(N, 150)).test
    asks, expected = [], []
    for number in range(40):
        history = queries.histories.take(np.array([number]))
        names = [artifact.vocabulary.id(int(item)) for item in history.items]
        times = history.times if history.times is not None else np.full(len(names), np.nan)
        prices = history.values[:, 1]
        asks.append(
            Ask(
                history=tuple(
                    Step(item, time=float(time), price=float(price))
                    for item, time, price in zip(names, times, prices, strict=True)
                )
            )
        )
        expected.append(top_items(artifact, history, 10))
    for found, offline in zip(engine.recommend(asks), expected, strict=True):
        assert isinstance(found, Answer)
        assert ids(found) == [line.id for line in offline]
        assert [item.score for item in found.items] == pytest.approx([line.score for line in offline], abs=1e-4)


def test_a_bare_history_is_read_as_on_the_command_line(places: dict[str, Path]) -> None:
    artifact = artifacts.load(places["gru"])
    history, _ = history_of(["i3", "i4"], artifact)
    answer = listed(Engine.open(places["gru"]), Ask(history=walked("i3", "i4")))
    assert ids(answer) == [line.id for line in top_items(artifact, history, 10)]


def test_the_last_click_counts_in_the_next_answer(engine: Engine) -> None:
    ada = Visitor(user_id="ada")
    before = ids(listed(engine, Ask(ada, k=3)))
    engine.record([Event(ada, "i7", "view")])
    after = ids(listed(engine, Ask(ada, k=3)))
    assert after != before
    assert after[0] == "i8"
    assert "i7" not in ids(listed(engine, Ask(ada, k=100)))  # seen


def test_a_session_that_logs_in_brings_its_past_along(engine: Engine) -> None:
    engine.record([Event(Visitor(session_id="s1"), "i7", "view")])
    assert ids(listed(engine, Ask(Visitor("ada", "s1"), k=1))) == ["i8"]
    assert ids(listed(engine, Ask(Visitor("ada"), k=1))) == ["i8"]


def test_unknown_items_are_named_and_unknown_visitors_get_what_is_popular(engine: Engine) -> None:
    answer = listed(engine, Ask(history=walked("i3", "<script>", "i4"), exclude=("nothing",)))
    assert set(answer.unknown) == {"<script>", "nothing"}
    assert ids(answer)[0] == "i5"
    assert len(ids(listed(engine, Ask(Visitor("never seen"))))) == 10


def test_a_new_product_is_in_the_next_answer_by_what_it_is(engine: Engine) -> None:
    near = {"title": "blue thing ccc", "category": "Things > Quarter 2", "price": 30.0, "colour": "blue"}
    engine.put_items([{"item_id": "fresh", "brand": "brand 1", **near}])
    assert "fresh" in ids(listed(engine, Ask(history=walked("i9", "i10"), k=6)))
    assert "fresh" not in ids(listed(engine, Ask(history=walked("i1", "i2"), k=3)))
    neighbours = ids(engine.similar("fresh", 3))
    assert "i10" in neighbours  # its like in colour, words and brand
    assert ids(listed(engine, Ask(history=walked("fresh"), k=3)))[0] in {"i8", "i9", "i10", "i11", "i12"}
    engine.delete_items(["fresh"])
    assert "fresh" not in ids(listed(engine, Ask(history=walked("i9", "i10"), k=100)))


def test_a_hybrid_is_served_and_scores_new_products_too(places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places["hybrid"], f"sqlite:///{tmp_path / 'shop.db'}")
    artifact = artifacts.load(places["hybrid"])
    history, _ = history_of(["i3", "i4"], artifact)
    assert ids(listed(engine, Ask(history=walked("i3", "i4")))) == [
        line.id for line in top_items(artifact, history, 10)
    ]
    engine.put_items([{"item_id": "fresh", "title": "blue thing ccc", "colour": "blue", "price": 30.0}])
    answer = listed(engine, Ask(history=walked("i9", "i10"), k=N, explain=True))
    assert "fresh" in ids(answer)
    assert len(ids(listed(engine, Ask(history=walked("i9", "fresh"), k=3)))) == 3  # the counts have not heard of it
    assert any(item.reason is not None and item.reason.events for item in answer.items)
    engine.close()


def test_what_a_hybrid_made_once_stays_in_step_with_the_catalogue(places: dict[str, Path]) -> None:
    version = Version.load(places["hybrid"])
    history, _ = history_of(["i3", "i4"], version.artifact)
    batch = version.batch(history, np.ones(1, np.int64), 0.0)
    before = version.retriever.scores(batch)
    torch.testing.assert_close(before, version.artifact.model.score(batch), rtol=0, atol=0)
    fresh = {"item_id": "fresh", "title": "blue thing ccc", "colour": "blue", "price": 30.0}
    told = version.with_changes(
        [ItemChange("fresh", fresh, 1), ItemChange("i3", {"item_id": "i3", "title": "Oil"}, 2)], None
    )
    again = told.with_changes([ItemChange("i4", {"item_id": "i4", "stock": "0"}, 3)], None)  # encoders do not read it
    for each in (told, again):
        scored = each.retriever.scores(batch)
        torch.testing.assert_close(scored, each.artifact.model.score(batch))
        assert scored.shape == (1, N + 2)
        assert scored[0, 3] != before[0, 3]
        assert scored[0, N + 1].isfinite()


@pytest.mark.parametrize("name", MODELS)
def test_models_of_numbers_alone_pass_over_what_came_later(name: str, places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places[name], f"sqlite:///{tmp_path / 'shop.db'}")
    before = ids(listed(engine, Ask(history=walked("i3"), k=3)))
    engine.put_items([{"item_id": f"fresh{n}", "title": "new"} for n in range(5)])
    (answer,) = engine.recommend([Ask(history=(Step("i3"), Step("fresh4")), k=N + 5, explain=True)])
    assert isinstance(answer, Answer)
    assert ids(answer)[:3] == before
    assert not any(item.startswith("fresh") for item in ids(answer))
    engine.close()


def test_price_and_stock_count_at_once(engine: Engine) -> None:
    asked = Ask(history=walked("i3"), filter="price < 5", k=100)
    assert ids(listed(engine, asked)) == []
    engine.put_items([{"item_id": "i5", "price": 4.5, "stock": "0"}])
    answer = listed(engine, asked)
    assert ids(answer) == ["i5"]
    assert answer.items[0].shown["price"] == 4.5
    assert answer.items[0].shown["title"] == "green thing bbb"  # what was not given stays
    assert ids(listed(engine, Ask(history=walked("i3"), filter="price < 5 AND in_stock"))) == []


def test_filters_are_honoured_exactly(engine: Engine) -> None:
    answer = listed(engine, Ask(history=walked("i3"), filter='colour:blue AND NOT brand:"brand 0"', k=100))
    assert {item.shown["brand"] for item in answer.items} == {"brand 1", "brand 2", "brand 3"}
    assert set(ids(answer)) <= {"i8", "i9", "i10", "i11"}
    with pytest.raises(InputError, match="expected"):
        raise engine.recommend([Ask(filter="price <")])[0]  # type: ignore[misc]


def test_one_bad_request_leaves_the_others_of_its_batch_alone(engine: Engine) -> None:
    good, bad, other = engine.recommend([Ask(k=2), Ask(k=0), Ask(goal="review")])
    assert isinstance(good, Answer)
    assert isinstance(bad, InputError)
    assert "k = 0" in str(bad)
    assert isinstance(other, InputError)
    assert "view" in str(other)


def test_batches_answer_as_one_by_one(engine: Engine) -> None:
    asks = [Ask(history=walked(f"i{n}", f"i{n + 1}"), k=5, filter=None if n % 2 else "in_stock") for n in range(8)]
    together = engine.recommend(asks)
    assert [ids(each) for each in together if isinstance(each, Answer)] == [ids(listed(engine, ask)) for ask in asks]


def test_rules_pin_hide_and_boost(engine: Engine) -> None:
    assert engine.store is not None
    asked = Ask(history=walked("i3"), k=5)
    engine.store.put_rule("r1", {"action": "pin", "item_ids": ["i12"], "position": 1}, by="ann", now=0.0)
    engine.store.put_rule("r2", {"action": "hide", "filter": "colour:green"}, by="ann", now=0.0)
    found = listed(engine, asked)
    assert ids(found)[0] == "i12" or ids(found)[1] == "i12"
    assert not {"i4", "i5", "i6", "i7"} & set(ids(found))
    engine.store.delete_rule("r2", by="ann", now=1.0)
    assert "i4" in ids(listed(engine, asked))
    engine.store.put_rule("r3", {"action": "boost", "filter": "colour:white", "strength": 50.0}, by="ann", now=0.0)
    assert {
        item.shown["colour"] for item in listed(engine, Ask(history=walked("i3"), k=3)).items if "colour" in item.shown
    } <= {"white"}


def test_beside_a_product_stand_its_like(engine: Engine) -> None:
    answer = listed(engine, Ask(item_id="i9", slot="product", k=4))
    assert "i9" not in ids(answer)
    assert {"i8", "i10", "i11"} & set(ids(answer)[:2])
    with pytest.raises(InputError, match="item_id"):
        raise engine.recommend([Ask(slot="product")])[0]  # type: ignore[misc]


def test_two_engines_on_one_store_agree(places: dict[str, Path], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    one, two = Engine.open(places["told"], url), Engine.open(places["told"], url)
    one.record([Event(Visitor("ada"), "i7", "view")])
    assert ids(listed(two, Ask(Visitor("ada")))) == ids(listed(one, Ask(Visitor("ada"))))
    one.put_items([{"item_id": "fresh", "title": "blue thing ccc", "colour": "blue", "price": 31.0}])
    asked = Ask(history=walked("i9"), k=100)
    assert ids(listed(two, asked)) == ids(listed(one, asked))
    assert "fresh" in ids(listed(two, asked))
    late = Engine.open(places["told"], url)  # one that starts when all has happened
    assert ids(listed(late, asked)) == ids(listed(one, asked))
    for each in (one, two, late):
        each.close()


def test_a_swap_loses_no_request_and_can_be_rolled_back(places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    failed: list[object] = []
    models: set[str] = set()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            (found,) = engine.recommend([Ask(history=walked("i3"), k=3)])
            if isinstance(found, Answer) and len(found.items) == 3:
                models.add(found.model.split("-")[0])
            else:
                failed.append(found)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    engine.promote(places["transformer"], by="ann")
    assert listed(engine, Ask()).model.startswith("transformer")
    with pytest.raises(InputError, match="no artifact"):
        engine.promote(tmp_path, by="ann")
    engine.roll_back(by="ann")
    assert listed(engine, Ask()).model.startswith("gru")
    done.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert models == {"gru", "transformer"}
    engine.close()
    again = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    assert again.live.name.startswith("gru")
    again.close()


def test_a_candidate_answers_its_share_and_always_the_same_visitors(places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    engine.set_role("candidate", places["transformer"], share=0.3, by="ann")
    asks = [Ask(Visitor(f"u{n}"), k=1) for n in range(200)]
    first = [each.model for each in engine.recommend(asks) if isinstance(each, Answer)]
    again = [each.model for each in engine.recommend(asks) if isinstance(each, Answer)]
    assert first == again
    assert 35 < sum(model.startswith("transformer") for model in first) < 85
    engine.flush()
    assert engine.store is not None
    shown = list(engine.store.shown())
    assert {(one.arm, one.model.split("-")[0]) for one in shown} == {("control", "gru"), ("candidate", "transformer")}
    engine.close()


def test_what_chance_chose_is_written_down(places: dict[str, Path], tmp_path: Path) -> None:
    config = EngineConfig(exploring=Exploring(places=2, pool=5))
    engine = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}", config=config)
    lists = [listed(engine, Ask(history=walked("i3"), k=6)) for _ in range(30)]
    assert len({tuple(ids(each)) for each in lists}) > 5
    assert {tuple(ids(each)[:4]) for each in lists} == {tuple(ids(lists[0])[:4])}
    engine.flush()
    assert engine.store is not None
    for one in engine.store.shown():
        assert [each["place"] for each in one.explored] == [4, 5]
        assert all(one.items[each["place"]] in each["pool"] and 0 < each["chance"] <= 1 for each in one.explored)
    engine.close()


def test_a_first_price_is_no_news_to_encoders(places: dict[str, Path]) -> None:
    version = Version.load(places["told"])
    unpriced = replace(version, shelf=Shelf.of(version.artifact.catalog.without(["price"]), {}))
    price, title = (ItemChange("i3", {"item_id": "i3", **row}, 1) for row in ({"price": 7.0}, {"title": "Lamp"}))
    assert unpriced.news([price], unpriced.shelf.with_changes([price])) == ()
    assert unpriced.news([title], unpriced.shelf.with_changes([title])) == ("i3",)
    assert version.news([price], version.shelf.with_changes([price])) == ("i3",)


@pytest.mark.parametrize("name", ["told", "transitions", "transformer"])
def test_reasons_carry_the_score(name: str, places: dict[str, Path]) -> None:
    # Taking the named events away lowers the score: 200 random histories, each place of their lists.
    random, engine = np.random.default_rng(0), Engine.open(places[name])
    named = 0
    for _ in range(200):
        items = [f"i{number}" for number in random.permutation(N)[: random.integers(1, 8)]]
        past = tuple(Step(item, time=1_000_000.0 + 60 * place) for place, item in enumerate(items))
        answer = listed(engine, Ask(history=past, k=3, explain=True))
        for item in answer.items:
            assert item.reason is not None
            assert item.reason.text
            if not item.reason.events:
                continue
            named += 1
            left = tuple(step for step in past if step.item_id not in item.reason.events)
            without = {each.item_id: each.score for each in listed(engine, Ask(history=left, k=N)).items}
            assert without[item.item_id] < item.score
    assert named > 100
    assert listed(engine, Ask(k=1)).items[0].reason is None


def test_features_that_are_named_carry_the_score(engine: Engine) -> None:
    answer = listed(engine, Ask(history=walked("i8", "i9"), k=5, explain=True))
    named = [item for item in answer.items if item.reason is not None and item.reason.features]
    assert named
    for item in named:
        assert item.reason is not None
        column, _, value = item.reason.features[0].partition(" = ")
        assert str(engine.live.shelf.row(item.item_id)[column]) == value
        engine.put_items([{"item_id": item.item_id, column: None}])
        lower = {each.item_id: each.score for each in listed(engine, Ask(history=walked("i8", "i9"), k=N)).items}
        assert lower[item.item_id] < item.score
        engine.put_items([{"item_id": item.item_id, column: value}])


def test_a_shadow_answers_unheard_and_is_compared(places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    engine.set_role("shadow", places["gru"], by="ann")
    asked = [Ask(history=walked(f"i{n}"), k=5) for n in range(10)]
    assert all(isinstance(each, Answer) and each.model.startswith("gru") for each in engine.recommend(asked))
    engine.set_role("shadow", places["transformer"], by="ann")
    engine.recommend(asked)
    engine.close()
    agreement = engine.about["shadow"]
    assert agreement["lists"] == 20
    assert 0.5 < agreement["shared"] < 1  # with itself 1, with the other less


def test_again_and_new_have_models_of_their_own(places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    ada = Visitor("ada")
    engine.put_items([{"item_id": item, "brand": "brand 3"} for item in ("i0", "i4")])
    engine.record([Event(ada, item, "view", time=n + 1.0) for n, item in enumerate(("i3", "i9", "i4"))])
    plain = {slot: listed(engine, Ask(ada, slot=slot, k=N)) for slot in ("home", "again", "new")}
    assert {answer.model.split("-")[0] for answer in plain.values()} == {"gru"}
    engine.set_role("again", places["transitions"], by="ann")
    engine.set_role("new", places["transitions"], by="ann")
    assert engine.versions["again"] is engine.versions["new"]  # one artifact is read once
    own = {slot: listed(engine, Ask(ada, slot=slot, k=N)) for slot in ("home", "again", "new")}
    assert [answer.model.split("-")[0] for answer in own.values()] == ["gru", "transitions", "transitions"]
    for answers in (plain, own):
        assert set(ids(answers["again"])) == {"i3", "i4", "i9"}  # the log had no purchases: what was looked at
        assert not {"i3", "i4", "i9"} & set(ids(answers["new"]))
    assert not {"i0", "i7"} & set(ids(own["new"]))  # which read like i3 and i4: the same words, the same brand
    assert {"i5", "i6", "i10"} <= set(ids(own["new"]))
    engine.set_role("new", places["gru"], by="ann")
    assert engine.versions["new"] is engine.live
    engine.put_items([{"item_id": "i5", "price": 7.0}])
    assert engine.versions["new"] is engine.live  # after a change of the catalogue too
    engine.promote(places["transformer"], by="ann")
    models = engine.about["models"]
    assert [models[role].split("-")[0] for role in ("live", "again", "new")] == ["transformer", "transitions", "gru"]
    engine.set_role("new", None, by="ann")
    assert listed(engine, Ask(ada, slot="new", k=3)).model.startswith("transformer")
    engine.close()
    again = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    assert listed(again, Ask(ada, slot="again", k=3)).model.startswith("transitions")
    again.close()


def test_a_slot_with_its_own_model_is_no_part_of_a_comparison(places: dict[str, Path], tmp_path: Path) -> None:
    engine = Engine.open(places["gru"], f"sqlite:///{tmp_path / 'shop.db'}")
    engine.set_role("new", places["transitions"], by="ann")
    engine.set_role("candidate", places["transformer"], share=0.5, by="ann")
    engine.set_role("shadow", places["transformer"], by="ann")
    asks = [Ask(Visitor(f"u{n}"), slot=slot, k=2) for n in range(40) for slot in ("home", "new")]
    models = {ask: answer.model.split("-")[0] for ask, answer in zip(asks, engine.recommend(asks), strict=True)
              if isinstance(answer, Answer)}  # fmt: skip
    assert {model for ask, model in models.items() if ask.slot == "new"} == {"transitions"}
    assert {model for ask, model in models.items() if ask.slot == "home"} == {"gru", "transformer"}
    engine.flush()
    assert engine.store is not None
    arms = {(one.visitor.user_id, one.slot): one.arm for one in engine.store.shown()}
    assert all(arms[f"u{n}", "new"] == arms[f"u{n}", "home"] for n in range(40))  # a visitor is in one arm
    engine.close()
    assert engine.about["shadow"]["lists"] == 40
