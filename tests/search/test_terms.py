import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.search import spelling, terms, wishes
from endcap.search.terms import names
from endcap.search.terms import terms as terms_of


@pytest.mark.parametrize("module", [terms, spelling, wishes])
def test_examples_in_the_texts_hold(module) -> None:  # type: ignore[no-untyped-def]
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IFP5550BUN", "ifp5550-bun"),
        ("2 m", "200cm"),
        ('17"', "17 inch"),
        ("1.5 l", "1500 ml"),
        ("1,5 L", "1500ml"),
        ("2米", "200 厘米"),
        ("dresses", "dress"),
        ("batteries", "battery"),
        ("hoody", "hoodies"),
        ("women’s", "womens"),
        ("Décor", "decor"),
        ("ＡＢＣ", "abc"),
        ("16GB", "16 gb"),
    ],
)
def test_ways_of_writing_the_same_are_one_term(one: str, other: str) -> None:
    assert terms_of(one)[0].name == terms_of(other)[0].name


def test_a_code_is_found_by_its_parts_too() -> None:
    assert names("TN-2110 toner") == ["tn2110", "tn", "2110", "toner"]


def test_numbers_that_differ_are_different_terms() -> None:
    assert len({terms_of(text)[0].name for text in ("1.5 l", "15 l", "1.5 m", "1.5", "15")}) == 5


def test_chinese_is_segmented() -> None:
    assert names("红色连衣裙") == ["红色", "连衣裙"]


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    for term in terms_of(text):
        assert term.name
        assert len(term.name) <= 64
        assert " " not in term.name
