import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from endcap.choices import choices, judged
from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.explore import explore
from endcap.engine.requests import Ask, Step
from endcap.engine.version import Version
from endcap.replay import Estimate, replay
from endcap.store.records import ItemChange, Shown, Visitor
from tests import shops
from tests.worlds import table

ITEMS = np.arange(1, 9)
SCORES = -0.4 * np.arange(8.0)
WORTH = {f"i{item}": 0.05 + 0.09 * ((5 * item) % 8) for item in ITEMS.tolist()}  # the chance of a click on each


@cache
def logged(n: int, seed: int, places: tuple[int, ...] = (1,), pool: int = 4) -> tuple[list[Shown], dict]:
    """Lists as the engine explores them, and clicks by the worth of what stands there; three lists a visitor."""
    random = np.random.default_rng(seed)
    lists, clicks = [], {}
    for number in range(n):
        items, records = explore(ITEMS, SCORES, places, pool, random)
        ids = tuple(f"i{item}" for item in items[:4].tolist())
        explored = tuple({**record, "pool": [f"i{item}" for item in record["pool"]]} for record in records)
        lists.append(
            Shown(f"r{number}", Visitor(f"u{number // 3}"), float(number), "home", "m", ids, explored=explored)
        )
        clicks |= {(f"r{number}", item_id): 1.0 for item_id in ids if random.random() < WORTH[item_id]}
    return lists, clicks


def best(shown: Shown, place: int, pool: Sequence[str]) -> str:
    """A candidate that knows what is clicked."""
    return max(pool, key=WORTH.__getitem__)


def worst(shown: Shown, place: int, pool: Sequence[str]) -> str:
    return min(pool, key=WORTH.__getitem__)


def second(shown: Shown, place: int, pool: Sequence[str]) -> str:
    return sorted(pool, key=WORTH.__getitem__)[-2]


POOL = [f"i{item}" for item in ITEMS[1:5].tolist()]  # of place 1


@pytest.mark.parametrize("choose", [best, worst, second])
def test_ips_is_right_on_average_and_snips_in_the_long_run(choose) -> None:
    truth = WORTH[choose(None, 1, POOL)]
    found = [replay(*logged(150, seed), choose, resamples=2) for seed in range(50)]
    ips = np.array([each.ips.value for each in found])
    assert abs(ips.mean() - truth) < 3.5 * ips.std(ddof=1) / math.sqrt(len(found))
    assert abs(replay(*logged(6000, 7), choose, resamples=2).snips.value - truth) < 0.03
    if choose is best:  # where most choices are rewarded, dividing by the weights takes most of the noise away
        assert np.std([each.snips.value for each in found]) < 0.8 * ips.std()


def test_a_pool_that_depends_on_an_earlier_draw_is_no_bias() -> None:
    """The second place's pool holds what the first left over."""
    lists, clicks = logged(6_000, 3, places=(0, 1), pool=3)
    rewards = np.array([np.mean([WORTH[best(each, record["place"], record["pool"])] for record in each.explored])
                        for each in lists])  # fmt: skip
    found = replay(lists, clicks, best, resamples=50)
    assert found.places == 12_000
    assert abs(found.ips.value - rewards.mean()) < 0.03
    assert abs(found.snips.value - rewards.mean()) < 0.03


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    truth = WORTH[best(None, 1, POOL)]  # type: ignore[arg-type]
    trials = 60
    found = [replay(*logged(300, 1000 + seed), best, resamples=300, seed=seed) for seed in range(trials)]
    for name in ("ips", "snips"):
        held = sum(getattr(each, name).low <= truth <= getattr(each, name).high for each in found)
        assert held >= 50  # below it once in some 1,000 tries


def test_the_logging_policy_replayed_has_its_own_value() -> None:
    lists, clicks = logged(3000, 5)
    shown = {each.recommendation_id: each for each in lists}
    draws = np.random.default_rng(0)

    def again(each: Shown, place: int, pool: Sequence[str]) -> str:
        """Draws anew by the same chances."""
        items, _ = explore(ITEMS, SCORES, [place], len(pool), draws)
        return f"i{items[place]}"

    found = replay(lists, clicks, again)
    truth = np.mean([(each.recommendation_id, each.items[1]) in clicks for each in shown.values()])
    assert found.logged.value == pytest.approx(truth)
    assert found.difference.low < 0 < found.difference.high
    assert "no difference from what was shown is seen" in found.verdict


def test_better_and_worse_candidates_are_told_from_what_was_shown() -> None:
    lists, clicks = logged(3000, 11)
    better, worse = replay(lists, clicks, best), replay(lists, clicks, worst)
    assert better.difference.low > 0
    assert better.verdict.startswith("At the explored places the candidate would have earned more: +")
    assert worse.difference.high < 0
    assert worse.verdict.startswith("At the explored places the candidate would have earned less: −")
    assert better.p < 0.01
    assert not better.warnings
    assert better.weight == pytest.approx(1, abs=0.1)
    assert better.visitors == 1000


