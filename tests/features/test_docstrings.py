import doctest
from types import ModuleType

import pytest

from endcap.features import cells, dates, frequent, groups, words


@pytest.mark.parametrize("module", [cells, dates, frequent, groups, words])
def test_the_examples_in_docstrings(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
