"""The command `endcap tune`: what it prints and leaves, and how it ends."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from endcap import cli

CONFIG = """
[data]
events = "{log}"

[split]
method = "leave-one-out"

[model]
name = "gru"
dim = 8
hidden = 8

[train]
epochs = {epochs}
patience = 0
batch_tokens = 128
warmup = 5
learning_rate = 0.003

[tune]
"model.dim" = [8, 16]
"model.hidden" = []
model.layers = []
"""


def write(folder: Path, *, epochs: int = 3, steps: int = 8) -> Path:
    """A log on which users walk a circle, and a config; the path of that."""
    rows = ["user_id,item_id,kind,time"]
    for user in range(60):
        for step in range(steps):
            rows.append(f"u{user},i{(user + step) % 15},view,{1_600_000_000 + 86_400 * step + 60 * user}")
    (folder / "log.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    path = folder / "shop.toml"
    path.write_text(CONFIG.format(log=folder / "log.csv", epochs=epochs), encoding="utf-8")
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    return error


def test_the_best_config_trains_to_its_figure(tmp_path: Path, endcap: Callable[..., str]) -> None:
    config, out = write(tmp_path), tmp_path / "tuned"
    found = json.loads(endcap("tune", config, out, "--trials", 3, "--processes", 1, "--json"))
    (study,) = found["studies"]
    assert (study["trials"], found["stopped"]) == ({"done": 3, "pruned": 0, "failed": 0}, False)
    assert study["given"]["trial"] == 0
    assert set(study["search_space"]) == {"train.learning_rate", "train.weight_decay", "model.dim", "model.dropout"}
    assert {path.name for path in out.iterdir()} == {".lock", "best.toml", "card.md", "study.db", "tune.html"}
    card = (out / "card.md").read_text(encoding="utf-8")
    for figure in (study["best"]["valid"], study["given"]["valid"]):
        assert f"{figure:.4f}" in card
    trained = json.loads(endcap("train", out / "best.toml", tmp_path / "artifact", "--json"))
    assert trained["valid"] == pytest.approx(study["best"]["valid"], abs=1e-9)
    text = endcap("tune", config, out, "--trials", 3)  # nothing is left to do
    assert "3 trials (3 done)" in text
    assert "train.learning_rate" in text


def test_what_cannot_be_tuned_is_one_line_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(tmp_path)
    for text, message in (
        ("[data\n", "is no TOML"),
        ("tune = 3\n" + config.read_text().partition("\n[tune]")[0], "expected a table [tune]"),
    ):
        broken = tmp_path / "broken.toml"
        broken.write_text(text, encoding="utf-8")
        assert message in " ".join(refused(capsys, "tune", broken, tmp_path / "x").split())
    assert "expected a range" in refused(capsys, "tune", config, tmp_path / "x", "--set", "tune.model.dim=8")
    assert "expected a new folder" in refused(capsys, "tune", config, tmp_path)
    assert not (tmp_path / "x").exists()


def test_a_config_that_cannot_be_trained_stops_it_and_a_mended_one_begins_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned"
    error = refused(capsys, "tune", write(tmp_path, steps=2), out, "--trials", 2, "--processes", 1)
    assert "error: found no validation question after the leave-one-out split" in " ".join(error.split())
    with pytest.raises(SystemExit) as ended:
        cli.main(["tune", str(write(tmp_path)), str(out), "--trials", "1"])
    assert not ended.value.code
    assert (out / "best.toml").exists()


def done(out: Path) -> int:
    """How many trials of a running command are done."""
    try:
        with sqlite3.connect(f"file:{out / 'study.db'}?mode=ro", uri=True) as database:
            return int(database.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()[0])
    except sqlite3.OperationalError:  # it is not there yet
        return 0


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path, endcap: Callable[..., str]) -> None:
    config, out = write(tmp_path, epochs=12), tmp_path / "tuned"
    command = [sys.executable, "-m", "endcap", "tune", str(config), str(out), "--trials", "50", "--processes", "1"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while done(out) < 1:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert "the same command goes on from here" in error
    kept = done(out)
    assert 1 <= kept < 50
    assert {"best.toml", "card.md", "tune.html"} < {path.name for path in out.iterdir()}
    assert not (out / "data").exists()
    found = json.loads(endcap("tune", config, out, "--trials", kept + 1, "--processes", 1, "--json"))
    assert sum(found["studies"][0]["trials"].values()) == kept + 1