def by_hand() -> tuple[list[Shown], dict]:
    record = {"place": 0, "pool": ["a", "b"]}
    chances = {"r1": ("a", 0.5), "r2": ("a", 0.25), "r3": ("b", 0.5), "r4": ("a", 0.8)}
    lists = [
        Shown(name, Visitor(name), 0.0, "home", "m", (item, "z"), explored=({**record, "chance": chance},))
        for name, (item, chance) in chances.items()
    ]
    return lists, {("r1", "a"): 1.0, ("r3", "b"): 1.0, ("r2", "z"): 1.0}


def test_figures_are_those_of_a_count_by_hand() -> None:
    found = replay(*by_hand(), lambda each, place, pool: "a")
    weights = [2, 4, 0, 1.25]
    assert found.ips.value == pytest.approx(2 / 4)
    assert found.snips.value == pytest.approx(2 / sum(weights))
    assert found.logged.value == pytest.approx(2 / 4)
    assert found.effective == pytest.approx(sum(weights) ** 2 / sum(weight**2 for weight in weights))
    assert (found.places, found.lists, found.visitors, found.met) == (4, 4, 4, 3)


def test_a_small_effective_sample_is_said_and_claims_nothing() -> None:
    found = replay(*by_hand(), lambda each, place, pool: "a")
    assert "too few places" in found.warnings[0]
    assert math.isnan(found.snips.low)
    assert found.verdict.startswith("Nothing can be said yet")
    assert found.to_dict()["snips"]["low"] is None


def test_never_showing_the_same_is_no_division_by_zero() -> None:
    lists = [each for each in by_hand()[0] if each.items[0] == "a"]
    found = replay(lists, {}, lambda each, place, pool: "b")
    assert (found.met, found.effective, found.ips.value) == (0, 0.0, 0.0)
    assert math.isnan(found.snips.value)


def test_chances_that_are_not_those_of_the_draws_are_noticed() -> None:
    lists, clicks = logged(2000, 4)
    wrong = [
        Shown(each.recommendation_id, each.visitor, each.time, each.slot, each.model, each.items,
              explored=tuple({**record, "chance": record["chance"] / 2} for record in each.explored))
        for each in lists
    ]  # fmt: skip
    found = replay(wrong, clicks, best)
    assert "where they should be 1" in " ".join(found.warnings)


def estimate_without(lists: list[Shown]) -> Estimate:
    explored, clicks = logged(50, 0)
    return replay([*explored, *lists], clicks, best)


def test_lists_that_do_not_count_are_counted() -> None:
    plain = [Shown(f"p{n}", Visitor("u"), 0.0, "home", "m", ("i1", "i2")) for n in range(5)]
    assert estimate_without(plain).left_out == {"no place of them was explored": 5}
    strange = replay(*logged(30, 0), lambda each, place, pool: None if each.recommendation_id < "r2" else pool[0])
    assert strange.left_out == {"the candidate knows no product of their pools": 12}  # r0, r1, r10 … r19


def test_a_log_without_chances_is_refused() -> None:
    plain = [Shown(f"p{n}", Visitor("u"), 0.0, "home", "m", ("i1", "i2")) for n in range(1234)]
    with pytest.raises(InputError, match=r"found no explored place in 1,234 lists \(1,234 left out: no place") as error:
        replay(plain, {}, best)
    assert "served with `explore`" in str(error.value)
    with pytest.raises(InputError, match="found no explored place in 0 lists;"):
        replay([], {}, best)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"place": 0, "pool": ["a", "b"], "chance": 0.0}, "a chance of 0.0, and chances are above 0 and at most 1"),
        ({"place": 0, "pool": ["a", "b"], "chance": 1.5}, "a chance of 1.5"),
        ({"place": 0, "pool": ["a", "b"], "chance": math.nan}, "a chance of nan"),
        ({"place": 0, "pool": ["a", "b"], "chance": 1.0}, "leaves nothing to the others"),
        ({"place": 0, "pool": ["a", "b"]}, "without place, pool and chance"),
        ({"place": 0, "pool": ["a", "b"], "chance": None}, "without place, pool and chance"),
        ({"place": 0, "pool": ["b", "c"], "chance": 0.5}, "a at place 0, which is not in the pool"),
        ({"place": 7, "pool": ["a", "b"], "chance": 0.5}, "place 7 explored, and 2 items"),
    ],
)
def test_one_record_that_cannot_be_true_spoils_the_log(record: dict, said: str) -> None:
    broken = Shown("bad", Visitor("u"), 0.0, "home", "m", ("a", "z"), explored=(record,))
    with pytest.raises(InputError, match=said) as error:
        estimate_without([broken])
    assert "list bad" in str(error.value)


