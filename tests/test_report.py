"""The page: complete, closed to the world, safe against what titles hold, and good to look at."""

import itertools
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endcap import pictures
from endcap.bootstrap import wilson
from endcap.evaluation import ACCURACY
from endcap.report import render
from endcap.results import Result
from endcap.serve.assets import TOKENS
from endcap.summary import summarise
from tests.browser import SIZES, Open, axe, browser, cut, faults, open_page

__all__ = ["axe", "browser", "open_page"]

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
        questions=1234,
    )
    counted = replace(first, model="popular", train_seconds=0.0, history=[], valid=0.2, note="")
    return [first, counted, replace(first, protocol="refit", metrics=METRICS | {"ndcg@10": 0.2222})]


def page(own: list[Result] | None = None, facts: dict | None = None, examples: list | None = None) -> str:
    own = results() if own is None else own
    strict = [result for result in own if result.protocol == "strict"]
    random = np.random.default_rng(0)
    values = {  # around what METRICS say
        (result.model, 0): {name: 0.2 * random.random(10) for name in ("ndcg@10", "hr@10")} for result in strict
    }
    return render(summarise(strict, values, resamples=50), own, facts or {}, examples or [])


FACTS = {
    "data": {EVIL: 12345, "questions": None},
    "columns": {"user_id": EVIL},
    "notes": [EVIL],
    "steps": [{"name": "exact duplicates", "before": 20_000, "after": 19_000, "note": EVIL}],
    "audit": [{"check": "order", "ok": True, "detail": EVIL}, {"check": "copies", "ok": False, "detail": "3 copies"}],
    "made_by": {"command": "endcap compare log.csv", "data": "sha256 0123", "gru.toml": '[model]\nname = "gru"'},
    "protocol": {"split": "temporal", "cuts": ["2020-01-01", "2020-02-01"], "goal": EVIL},
}
PHOTO = pictures.address(np.full((64, 64, 3), 90, np.uint8))
EXAMPLES = [
    {
        "user": EVIL,
        "history": [
            {"id": "a", "title": EVIL, "photo": PHOTO, "kind": "view", "time": 0.0},
            {"id": "b", "title": "", "photo": None, "kind": EVIL, "time": None},
        ],
        "models": {"transformer": [{"id": "c", "title": EVIL, "photo": PHOTO}], EVIL: []},
        "answers": [{"id": "c", "title": "Coffee, ground", "photo": None}],
        "of": "transformer",
        "outcome": "at its head",
        "place": 1,
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
    assert not {tag for tag, _ in elements.found} & {"script", "link", "iframe", "object"}
    for tag, attributes in elements.found:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("href", "src", "xlink:href"):
            address = attributes.get(name) or "#"
            assert address.startswith("#") or (tag == "img" and address == PHOTO), (tag, attributes)
    assert "url(http" not in full
    assert "@import" not in full


def test_what_titles_hold_stays_text(full):
    assert "<script" not in full
    assert "<img src=x" not in full
    assert full.count("&lt;script&gt;") >= 10  # in every place that shows a text of the source


def test_plots_have_words_and_follow_the_theme(full):
    plots = [attributes for tag, attributes in Elements(full).found if tag == "svg" and "role" in attributes]
    said = [attributes.get("aria-label") or "" for attributes in plots]
    starts = (
        "Leaderboard: test NDCG@10", "Leaderboard: test HR@10", "Quality against seconds",
        "Learning curves of transformer: training loss", "Learning curves of transformer: validation", "NDCG@10 by day",
    )  # fmt: skip
    assert [label.startswith(start) for label, start in zip(said, starts, strict=True)] == [True] * len(starts)
    assert all(attributes["role"] == "img" for attributes in plots)
    assert "var(--c0)" in full
    assert "#010101" not in full
    assert TOKENS.read_text(encoding="utf-8").strip() in full  # the colours of the storefront and the console


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


def test_photos_are_beside_titles_where_there_are_any(full):
    tiles = [attributes.get("src") for _, attributes in Elements(full).found if attributes.get("class") == "tile"]
    assert tiles == [PHOTO, None, None, PHOTO]  # a product without one keeps its place
    lists = {name: [line | {"photo": None} for line in EXAMPLES[0][name]] for name in ("history",)}
    without = [EXAMPLES[0] | lists | {"models": {}}]
    assert not any(attributes.get("class") == "tile" for _, attributes in Elements(page(examples=without)).found)


def test_an_example_says_what_came_next_and_what_became_of_the_list(full):
    text = " ".join(full.split())
    assert "transformer has what came next in place 1" in text
    assert text.count("✓ came next") == 1
    assert "Coffee, ground" in text  # the answer itself
    assert "missed what came next" in page(examples=[EXAMPLES[0] | {"place": 0}])


# In a browser


@pytest.fixture
def open_report(full: str, open_page: Open, tmp_path: Path) -> Open:
    """The page from the disk; whatever it asks for is in `page.asked`."""

    def opened(*place: str) -> Any:
        (tmp_path / "report.html").write_text(full, encoding="utf-8")
        shown = open_page(*place)
        shown.asked = []
        shown.on("request", lambda request: shown.asked.append(request.url))
        shown.goto((tmp_path / "report.html").as_uri())
        return shown

    return opened


PAPER = "getComputedStyle(document.body).backgroundColor"
OUTSIDE = """most => [...document.querySelectorAll('h1, p, table, svg, img, dd')]
    .filter(each => each.getBoundingClientRect().right > most + 1).map(each => each.outerHTML)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_it_opens_offline_and_fits(open_report: Open, axe: str, width: str, scheme: str) -> None:
    shown = open_report(width, scheme)
    assert [each for each in shown.asked if not each.startswith("data:")] == [shown.url]
    assert shown.evaluate(PAPER) == {"light": "rgb(251, 251, 248)", "dark": "rgb(18, 21, 20)"}[scheme]
    assert shown.evaluate("document.documentElement.scrollWidth") <= SIZES[width]["width"]
    assert faults(shown, axe) == []
    assert cut(shown) == []


CURVE = "NDCG@10 of 500 of 2,124 validation questions"
NAMES = ("transformer", "hybrid-transformer", "mmmmmmmmmmwwwwww", "gru", "own", "popular", "knn", "ease", "transitions")


def test_no_name_is_cut_or_under_another(open_page: Open, tmp_path: Path) -> None:
    """Nine models whose points lie one on another, with wide names; each stands whole and free."""
    first = results()[0]
    some = [
        replace(first, model=name, valid=0.3 - 0.01 * place, dataset="shop", note="", curve=CURVE)
        for place, name in enumerate(NAMES)
    ]
    (tmp_path / "report.html").write_text(page(some), encoding="utf-8")
    shown = open_page("desk", "light")
    shown.goto((tmp_path / "report.html").as_uri())
    assert cut(shown) == []
    for plot in ("Quality against", "Learning curves of", "NDCG@10 by day"):
        boxes = shown.locator(f"svg[role=img][aria-label^='{plot}'] text").evaluate_all(
            """texts => texts.map(each => [each.textContent, each.getBoundingClientRect()])
                .map(([name, box]) => [name, box.left, box.right, box.top, box.bottom])"""
        )
        named = [box for box in boxes if box[0] in NAMES][-len(NAMES) :]  # two plots have learning curves
        assert sorted(box[0] for box in named) == sorted(NAMES)
        middles = sorted((box[3] + box[4]) / 2 for box in named)
        assert all(lower - upper > 9 for upper, lower in itertools.pairwise(middles)), plot


def test_series_are_told_apart_without_colours(full):
    """By shapes in the key and in the plots, and by dashes of lines."""
    text = page([replace(results()[0], model=name, note="") for name in ("a", "b", "c")])
    marks = [mark for mark in "●■▲" if f">{mark}</span>" in text]
    assert marks == ["●", "■", "▲"]
    dashes = set(re.findall(r'stroke-dasharray="([\d,. ]+)"', text))
    assert len(dashes) >= 3


def test_curves_are_of_networks_and_say_what_they_measure(full):
    """The epochs of a hybrid's networks one after the other are no curve: each network has its own line."""
    first = replace(results()[0], model="hybrid", curve=CURVE)
    text = page([first, replace(first, model="hybrid-gru", part_of="hybrid")])
    assert "Learning curves of hybrid-gru: NDCG@10 of 500 of 2,124 validation questions per epoch" in text


def test_slices_say_how_sure_they_are(full):
    """7 questions with .1234: Wilson's interval reaches from .0213 to .4723, and nothing is shaded."""
    low, high = wilson(0.1234, 7)
    text = page([replace(results()[0], note="")])
    assert f'0.1234<span class="range">{low:.4f} to {high:.4f}' in text
    assert '<td class="heat quiet" style="--share:0.0%">0.1234' in text
    many = [line | {"n": 1000} for line in results()[0].slices if line["by"] == "history length"]
    assert '<td class="heat" style="--share:43.7%">0.1234' in page([replace(results()[0], slices=many)])


def test_metrics_say_which_way_is_better_and_which_is_best(full):
    first = replace(results()[0], note="", other={})
    better = replace(first, model="popular", metrics=METRICS | {"coverage@10": 0.25, "gini@10": 0.5, "hr@5": 0.2})
    text = page([first, better])
    assert 'Gini of exposure <span role="img" aria-label="lower is better">↓</span>' in text
    assert 'HR@5 <span role="img" aria-label="higher is better">↑</span>' in text
    assert '<td class="whole best">10 of 20</td>' in text  # half of 20 items are shown to anyone
    assert '<td class="whole">5 of 20</td>' in text
    assert '<td class="whole best">0.5000</td>' in text
    assert '<td class="best">0.2000</td>' in text
    assert '<td class="best">0.1000</td>' not in text  # where all are alike none is best


def test_what_made_it_can_be_copied(open_report: Open) -> None:
    shown = open_report("desk", "light")
    box = shown.get_by_role("region", name="gru.toml")
    assert not box.is_visible()
    shown.locator("summary").click()
    box.click()
    assert shown.evaluate("getSelection().toString()").strip() == '[model]\nname = "gru"'
    shown.get_by_text("endcap compare log.csv").click()
    assert shown.evaluate("getSelection().toString()").strip() == "endcap compare log.csv"


def test_a_slice_of_one_row_is_no_table(full):
    one = [{"by": "kind asked for", "name": "purchase", "n": 10, "hr@10": 0.2, "ndcg@10": 0.1}]
    assert "by kind asked for" not in page([replace(results()[0], slices=one)])


def test_intervals_are_drawn(open_report: Open) -> None:
    shown = open_report()
    for metric in ("NDCG@10", "HR@10"):
        plot = shown.get_by_role("img", name=f"Leaderboard: test {metric}")
        boxes = "marks => marks.map(mark => mark.getBoundingClientRect()).map(({ left, right }) => [left, right])"
        lines = plot.locator(".mark-rule.role-mark line").evaluate_all(boxes)
        dots = plot.locator(".mark-symbol.role-mark path").evaluate_all(boxes)
        assert len(lines) == len(dots) == 2
        for (low, high), dot in zip(lines, dots, strict=True):
            assert low < sum(dot) / 2 < high


def test_on_paper_it_is_light_and_nothing_is_cut(open_report: Open) -> None:
    shown = open_report("desk", "dark")
    width = 703  # px of A4 between its margins
    shown.set_viewport_size({"width": width, "height": 1_000})
    shown.emulate_media(media="print")
    assert shown.evaluate(PAPER) == "rgb(255, 255, 255)"
    assert shown.get_by_role("navigation").count() == 0
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.evaluate(OUTSIDE, width) == []
    breaks = "each => getComputedStyle(each).breakInside"
    for kept in ("figure", "tr", ".shopper"):
        assert shown.locator(kept).first.evaluate(breaks) == "avoid"
