import pytest
import torch
import torch.nn.functional as F

from endcap.models import losses
from endcap.models.losses import LossConfig, full_softmax, sampled_softmax


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("chunk", [1, 50, 10_000])
def test_the_full_softmax_is_cross_entropy_in_chunks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, chunk: int
) -> None:
    monkeypatch.setattr(losses, "CHUNK", chunk)
    torch.manual_seed(0)
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((9, 4), (21, 4), (21,))]
    hidden, table, bias = inputs
    targets = torch.randint(1, 21, (9,))
    expected = F.cross_entropy(hidden @ table[1:].T + bias[1:], targets - 1, label_smoothing=smoothing)
    slopes = torch.autograd.grad(3 * expected, inputs)
    found = full_softmax(hidden, table, bias, targets, smoothing)
    torch.testing.assert_close(found, expected)
    for slope, other in zip(slopes, torch.autograd.grad(3 * found, inputs), strict=True):
        torch.testing.assert_close(slope, other)


def test_the_sampled_softmax_estimates_the_full_one() -> None:
    """Over many draws of negatives the corrected sum of exponentials is that of all items."""
    torch.manual_seed(0)
    hidden, table = torch.randn(5, 8) / 3, torch.randn(41, 8)
    bias, targets = torch.zeros(41), torch.randint(1, 41, (5,))
    chances = torch.rand(40) + 0.1
    chances /= chances.sum()
    drawn = 1 + torch.multinomial(chances, 200_000, replacement=True)
    log_q = (chances[drawn - 1] * len(drawn)).log()
    positives = (hidden * table[targets]).sum(1)
    found = sampled_softmax(hidden, targets, positives, table[drawn], drawn, log_q)
    torch.testing.assert_close(found, full_softmax(hidden, table, bias, targets), rtol=2e-2, atol=2e-2)


def test_auto_samples_large_catalogues() -> None:
    config = LossConfig(negatives=100)
    assert not config.samples(400)
    assert config.samples(401)
    assert not LossConfig(name="full").samples(10**6)
