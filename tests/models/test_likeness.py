from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from endcap.features.base import Content, Packed
from endcap.models import likeness as module
from endcap.models.likeness import WAYS, Likeness


@pytest.fixture
def likeness() -> Likeness:
    """Of four items, red: 1, 2 and 3; small: 3 and 4; every item: sold. Item 4 has no vector."""
    vectors = np.array([[0, 0], [3, 0], [0.6, 0.8], [0, 2], [0, 0]], np.float32)
    ids, offsets = np.array([0, 2, 0, 2, 0, 1, 2, 1, 2]), np.array([0, 0, 2, 4, 7, 9])
    found = Likeness()
    found.observe(Content(vectors, Packed(offsets, ids, ("red", "small", "sold"))))
    return found


def test_cosines_by_hand(likeness: Likeness) -> None:
    found = likeness(torch.tensor([[3, 1]]), torch.tensor([[1, 2, 4]]))
    red, small = log(4 / 3), log(2)  # what all items have says nothing
    length = (red**2 + small**2) ** 0.5
    assert found.shape == (1, 2, 3, WAYS)
    expected = [[red / length, red / length, small / length], [1.0, 1.0, 0.0]]
    assert_close(found[0, :, :, 0], torch.tensor(expected))
    assert_close(found[0, :, :, 1], torch.tensor([[0.0, 0.8, 0.0], [1.0, 0.6, 0.0]]), atol=1e-3, rtol=0)


def test_questions_are_apart_however_many_are_compared_at_a_time(
    likeness: Likeness, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = torch.Generator().manual_seed(0)
    items, past = torch.randint(5, (7, 4), generator=random), torch.randint(5, (7, 3), generator=random)
    found = likeness(items, past)
    monkeypatch.setattr(module, "AT_A_TIME", 50)
    assert_close(likeness(items, past), found)
    assert_close(likeness(items[2:3], past[2:3]), found[2:3])


def test_items_of_which_nothing_is_known_are_like_none(likeness: Likeness) -> None:
    assert not likeness(torch.tensor([[0, 9]]), torch.tensor([[0, 9, 1]])).any()


def test_without_attributes_vectors_are_left() -> None:
    vectors = np.array([[0, 0], [1, 0], [1, 0]], np.float32)
    likeness = Likeness()
    likeness.observe(Content(vectors, Packed(np.zeros(4, np.int64), np.zeros(0, np.int64), ())))
    assert_close(likeness(torch.tensor([[1]]), torch.tensor([[2]])), torch.tensor([[[[0.0, 1.0]]]]))


def test_it_is_saved_and_loaded(likeness: Likeness, tmp_path: Path) -> None:
    torch.save(likeness.state_dict(), tmp_path / "state")
    again = Likeness()
    again.load_state_dict(torch.load(tmp_path / "state"))
    items = torch.arange(5).unsqueeze(0)
    assert torch.equal(again(items, items), likeness(items, items))
