"""What a report was made by."""

import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from endcap.config import check
from endcap.data.dataset import Dataset
from endcap.made_by import made_by
from tests.worlds import circle_table

CONFIG = check({"data": {"events": "log.csv"}, "model": {"name": "gru", "dim": 8}}, "test")
LOG = Dataset("circle", circle_table(), None, {"/somewhere/log.csv": "abc"}, {"format": "csv"})


def test_command_and_config_are_there_to_be_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/endcap", "compare", "my log.csv", "--goal", "purchase"])
    found = made_by([CONFIG], LOG)
    assert found["command"] == "endcap compare 'my log.csv' --goal purchase"
    assert check(tomllib.loads(found["gru.toml"]), "again") == CONFIG
    assert "Python 3." in found["versions"]
    assert "torch " in found["versions"]


def test_the_fingerprint_is_of_contents_not_of_places() -> None:
    found = made_by([CONFIG], LOG)["data"]
    assert found.endswith("of 1 file as read")
    moved = replace(LOG, files={str(Path("elsewhere") / "log.csv"): "abc"})
    assert made_by([CONFIG], moved)["data"] == found
    assert made_by([CONFIG], replace(LOG, files={"/somewhere/log.csv": "abd"}))["data"] != found
    assert made_by([CONFIG], replace(LOG, facts={"format": "tsv"}))["data"] != found