def test_a_choice_outside_the_pool_is_refused() -> None:
    with pytest.raises(InputError, match="the candidate chose z for place 1 of r0: not in the pool"):
        replay(*logged(3, 0), lambda each, place, pool: "z")


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """It knows that after product i comes i + 1."""
    return Version.load(shops.trained(tmp_path_factory.mktemp("shop") / "shop", shops.config("transitions")))


def asked(number: int, visitor: str, time: float, pool: list[str], shown: str, slot: str = "home") -> Shown:
    record = {"place": 1, "pool": pool, "chance": 1 / len(pool)}
    return Shown(f"r{number}", Visitor(visitor), time, slot, "m", ("i0", shown), explored=(record,))


LATER = shops.TRAINED_UNTIL + shops.DAY


def test_a_candidate_chooses_from_what_it_knew_before_the_list(version: Version) -> None:
    events = table([
        {"user_id": "ann", "item_id": "i3", "time": LATER - 60.0},
        {"user_id": "ann", "item_id": "i7", "time": LATER},  # a click on this very list
        {"user_id": "bob", "item_id": "i9", "kind": "impression", "time": LATER - 60.0},
    ])  # fmt: skip
    pool = ["i8", "i4", "i6"]
    lists = [
        asked(1, "ann", LATER, pool, "i8"),
        asked(2, "ann", LATER + 60, pool, "i8"),
        asked(3, "ann", LATER, ["x", "y"], "x"),
        asked(4, "bob", LATER, ["z", "i4"], "z"),
        asked(5, "eve", LATER, pool, "i6"),
    ]
    choose = choices(version, lists, events)
    assert choose(lists[0], 1, pool) == "i4"
    assert choose(lists[1], 1, pool) == "i8"
    assert choose(lists[2], 1, ["x", "y"]) is None
    assert choose(lists[3], 1, ["z", "i4"]) == "i4"
    assert choose(lists[4], 1, pool) in pool  # whom it knows nothing of gets what is popular


def test_choices_are_what_the_engine_would_rank_first(version: Version) -> None:
    random, engine = np.random.default_rng(0), Engine(version)
    for number in range(20):
        walked = random.choice(shops.ITEMS, 3).tolist()
        steps = tuple(Step(item_id, "view", LATER - 100.0 + place) for place, item_id in enumerate(walked))
        events = table([{"user_id": "ann", "item_id": step.item_id, "time": step.time} for step in steps])
        pool = random.permutation(shops.ITEMS)[:5].tolist()
        (answered,) = engine.recommend([Ask(history=steps, k=len(shops.ITEMS))])
        assert not isinstance(answered, InputError)
        first = next(item.item_id for item in answered.items if item.item_id in pool)
        shown = asked(number, "ann", LATER, pool, pool[0])
        assert choices(version, [shown], events)(shown, 1, pool) == first


def test_a_candidate_that_counts_passes_over_what_came_after_its_training(version: Version) -> None:
    late = version.with_changes([ItemChange("new", {"item_id": "new", "title": "New"}, 1)], None)
    seen = [
        {"user_id": "ann", "item_id": item_id, "time": LATER - 60 + place}
        for place, item_id in enumerate(("i3", "new"))
    ]
    pool = ["new", "i8", "i4"]
    shown = asked(1, "ann", LATER, pool, "i8")
    assert choices(late, [shown], table(seen))(shown, 1, pool) == "i4"


def test_a_candidate_is_not_asked_what_it_was_trained_on(version: Version) -> None:
    pool = ["i1", "i2"]
    early = [asked(n, f"u{n}", shops.TRAINED_UNTIL - 1, pool, "i1") for n in range(3)]
    beside = [asked(10 + n, f"u{n}", LATER, pool, "i1", slot="product") for n in range(4)]
    plain = [Shown(f"p{n}", Visitor("u"), LATER, "home", "m", ("i1",)) for n in range(5)]
    fine = [asked(20 + n, f"u{n}", LATER, pool, "i1") for n in range(6)]
    named = pa.table({"recommendation_id": ["r20"], "item_id": ["i1"], "kind": ["click"]})
    found = judged(version, [*early, *beside, *plain, *fine], table([]), named)
    assert found.lists == 6
    assert found.logged.value == pytest.approx(1 / 6)
    assert found.left_out == {
        "the candidate was trained on what came of them": 3,
        "what came with the request, a product or a cart, is not in the log": 4,
        "no place of them was explored": 5,
    }
    assert judged(version, fine, table([]), named, kinds=("purchase",)).logged.value == 0.0
    with pytest.raises(InputError, match="3 left out: the candidate was trained on what came of them"):
        judged(version, early, table([]), named)
