import pytest
import torch
import torch.nn.functional as F

from endcap.models import losses
from endcap.models.losses import LossConfig, full_softmax, sampled_softmax


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("chunk", [1, 50, 10_000])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_the_full_softmax_is_cross_entropy_in_chunks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, chunk: int, scale: float
) -> None:
    """Also where the logits are so far apart that exponentials of the usual shift would vanish."""
    monkeypatch.setattr(losses, "CHUNK", chunk)
    torch.manual_seed(0)
    inputs = [scale * torch.randn(shape, dtype=torch.float64) for shape in ((9, 4), (21, 4), (21,))]
    hidden, table, bias = (each.requires_grad_() for each in inputs)
    targets = torch.randint(1, 21, (9,))
    expected = F.cross_entropy(hidden @ table[1:].T + bias[1:], targets - 1, label_smoothing=smoothing)
    slopes = torch.autograd.grad(3 * expected, (hidden, table, bias))
    found = full_softmax(hidden, table, bias, targets, smoothing)
    torch.testing.assert_close(found, expected)
    for slope, other in zip(slopes, torch.autograd.grad(3 * found, (hidden, table, bias)), strict=True):
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


@pytest.mark.parametrize("chunk", [1, 50, 10_000])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_the_sampled_softmax_leaves_out_a_negative_that_is_the_answer(
    monkeypatch: pytest.MonkeyPatch, chunk: int, scale: float
) -> None:
    """Against the plain formula, its slopes included."""
    monkeypatch.setattr(losses, "CHUNK", chunk)
    torch.manual_seed(0)
    shapes = ((9, 4), (9,), (30, 4), (30,))
    inputs = [(scale * torch.randn(shape, dtype=torch.float64)).requires_grad_() for shape in shapes]
    hidden, positives, negatives, log_q = inputs
    targets, drawn = torch.randint(1, 12, (9,)), torch.randint(1, 12, (30,))
    assert (drawn == targets.unsqueeze(1)).any(1).all()
    logits = (hidden @ negatives.T - log_q).masked_fill(drawn == targets.unsqueeze(1), -torch.inf)
    expected = F.cross_entropy(torch.cat([positives.unsqueeze(1), logits], 1), torch.zeros(9, dtype=torch.int64))
    found = sampled_softmax(hidden, targets, positives, negatives, drawn, log_q)
    torch.testing.assert_close(found, expected)
    slopes = torch.autograd.grad(3 * expected, inputs)
    for slope, other in zip(slopes, torch.autograd.grad(3 * found, inputs), strict=True):
        torch.testing.assert_close(slope, other)


@pytest.mark.parametrize("chunk", [50, 10_000, 100_000])
def test_short_factors_change_loss_and_slopes_by_little(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(losses, "CHUNK", chunk)
    torch.manual_seed(0)
    hidden, table = 20 * F.normalize(torch.randn(69, 32)), F.normalize(torch.randn(301, 32))
    bias, targets, drawn = torch.randn(301), torch.randint(1, 301, (69,)), torch.randint(1, 301, (90,))
    inputs = [each.requires_grad_() for each in (hidden, table, bias)]

    def full(factors: torch.dtype | None) -> torch.Tensor:
        return full_softmax(hidden, table, bias, targets, factors=factors)

    def sampled(factors: torch.dtype | None) -> torch.Tensor:
        positives = (hidden * table[targets]).sum(1) + bias[targets]
        return sampled_softmax(hidden, targets, positives, table[drawn], drawn, -bias[drawn], factors)

    for loss in (full, sampled):
        exact, short = loss(None), loss(torch.bfloat16)
        assert exact != short  # they are short
        torch.testing.assert_close(short, exact, rtol=2e-3, atol=2e-3)
        for slope, other in zip(torch.autograd.grad(short, inputs), torch.autograd.grad(exact, inputs), strict=True):
            assert (slope - other).norm() < 0.02 * other.norm()


@pytest.mark.parametrize(
    ("precision", "capable", "factors"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("float32", True, torch.float32),
    ],
)
def test_factors_are_short_where_the_processor_multiplies_them_faster(
    monkeypatch: pytest.MonkeyPatch, precision: str, *, capable: bool, factors: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": capable})
    assert LossConfig(precision=precision).factors == factors  # type: ignore[arg-type]


def test_auto_samples_large_catalogues() -> None:
    config = LossConfig(negatives=100)
    assert not config.samples(400)
    assert config.samples(401)
    assert not LossConfig(name="full").samples(10**6)
