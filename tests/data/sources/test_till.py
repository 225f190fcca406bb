"""Till codes as words."""

import pytest

from endcap.data.sources.till import size, words


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("FRZN MEAT/MEAT DINNERS", "Frozen Meat/Meat Dinners"),
        ("DRUG GM", "Drugstore & household"),
        ("CNTRL/STORE SUP", "Store supplies"),
        ("N/A DEOD SPRAY", "Deodorant Spray"),
        ("N/A", "N/A"),
        ("DVD S", "DVD S"),
        ("CHILDREN'S  ACTIVITY", "Children's Activity"),
        ("SOFT DRINKS 12/18&15PK", "Soft Drinks 12/18&15Pk"),
    ],
)
def test_names_become_words(printed: str, said: str) -> None:
    assert words(printed) == said


@pytest.mark.parametrize(
    ("printed", "department", "said"),
    [
        ("1 GA", "GROCERY", "1 gal"), ("1 DZ", "GROCERY", "1 dozen"), ("P     6 OZ", "GROCERY", "6 oz"),
        ("N/A", "GROCERY", None), (None, "GROCERY", None), ("", None, None),
        ("40 LB", "PRODUCE", None), ("5 LB", "PRODUCE", "5 lb"), ("40 LB", "GROCERY", "40 lb"),
        ("LARGE", "GROCERY", "large"), ("24  16 OZ", "GROCERY", "24 16 oz"),
    ],
)  # fmt: skip
def test_sizes_are_those_of_what_is_in_the_cart(printed: str | None, department: str | None, said: str | None) -> None:
    assert size(printed, department) == said
