"""What the terminal shows."""

import math
from dataclasses import replace

from rich.console import Console

from endcap import screen
from endcap.results import Result
from tests.test_report import results


def printed(own: list[Result], width: int = 80) -> list[str]:
    console = Console(width=width, no_color=True)
    with console.capture() as said:
        console.print(screen.leaderboard(own))
    return said.get().strip().splitlines()


def test_the_number_of_questions_is_said() -> None:
    assert "1,234 questions" in printed(results())[0]


def test_nothing_is_cut_at_80_columns_and_heads_have_units() -> None:
    first = results()[0]
    long = replace(first, model="hybrid-transformer", train_seconds=1_234.5, peak_rss_mb=3_210.0)
    lines = printed([first, long, replace(first, protocol="refit")])
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert "model valid hr@10 ndcg@10 mrr@20 cov@10 fit, s MB" in " ".join(lines[1].split())
    assert any(line.startswith("hybrid-transformer ") and line.split()[-2:] == ["1,234", "3,210"] for line in lines)
    assert any("transformer (refit)" in line for line in lines)


def test_ties_are_in_the_order_of_their_names_whatever_came_first() -> None:
    some = [replace(results()[0], model=name) for name in ("transitions", "gru", "own")]
    assert printed(some) == printed(some[::-1])
    assert [line.split()[0] for line in printed(some)[3:6]] == ["gru", "own", "transitions"]


def test_a_bar_is_as_long_as_its_share_of_the_best() -> None:
    first = results()[0]
    half = replace(first, model="half", metrics=first.metrics | {"ndcg@10": first.metrics["ndcg@10"] / 2}, valid=0.1)
    best, other = printed([half, first])[3:5]
    assert (best.count("▇"), other.count("▇")) == (screen.BAR, screen.BAR // 2)


def test_memory_that_is_not_known_is_a_dash() -> None:
    assert printed([replace(results()[0], peak_rss_mb=math.nan)])[3].split()[-1] == "–"
