import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from endcap.features.gradcam import heat
from endcap.features.images import CompactCnn, PhotoNetwork, Trunk
from tests.features.shapes import world


class Channels(Trunk):
    """Its maps are red, green and blue, its vector their means."""

    size, dim, any_size = 32, 3, True

    def maps(self, pictures: Tensor) -> Tensor:
        return F.avg_pool2d(pictures, 4)

    def pool(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))


def test_the_heat_is_where_the_class_is() -> None:
    network = PhotoNetwork(Channels(), (1, 2), dropout=0.5)
    head = network.heads[1]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, -1, 0], [0, -1, 1]]))  # class 0: red; class 1: blue
    pixels = np.zeros((2, 32, 32, 3), np.uint8)
    pixels[:, :16, :16, 0] = 200  # red above on the left
    pixels[:, 16:, 16:, 2] = 100  # blue below on the right
    pixels[:, :16, 16:] = (100, 255, 0)  # green speaks against both
    pixels.flags.writeable = False  # as the memory-mapped ones of an album
    red, blue = heat(network, pixels, 1, np.array([0, 1]))
    assert red.shape == (32, 32)
    assert (red[:12, :12].min(), red[20:].max(), red[:12, 20:].max()) == pytest.approx((1, 0, 0))
    assert (blue[20:, 20:].min(), blue[:12].max()) == pytest.approx((1, 0))


def test_nothing_speaks_for_a_class_of_a_black_picture() -> None:
    network = PhotoNetwork(Channels(), (2,), dropout=0)
    assert not heat(network, np.zeros((1, 32, 32, 3), np.uint8), 0, np.array([1])).any()


def test_the_compact_network_can_be_asked() -> None:
    torch.manual_seed(0)
    _, photos = world(5)
    seen = heat(PhotoNetwork(CompactCnn(64, 16, 8), (2, 3), 0), photos.pixels, 1, np.array([0, 1, 2, 0, 1]))
    assert seen.shape == (5, 32, 32)
    assert seen.min() >= 0
    assert seen.max() <= 1
