"""The summary of a log, each figure counted by hand."""

import json
from dataclasses import asdict

import pytest

from endcap.data.bots import BotRule
from endcap.data.check import SHOWN_PROBLEMS, ProblemSort, summarise
from endcap.data.schema import validate_items
from tests.data.frames import check_in, raw

LOG = [
    ("ann", "tea", "view", "1714564800"),
    ("ann", "tea", "view", "1714564800"),  # a copy
    ("ann", "tea", "view", "1714564801"),  # a reload
    ("ann", "jam", "purchase", "1714564801"),
    ("bob", "tea", "view", "1714651200"),
    ("cat", "hat", "view", "1714651200.5"),
    ("cat", "hat", "purr", "1714651200"),
    ("cat", "hat", "view", "1900000000"),
]


def test_figures_of_a_small_log():
    backend, validated = check_in("user_id item_id kind time", *LOG)
    items = validate_items(backend, raw(backend, "item_id price", ("tea", "1"), ("jam", "-1"), ("rum", "2")))
    summary = summarise(backend, validated, items)
    assert (summary.rows_read, summary.events, summary.kinds) == (8, 6, {"view": 5, "purchase": 1})
    assert (summary.users, summary.users_with_one_event, summary.items) == (3, 2, 3)
    assert (summary.catalogue, summary.unknown_items, summary.unknown_share) == (3, 1, pytest.approx(1 / 6))
    assert summary.density == pytest.approx(4 / 9)
    assert (summary.first_time, summary.last_time, summary.without_time) == (1714564800.0, 1714651200.5, 0)
    assert summary.resolution == "finer"
    assert summary.ties == pytest.approx(4 / 6)
    assert (summary.duplicates, summary.near_duplicates) == (1, 1)
    assert summary.repeat_share == pytest.approx(2 / 6)
    assert summary.usable
    assert set(summary.problem_sorts) == {
        ProblemSort("kind", "unknown kind; row left out", 1),
        ProblemSort("time", "time in the future; row left out", 1),
        ProblemSort("items.price", "below 0; value left empty", 1),
    }
    assert [(problem["row"], problem["column"]) for problem in summary.problems] == [
        (2, "items.price"), (7, "kind"), (8, "time"),
    ]  # fmt: skip
    json.dumps(asdict(summary))


def test_problems_are_counted_whole_and_shown_in_part():
    backend, validated = check_in("user_id item_id", *[("", "tea")] * 50, ("ann", "tea"))
    broken = raw(backend, "column value problem", ("", "a,b,c", "too many fields"))
    summary = summarise(backend, validated, broken=broken)
    assert summary.problem_sorts == (
        ProblemSort("user_id", "no user_id; row left out", 50),
        ProblemSort("", "too many fields", 1),
    )
    assert len(summary.problems) == SHOWN_PROBLEMS


def test_suspects_are_named_with_the_reason():
    rows = [("robot", "tea", str(1_714_564_800 + n)) for n in range(20)] + [("ann", "tea", "1714564800")]
    backend, validated = check_in("user_id item_id time", *rows)
    summary = summarise(backend, validated, bot_rule=BotRule(per_hour=10, per_day=30))
    assert [(suspect.user_id, suspect.why) for suspect in summary.suspects] == [
        ("robot", "20 different moments in an hour (over 10)")
    ]
    assert summary.n_suspects == 1


@pytest.mark.parametrize(
    ("columns", "row", "usable", "reason", "resolution"),
    [
        ("user_id item_id", ("ann", "tea"), True, "leave-one-out", "none"),
        ("user_id item_id time", ("ann", "tea", "2024-05-01"), True, "are there", "day"),
        ("user_id item_id time", ("ann", "tea", "2024-05-01T10:00"), True, "are there", "seconds"),
        ("user_id item_id time", ("ann", "tea", "soon"), False, "none of the 1 rows", "none"),
        ("user_id item_id kind", ("ann", "tea", "click"), False, "only events of kind click", "none"),
    ],
)
def test_what_the_log_can_be_used_for(columns, row, usable, reason, resolution):
    backend, validated = check_in(columns, row)
    summary = summarise(backend, validated)
    assert summary.usable is usable
    assert reason in summary.reason
    assert summary.resolution == resolution


def test_all_suspects_are_counted_and_the_busiest_named():
    rows = [(f"robot {user:02}", "tea", str(1_714_564_800 + n)) for user in range(12) for n in range(3 + user)]
    backend, validated = check_in("user_id item_id time", *rows)
    summary = summarise(backend, validated, bot_rule=BotRule(per_hour=2))
    assert summary.n_suspects == 12
    assert [suspect.user_id for suspect in summary.suspects] == [f"robot {user:02}" for user in range(11, 1, -1)]
