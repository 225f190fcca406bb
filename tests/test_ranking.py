import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from endcap.data.batch import Batch
from endcap.data.interactions import Histories
from endcap.models import Recommender
from endcap.ranking import recommend, top


class Fixed(Recommender):
    """Gives every history the same scores."""

    history = 2

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.scores = torch.tensor([0.0, *scores])

    def score(self, batch: Batch) -> Tensor:
        return self.scores.repeat(len(batch), 1)


def histories(*items: list[int]) -> Histories:
    flat = np.array([item for history in items for item in history], dtype=np.int64)
    return Histories(
        items=flat,
        kinds=np.ones(len(flat), np.int64),
        times=None,
        values=np.full((len(flat), 3), np.nan, np.float32),
        offsets=np.cumsum([0, *(len(history) for history in items)]),
    )


def test_seen_items_are_left_out_wherever_they_are_in_the_history() -> None:
    model = Fixed([5, 4, 3, 2])
    found = recommend(model, histories([1, 3, 3], []), 2, goals=np.array([1, 1]))
    assert found.items.tolist() == [[2, 4], [1, 2]]  # item 1 is before the window of 2, and still seen
    again = recommend(model, histories([1, 3, 3], []), 2, goals=np.array([1, 1]), repeat=True)
    assert again.items.tolist() == [[1, 2], [1, 2]]


def test_a_list_is_shorter_rather_than_wrong() -> None:
    found = recommend(Fixed([5, 4]), histories([1]), 2, goals=np.array([1]))
    assert found.items.tolist() == [[2, 0]]


def test_allowed_is_honoured() -> None:
    allowed = torch.tensor([False, False, True, True])
    found = recommend(Fixed([5, 4, 3]), histories([]), 2, goals=np.array([1]), allowed=allowed)
    assert found.items.tolist() == [[2, 3]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=5), st.integers(1, 6))
def test_equal_scores_come_in_the_order_of_their_index(rows: list[list[int]], k: int) -> None:
    scored = torch.tensor(rows, dtype=torch.float32)
    scored[:, 0] = -torch.inf
    expected = [sorted(range(1, 7), key=lambda item: (-row[item], item))[:k] for row in rows]
    assert top(scored, k).items.tolist() == expected
