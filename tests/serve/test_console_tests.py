"""Tests of models on the console: planned before they begin, and told in plain words."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from endcap.abtest import Measured, Report
from endcap.bootstrap import Interval
from endcap.serve.console.texts import Words
from endcap.serve.console.verdicts import verdict
from tests.serve.conftest import KEYS, READER
from tests.serve.test_console import app_of, browser_of, filled, log_in, send, shops, shown, words
from tests.serve.test_console_frame import ALL

__all__ = ["filled", "shops"]

DAY = 86_400.0
FOR_EXPERTS = ("SNIPS", "IPS", "Effective", 'role = "read"', "At the same moment", "Finer than seconds", "nobody knows")


@pytest.fixture(scope="module")
def app(shops: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return app_of(shops, filled, tmp_path_factory.mktemp("tests"))


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with browser_of(app) as opened:
        yield opened


def told(control: Interval, candidate: Interval, difference: Interval, p: float, more: int | None) -> Report:
    """A test of ten days with 1,000 visitors."""
    measured = Measured("conversion", control, candidate, difference, p, more)
    sums = {"control": {"visitors": 500.0}, "candidate": {"visitors": 500.0}}
    return Report("a:b", 1_795_737_600.0, 1_795_737_600.0 + 10 * DAY, 0.5, sums, (measured,), 0, 0.7, (), "", 100, 0)


def interval(value: float, half: float) -> Interval:
    return Interval(value, value - half, value + half)


def test_a_verdict_names_both_figures_chance_and_the_day() -> None:
    found = told(interval(0.088, 0.05), interval(0.179, 0.06), interval(0.091, 0.1), 0.0812, 200)
    assert verdict(Words("en"), found) == (
        "Undecided: the candidate sells to 17.9% of visitors, the live model to 8.8%; chance is not ruled out (p .08). "
        "At this pace it is decided on 2026-12-09."
    )
    assert "2026-12-09" in verdict(Words("zh"), found)


@pytest.mark.parametrize(
    ("difference", "p", "more", "said"),
    [
        (0.1, 0.0004, 0, "candidate sells more. It sells to 17.9% of visitors, the live model to 8.8% (p < .001)."),
        (-0.1, 0.004, 0, "Decided: the candidate sells less."),
        (0.0, 0.9, None, "(p .90)."),
        (0.0, 0.9, 100_000, "not decided within a year."),
    ],
)  # fmt: skip
def test_a_verdict_claims_no_more_than_is_known(difference: float, p: float, more: int | None, said: str) -> None:
    text = verdict(Words("en"), told(interval(0.088, 0.05), interval(0.179, 0.06), interval(difference, 0.05), p, more))
    assert said in text


def test_the_page_has_such_a_verdict(client: TestClient) -> None:
    text = words(shown(client, "/console/experiments"))
    assert re.search(r"ecided: the candidate sells .* to \d+\.\d% of visitors, the live model to \d+\.\d%", text)
    assert "more visitors to see" not in re.findall(r"(?:Undecided|Decided)[^?]*\?", text)[0]


def test_a_test_is_planned_before_it_begins(client: TestClient) -> None:
    send(client, "models/beside", role="candidate", path="")
    page = shown(client, "/console/experiments/plan?path=counted&share=50&days=2&uplift=20")
    text = words(page)
    assert re.search(r"160 visitors a day are shown a shelf, and \d+\.\d% of them buy", text)
    needed = re.search(r"takes ([\d,]+) visitors\. They come in (\d+) days", text)
    assert needed is not None
    assert int(needed[2]) == -(-int(needed[1].replace(",", "")) // 160)
    assert "2 days are too short" in text
    form = re.findall(r'<form method="post" action="/console/models/beside".*?</form>', page, re.DOTALL)[0]
    fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    assert client.post("/console/models/beside", data=fields, follow_redirects=False).status_code == 303
    assert client.get("/v1/models").json()["share"] == 0.5
    assert client.get("/console/models").status_code == 200
    (change, *_) = [each for each in client.app.state.serving.engine.store.changes() if each["after"]]
    assert (change["after"]["days"], change["after"]["uplift"]) == (2, 0.2)


@pytest.mark.parametrize(
    "query",
    ["share=0", "share=100", "share=half", "days=0", "days=1.5", "days=soon", "uplift=0", "uplift=x", "uplift=-5"],
)
def test_a_plan_that_cannot_be_is_said_and_cannot_begin(client: TestClient, query: str) -> None:
    answer = client.get(f"/console/experiments/plan?path=counted&{query}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'action="/console/models/beside"' not in answer.text
    sent = {"role": "candidate", "path": "counted", "share": "50", "days": "7", "uplift": "10"}
    assert send(client, "models/beside", **sent | dict([query.split("=")])).status_code == 422


def test_a_plan_is_of_a_model_that_is_there_and_for_who_may_begin_it(
    client: TestClient, shops: Path, filled: Path, tmp_path: Path
) -> None:
    assert client.get("/console/experiments/plan?path=../shop").status_code == 422
    (tmp_path / "keys.toml").write_text(KEYS, encoding="utf-8")
    app = app_of(shops, filled, tmp_path, keys=tmp_path / "keys.toml")
    with browser_of(app, "https://api.shop.example") as reader:
        log_in(reader, READER)
        assert reader.get("/console/experiments/plan?path=counted").status_code == 403


@pytest.mark.parametrize("path", [*ALL, "/console/login"])
def test_no_page_speaks_to_experts(client: TestClient, path: str) -> None:
    text = words(shown(client, path))
    assert [word for word in FOR_EXPERTS if word.lower() in text.lower()] == []


@pytest.mark.parametrize("path", ["/console/quality", "/console/models", "/console/experiments?replay=shadow"])
def test_each_figure_has_a_sentence_and_an_example(client: TestClient, path: str) -> None:
    if "replay" in path:
        send(client, "models/beside", role="shadow", path="counted")
    text = shown(client, path)
    facts = re.findall(r"<dt>(.*?)</dt>", re.sub(r'<dl class="figures">.*?</dl>', "", text, flags=re.DOTALL), re.DOTALL)
    assert len(facts) >= 4
    for fact in facts:
        assert 'class="hint"' in fact, fact
    for said in re.findall(r'class="hint"><summary aria-label="What this means">\?</summary><p>([^<]+)', text):
        assert re.search(r"\d|example|such as|: ", said), said
