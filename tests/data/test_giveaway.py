"""What a question gives away of its answer, on logs small enough to count by hand."""

import pytest

from endcap.data.giveaway import giveaway, question_instead
from endcap.data.split import split
from tests.worlds import table

FUNNEL = ("view", "cart", "purchase")


def funnel(users: int = 4, *, again: bool = True) -> list[dict]:
    """Each visitor buys three products, each looked at and put into the cart just before; the last is asked for.

    Not `again`: what is bought last is another product than what was looked at.
    """
    events = []
    for user in range(users):
        for step in range(3):
            part = ("train", "valid", "test")[step]
            for place, kind in enumerate(FUNNEL):
                item = f"i{(user + step) % users}"
                if kind == "purchase" and part == "test" and not again:
                    item = f"i{(user + 3) % users}"
                time = 100.0 * step + place
                events.append({"user_id": f"u{user}", "item_id": item, "kind": kind, "time": time, "part": part})
    return events


def test_an_answer_that_was_just_put_into_the_cart() -> None:
    found = giveaway(split(table(funnel()), "purchase").test)
    assert (found.answers, found.last, found.history, found.last_cart) == (4, 1.0, 1.0, 1.0)


def test_an_answer_that_nobody_could_read_off() -> None:
    found = giveaway(split(table(funnel(again=False)), "purchase").test)
    assert (found.answers, found.last, found.history, found.last_cart) == (4, 0.0, 0.0, 0.0)


def test_shares_are_of_answers_and_a_cart_may_lie_further_back() -> None:
    """One visitor, a basket of two: one of them in the cart, which is not the last event."""
    kinds = (("a", "cart", 0.0), ("b", "view", 1.0))
    events = [
        {"user_id": user, "item_id": item, "kind": kind, "time": time, "part": "train"}
        for user in ("u", "v") for item, kind, time in kinds
    ]  # fmt: skip
    bought = [
        {"user_id": "u", "item_id": item, "kind": "purchase", "time": 5.0, "part": "test"} for item in ("a", "new")
    ]
    found = giveaway(split(table([*events, *bought]), "purchase").test)
    assert (found.answers, found.last, found.history, found.last_cart) == (2, 0.0, 0.5, 0.5)


def test_the_question_instead_is_of_the_kind_that_the_history_holds_least() -> None:
    # Carts follow a view of the same product; the views are of products that are new to their visitor.
    assert question_instead(table(funnel()), "purchase", None) == ("view", 0.0)


def test_no_question_instead_where_every_kind_repeats() -> None:
    events = [
        {"user_id": user, "item_id": "a", "kind": kind, "time": 3.0 * step + place, "part": part}
        for user in ("u", "v")
        for step, part in enumerate(("train", "valid", "test"))
        for place, kind in enumerate(FUNNEL)
    ]
    assert question_instead(table(events), "purchase", None) == ("", 0.0)


def test_nothing_asked() -> None:
    found = giveaway(split(table(funnel()), "review").test)
    assert (found.answers, found.most) == (0, pytest.approx(0.0))
