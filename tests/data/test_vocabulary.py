import doctest

import pytest

from endcap.data import vocabulary
from endcap.data.vocabulary import Vocabulary


def test_examples() -> None:
    assert doctest.testmod(vocabulary).failed == 0


def test_extending_moves_no_index() -> None:
    old = Vocabulary(("b", "a"))
    new = old.extend(["c", "a", "c", "d"])
    assert new.index(["b", "a", "c", "d"]).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("index", [0, 3])
def test_an_index_outside_is_an_error(index: int) -> None:
    with pytest.raises(IndexError, match=str(index)):
        Vocabulary(("a", "b")).id(index)
