"""A network goes on from another: the circle, where items have come, gone and changed places."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from endcap.config import model
from endcap.data.batch import ask
from endcap.data.errors import InputError
from endcap.data.split import Split, split
from endcap.data.vocabulary import Vocabulary
from endcap.evaluation import evaluate
from endcap.features.base import Content, Packed
from endcap.fitting import fit
from endcap.models import Network, Traits, build
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.warm import Start, warm_start
from endcap.training import Task, TrainConfig
from tests.worlds import circle_table

N = 16
TRAIN = TrainConfig(epochs=15, patience=0, batch_tokens=64, learning_rate=4e-3, warmup=5)


def world(without: str = "", *, reverse: bool = False, kinds: tuple[str, ...] = ("view",)) -> Split:
    """The circle, perhaps without an item, or with the users in another order, which is another vocabulary."""
    table = circle_table(N, 150, kinds=kinds)
    table = table.filter([item != without for item in table["item_id"].to_pylist()])
    if reverse:
        table = table.take(list(range(len(table) - 1, -1, -1)))
        table = table.set_column(0, "row", pa.array(range(1, len(table) + 1)))
    return split(table)


def content(vocabulary: Vocabulary) -> Content:
    """The angle on the circle."""
    angles = [2 * np.pi * int(item_id[1:]) / N for item_id in vocabulary.ids]
    waves = [[f(k * angle) for k in (1, 2, 3) for f in (np.cos, np.sin)] for angle in angles]
    nothing = Packed(np.zeros(len(angles) + 2, np.int64), np.zeros(0, np.int64), ())
    return Content(np.array([[0.0] * 6, *waves], np.float32), nothing)


def trained(name: str, parts: Split, told: Content | None = None) -> Network:
    found = fit(model(name, dim=16), parts.train, None, TRAIN, Task(), content=told).model
    assert isinstance(found, Network)
    return found


def fresh(name: str, parts: Split, told: Content | None = None) -> Network:
    torch.manual_seed(7)
    made = build(model(name, dim=16), Traits.of(parts.train, told))
    assert isinstance(made, Network)
    made.observe(parts.train, told)
    return made.eval()


def scored(network: Network, parts: Split, ids: list[str]) -> torch.Tensor:
    """The scores of some items after the test histories, in the order of the users' names."""
    order = np.argsort(parts.test.user_ids)
    queries = parts.test.take(order)
    batch = ask(queries.histories, queries.goals, queries.asked, last=network.history)
    return network.score(batch)[:, parts.train.vocabulary.index(ids)]


@pytest.mark.parametrize("name", ["gru", "lstm", "transformer"])
def test_scores_are_those_of_before_though_every_index_has_changed(name: str) -> None:
    before, after = world(), world(reverse=True)
    assert before.train.vocabulary != after.train.vocabulary
    old, new = trained(name, before), fresh(name, after)
    ids = [f"i{number}" for number in range(N)]
    with torch.no_grad():
        assert not torch.allclose(scored(new, after, ids), scored(old, before, ids), atol=0.1)
        warm_start(new, old, before.train.vocabulary, after.train.vocabulary)
        torch.testing.assert_close(scored(new, after, ids), scored(old, before, ids), atol=1e-3, rtol=1e-3)


def test_a_product_that_has_got_events_begins_near_those_it_is_bought_with() -> None:
    before, after = world(without="i5"), world()
    old, new = trained("gru", before), fresh("gru", after)
    warm_start(new, old, before.train.vocabulary, after.train.vocabulary)
    near = new.alike(4)[int(after.train.vocabulary.index(["i5"])[0])]
    assert {"i4", "i6"} & {after.train.vocabulary.id(int(item)) for item in near}


def test_with_content_a_new_product_begins_as_what_is_known_of_it() -> None:
    before, after = world(without="i5"), world()
    earlier, later = before.train.vocabulary, after.train.vocabulary
    old, new = trained("gru", before, content(earlier)), fresh("gru", after, content(later))
    warm_start(new, old, earlier, later)
    served, _ = old.extend(content(earlier.extend(["i5"]))).table(torch.tensor([len(earlier) + 1]))
    begun, _ = new.table(torch.from_numpy(later.index(["i5"])))
    torch.testing.assert_close(begun, served)


