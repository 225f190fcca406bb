import numpy as np
import pytest

from endcap.data.augmentation import SequenceAugmentConfig, disturbed, reshaped
from endcap.data.interactions import Histories
from endcap.data.questions import Questions, fading
from tests.worlds import circle


def histories(*lengths: int) -> Histories:
    n = sum(lengths)
    return Histories(
        items=np.arange(1, n + 1),
        kinds=np.arange(n) % 3 + 1,
        times=np.arange(n, dtype=float),
        values=np.arange(3 * n, dtype=np.float32).reshape(n, 3),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
    )


def test_cropping_leaves_one_run_of_at_least_half() -> None:
    log = histories(10, 1, 0, 7)
    for seed in range(50):
        cropped = reshaped(log, SequenceAugmentConfig(crop=1.0), np.random.default_rng(seed))
        assert (cropped.lengths >= np.array([5, 1, 0, 4])).all()
        for number in range(len(log)):
            whole = log.items[log.offsets[number] : log.offsets[number + 1]]
            part = cropped.items[cropped.offsets[number] : cropped.offsets[number + 1]]
            assert (np.diff(part) == 1).all()
            assert np.isin(part, whole).all()


def test_reordering_moves_a_few_neighbours_and_no_time() -> None:
    log = histories(12, 5, 1, 0)
    moved = 0
    for seed in range(50):
        other = reshaped(log, SequenceAugmentConfig(reorder=1.0, span=3), np.random.default_rng(seed))
        assert np.array_equal(other.times, log.times)
        assert np.array_equal(other.offsets, log.offsets)
        for number in range(len(log)):
            part = slice(log.offsets[number], log.offsets[number + 1])
            assert sorted(other.items[part]) == sorted(log.items[part])
            places = np.flatnonzero(other.items[part] != log.items[part])
            assert not len(places) or np.ptp(places) < 3
            moved += len(places) > 0
        assert np.array_equal(other.kinds, other.items % 3 + np.where(other.items % 3 == 0, 3, 0))  # kinds go along
    assert moved > 50


def test_chances_are_kept() -> None:
    log = histories(*[20] * 500)
    random = np.random.default_rng(0)
    half = reshaped(log, SequenceAugmentConfig(crop=0.5), random)
    assert 0.4 < (half.lengths < 20).mean() < 0.6
    alike = np.arange(10_001)[:, None] + np.array([[1, 2]])
    seen = disturbed(log.items, SequenceAugmentConfig(mask=0.2, substitute=0.5), alike, random)
    assert 0.18 < (seen == 0).mean() < 0.22
    swapped = (seen > 0) & (seen != log.items)
    assert 0.36 < swapped.mean() < 0.44
    assert np.isin((seen - log.items)[swapped], [1, 2]).all()


def test_off_means_untouched() -> None:
    log = histories(4, 3)
    random = np.random.default_rng(0)
    assert reshaped(log, SequenceAugmentConfig(), random) is log
    assert np.array_equal(disturbed(log.items, SequenceAugmentConfig(), None, random), log.items)


def test_hiding_changes_what_is_seen_and_not_what_is_asked() -> None:
    questions = Questions.of(circle().train)

    def batches(look: object) -> list:
        return list(questions.batches(np.random.default_rng(1), history=5, tokens=50, look=look))  # type: ignore[arg-type]

    plain = batches(lambda items: items)
    hidden = batches(lambda items: items * 0)
    for one, other in zip(plain, hidden, strict=True):
        assert (one.targets == other.targets).all()
        assert (other.items == 0).all()


def test_old_answers_are_asked_for_less_often() -> None:
    log = circle(n_users=400).train
    newest = log.times.max()
    middle = (newest - np.median(log.times)) / 86400
    asked = np.zeros(len(log.items))
    questions = Questions.of(log, half_life=middle)
    everything = Questions.of(log)
    random = np.random.default_rng(0)
    could = everything.draw(random, 0) >= 0
    for _ in range(200):
        places = questions.draw(random, 0)
        asked += places >= 0
    share = asked / 200
    assert (share[~could] == 0).all()
    expected = fading(log, middle)[np.where(could, everything.draw(random, 0), 0)]
    assert np.abs(share - expected)[could].mean() < 0.05
    assert expected[could].min() < 0.35


@pytest.mark.parametrize("timed", [True, False])
def test_without_times_all_answers_are_asked_for(timed: bool) -> None:
    log = circle(timed=timed).train
    assert (fading(log, 1e6) > 0.99).all()
