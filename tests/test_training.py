import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from endcap.config import model
from endcap.models import Network
from endcap.training import Epoch, Task, TrainConfig, fit
from tests.worlds import circle

QUICK = TrainConfig(epochs=6, patience=0, batch_tokens=64, learning_rate=5e-3, warmup=5)


class Killed(Exception):
    """Stands for a kill between two epochs."""


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path: Path, optimizer: str) -> None:
    parts = circle()
    config = TrainConfig(**{**QUICK.__dict__, "optimizer": optimizer, "schedule": "cosine"})
    whole = fit(model("gru"), parts.train, parts.valid, config, Task())

    def die(epoch: Epoch) -> None:
        if epoch.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        fit(model("gru"), parts.train, parts.valid, config, Task(), checkpoint=tmp_path, on_epoch=die)
    heard: list[int] = []
    resumed = fit(
        model("gru"), parts.train, parts.valid, config, Task(), checkpoint=tmp_path,
        on_epoch=lambda epoch: heard.append(epoch.epoch),
    )  # fmt: skip
    assert heard == [1, 2, 3, 4, 5, 6]
    assert [epoch.loss for epoch in resumed.epochs] == [epoch.loss for epoch in whole.epochs]
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


SCRIPT = """
import sys
from pathlib import Path
import torch
from endcap.config import model
from endcap.training import Task, TrainConfig, fit
from tests.worlds import circle
torch.set_num_threads(1)
parts = circle()
config = TrainConfig(epochs=12, patience=0, batch_tokens=64, learning_rate=5e-3)
print("ready", flush=True)
found = fit(model("transformer"), parts.train, parts.valid, config, Task(), checkpoint=Path(sys.argv[1]))
torch.save(found.model.state_dict(), sys.argv[2])
"""


def child(folder: Path, out: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill_and_resume(tmp_path: Path, seconds: list[float]) -> None:
    """Kills a training after each of these times, then lets it end."""
    whole = tmp_path / "whole.pt"
    assert child(tmp_path / "undisturbed", whole).wait() == 0
    for pause in seconds:
        process = child(tmp_path / "checkpoint", tmp_path / "killed.pt")
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert child(tmp_path / "checkpoint", tmp_path / "resumed.pt").wait() == 0
    expected, found = torch.load(whole), torch.load(tmp_path / "resumed.pt")
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a killed child's pipe
def test_survives_kill_9(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, [0.4, 0.25])


@pytest.mark.trials
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_survives_many_kills(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, [0.05 + 0.03 * trial for trial in range(20)])


def test_stops_when_validation_does_not_get_better() -> None:
    parts = circle()
    config = TrainConfig(epochs=200, patience=2, batch_tokens=64, learning_rate=1e-2)
    found = fit(model("gru"), parts.train, parts.valid, config, Task())
    assert len(found.epochs) == found.best_epoch + 2
    assert found.epochs[found.best_epoch - 1].metric == max(epoch.metric for epoch in found.epochs)


def test_without_validation_all_epochs_are_trained() -> None:
    parts = circle()
    found = fit(model("gru"), parts.train, None, TrainConfig(epochs=4, patience=1, batch_tokens=64), Task())
    assert (len(found.epochs), found.best_epoch) == (4, 4)


def test_schedules_change_the_learning_rate() -> None:
    parts = circle()
    last = {}
    for schedule in ("constant", "cosine", "linear"):
        config = TrainConfig(epochs=4, patience=0, batch_tokens=64, warmup=1, schedule=schedule)
        last[schedule] = fit(model("gru"), parts.train, None, config, Task()).epochs[-1].learning_rate
    assert last["constant"] == pytest.approx(1e-3)
    assert last["cosine"] < 2e-4
    assert last["linear"] < 3e-4


def test_validation_chooses_the_open_parameters_of_a_counting_model() -> None:
    parts = circle()
    poor = model("transitions", power=0.0, backward=1.0)  # cannot tell forward from backward
    found = fit(poor, parts.train, parts.valid, TrainConfig(), Task())
    assert found.config.backward < 1.0
    kept = fit(poor, parts.train, None, TrainConfig(), Task())
    assert kept.config == poor


def test_statistics_come_from_the_training_part() -> None:
    parts = circle()
    network = fit(model("gru"), parts.train, None, TrainConfig(epochs=1), Task()).model
    assert isinstance(network, Network)
    prices = torch.from_numpy(parts.train.values[:, 1]).double().log1p()
    assert network.state_dict()["context.mean"][1].item() == pytest.approx(prices.mean().item(), rel=1e-5)
