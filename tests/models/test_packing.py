import pytest
import torch

from endcap.models.packing import Rows

HISTORIES = [[3, 0, 17, 1, 4, 5, 0, 16, 9, 4, 4], [0, 6], [5, 5, 5], [1], [2, 1, 1, 1]]


@pytest.mark.parametrize("lengths", HISTORIES)
def test_what_is_spread_comes_back_in_its_place(lengths: list[int]) -> None:
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    tokens = torch.randn(int(offsets[-1]), 3)
    rows = Rows.of(offsets)
    assert rows.places.shape[1] == max(lengths)
    assert torch.equal(rows.gather(rows.spread(tokens)), tokens)


@pytest.mark.parametrize("lengths", HISTORIES)
def test_each_event_sees_those_before_it_in_its_own_history(lengths: list[int]) -> None:
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    rows, tokens = Rows.of(offsets), torch.arange(int(offsets[-1]))
    owners = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    expected = (owners.unsqueeze(1) == owners) & (tokens.unsqueeze(1) >= tokens)
    whole, width = rows.apart.expand(*rows.places.shape, -1), rows.places.shape[1]
    row, column = rows.cells // width, rows.cells % width
    seen = ~whole[row.unsqueeze(1), column.unsqueeze(1), column] & (row.unsqueeze(1) == row)
    assert torch.equal(seen, expected)
    # Also an empty cell sees something: a softmax of nothing is NaN.
    assert not rows.apart.diagonal(dim1=1, dim2=2).any()


def test_histories_of_one_length_need_no_gathering() -> None:
    tokens = torch.randn(6, 3)
    rows = Rows.of(torch.tensor([0, 3, 6]))
    assert rows.spread(tokens).data_ptr() == tokens.data_ptr()


def test_short_histories_share_a_row() -> None:
    lengths = torch.randint(1, 21, (300,), generator=torch.Generator().manual_seed(0))
    lengths[0] = 50
    rows = Rows.of(torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]))
    assert rows.places.numel() < 1.3 * int(lengths.sum())  # one to a row, it would be five times as many
