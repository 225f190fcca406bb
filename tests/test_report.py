"""The page: complete, closed to the world, and safe against what titles hold."""

import math
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from endcap.evaluation import ACCURACY
from endcap.report import render
from endcap.results import Result
from endcap.summary import summarise

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'
METRICS = dict.fromkeys(ACCURACY, 0.1) | {"coverage@10": 0.5, "diversity@10": math.nan, "gini@10": 0.9}


def results() -> list[Result]:
    first = Result(
        model="transformer",
        seed=0,
        dataset=EVIL,
        goal="purchase",
        split="temporal",
        masked=True,
        protocol="strict",
        metrics=METRICS,
        users=10,
        items=20,
        events=300,
        train_seconds=12.0,
        evaluate_seconds=0.5,
        epochs=2,
        peak_rss_mb=400.0,
        parameters=1000,
        other={"masked": False, "metrics": METRICS | {"ndcg@10": 0.4321}},
        slices=[
            {"by": "history length", "name": "1-2", "n": 7, "hr@10": 0.2, "ndcg@10": 0.1234},
            {"by": "history length", "name": "3-5", "n": 3, "hr@10": 0.0, "ndcg@10": 0.0},
            {"by": "day", "name": "2020-01-01", "n": 4, "hr@10": 0.2, "ndcg@10": 0.1},
            {"by": "day", "name": "2020-01-02", "n": 6, "hr@10": 0.2, "ndcg@10": 0.2},
        ],
        history=[{"epoch": epoch, "loss": 5.0 - epoch, "metric": 0.1 * epoch} for epoch in (1, 2)],
        chosen={"epoch": 2},
        note=EVIL,
        valid=0.3,
    )
    counted = replace(first, model="popular", train_seconds=0.0, history=[], valid=0.2, note="")
    return [first, counted, replace(first, protocol="refit", metrics=METRICS | {"ndcg@10": 0.2222})]


def page(own: list[Result] | None = None, facts: dict | None = None, examples: list | None = None) -> str:
    own = results() if own is None else own
    strict = [result for result in own if result.protocol == "strict"]
    random = np.random.default_rng(0)
    values = {(result.model, 0): {name: random.random(10) for name in ("ndcg@10", "hr@10")} for result in strict}
    return render(summarise(strict, values, resamples=50), own, facts or {}, examples or [])


FACTS = {
    "data": {EVIL: 12345, "questions": None},
    "columns": {"user_id": EVIL},
    "notes": [EVIL],
    "steps": [{"name": "exact duplicates", "before": 20_000, "after": 19_000, "note": EVIL}],
    "audit": [{"check": "order", "ok": True, "detail": EVIL}, {"check": "copies", "ok": False, "detail": "3 copies"}],
    "protocol": {"split": "temporal", "cuts": ["2020-01-01", "2020-02-01"], "goal": EVIL},
}
EXAMPLES = [
    {
        "user": EVIL,
        "history": [
            {"id": "a", "title": EVIL, "kind": "view", "time": 0.0},
            {"id": "b", "title": "", "kind": EVIL, "time": None},
        ],
        "models": {"transformer": [{"id": "c", "title": EVIL, "score": 1.5}], EVIL: []},
        "answers": ["c"],
    }
]  # fmt: skip


class Elements(HTMLParser):
    """Tags with their attributes, and which are still open."""

    VOID = ("meta", "br", "link", "img", "input")

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def full() -> str:
    return page(facts=FACTS, examples=EXAMPLES)


def test_page_is_well_formed_and_closed_to_the_world(full):
    elements = Elements(full)
    assert not elements.open
    assert not {tag for tag, _ in elements.found} & {"script", "link", "img", "iframe", "object"}
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("href", "src", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert "url(http" not in full
    assert "@import" not in full


def test_what_titles_hold_stays_text(full):
    assert "<script" not in full
    assert "<img" not in full
    assert full.count("&lt;script&gt;") >= 10  # in every place that shows a text of the source


def test_plots_have_words_and_follow_the_theme(full):
    plots = [attributes for tag, attributes in Elements(full).found if tag == "svg"]
    said = [attributes.get("aria-label") or "" for attributes in plots]
    starts = ("Leaderboard: test NDCG@10", "Quality against seconds", "Learning curves", "NDCG@10 by day")
    assert [label.startswith(start) for label, start in zip(said, starts, strict=True)] == [True] * 4
    assert all(attributes["role"] == "img" for attributes in plots)
    assert "var(--c0)" in full
    assert "#010101" not in full
    assert "prefers-color-scheme: dark" in full
    assert "@media print" in full


def test_everything_known_is_on_the_page(full):
    for text in (
        "Use transformer",  # verdict
        "0.4321",  # the other repeat policy
        "0.2222",  # refit
        "0.1234",  # a slice
        "history length",
        "exact duplicates",
        "20,000",
        "1,000",  # removed
        "✓ passed",
        "✗ look here",
        "✓ came next",
        "12,345",
        "2020-01-01, 2020-02-01",
        "1970-01-01",  # an event's day
        "nothing to show",
        "epoch 2",
    ):
        assert text in full, text


def test_page_of_little():
    """One model, nothing known of the data, no slices, no epochs, no examples, a metric that is not known."""
    bare = replace(results()[1], slices=[], other={}, chosen={}, valid=math.nan)
    text = page([bare])
    Elements(text)
    assert "Learning curves" not in text
    assert "What real users would see" not in text
    assert "for comparison" not in text
    assert "nan" not in text.replace("dominant", "").lower()