def test_what_the_old_one_was_not_told_begins_as_nothing() -> None:
    before, after = world(), world(kinds=("view", "purchase"))
    old, new = trained("gru", before), fresh("gru", after)
    assert {"context.kind.weight", "question.goal.weight"} <= {*new.state_dict()} - {*old.state_dict()}
    warm_start(new, old, before.train.vocabulary, after.train.vocabulary)
    ids = [f"i{number}" for number in range(N)]
    with torch.no_grad():
        torch.testing.assert_close(scored(new, after, ids), scored(old, before, ids), atol=1e-3, rtol=1e-3)


def test_statistics_stay_those_of_the_new_log() -> None:
    before, after = world(without="i5"), world()
    old, new = trained("gru", before), fresh("gru", after)
    counts = new.state_dict()["items.counts"].clone()
    warm_start(new, old, before.train.vocabulary, after.train.vocabulary)
    assert torch.equal(new.state_dict()["items.counts"], counts)
    assert torch.equal(new.state_dict()["items.weight"][0], torch.zeros(16))  # padding


def test_one_epoch_from_a_start_is_worth_more_than_one_from_nothing() -> None:
    before, after = world(without="i5"), world(reverse=True)
    old = trained("gru", before)
    quick = TrainConfig(epochs=1, batch_tokens=64, learning_rate=4e-3, warmup=5)
    start = Start(old, before.train.vocabulary)
    cold, warm = (
        fit(model("gru", dim=16, start="random"), after.train, after.valid, quick, Task(), start=each).model
        for each in (None, start)
    )
    cold_hits, warm_hits = (evaluate(each, after.test).metric("hr@1").mean() for each in (cold, warm))
    assert warm_hits > cold_hits + 0.3


def hybrid(*dims: int) -> HybridConfig:
    parts = [{"name": "transitions"}, *({"name": "gru", "dim": dim, "start": "random"} for dim in dims)]
    found = model("hybrid", parts=parts, worth=0.0, rerank=0)
    assert isinstance(found, HybridConfig)
    return found


def test_the_networks_of_a_hybrid_go_on_each_from_its_own() -> None:
    before, after = world(without="i5"), world(reverse=True)
    old = fit(hybrid(16, 8, 8), before.train, None, TRAIN, Task()).model
    assert isinstance(old, Hybrid)
    start = Start(old, before.train.vocabulary)
    found = [None if each is None else each.model for each in start.of_parts(hybrid(8, 16, 32))]
    assert found == [None, old.members[2], old.members[1], None]
    still = replace(TRAIN, epochs=1, learning_rate=1e-9)
    new = fit(hybrid(8, 16), after.train, after.valid, still, Task(), start=start).model
    assert isinstance(new, Hybrid)
    ids = [f"i{number}" for number in range(N) if number != 5]
    for network, was in ((new.members[1], old.members[2]), (new.members[2], old.members[1])):
        rows, earlier = after.train.vocabulary.index(ids), before.train.vocabulary.index(ids)
        weights = network.state_dict()["items.weight"][rows]
        torch.testing.assert_close(weights, was.state_dict()["items.weight"][earlier])


def test_a_single_network_is_no_start_for_a_hybrid() -> None:
    parts = world()
    start = Start(trained("gru", parts), parts.train.vocabulary)
    with pytest.raises(InputError, match="single network"):
        fit(hybrid(16), parts.train, None, TRAIN, Task(), start=start)


def test_another_sort_of_network_is_no_start() -> None:
    parts = world()
    with pytest.raises(InputError, match="cannot go on from a Recurrent with a Transformer"):
        warm_start(fresh("transformer", parts), fresh("gru", parts), Vocabulary(()), parts.train.vocabulary)
