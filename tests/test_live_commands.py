"""The whole way: lists served with exploration and an A/B test, clicks sent back, then the commands."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from endcap import live_commands
from endcap.data.errors import InputError
from endcap.engine.answering import Exploring
from endcap.engine.engine import Engine, EngineConfig
from endcap.engine.requests import Answer, Ask
from endcap.store.records import Event, Visitor
from tests import shops

Run = Callable[..., str]


@pytest.fixture(scope="module")
def artifacts_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    shops.trained(folder / "shop", shops.config("popular"))
    shops.trained(folder / "better", shops.config("transitions"))
    return folder


@pytest.fixture
def folder(artifacts_made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifacts_made, tmp_path / "runs"))


@pytest.fixture
def run() -> Run:
    app = typer.Typer()
    app.command()(live_commands.experiment)
    app.command()(live_commands.update)

    def command(*arguments: object) -> str:
        ended = CliRunner().invoke(app, [str(each) for each in arguments])
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        assert not ended.exit_code, ended.output
        return ended.stdout

    return command


def serve(folder: Path, *, visitors: int, candidate: bool = False, explore: bool = False) -> None:
    """Visitors look at a product, get a list, and mostly click on the one that is next on the circle, then buy it."""
    exploring = Exploring(places=2, pool=6) if explore else Exploring()
    engine = Engine.open(folder / "shop", str(folder / "shop.db"), config=EngineConfig(exploring))
    if candidate:
        engine.set_role("candidate", folder / "better", share=0.5, by="test")
    random = np.random.default_rng(0)
    for number in range(visitors):
        visitor, item = Visitor(f"live{number}"), int(random.integers(12))
        engine.record([Event(visitor, f"i{item}", "view")])
        (answer,) = engine.recommend([Ask(visitor, k=4)])
        assert isinstance(answer, Answer)
        for shown in answer.items:
            if random.random() < (0.8 if shown.item_id == f"i{(item + 1) % 12}" else 0.05):
                named = {"recommendation_id": answer.recommendation_id, "price": 4.0}
                engine.record([Event(visitor, shown.item_id, kind, **named) for kind in ("click", "purchase")])
    engine.close()


def test_an_ab_test_from_served_lists_to_its_report(folder: Path, run: Run) -> None:
    serve(folder, visitors=240, candidate=True)
    found = json.loads(run("experiment", folder / "shop", "--json"))
    measures = {each["name"]: each for each in found["measures"]}
    assert found["share"] == 0.5
    assert found["ratio_p"] > 1e-3
    assert sum(sums["visitors"] for sums in found["sums"].values()) == 240
    assert measures["conversion"]["difference"]["low"] > 0.1  # what comes next is found by transitions alone
    assert measures["revenue per visitor"]["control"]["value"] > 0
    assert "The candidate makes more visitors buy" in run("experiment", folder / "shop")
    late = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * shops.DAY))
    with pytest.raises(InputError, match="found no list of any experiment"):
        run("experiment", folder / "shop", "--since", late)


def test_a_replay_from_served_lists_to_its_estimate(folder: Path, run: Run) -> None:
    serve(folder, visitors=400, explore=True)
    found = json.loads(run("experiment", folder / "shop", "--replay", folder / "better", "--json"))
    assert found["places"] == 800
    assert found["weight"] == pytest.approx(1, abs=0.35)
    assert found["snips"]["value"] > 1.5 * found["logged"]["value"]
    shown = run("experiment", folder / "shop", "--replay", folder / "better", "--reward", "purchase")
    assert "SNIPS" in shown
    assert "explored places" in shown
    with pytest.raises(InputError, match="found no list of any experiment"):
        run("experiment", folder / "shop")


def test_a_log_without_exploration_is_refused(folder: Path, run: Run) -> None:
    serve(folder, visitors=5)
    with pytest.raises(InputError, match="5 left out: no place of them was explored"):
        run("experiment", folder / "shop", "--replay", folder / "better")


def test_update_says_what_it_did(folder: Path, run: Run) -> None:
    shops.opened(folder, shops.PAST, shops.walk(21, 29, seed=2, new=True)).close()
    tried = json.loads(run("update", folder / "better", "--db", folder / "shop.db", "--dry-run", "--json"))
    assert (tried["state"], tried["new"]) == ("tried", None)
    said = run("update", folder / "better", "--db", folder / "shop.db", "--days", "2")
    assert "The new model is live" in said
    assert "decided by" in said
    again = run("update", folder / "better", "--db", folder / "shop.db")
    assert "Nothing is newer than what the live model was trained on" in again


def commands_of_the_page() -> list[list[str]]:
    text = (Path(__file__).parents[1] / "docs" / "experiments.md").read_text(encoding="utf-8")
    found = re.findall(r"^endcap (experiment|update) (.*)$", text, re.MULTILINE)
    return [[name, *shlex.split(arguments, comments=True)] for name, arguments in found]


@pytest.mark.parametrize("command", commands_of_the_page(), ids=" ".join)
def test_every_command_of_the_page_parses(command: list[str]) -> None:
    app = typer.Typer()
    app.command()(live_commands.experiment)
    app.command()(live_commands.update)
    vars(typer.main.get_command(app))["commands"][command[0]].make_context(command[0], command[1:])


def test_the_python_of_the_page_explores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[1] / "docs" / "experiments.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(folder.parent)  # it holds runs/shop
    world: dict = {}
    exec(compile(block, "docs/experiments.md", "exec"), world)
    engine = world["engine"]
    engine.recommend([Ask(Visitor("ann"), k=6)])
    engine.flush()
    (shown,) = engine.store.shown()
    assert [record["place"] for record in shown.explored] == [4, 5]
    engine.close()


def test_a_database_that_is_not_there_is_not_made(folder: Path, run: Run) -> None:
    with pytest.raises(InputError, match="found no database"):
        run("update", folder / "shop")
    assert not (folder / "shop.db").exists()
