from pathlib import Path

import numpy as np
import pytest
import torch

from endcap.config import model as config
from endcap.data.batch import Batch, ask
from endcap.data.interactions import Histories
from endcap.engine.retrieval import NO_PLACES, Indexed, Product, Restriction, retriever
from endcap.models import Network, Traits, build

N, ASKED = 30_000, 60


@pytest.fixture(scope="module")
def network() -> Network:
    # Vectors as training leaves them: many small groups of unequal size, and biases of popularity.
    torch.manual_seed(0)
    made = build(config("gru", dim=32, start="random"), Traits(N, N, (1,), False, (False, False, False)))
    random = np.random.default_rng(0)
    groups = random.normal(size=(600, 32))
    own = groups[random.zipf(1.3, N) % 600] + 0.3 * random.normal(size=(N, 32))
    with torch.no_grad():
        made.items.weight[1:] = torch.from_numpy(own).float()  # type: ignore[union-attr, index, operator]
        made.items.bias[1:] = torch.from_numpy(random.gumbel(size=N)).float()  # type: ignore[union-attr, index, operator]
    assert isinstance(made, Network)
    return made.eval()


@pytest.fixture(scope="module")
def indexed(network: Network) -> Indexed:
    found = retriever(network, exact_up_to=1000)
    assert isinstance(found, Indexed)
    return found


@pytest.fixture(scope="module")
def product(network: Network) -> Product:
    found = retriever(network)
    assert isinstance(found, Product)
    return found


@pytest.mark.parametrize("exact_up_to", [1_000, N])
def test_what_was_made_once_is_kept_for_the_next_process(network: Network, exact_up_to: int, tmp_path: Path) -> None:
    file, batch = tmp_path / "served.safetensors", questions()
    free, nothing = [Restriction()] * ASKED, [NO_PLACES] * ASKED

    def found(file: Path | None) -> list[tuple[list[int], list[float]]]:
        lists = retriever(network, exact_up_to=exact_up_to, file=file).find(batch, free, nothing, 10)
        return [(each.items.tolist(), each.scores.tolist()) for each in lists]

    first = found(file)
    written = file.stat().st_mtime_ns
    assert first == found(None)
    assert found(file) == first
    assert file.stat().st_mtime_ns == written
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    file.write_bytes(file.read_bytes()[:1000])  # half of it, as a full disk would leave it
    assert found(file) == first
    assert file.stat().st_size > 1000
    assert found(tmp_path / "not there" / "served.safetensors") == first  # where nothing can be written


def questions() -> Batch:
    random = np.random.default_rng(1)
    items = random.integers(1, N + 1, (ASKED, 5))
    histories = Histories(
        items.ravel(), np.ones(items.size, np.int64), None, np.full((items.size, 3), np.nan, np.float32),
        np.arange(ASKED + 1) * 5,
    )  # fmt: skip
    return ask(histories, np.ones(ASKED, np.int64))


def test_an_index_finds_nearly_all_that_a_product_finds(indexed: Indexed, product: Product) -> None:
    batch, free, nothing = questions(), [Restriction()] * ASKED, [NO_PLACES] * ASKED
    near, true = indexed.find(batch, free, nothing, 10), product.find(batch, free, nothing, 10)
    shares = [len(np.intersect1d(a.items, b.items)) / 10 for a, b in zip(near, true, strict=True)]
    assert np.mean(shares) > 0.95
    assert indexed.recall > 0.98
    assert indexed.candidates < N / 5  # otherwise it saves nothing
    for a, b in zip(near, true, strict=True):
        same = dict(zip(b.items.tolist(), b.scores.tolist(), strict=True))
        assert all(
            score == pytest.approx(same[item], abs=1e-4)
            for item, score in zip(a.items.tolist(), a.scores, strict=True)
            if item in same
        )
    torch.testing.assert_close(indexed.scores(batch), product.scores(batch), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.001])
def test_filters_are_honoured_exactly_by_both(share: float, indexed: Indexed, product: Product) -> None:
    batch = questions()
    allowed = np.random.default_rng(2).random(N + 1) < share
    allowed[0] = False
    true = product.find(batch, [Restriction(allowed)] * ASKED, [NO_PLACES] * ASKED, 10)
    near = indexed.find(batch, [Restriction(allowed)] * ASKED, [NO_PLACES] * ASKED, 10)
    for a, b in zip(near, true, strict=True):
        assert len(a.items) == 10
        assert allowed[a.items].all()
        assert allowed[b.items].all()
    shares = [len(np.intersect1d(a.items, b.items)) / 10 for a, b in zip(near, true, strict=True)]
    assert np.mean(shares) > (0.999 if share < 0.5 else 0.93)


def test_what_was_seen_is_not_found(indexed: Indexed, product: Product) -> None:
    batch = questions()
    for each in (indexed, product):
        first = [found.items[:3] for found in each.find(batch, [Restriction()] * ASKED, [NO_PLACES] * ASKED, 3)]
        second = each.find(batch, [Restriction()] * ASKED, first, 3)
        assert not any(np.isin(found.items, seen).any() for found, seen in zip(second, first, strict=True))
        assert all(len(found.items) == 3 for found in second)


def test_a_boost_reaches_products_that_the_index_would_not_have_found(indexed: Indexed, product: Product) -> None:
    batch = questions()
    bonus = np.zeros(N + 1, np.float32)
    bonus[17] = 100.0
    for each in (indexed, product):
        found = each.find(batch, [Restriction(bonus=bonus)] * ASKED, [NO_PLACES] * ASKED, 3)
        assert all(one.items[0] == 17 for one in found)


def test_a_boost_with_products_that_cannot_be_scored_orders_the_others(network: Network, product: Product) -> None:
    grown = product.changed(network, NO_PLACES, N + 5)
    bonus = np.zeros(N + 6, np.float32)
    bonus[[17, N + 2]] = 100.0
    found = grown.find(questions(), [Restriction(bonus=bonus)] * ASKED, [NO_PLACES] * ASKED, 3)
    assert all(one.items[0] == 17 and np.isfinite(one.scores).all() for one in found)


def test_changed_and_new_rows_count_at_once(network: Network, indexed: Indexed, product: Product) -> None:
    # A model of numbers alone has nothing to say of a new item: it exists, and is never found.
    batch = questions()
    for each in (indexed, product):
        grown = each.changed(network, NO_PLACES, N + 5)
        scored = grown.scores(batch)
        assert scored.shape == (ASKED, N + 6)
        assert (scored[:, N + 1 :] == -torch.inf).all()
        found = grown.find(batch, [Restriction()] * ASKED, [NO_PLACES] * ASKED, 3)
        assert all((one.items <= N).all() for one in found)
