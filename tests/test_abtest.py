import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binom

from endcap import abtest
from endcap.abtest import Plan, Report, arm, ratio_test, report, visitors_needed
from endcap.data.errors import InputError
from endcap.exposure import clicked, follows
from endcap.store.records import Shown, Visitor
from tests.worlds import table

NAMED = {"recommendation_id": pa.string(), "item_id": pa.string(), "kind": pa.string()}


def naming(rows: list[tuple[str, str, str]]) -> pa.Table:
    """(list, item, kind)"""
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    return pa.table({name: pa.array(each, kind) for (name, kind), each in zip(NAMED.items(), columns, strict=True)})


def listed(number: int, visitor: str, side: str, time: float = 100.0, items: tuple[str, ...] = ("a", "b")) -> Shown:
    return Shown(f"r{number}", Visitor(user_id=visitor), time, "home", "m", items, "test", side)


def bought(visitor: str, time: float = 200.0, price: float | None = 10.0, quantity: float | None = None) -> dict:
    return {
        "user_id": visitor, "item_id": "a", "kind": "purchase", "time": time, "price": price, "quantity": quantity,
    }  # fmt: skip


def shop(
    n: int, chances: tuple[float, float], *, share: float = 0.5, seed: int = 0, price: float = 10.0
) -> tuple[list[Shown], pa.Table, pa.Table]:
    """Visitors in arms by the hash, one list each; chances of buying in control and candidate."""
    random = np.random.default_rng(seed)
    lists, purchases, clicks = [], [], []
    for visitor in range(n):
        side = arm(f"test{seed}", f"v{visitor}", share)
        lists.append(listed(visitor, f"v{visitor}", side))
        if random.random() < chances[side == "candidate"]:
            purchases.append(bought(f"v{visitor}", price=price))
            clicks.append((f"r{visitor}", "b", "click"))
    return lists, table(purchases), naming(clicks)


def of(found: Report, name: str) -> abtest.Measured:
    return next(each for each in found.measures if each.name == name)


def test_a_visitor_always_has_the_same_arm() -> None:
    assert [arm("x", f"v{n}", 0.5) for n in range(50)] == [arm("x", f"v{n}", 0.5) for n in range(50)]
    found = [arm("greens", f"u:{n}", 0.5) for n in (16, 17, 18)]
    assert found == ["candidate", "control", "candidate"]  # for ever: a later version must not move anyone


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_the_share_is_kept(share: float) -> None:
    n = sum(arm("x", f"v{n}", share) == "candidate" for n in range(4000))
    assert 1e-4 < binom.cdf(n, 4000, share) < 1 - 1e-4


def test_experiments_are_independent_of_each_other() -> None:
    pairs = [(arm("one", f"v{n}", 0.5), arm("two", f"v{n}", 0.5)) for n in range(4000)]
    both = sum(pair == ("candidate", "candidate") for pair in pairs)
    assert 1e-4 < binom.cdf(both, 4000, 0.25) < 1 - 1e-4


def test_a_larger_share_moves_nobody_out_of_the_candidates_arm() -> None:
    small, large = ([arm("x", f"v{n}", share) for n in range(500)] for share in (0.1, 0.4))
    assert all(late == "candidate" for early, late in zip(small, large, strict=True) if early == "candidate")
    assert {arm("x", f"v{n}", 0.0) for n in range(100)} == {"control"}
    assert {arm("x", f"v{n}", 1.0) for n in range(100)} == {"candidate"}


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="expected 0 to 1"):
        arm("x", "v", share)


def test_figures_are_those_of_a_count_by_hand() -> None:
    lists = [
        listed(1, "ann", "control"), listed(2, "ann", "control", 300.0), listed(3, "bob", "control"),
        listed(4, "cem", "candidate"), listed(5, "dan", "candidate", 500.0, ("a", "b", "c", "d")),
    ]  # fmt: skip
    events = table([
        bought("ann", quantity=3.0), bought("ann", price=2.0), bought("bob", time=99.0), bought("cem", price=None),
        bought("dan", time=499.0), bought("eve"), bought("dan", time=500.0, price=7.0),
        {**bought("bob"), "kind": "cart"},
    ])  # fmt: skip
    clicks = naming([
        ("r1", "a", "click"), ("r1", "b", "view"), ("r1", "a", "purchase"), ("r1", "z", "click"),
        ("r2", "a", "impression"), ("r4", "b", "remove"), ("r5", "d", "cart"), ("r9", "a", "click"),
    ])  # fmt: skip
    found = report(lists, events, clicks)
    assert found.sums["control"] == {
        "lists": 3, "lists clicked": 1, "items": 6, "items clicked": 2, "visitors": 2, "buyers": 1, "revenue": 32.0,
    }  # fmt: skip
    assert found.sums["candidate"] == {
        "lists": 2, "lists clicked": 1, "items": 6, "items clicked": 1, "visitors": 2, "buyers": 2, "revenue": 7.0,
    }  # fmt: skip
    assert of(found, "clicks per list").control.value == pytest.approx(1 / 3)
    assert of(found, "clicks per item").candidate.value == pytest.approx(1 / 6)
    assert of(found, "conversion").difference.value == pytest.approx(1 / 2)
    assert of(found, "revenue per visitor").control.value == pytest.approx(16.0)
    assert "1 purchases have no price" in " ".join(found.warnings)
    assert (found.first, found.last) == (100.0, 500.0)


