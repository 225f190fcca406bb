"""What all pages of the console share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from endcap.serve.console.page import PAGES
from endcap.serve.console.slow import Slow
from tests.serve.test_console import EDITING, PLACES, app_of, browser_of, filled, shops, shown

__all__ = ["filled", "shops"]

ALL = tuple(dict.fromkeys((*PAGES.values(), *PLACES, *EDITING)))
SIMULATED = "visits that its models learned from are simulated"


@pytest.fixture(scope="module")
def simulated(shops: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A shop whose model learned from visits that nobody made."""
    folder = tmp_path_factory.mktemp("simulated")
    shutil.copytree(shops, folder / "shops")
    config = folder / "shops" / "shop" / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('"circle"', '"simulated"'), encoding="utf-8")
    with browser_of(app_of(folder / "shops", filled, folder)) as client:
        yield client


@pytest.fixture(scope="module")
def measured(shops: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with browser_of(app_of(shops, filled, tmp_path_factory.mktemp("measured"))) as client:
        yield client


@pytest.mark.parametrize("path", [*ALL, "/console/login"])
def test_simulated_visits_are_called_so_on_every_page(simulated: TestClient, path: str) -> None:
    assert SIMULATED in shown(simulated, path)


def test_also_where_something_is_wrong_or_not_ready(simulated: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SIMULATED in simulated.get("/console/nothing-here").text
    monkeypatch.setattr(Slow, "get", lambda self, key, make, *, seconds: None)
    assert SIMULATED in simulated.get("/console/quality").text


@pytest.mark.parametrize("path", ["/console", "/console/quality", "/console/login"])
def test_real_visits_are_not(measured: TestClient, path: str) -> None:
    assert "simulated" not in shown(measured, path)
