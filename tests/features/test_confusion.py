import numpy as np

from endcap.features.confusion import confusion

LOGITS = np.array([[2, 1, 0], [0, 3, 1], [5, 1, 0], [0, 0, 1], [1, 2, 0]], np.float32)


def test_a_table_worked_by_hand() -> None:
    found = confusion(LOGITS, np.array([0, 1, 1, -1, 1]))
    assert found.counts.tolist() == [[1, 0, 0], [1, 2, 0], [0, 0, 0]]
    assert found.accuracy == 3 / 4
    np.testing.assert_allclose(found.per_class, [1, 2 / 3, np.nan])


def test_nothing_known_is_no_accuracy() -> None:
    found = confusion(LOGITS, np.full(5, -1))
    assert np.isnan(found.accuracy)
    assert np.isnan(found.per_class).all()
