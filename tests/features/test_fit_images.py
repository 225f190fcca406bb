import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from endcap.features.augment import NO_CHANGE
from endcap.features.fit_images import LabelledPhotos, PhotoTrainConfig, accuracy, fit_network, joint_loss, look
from endcap.features.images import CompactCnn, PhotoNetwork, SmallCnn, folded, has_bfloat16, pictures_of
from tests.features.shapes import world

CONFIG = PhotoTrainConfig(epochs=2, batch=16, smoothing=0, augment=NO_CHANGE)


def photos(n: int = 64) -> LabelledPhotos:
    catalog, given = world(n)
    codes = np.array([[catalog.categories[i] == "disc", -1] for i in range(1, n + 1)], dtype=np.int64)
    return LabelledPhotos(given.pixels, np.arange(n), codes)


def compact(seed: int = 0) -> PhotoNetwork:
    torch.manual_seed(seed)
    return PhotoNetwork(CompactCnn(32, 16, 8), (2, 3), dropout=0.0)


def test_the_loss_is_the_mean_over_what_is_known() -> None:
    logits = [torch.zeros(3, 4), torch.tensor([[0.0, math.log(3)], [9, 9], [9, 9]])]
    codes = torch.tensor([[0, 1], [3, -1], [-1, -1]])
    priors = [torch.zeros(4), torch.zeros(2)]
    expected = math.log(4) + 0.5 * math.log(4 / 3)
    assert joint_loss(logits, codes, priors, replace(CONFIG, others=0.5)).item() == pytest.approx(expected)
    unknown = torch.full_like(codes, -1)
    assert joint_loss(logits, unknown, priors, CONFIG).item() == 0


def test_balance_asks_for_more_where_a_class_is_rare() -> None:
    logits, prior = [torch.zeros(1, 2)], [torch.tensor([0.9, 0.1]).log()]
    config = replace(CONFIG, balance=1)
    common, rare = (joint_loss(logits, torch.tensor([[code]]), prior, config).item() for code in (0, 1))
    assert common == pytest.approx(-math.log(0.9))
    assert rare == pytest.approx(-math.log(0.1))


def test_the_same_seed_gives_the_same_network() -> None:
    def weights(seed: int) -> torch.Tensor:
        network = compact()
        fit_network(network, photos(), None, replace(CONFIG, seed=seed))
        return torch.cat([each.detach().flatten() for each in network.parameters()])

    torch.testing.assert_close(weights(1), weights(1))
    assert not torch.allclose(weights(1), weights(2))


def test_it_ends_with_the_epoch_that_was_best_on_validation() -> None:
    network, given = compact(), photos()
    epochs = fit_network(network, given, given, replace(CONFIG, epochs=5, learning_rate=0.02))
    best = max(epoch.accuracy[0] for epoch in epochs)
    assert accuracy(look(network, given.pixels)[0][0], given.codes[:, 0]) == best
    assert all(math.isnan(epoch.accuracy[1]) for epoch in epochs)


def test_what_has_no_rate_stays_as_it_was() -> None:
    network = compact()
    before = {name: each.clone() for name, each in network.named_parameters()}
    fit_network(network, photos(), None, CONFIG, rates=lambda name: float(name.startswith("heads.0.")))
    changed = [name for name, each in network.named_parameters() if not torch.equal(each, before[name])]
    assert changed == ["heads.0.weight", "heads.0.bias"]


def test_a_folded_network_says_the_same() -> None:
    network = compact()
    fit_network(network, photos(), None, CONFIG)
    pictures = pictures_of(torch.from_numpy(photos(8).pixels), 32)
    fast = folded(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    with torch.no_grad():
        expected, found = network(pictures)[1], fast.float()(pictures)[1]
    tolerance = 0.05 if has_bfloat16() else 1e-4
    assert (found - expected).abs().max() < tolerance * expected.abs().max()


@pytest.mark.parametrize("size", [20, 28, 64])
def test_pictures_of_any_size_are_looked_at(size: int) -> None:
    pixels = np.zeros((3, size, size, 3), np.uint8)
    for trunk in (SmallCnn(), CompactCnn(32, 16, 8)):
        logits, vectors = look(PhotoNetwork(trunk, (2, 5), 0.5), pixels)
        assert [each.shape for each in logits] == [(3, 2), (3, 5)]
        assert vectors.shape == (3, trunk.dim)


def test_fewer_photos_than_a_batch_are_one_batch() -> None:
    epochs = fit_network(compact(), photos(5), None, CONFIG)
    assert [math.isfinite(epoch.loss) for epoch in epochs] == [True, True]
    assert epochs[0].accuracy == ()
