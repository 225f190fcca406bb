import numpy as np
import pytest

from endcap.data.errors import InputError
from endcap.data.split import Queries, merged, questions, repeat_rate, seen_rate, split
from tests.worlds import circle, table

DAY = 86_400.0


def shop():
    """One shopper with baskets, one who came late, one who came once."""
    return table(
        [
            {"user_id": "ann", "item_id": "tea", "time": 1 * DAY, "part": "train"},
            {"user_id": "ann", "item_id": "milk", "time": 1 * DAY, "part": "train"},
            {"user_id": "ann", "item_id": "bread", "time": 2 * DAY, "part": "train"},
            {"user_id": "ann", "item_id": "tea", "time": 8 * DAY, "part": "valid"},
            {"user_id": "ann", "item_id": "jam", "time": 9 * DAY, "part": "test"},
            {"user_id": "ann", "item_id": "milk", "time": 9.5 * DAY, "part": "test", "kind": "purchase"},
            {"user_id": "ann", "item_id": "bread", "time": 9.5 * DAY, "part": "test", "kind": "purchase"},
            {"user_id": "bob", "item_id": "milk", "time": 9.1 * DAY, "part": "test"},
            {"user_id": "bob", "item_id": "tea", "time": 9.2 * DAY, "part": "test"},
            {"user_id": "cy", "item_id": "tea", "time": 9.3 * DAY, "part": "test"},
        ]
    )


def words(queries: Queries, user: str, ids: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The history and the answers of one question, in words."""
    i = queries.user_ids.index(user)
    history = queries.histories.take(np.array([i])).items
    answers = queries.targets[queries.target_offsets[i] : queries.target_offsets[i + 1]]
    return [ids[x - 1] for x in history], sorted(ids[x - 1] if x else "?" for x in answers)


def test_the_question_is_the_last_step_of_a_period_and_its_history_all_before() -> None:
    parts = split(shop())
    ids = parts.train.vocabulary.ids
    assert ids == ("tea", "milk", "bread")
    # jam was never in training: it is in no history
    assert words(parts.test, "ann", ids) == (["tea", "milk", "bread", "tea"], ["bread", "milk"])
    assert words(parts.test, "bob", ids) == (["milk"], ["tea"])
    assert "cy" not in parts.test.user_ids  # a first visit has no history to ask from
    assert words(parts.valid, "ann", ids) == (["tea", "milk", "bread"], ["tea"])
    assert parts.valid.user_ids == ("ann",)


def test_no_item_of_a_basket_is_in_its_own_history() -> None:
    rows = [{"user_id": "a", "item_id": "x", "time": 1.0, "part": "train"}]
    rows += [{"user_id": "a", "item_id": item, "time": 2.0, "part": "test"} for item in ("y", "z", "x")]
    parts = split(table(rows))
    assert parts.test.histories.items.tolist() == [1]
    assert len(parts.test.targets) == 3


def test_goal_asks_for_one_kind() -> None:
    parts = split(shop(), goal="view")
    assert words(parts.test, "ann", parts.train.vocabulary.ids)[1] == ["?"]  # jam, the last view, missed
    with pytest.raises(InputError, match="found goal 'like'"):
        split(shop(), goal="like")


def test_a_poor_review_is_no_answer_but_stays_in_histories() -> None:
    rows = [
        {"user_id": "a", "item_id": "x", "rating": 5.0, "part": "train"},
        {"user_id": "a", "item_id": "y", "rating": 1.0, "part": "train"},
        {"user_id": "a", "item_id": "x", "rating": 4.0, "part": "test"},
        {"user_id": "a", "item_id": "y", "rating": 2.0, "part": "test"},
    ]
    parts = split(table([{**row, "kind": "review"} for row in rows]), min_rating=3)
    assert parts.test.histories.items.tolist() == [1, 2]
    assert parts.test.targets.tolist() == [1]


def test_impressions_are_never_answers() -> None:
    rows = [
        {"user_id": "a", "item_id": "x", "part": "train"},
        {"user_id": "a", "item_id": "x", "kind": "impression", "part": "test"},
    ]
    assert len(split(table(rows)).test) == 0


def test_merged_gives_validation_to_training() -> None:
    parts = split(merged(shop()))
    assert len(parts.train.items) == 4
    assert len(parts.valid) == 0


def test_questions_of_new_data_start_after_the_training() -> None:
    parts = split(shop())
    asked = questions(shop(), parts.train.vocabulary, since=9.25 * DAY, goal=None, min_rating=None)
    assert asked.user_ids == ("ann",)
    assert len(questions(shop(), parts.train.vocabulary, since=None, goal=None, min_rating=None)) == 2


def test_nothing_to_train_on_is_said() -> None:
    with pytest.raises(InputError, match="no training events"):
        split(table([{"user_id": "a", "item_id": "x", "part": "test"}]))


def test_repeat_rates() -> None:
    parts = split(shop())
    assert repeat_rate(parts.train) == 0
    assert seen_rate(parts.test) == 2 / 3  # milk and bread of ann, not tea of bob
    rows = [{"user_id": "a", "item_id": x, "time": t} for x, t in (("x", 1.0), ("x", 1.0), ("x", 2.0), ("y", 3.0))]
    log = split(table([{**row, "part": "train"} for row in rows])).train
    assert repeat_rate(log) == 0.5  # of the two that have a past, one repeats


def test_take_keeps_questions_whole() -> None:
    parts = circle()
    some = parts.test.take(np.array([5, 2]))
    assert some.user_ids == (parts.test.user_ids[5], parts.test.user_ids[2])
    assert some.targets.tolist() == [parts.test.targets[5], parts.test.targets[2]]
