"""The models page: what each model finds, in words, and a question before a worse one answers."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.test_console import app_of, browser_of, filled, send, shops, shown, words

__all__ = ["filled", "shops"]

NOVEMBER = 1_795_737_600.0  # 2026-11-27


def measured(folder: Path, hits: float | None, **facts: Any) -> None:
    """Gives an artifact other figures."""
    path = folder / "artifact.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about["facts"] |= {"metrics": {} if hits is None else {"ndcg@10": hits / 2, "hr@10": hits}, **facts}
    path.write_text(json.dumps(about), encoding="utf-8")
    os.utime(path, (NOVEMBER, NOVEMBER))


@pytest.fixture
def client(shops: Path, filled: Path, tmp_path: Path) -> Iterator[TestClient]:
    """The live model finds 41%; beside it lie one that is better, one that is worse, and some of which nobody knows."""
    home = tmp_path / "shops"
    shutil.copytree(shops / "shop", home / "shop")
    for name in ("better", "worse", "unmeasured", "elsewhere"):
        shutil.copytree(shops / "counted", home / name)
    measured(home / "shop", 0.41)
    measured(home / "better", 0.54)
    measured(home / "worse", 0.2)
    measured(home / "unmeasured", None)
    measured(home / "elsewhere", 0.99, cuts=[1.0, 2.0])
    with ExitStack() as stack:
        client = stack.enter_context(browser_of(app_of(home, filled, tmp_path)))
        send(client, "models/beside", role="candidate", path="")
        yield client


def live(client: TestClient) -> str:
    return str(client.get("/v1/models").json()["models"]["live"])


def choices(client: TestClient) -> dict[str, str]:
    """Path -> what is said of it, in the order of the page."""
    found = re.findall(r'<li class="choice">(.*?)</li>', shown(client, "/console/models"), re.DOTALL)
    return {unescape(re.findall(r'<code dir="auto">([^<]+)', each)[0]): words(each) for each in found}


def test_models_are_told_by_what_they_find_the_best_first(client: TestClient) -> None:
    found = choices(client)
    assert list(found) == ["elsewhere", "better", "shop", "worse", "unmeasured"]
    assert "What follows what · 2026-11-27" in found["better"]
    assert "Finds the next product in ten places 54% of the time. Live: 41%." in found["better"]
    assert "41% of the time." in found["shop"]
    assert "Live: 41%" not in found["shop"]
    assert "Measured on other events than the live one (41%)" in found["elsewhere"]
    assert "Nobody has measured it. Live: 41%." in found["unmeasured"]
    assert "0.5400" in found["better"]  # its figures beside it
    assert "0.2000" in found["worse"]


def test_the_live_model_says_what_it_finds(client: TestClient) -> None:
    card = re.findall(
        r'<article class="card role role-live">(.*?)</article>', shown(client, "/console/models"), re.DOTALL
    )
    assert "Finds the next product in ten places 41% of the time." in words(card[0])


def test_a_better_one_goes_live_at_once(client: TestClient) -> None:
    before = live(client)
    assert send(client, "models/promote", path="better").status_code == 303
    assert live(client) != before


@pytest.mark.parametrize(
    ("path", "said"), [("worse", "20%"), ("unmeasured", "not measured"), ("elsewhere", "99%, on other events")]
)
def test_what_is_worse_or_unknown_is_asked_once_more(client: TestClient, path: str, said: str) -> None:
    before = live(client)
    answer = send(client, "models/promote", path=path)
    assert answer.status_code == 200
    text = words(answer.text)
    assert said in text
    assert "41%" in text
    assert live(client) == before
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text))
    assert fields["path"] == path
    sent = client.post("/console/models/promote", data=fields, follow_redirects=False)
    assert sent.status_code == 303
    assert live(client) != before


def test_of_a_live_model_without_figures_nothing_is_worse(shops: Path, filled: Path, tmp_path: Path) -> None:
    home = tmp_path / "shops"
    shutil.copytree(shops / "shop", home / "shop")
    shutil.copytree(shops / "counted", home / "any")
    measured(home / "shop", None)
    measured(home / "any", 0.1)
    with browser_of(app_of(home, filled, tmp_path)) as client:
        send(client, "models/beside", role="candidate", path="")
        assert send(client, "models/promote", path="any").status_code == 303
