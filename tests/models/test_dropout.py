import pytest
import torch

from endcap.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6])
def test_loses_as_many_as_it_says_each_by_itself_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    layer, n = Dropout(p), 400
    kept = layer(torch.ones(n, n))
    lost = kept == 0
    assert lost.float().mean() == pytest.approx(p, abs=0.005)
    assert kept.mean() == pytest.approx(1, abs=0.01)
    assert kept[~lost].unique().numel() == 1
    for other in (lost.roll(1, 0), lost.roll(1, 1), lost.roll(8, 1), layer(torch.ones(n, n)) == 0):
        assert (lost & other).float().mean() == pytest.approx(p * p, abs=0.005)  # whatever stands beside it


def test_what_is_lost_has_no_gradient() -> None:
    numbers = torch.ones(3, 7, requires_grad=True)  # no multiple of eight
    found = Dropout(0.5)(numbers)
    found.sum().backward()
    assert numbers.grad is not None
    torch.testing.assert_close(numbers.grad, found.detach(), rtol=0, atol=0)


def test_one_seed_draws_one_mask() -> None:
    numbers, layer = torch.ones(50, 50), Dropout(0.3)
    torch.manual_seed(5)
    first = layer(numbers)
    assert not torch.equal(layer(numbers), first)
    torch.manual_seed(5)
    assert torch.equal(layer(numbers), first)


def test_does_nothing_once_trained_or_with_no_chance() -> None:
    numbers = torch.randn(4, 5)
    assert torch.equal(Dropout(0.9).eval()(numbers), numbers)
    assert torch.equal(Dropout(0.0)(numbers), numbers)


def test_a_chance_near_one_leaves_numbers() -> None:
    torch.manual_seed(0)
    assert Dropout(0.999)(torch.ones(100, 100)).isfinite().all()
