import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.search.wishes import Wishes, wishes_of


@pytest.mark.parametrize(
    ("query", "wishes"),
    [
        ("dress under 50", Wishes("dress", high=50)),
        ("dress under $50", Wishes("dress", high=50, currency="USD")),
        ("dress for less than 30 euros", Wishes("dress for", high=30, currency="EUR")),
        ("shoes over 100 dollars", Wishes("shoes", low=100, currency="USD")),
        ("shoes between 20 and 50", Wishes("shoes", 20, 50)),
        ("$5 to $10 toys", Wishes("toys", 5, 10, "USD")),
        ("shoes between 50 and 20", Wishes("shoes", 20, 50)),
        ("gift around 20", Wishes("gift", 16, 24)),
        ("100元以下的裙子", Wishes("裙子", high=100, currency="CNY")),
        ("五十元左右的杯子", Wishes("杯子", 40, 60, "CNY")),
        ("50到100元的鞋", Wishes("鞋", 50, 100, "CNY")),
        ("不超过1,000元的手机", Wishes("手机", high=1000, currency="CNY")),
        ("cheapest milk", Wishes("milk", sort="cheap")),
        ("最便宜的牛奶", Wishes("牛奶", sort="cheap")),
        ("the most expensive watch", Wishes("watch", sort="dear")),
        ("best rated lamp", Wishes("lamp", sort="rating")),
        ("dress without lace or beads", Wishes("dress", unwanted=("lace", "beads"))),
        ("milk -chocolate", Wishes("milk", unwanted=("chocolate",))),
        ("not red but blue shirt", Wishes("blue shirt", unwanted=("red",))),
        ("gluten free bread", Wishes("gluten bread", unwanted=("gluten",))),
        ("裙子不要红色", Wishes("裙子", unwanted=("红色",))),
        ("不要红色的裙子", Wishes("裙子", unwanted=("红色",))),
        ("除了黑色以外的鞋", Wishes("鞋", unwanted=("黑色",))),
        ("red dress under 50 without polyester", Wishes("red dress", high=50, unwanted=("polyester",))),
    ],
)
def test_what_is_asked_for_beside_words(query: str, wishes: Wishes) -> None:
    assert wishes_of(query) == wishes


@pytest.mark.parametrize(
    "query",
    [
        "nike air max 90",
        "over the ear headphones",
        "desk under 120 cm",
        "game for 2 to 4 players",
        "toys for children over 3 years",
        "1/2 inch binder",
        "non",
        "t-shirt",
        "wi-fi router",
        "x-large",
        "levis 501",
    ],
)
def test_numbers_and_dashes_that_are_no_wishes(query: str) -> None:
    assert wishes_of(query) == Wishes(query)


PIECES = st.sampled_from(
    ["under 50", "over $5", "between 9 and 3", "without", "not", "-red", "cheapest", "不要", "除了", "元", "以下", "50",
     "dress", "red", "$", "around", "free", "or", "but", ",", "的", "📱", "<b>", "' OR 1=1 --", '"', "*", "(", "\\"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map(" ".join))
def test_any_mixture_of_the_grammar_is_read(query: str) -> None:
    found = wishes_of(query)
    assert found.low is None or found.high is None or found.low <= found.high
    assert all(found.unwanted)
    assert "\n" not in found.text


@given(st.integers(1, 99_999), st.sampled_from(["under {}", "at most {}", "不超过{}元", "{}元以内", "less than ${}"]))
def test_every_upper_bound_is_read(price: int, words: str) -> None:
    assert wishes_of(f"lamp {words.format(price)}").high == price