def test_a_purchase_counts_within_a_day_of_a_list() -> None:
    day = 86_400.0
    lists = [listed(1, "ann", "control"), listed(2, "bob", "control"), listed(3, "bob", "control", 100 + 9 * day)]
    lists += [listed(4, "cem", "candidate"), listed(5, "dan", "candidate")]
    events = table([
        bought("ann", 100 + day), bought("bob", 100 + 9.5 * day, price=3.0), bought("bob", 100 + 5 * day),
        bought("cem", 101 + day), bought("dan", 99.0),
    ])  # fmt: skip
    sums = report(lists[::-1], events, naming([])).sums
    assert (sums["control"]["buyers"], sums["control"]["revenue"]) == (2, 13.0)
    assert (sums["candidate"]["buyers"], sums["candidate"]["revenue"]) == (0, 0.0)
    assert [follows(time, [100.0, 200.0]) for time in (99, 100, 200 + day, 201 + day)] == [False, True, True, False]


def test_with_four_visitors_nothing_is_claimed() -> None:
    lists = [listed(n, f"v{n}", side) for n, side in enumerate(["control", "control", "candidate", "candidate"])]
    found = report(lists, table([bought("v2"), bought("v3")]), naming([]))  # 2 of 2 against 0 of 2
    assert math.isnan(of(found, "conversion").difference.low)
    assert found.verdict.startswith("Nothing can be said yet")


def test_nobody_against_a_few_is_no_proof_where_one_arm_is_small() -> None:
    lists = [listed(n, f"v{n}", "candidate" if n < 20 else "control") for n in range(1000)]
    found = report(lists, table([bought(f"v{n}") for n in range(20, 60)]), naming([]))  # 0 of 20, 40 of 980
    assert found.verdict.startswith("Nothing can be said yet")


def test_a_difference_that_is_there_is_found() -> None:
    found = report(*shop(4000, (0.10, 0.15)), share=0.5)
    measured = of(found, "conversion")
    assert measured.difference.low > 0
    assert measured.p < 0.01
    assert measured.more == 0
    assert found.verdict.startswith("The candidate makes more visitors buy: +")
    worse = report(*shop(4000, (0.15, 0.10)), share=0.5)
    assert worse.verdict.startswith("The candidate makes fewer visitors buy: −")


def test_no_difference_is_not_called_equality() -> None:
    found = report(*shop(1000, (0.10, 0.11), seed=3), share=0.5)
    measured = of(found, "conversion")
    assert measured.difference.low < 0 < measured.difference.high
    assert "No difference in how many visitors buy is seen" in found.verdict
    assert measured.more is not None
    assert f"{measured.more:,} more visitors are needed" in found.verdict


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    trials = 60
    held = 0
    for seed in range(trials):
        found = report(*shop(600, (0.2, 0.25), seed=seed), resamples=400, seed=seed)
        difference = of(found, "conversion").difference
        held += difference.low <= 0.05 <= difference.high
    assert binom.cdf(held, trials, 0.95) > 0.01


def test_twice_the_standard_error_needs_four_times_the_visitors() -> None:
    assert abtest._more(0.02, 0.01, 1000) == math.ceil(1000 * 0.25 * (1.95996398 + 0.84162123) ** 2 - 1000)
    assert abtest._more(0.0, 0.01, 1000) is None


def test_who_was_shown_both_is_counted_and_left_out() -> None:
    lists, events, clicks = shop(200, (0.3, 0.3))
    moved = [listed(1000 + n, f"v{n}", "candidate" if each.arm == "control" else "control")
             for n, each in enumerate(lists[:7])]  # fmt: skip
    found = report([*lists, *moved], events, clicks)
    assert found.changed == 7
    assert sum(sums["visitors"] for sums in found.sums.values()) == 193
    assert "7 visitors were shown lists of both arms" in " ".join(found.warnings)


