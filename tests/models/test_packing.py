import pytest
import torch
from torch import Tensor

from endcap.models.packing import Rectangles


@pytest.mark.parametrize("lengths", [[3, 0, 17, 1, 4, 5, 0, 16, 9, 4], [0, 6], [5, 5, 5], [1]])
def test_what_is_spread_comes_back_in_its_place(lengths: list[int]) -> None:
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    tokens = torch.arange(int(offsets[-1]) * 2.0).view(-1, 2)
    groups = Rectangles.of(offsets)
    spread = groups.spread(tokens)
    assert [tuple(each.shape[:2]) for each in spread] == list(groups.shapes)
    assert torch.equal(groups.gather(spread), tokens)
    assert sum(rows for rows, _ in groups.shapes) == sum(length > 0 for length in lengths)
    rows = {tuple(row.tolist()) for each in spread for row in each[:, :, 0]}
    for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        own: list[float] = tokens[begin:end, 0].tolist()
        assert not own or any(row[: len(own)] == tuple(own) and set(row[len(own) :]) <= {own[-1]} for row in rows)


def test_one_history_needs_no_gathering() -> None:
    tokens: Tensor = torch.randn(5, 3)
    groups = Rectangles.of(torch.tensor([0, 5]))
    assert groups.is_whole
    assert groups.spread(tokens)[0].data_ptr() == tokens.data_ptr()


def test_little_is_computed_past_the_ends() -> None:
    lengths = torch.randint(1, 51, (300,), generator=torch.Generator().manual_seed(0))
    groups = Rectangles.of(torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]))
    assert len(groups.places) < 1.5 * int(lengths.sum())  # in one rectangle 2 times as many
