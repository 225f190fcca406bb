import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from endcap.config import model
from endcap.fitting import fit
from endcap.models import Network
from endcap.training import Epoch, Task, TrainConfig
from tests.worlds import circle

QUICK = TrainConfig(epochs=6, patience=0, batch_tokens=64, learning_rate=5e-3, warmup=5)


class Killed(Exception):  # noqa: N818
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
from endcap.fitting import fit
from endcap.training import Task, TrainConfig
from tests.worlds import circle
torch.set_num_threads(int(sys.argv[3]))
parts = circle(n_users=120)
config = TrainConfig(epochs=8, patience=0, batch_tokens=64, learning_rate=5e-3)
checkpoint, out = Path(sys.argv[1]), sys.argv[2]
say = lambda epoch: print(epoch.epoch, flush=True)
found = fit(model("transformer"), parts.train, parts.valid, config, Task(), checkpoint=checkpoint, on_epoch=say)
torch.save(found.model.state_dict(), out)
"""


def child(folder: Path, out: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(folder), str(out), str(torch.get_num_threads())]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[1])


def kill_and_resume(tmp_path: Path, kills: list[tuple[int, float]]) -> None:
    """Kills a training so many seconds after it has said the number of an epoch, again and again; then lets it end."""
    parts = circle(n_users=120)
    config = TrainConfig(epochs=8, patience=0, batch_tokens=64, learning_rate=5e-3)
    whole = fit(model("transformer"), parts.train, parts.valid, config, Task()).model.state_dict()
    for epoch, pause in kills:
        with child(tmp_path / "checkpoint", tmp_path / "killed.pt") as process:
            assert process.stdout is not None
            while int(process.stdout.readline()) < epoch:
                pass
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "killed.pt").exists()  # every kill came before the end
    with child(tmp_path / "checkpoint", tmp_path / "resumed.pt") as process:
        process.communicate()
    found = torch.load(tmp_path / "resumed.pt")
    for name, tensor in whole.items():
        assert torch.equal(tensor, found[name]), name


def test_survives_kill_9(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, [(2, 0.0), (4, 0.02)])


@pytest.mark.trials
def test_survives_many_kills(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, [(1 + trial // 4, 0.003 * (trial % 8)) for trial in range(20)])


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
    task = Task(repeat=True)  # with seen items left out, the item behind would not stand in the way
    found = fit(poor, parts.train, parts.valid, TrainConfig(), task)
    assert found.config.backward < 1.0
    kept = fit(poor, parts.train, None, TrainConfig(), task)
    assert kept.config == poor


def test_statistics_come_from_the_training_part() -> None:
    parts = circle()
    network = fit(model("gru"), parts.train, None, TrainConfig(epochs=1), Task()).model
    assert isinstance(network, Network)
    prices = torch.from_numpy(parts.train.values[:, 1]).double().log1p()
    assert network.state_dict()["context.mean"][1].item() == pytest.approx(prices.mean().item(), rel=1e-5)
