import numpy as np
import pytest

from endcap.data.errors import InputError
from endcap.features.autoencoder import Autoencoder
from endcap.features.base import Block
from endcap.features.denoiser import AutoencoderConfig
from endcap.features.similar import similar
from tests.features.shops import shop

# Items 1 to 5 on a circle, at these degrees; item 3 has no code.
DEGREES = np.array([0, 0, 10, 20, 90, 180])
ANGLES = np.deg2rad(DEGREES)
PRESENT = np.array([False, True, True, False, True, True])
CODES = Block(
    np.where(PRESENT[:, None], np.column_stack([np.cos(ANGLES), np.sin(ANGLES)]), 0).astype(np.float32),
    PRESENT,
    ("a", "b"),
)


def test_the_nearest_come_first_without_the_item_itself() -> None:
    near = similar(CODES, np.array([1, 4, 3]), k=3)
    assert near.items.tolist() == [[2, 4, 5], [2, 1, 5], [0, 0, 0]]
    np.testing.assert_allclose(near.cosines[0], np.cos(np.deg2rad([10, 90, 180])), atol=1e-6)
    assert near.cosines[2].tolist() == [0, 0, 0]


def test_where_there_are_fewer_than_k_the_rest_is_0() -> None:
    assert similar(CODES, np.array([2]), k=5).items.tolist() == [[1, 4, 5, 0, 0]]
    nothing = Block(np.zeros((3, 2), np.float32), np.zeros(3, np.bool_), ("a", "b"))
    assert similar(nothing, np.array([1]), k=2).items.tolist() == [[0, 0]]
    assert similar(CODES, np.array([], np.int64), k=2).items.shape == (0, 2)


def test_among_some_items_alone() -> None:
    assert similar(CODES, np.array([1, 5]), k=3, among=np.array([3, 4, 5])).items.tolist() == [[4, 5, 0], [4, 0, 0]]


def test_of_equal_ones_the_earlier_comes_first() -> None:
    same = Block(np.ones((2_000, 3), np.float32), np.arange(2_000) > 0, ("a", "b", "c"))
    near = similar(same, np.arange(1, 2_000, 10), k=1_998)
    assert near.items[0].tolist() == list(range(2, 2_000))
    assert near.items[150, :1_500].tolist() == list(range(1, 1_501))


def test_an_item_that_is_not_there_is_an_error() -> None:
    for wrong in (0, 6):
        with pytest.raises(InputError, match=f"found item {wrong}; expected an index from 1 to 5"):
            similar(CODES, np.array([1, wrong]))


def test_products_that_came_after_the_fit_have_neighbours_of_their_kind() -> None:
    world = shop()
    config = AutoencoderConfig(encoder=(64,), code=8, decoder=(64,), epochs=15, batch=64, learning_rate=3e-3)
    codes = Autoencoder(config).fit(world.blocks, np.arange(1, 401)).code(world.blocks)
    new = np.arange(401, 601)
    near = similar(codes, new, k=5)
    assert (world.kinds[near.items] == world.kinds[new][:, None]).mean() > 0.95
