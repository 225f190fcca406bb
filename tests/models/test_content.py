"""Networks that are told what products are: a circle of items, some of which nobody has had yet."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from endcap.config import model
from endcap.data.batch import ask
from endcap.data.errors import InputError
from endcap.data.split import Queries, Split, split
from endcap.evaluation import evaluate
from endcap.features.base import Content, Packed
from endcap.fitting import fit, keep_chosen
from endcap.models import Network, Traits, build
from endcap.models.content import ItemContent
from endcap.models.items import ItemTable
from endcap.models.sequence import SequenceNetwork
from endcap.models.taste import Taste
from endcap.training import Fitted, Task, TrainConfig
from tests.worlds import circle_table

NETWORKS = ("rnn", "lstm", "gru", "transformer")
N = 24
NEW = ("i5", "i17")
TRAIN = TrainConfig(epochs=12, patience=0, batch_tokens=64, learning_rate=4e-3, warmup=5)


def world() -> Split:
    """A circle of 24; training never saw the new ones, the catalogue has them and one that no one gets."""
    table = circle_table(N, 200)
    parts = table["part"].to_pylist()
    items = table["item_id"].to_pylist()
    keep = [part != "train" or item not in NEW for part, item in zip(parts, items, strict=True)]
    return split(table.filter(keep), catalog_ids=[f"i{number}" for number in range(N)] + ["i99"])


def content(parts: Split) -> Content:
    """Where an item stands on the circle, at three resolutions; i99 stands nowhere. Attributes: which quarter."""
    rows, owned = [np.zeros(6)], [0, 0]
    ids = []
    for item_id in parts.train.vocabulary.ids:
        number = int(item_id[1:])
        angle = 2 * np.pi * number / N
        waves = [f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)]
        rows.append(np.array(waves) if number < N else np.zeros(6))
        ids += [number * 4 // N] if number < N else []
        owned.append(len(ids))
    packed = Packed(np.array(owned), np.array(ids), tuple(f"quarter = {q}" for q in range(4)))
    return Content(np.array(rows, np.float32), packed)


@pytest.fixture(scope="module")
def parts() -> Split:
    return world()


def network(name: str, parts: Split) -> Fitted:
    return fit(model(name, dim=32), parts.train, parts.valid, TRAIN, Task(), content=content(parts))


@pytest.fixture(scope="module")
def fitted(parts: Split) -> Fitted:
    return network("gru", parts)


def new_answers(parts: Split) -> np.ndarray:
    """(targets,) which answers had no training event."""
    return np.isin(parts.test.targets, parts.train.vocabulary.index(NEW))


@pytest.mark.parametrize("name", NETWORKS)
def test_what_nobody_has_bought_yet_is_recommended_by_its_content(name: str, parts: Split) -> None:
    ranks = evaluate(network(name, parts).model, parts.test).ranks
    cold = new_answers(parts)
    assert cold.sum() > 10
    assert (ranks[cold] <= 3).mean() > 0.7
    assert (ranks[~cold] == 1).mean() > 0.7


def test_without_content_new_items_come_last(parts: Split) -> None:
    blind = fit(
        model("gru", dim=32, items={"content": False}), parts.train, parts.valid, TRAIN, Task(), content=content(parts)
    )
    ranks = evaluate(blind.model, parts.test).ranks
    assert (ranks[new_answers(parts)] > N - 10).all()
    with pytest.raises(InputError, match="by their number alone"):
        blind.model.extend(content(parts))  # type: ignore[union-attr]


def test_state_dict_is_the_whole_model(fitted: Fitted, parts: Split) -> None:
    fresh = build(fitted.config, Traits.of(parts.train, content(parts))).eval()
    fresh.load_state_dict(fitted.model.state_dict())
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    assert torch.equal(fresh.score(batch)[:, 1:], fitted.model.score(batch)[:, 1:])


@pytest.mark.parametrize("newness", [0.5, -0.5])
def test_an_extended_model_scores_as_if_it_had_known_the_item_from_the_start(
    newness: float, fitted: Fitted, parts: Split
) -> None:
    """But for this: that an item had no event in training says nothing against one that came later."""
    network, whole = copy.deepcopy(fitted.model), content(parts)
    assert isinstance(network, SequenceNetwork)
    network.items.newness.fill_(newness)
    angle = 2 * np.pi * 5 / N  # another one where i5 stands
    row = np.array([[f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)]], np.float32)
    packed = whole.attributes
    more = Content(
        np.concatenate([whole.vectors, row]),
        Packed(np.append(packed.offsets, packed.offsets[-1] + 1), np.append(packed.ids, 5 * 4 // N), packed.names),
    )
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked)
    with torch.inference_mode():
        before, after = network.score(batch), network.extend(more).score(batch)
    torch.testing.assert_close(after[:, 1 : before.shape[1]], before[:, 1:])
    twin = int(parts.train.vocabulary.index(["i5"])[0])
    torch.testing.assert_close(after[:, -1], before[:, twin] - min(newness, 0))
    assert before.shape[1] == N + 2
    assert network.score(batch).shape == before.shape  # the first one is as it was


def test_new_items_are_shown_as_often_as_validation_asks_for_them(parts: Split) -> None:
    """Where all validation answers are new, a network that never saw one must put them first."""
    cold = np.isin(parts.test.targets, parts.train.vocabulary.index(NEW))
    asked = parts.test.take(np.flatnonzero(cold))
    config = model("gru", dim=32)
    hopeful = fit(config, parts.train, asked, dataclasses.replace(TRAIN, epochs=1), Task(), content=content(parts))
    known = parts.valid.take(np.flatnonzero(~np.isin(parts.valid.targets, parts.train.vocabulary.index(NEW))))
    never = fit(config, parts.train, known, dataclasses.replace(TRAIN, epochs=1), Task(), content=content(parts))
    first_new = int(parts.train.items.max()) + 1

    def mass(found: Fitted, queries: Queries) -> float:
        with torch.no_grad():
            scored = found.model.score(ask(queries.histories, queries.goals, queries.asked))
        scored[torch.from_numpy(queries.histories.owners), torch.from_numpy(queries.histories.items)] = -torch.inf
        return float(scored[:, 1:].softmax(1)[:, first_new - 1 :].sum(1).mean())

    assert mass(hopeful, asked) == pytest.approx((len(asked) + 1) / (len(asked) + 2), abs=1e-3)
    assert mass(never, known) == pytest.approx(1 / (len(known) + 2), abs=1e-3)


def test_the_refit_keeps_what_validation_said_of_new_items(fitted: Fitted, parts: Split) -> None:
    again = fit(fitted.config, parts.train, None, dataclasses.replace(TRAIN, epochs=1), Task(), content=content(parts))
    assert isinstance(again.model, SequenceNetwork)
    assert isinstance(fitted.model, SequenceNetwork)
    assert again.model.items.newness == 0
    keep_chosen(fitted.model, again.model)
    assert again.model.items.newness == fitted.model.items.newness != 0


def test_attributes_of_the_next_item_are_learned(parts: Split) -> None:
    config = model("gru", dim=32, items={"attribute_loss": 1.0})
    found = fit(config, parts.train, parts.valid, TRAIN, Task(), content=content(parts)).model
    assert isinstance(found, SequenceNetwork)
    assert found.items.content is not None
    asked = parts.valid.take(np.flatnonzero(parts.valid.targets > 0))
    with torch.inference_mode():
        queries = found.encode(ask(asked.histories, asked.goals, asked.asked))[:, :32]
        loss = found.items.content.attribute_loss(queries, torch.from_numpy(asked.targets))
    assert loss < 0.7  # of ln 4 = 1.39 by chance


def test_the_vector_of_an_item_is_its_own_plus_what_its_content_says(parts: Split) -> None:
    traits = Traits.of(parts.train, content(parts))
    torch.manual_seed(0)
    table = ItemTable(traits, 8, model("gru").loss, model("gru").items).eval()  # type: ignore[union-attr]
    table.observe(torch.ones(traits.known + 1), content(parts))
    assert isinstance(table.content, ItemContent)
    items = torch.tensor([1, traits.known, traits.known + 1])
    said = table.content(items)[:, :-1]
    torch.testing.assert_close(table(items)[:2], table.weight[items[:2]] + said[:2])
    torch.testing.assert_close(table(items)[2], said[2])


def test_attributes_are_averaged(parts: Split) -> None:
    whole = content(parts)
    names = ("a", "b")
    two = Content(whole.vectors[:4] * 0, Packed(np.array([0, 0, 2, 3, 3]), np.array([0, 1, 1]), names))
    traits = dataclasses.replace(Traits.of(parts.train, two), n_items=3)
    module = ItemContent(5, traits)
    module.observe(two)
    found, rows = module(torch.tensor([1, 3, 2, 0])), module.of_attribute
    torch.testing.assert_close(found, torch.stack([rows.mean(0), rows[0] * 0, rows[1], rows[0] * 0]))


def test_taste_forgets_and_sees_only_what_came_before() -> None:
    taste = Taste(2, 1.0)
    with torch.no_grad():
        taste.forgetting.zero_()  # an event counts half of the one after it
    events = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    offsets = torch.tensor([0, 3, 3, 4])
    found = taste(events, offsets)
    expected = torch.nn.functional.normalize(torch.tensor([[1, 0], [0.5, 1], [0.25, 1.5], [3, 0]]), dim=1)
    torch.testing.assert_close(found, expected)


def test_id_dropout_is_for_training_alone(parts: Split) -> None:
    traits = Traits.of(parts.train, content(parts))
    items = dataclasses.replace(model("gru").items, id_dropout=0.5)  # type: ignore[union-attr]
    table = ItemTable(traits, 8, model("gru").loss, items)  # type: ignore[union-attr]
    table.observe(torch.ones(traits.known + 1), content(parts))
    assert table.content is not None
    everything = torch.arange(1, traits.known + 1)
    alone = (table.train()(everything) == table.content(everything)[:, :-1]).all(1)
    assert 0 < alone.sum() < traits.known
    assert not (table.eval()(everything) == table.content(everything)[:, :-1]).all(1).any()


def test_the_nearest_items_are_neighbours_on_the_circle(fitted: Fitted, parts: Split) -> None:
    assert isinstance(fitted.model, Network)
    near = fitted.model.alike(3)
    assert near.shape == (N - len(NEW) + 1, 3)
    assert (near[0] == 0).all()
    assert not (near[1:] == np.arange(1, len(near))[:, None]).any()
    assert near[1:].min() >= 1