def test_arms_of_the_wrong_size_end_the_test() -> None:
    lists, events, clicks = shop(4000, (0.1, 0.2))
    lost = [each for n, each in enumerate(lists) if each.arm == "control" or n % 4]
    found = report(lost, events, clicks, share=0.5)
    assert found.ratio_p is not None
    assert found.ratio_p < 1e-6
    assert found.verdict.startswith("Nothing can be concluded: the arms do not have the sizes")
    assert "where a share of 50% gives" in found.warnings[0]
    assert report(lists, events, clicks, share=0.5).ratio_p > 0.001  # type: ignore[operator]


def test_the_test_of_the_sizes_is_fishers_chi_square() -> None:
    assert ratio_test({"control": 520, "candidate": 480}, 0.5) == pytest.approx(0.2059, abs=1e-4)
    assert ratio_test({"control": 10, "candidate": 0}, 0.0) == 1.0
    assert ratio_test({"control": 10, "candidate": 1}, 0.0) == 0.0


def test_the_latest_experiment_is_reported_unless_one_is_named() -> None:
    old = Shown("r1", Visitor("u"), 1.0, "home", "m", ("a",), "spring", "control")
    new = Shown("r2", Visitor("u"), 2.0, "home", "m", ("a",), "autumn", "candidate")
    other = Shown("r3", Visitor("u"), 3.0, "home", "m", ("a",))
    assert report([new, old, other], table([]), naming([])).experiment == "autumn"
    assert report([new, old, other], table([]), naming([]), experiment="spring").sums["control"]["visitors"] == 1
    with pytest.raises(InputError, match="found no list of experiment 'winter', but of autumn, spring"):
        report([new, old], table([]), naming([]), experiment="winter")
    with pytest.raises(InputError, match="found no list of any experiment; give a model the role candidate"):
        report([other], table([]), naming([]))


def test_the_same_seed_says_the_same_and_all_of_it_is_json() -> None:
    lists, events, clicks = shop(300, (0.2, 0.2))
    one, again, other = (report(lists, events, clicks, seed=seed) for seed in (1, 1, 2))
    assert one.to_dict() == again.to_dict() != other.to_dict()
    few = report(lists[:3], events, clicks).to_dict()
    assert few["measures"][2]["p"] is None


def test_clicks_are_events_that_name_the_list() -> None:
    named = naming([("r1", "a", "click"), ("r1", "b", "purchase"), ("r2", "a", "impression")])
    assert clicked(named) == {"r1": {"a", "b"}}
    assert clicked(named, ("purchase",)) == {"r1": {"b"}}


@pytest.mark.parametrize(
    ("rate", "grown", "share", "both"),
    [
        (0.1, 0.15, 0.5, 2 * 685.6),  # R: power.prop.test(p1 = .1, p2 = .15, power = .8)
        (0.5, 0.25, 0.5, 2 * 57.7),  # R: power.prop.test(p1 = .5, p2 = .25, power = .8)
    ],
)
def test_visitors_of_a_plan_are_those_of_a_power_calculation(
    rate: float, grown: float, share: float, both: float
) -> None:
    assert visitors_needed(rate, grown / rate - 1, share) == pytest.approx(both, abs=2)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_plan_shows_its_difference_four_times_of_five(share: float) -> None:
    needed = visitors_needed(0.1, 0.3, share)
    assert needed is not None
    sizes, random = (round(needed * (1 - share)), round(needed * share)), np.random.default_rng(0)
    live, other = (random.binomial(n, rate, 20_000) for n, rate in zip(sizes, (0.1, 0.13), strict=True))
    pooled = (live + other) / sum(sizes)
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]))
    seen = np.abs(other / sizes[1] - live / sizes[0]) / error > 1.96
    assert seen.mean() == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize(("rate", "uplift"), [(0.0, 0.1), (1.0, 0.1), (0.6, 0.9), (0.1, 0.0)])
def test_what_no_number_of_visitors_shows_has_no_number(rate: float, uplift: float) -> None:
    assert visitors_needed(rate, uplift, 0.5) is None


@pytest.mark.parametrize(("days", "uplift"), [(0, 0.1), (366, 0.1), (14, 0.0), (14, -0.1), (14, 11.0), (14, math.nan)])
def test_a_plan_that_is_none_is_refused(days: int, uplift: float) -> None:
    with pytest.raises(InputError, match="expected"):
        Plan(days, uplift)
