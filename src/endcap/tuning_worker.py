"""The process that trains the trials of `endcap tune`, one after the other: orders come in, what came of them goes out.

`python -m endcap.tuning_worker DATA [DESCRIBED]` reads and writes a line of JSON for each of these:

```
in   {"config": {...}, "checkpoint": "..."}       a trial
out  {"epoch": {...}}                             after each epoch; waits for the answer {"go_on": true or false}
out  {"measured": {...}}                          the end of a trial,
out  {"failed": "why", "input": true}             or so (input: an InputError),
out  {"stopped": true}                            or so; each with its "seconds"
```
"""

import json
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from endcap import config as configuration
from endcap.config import Config
from endcap.data.catalog import Catalog
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.interactions import Interactions
from endcap.data.split import Queries, split
from endcap.describe import Described, candidates
from endcap.evaluation import evaluate
from endcap.experiment import policy, told
from endcap.features.base import Content
from endcap.fitting import fit
from endcap.training import Epoch, Task


class Diverged(ArithmeticError):  # noqa: N818
    """The loss is no number any more."""


class Stopped(Exception):  # noqa: N818
    """The trial is not worth going on with."""


@dataclass(frozen=True)
class Measured:
    """What validation says of a config."""

    value: float  # [train] metric over all validation questions, of the best epoch
    best_epoch: int  # 0 for counting models
    facts: dict[str, Any]  # of the data; the same for all trials


@dataclass(frozen=True)
class Bench:
    """The training part and the validation questions, ready for any config that has the same [data] and [split]."""

    train: Interactions
    valid: Queries
    task: Task
    content: Content | None

    @classmethod
    def of(cls, config: Config, dataset: Dataset, described: Described | None) -> "Bench":
        """As `experiment.run` has it, without a test part. Raises InputError where there is no validation question."""
        data = config.data
        parts = split(dataset.table, data.goal, data.min_rating, catalog_ids=candidates(config, dataset))
        if not len(parts.valid):
            raise InputError(
                f"found no validation question after the {config.split.method} split; "
                "use more data, another [split] or another goal"
            )
        repeat, _ = policy(data, config.split.method, parts)
        catalog = Catalog.from_table(dataset.items, parts.train.vocabulary.ids)
        _, content = told(described, catalog)
        return cls(parts.train, parts.valid, Task(data.goal, data.min_rating, repeat), content)

    def measure(self, config: Config, checkpoint: Path | None, on_epoch: Callable[[Epoch], None]) -> Measured:
        """Trains a config and measures it as `endcap compare` does on validation; raises Diverged."""

        def hear(epoch: Epoch) -> None:
            if not math.isfinite(epoch.loss):
                raise Diverged(f"diverged: the loss of epoch {epoch.epoch} is {epoch.loss}")
            on_epoch(epoch)

        fitted = fit(
            config.model, self.train, self.valid, config.train, self.task,
            content=self.content, checkpoint=checkpoint, on_epoch=hear,
        )  # fmt: skip
        values = evaluate(fitted.model, self.valid, repeat=self.task.repeat).metric(config.train.metric)
        return Measured(float(values.mean()), fitted.best_epoch, self._facts())

    def _facts(self) -> dict[str, Any]:
        return {
            "training events": len(self.train.items),
            "training users": len(self.train),
            "items": self.train.n_items,
            "validation questions": len(self.valid),
            "seen items": "may be shown again" if self.task.repeat else "masked",
        }


def main() -> None:
    """Works off orders until standard input ends, and so also when the parent has gone, killed or not."""
    torch.set_num_threads(1)
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    data, *described = (Path(each) for each in sys.argv[1:])
    bench = None
    while True:
        order = orders.get()
        started = time.perf_counter()
        said: dict[str, Any]
        try:
            config = configuration.check(order["config"], "trial")
            if bench is None:
                bench = Bench.of(config, Dataset.load(data), Described.load(described[0]) if described else None)
                started = time.perf_counter()
            measured = bench.measure(config, Path(order["checkpoint"]), lambda epoch: _ask(epoch, orders))
            said = {"measured": asdict(measured)}
        except Stopped:
            said = {"stopped": True}
        except InputError as error:
            said = {"failed": str(error), "input": True}
        except Exception as error:  # whatever breaks under these values speaks against them, not against the study
            name = "" if isinstance(error, Diverged) else f"{type(error).__name__}: "
            said = {"failed": name + (str(error).splitlines() or [""])[0], "input": False}
        _say({**said, "seconds": time.perf_counter() - started})


def _ask(epoch: Epoch, orders: "queue.Queue[dict[str, Any]]") -> None:
    _say({"epoch": asdict(epoch)})
    if not orders.get()["go_on"]:
        raise Stopped


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _listen(orders: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    main()
