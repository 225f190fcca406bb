"""Bread goes with butter; with what everybody buys it does not, nor does one bread with another."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.data.complements import LARGEST, LEAST, MOST, Complements, complements
from endcap.data.errors import InputError
from endcap.data.interactions import Interactions, from_table
from tests.worlds import table

DAY = 86_400.0
CATEGORIES = {
    "bread": "Food > Bread", "rolls": "Food > Bread", "butter": "Food > Dairy", "bag": "Checkout > Bags",
    "jam": "Food > Jam",
}  # fmt: skip


def log_of(baskets: list[list[str]], *, kind: str = "purchase", timed: bool = True, spread: float = 0) -> Interactions:
    """Each basket is a user's day; its events are `spread` seconds apart."""
    rows = [
        {"user_id": f"u{n % 7}", "item_id": item, "kind": kind, "time": 1000 * DAY + n * DAY + spread * place}
        for n, basket in enumerate(baskets) for place, item in enumerate(basket)
    ]  # fmt: skip
    return from_table(table(rows if timed else [row | {"time": None} for row in rows]))


def market(**how: object) -> Interactions:
    """Every basket has a bag; of five one has bread, rolls and butter, the others jam."""
    baskets = [["bag", "bread", "rolls", "butter"] if n % 5 == 0 else ["bag", "jam"] for n in range(200)]
    return log_of(baskets, **how)  # type: ignore[arg-type]


def names(found: Complements, log: Interactions, item: str) -> list[str]:
    (index,) = log.vocabulary.index([item])
    return [log.vocabulary.id(int(other)) for other in found.of(int(index))[0]]


def categories(log: Interactions) -> list[str]:
    return ["", *(CATEGORIES.get(item, "") for item in log.vocabulary.ids)]


@pytest.mark.parametrize("kind", ["purchase", "cart", "review"])
def test_what_lies_in_the_same_baskets_goes_together_if_it_is_of_another_category(kind: str) -> None:
    log = market(kind=kind, spread=600)
    found = complements(log, categories(log))
    assert names(found, log, "bread") == ["butter"]  # not rolls, which are bread too, nor the bag, which all have
    assert names(found, log, "butter") in (["bread", "rolls"], ["rolls", "bread"])
    assert names(found, log, "jam") == names(found, log, "bag") == []


def test_without_any_category_every_product_is_another_kind() -> None:
    log = market()
    assert {*names(complements(log, [""] * (log.n_items + 1)), log, "bread")} == {"rolls", "butter"}


def test_a_product_without_a_category_among_others_goes_with_nothing() -> None:
    log = market()
    some = [text if text != "Food > Dairy" else "" for text in categories(log)]
    assert names(complements(log, some), log, "bread") == names(complements(log, some), log, "butter") == []


def test_the_first_category_of_several_counts() -> None:
    log = market()
    some = [f"{text}|Food > All" if text else "" for text in categories(log)]
    assert names(complements(log, some), log, "bread") == ["butter"]


@pytest.mark.parametrize(("together", "found"), [(LEAST - 1, []), (LEAST, ["butter"])])
def test_a_pair_needs_some_baskets(together: int, found: list[str]) -> None:
    log = log_of([["bread", "butter"]] * together + [["bag", "jam"]] * 500)
    assert names(complements(log, categories(log)), log, "bread") == found


def test_chance_is_no_reason() -> None:
    random = np.random.default_rng(0)
    items = [f"p{n}" for n in range(40)]
    log = log_of([list(random.choice(items, 4, replace=False)) for _ in range(1_000)])
    pairs = complements(log, ["", *log.vocabulary.ids]).table
    assert len(pairs) <= 0.005 * 40 * 39  # of a thousand one, of those that are oftener together than expected


def test_the_best_of_many_and_no_baskets_of_resellers() -> None:
    many = [f"side-{n}" for n in range(MOST + 10)]
    log = log_of([["bread", side] for side in many for _ in range(LEAST)] + [["bag", "jam"]] * 5_000)
    kinds = ["", *log.vocabulary.ids]
    assert len(names(complements(log, kinds), log, "bread")) == MOST
    for size, found in ((LARGEST, MOST), (LARGEST + 1, 0)):
        crowd = log_of([[f"p{n}" for n in range(size)]] * 20 + [["bag", "jam"]] * 500)
        assert len(names(complements(crowd, ["", *crowd.vocabulary.ids]), crowd, "p0")) == found


@pytest.mark.parametrize("log", [market(kind="view"), market(timed=False), log_of([["bread"], ["butter"]])])
def test_a_log_without_baskets_says_nothing(log: Interactions) -> None:
    assert len(complements(log, categories(log)).table) == 0


def test_comes_back_as_it_was_and_damage_is_said(tmp_path: Path) -> None:
    log = market()
    found = complements(log, categories(log))
    found.save(tmp_path / "pairs.parquet")
    assert names(Complements.load(tmp_path / "pairs.parquet"), log, "bread") == ["butter"]
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    for name in ("other.parquet", "torn.parquet"):
        with pytest.raises(InputError, match="train it again"):
            Complements.load(tmp_path / name)
