from collections import Counter

import numpy as np
import pytest

from endcap.data.questions import Questions
from endcap.data.split import split
from tests.worlds import circle, next_item, table


def batches(log, **options):
    defaults = {"history": 50, "tokens": 64}
    return list(
        Questions.of(log, options.pop("goal", None)).batches(np.random.default_rng(0), **{**defaults, **options})
    )


def test_every_event_with_a_later_step_is_asked_once() -> None:
    log = circle().train
    found = batches(log)
    asked = sum(int((batch.targets > 0).sum()) for batch in found)
    assert asked == len(log.items) - len(log)  # all but each user's last
    assert sum(len(batch.items) for batch in found) == asked  # and nothing else takes part


@pytest.mark.parametrize("history", [1, 2, 3, 5])
def test_long_histories_are_cut_into_windows_without_losing_an_event(history: int) -> None:
    log = circle().train
    found = batches(log, history=history)
    assert max(int(batch.lengths.max()) for batch in found) <= history
    assert sum(int((batch.targets > 0).sum()) for batch in found) == len(log.items) - len(log)


def test_the_answer_is_the_next_item() -> None:
    parts = circle()
    for batch in batches(parts.train):
        for item, target in zip(batch.items.tolist(), batch.targets.tolist(), strict=True):
            assert target == next_item(parts, item)


def test_within_a_basket_nothing_is_asked_and_the_next_basket_answers() -> None:
    rows = [("x", 1.0), ("y", 1.0), ("p", 2.0), ("q", 2.0)]
    log = split(table([{"user_id": "a", "item_id": i, "time": t, "part": "train"} for i, t in rows])).train
    questions = Questions.of(log)
    answers = Counter()
    for seed in range(50):
        places = questions.draw(np.random.default_rng(seed), 0)
        assert places[2:].tolist() == [-1, -1]
        answers.update(log.vocabulary.id(log.items[place]) for place in places[:2])
    assert set(answers) == {"p", "q"}


def test_a_goal_looks_past_other_kinds() -> None:
    rows = [("x", "view"), ("y", "view"), ("z", "purchase")]
    log = split(table([{"user_id": "a", "item_id": i, "kind": k, "part": "train"} for i, k in rows])).train
    (batch,) = batches(log, goal="purchase", goal_share=1.0)
    assert [log.vocabulary.id(target) for target in batch.targets.tolist()] == ["z", "z"]
    assert batch.goals.tolist() == [3, 3]
    (batch,) = batches(log, goal="purchase", goal_share=0.0)
    assert [log.vocabulary.id(target) for target in batch.targets.tolist()] == ["y", "z"]


def test_share_takes_a_part_of_the_windows() -> None:
    log = circle().train
    assert sum(len(batch) for batch in batches(log, share=0.5)) == round(0.5 * sum(len(b) for b in batches(log)))
