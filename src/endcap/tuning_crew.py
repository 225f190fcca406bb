"""The processes of `endcap tune`: started as they are needed, given the data without its test part, ended together."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow.compute as pc

from endcap.data.dataset import Dataset
from endcap.data.places import replacing
from endcap.describe import Described


class Worker:
    """A process that trains one trial at a time; see tuning_worker."""

    def __init__(self, number: int, command: Sequence[str], log: IO[str], inbox: "queue.Queue[Any]") -> None:
        self.number = number
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which ends its workers
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self.reader.start()

    def send(self, order: dict[str, Any]) -> None:
        """Tells the process; one that has died is heard of by `hear`."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()

    def end(self) -> None:
        """Kills the process: what it was doing can be taken up again."""
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # an order that it did not live to read
                pipe.close()

    def died(self) -> str:
        """Why the process is no more."""
        code = self.process.wait()
        if code >= 0:
            return f"its process ended with exit code {code}"
        return f"its process was killed by signal {-code}" + ", perhaps for want of memory" * (code == -signal.SIGKILL)

    def _read(self, inbox: "queue.Queue[Any]") -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            inbox.put((self, json.loads(line)))
        inbox.put((self, None))


class Crew:
    """The workers of a call, started as they are needed, and the data as they may see it."""

    def __init__(self, out: Path, dataset: Dataset, described: Described | None) -> None:
        self.out, self.data = out, out / "data"
        with replacing(self.data) as new:
            untested(dataset).save(new)
            if described is not None:
                described.save(new / "features")
        features = [str(self.data / "features")] if described is not None else []
        self.command = [sys.executable, "-m", "endcap.tuning_worker", str(self.data), *features]
        self.inbox: queue.Queue[tuple[Worker, dict[str, Any] | None]] = queue.Queue()
        self.workers: list[Worker] = []

    def __enter__(self) -> "Crew":
        self.log = (self.out / "log.txt").open("a", encoding="utf-8")
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.end()
        self.log.close()
        if not Path(self.log.name).stat().st_size:
            Path(self.log.name).unlink()
        shutil.rmtree(self.data, ignore_errors=True)

    def free(self, busy: Container[Worker]) -> Worker:
        """A worker that has nothing to do."""
        for worker in self.workers:
            if worker not in busy:
                return worker
        numbers = {worker.number for worker in self.workers}
        number = next(number for number in range(len(numbers) + 1) if number not in numbers)
        self.workers.append(Worker(number, self.command, self.log, self.inbox))
        return self.workers[-1]

    def hear(self) -> tuple[Worker, dict[str, Any]]:
        """The next message of any worker; where one has died, that."""
        worker, message = self.inbox.get()
        if message is None:
            self.workers.remove(worker)
            message = {"failed": f"{worker.died()} (see {self.log.name})", "input": False, "seconds": 0.0}
            worker.end()
        return worker, message


def untested(dataset: Dataset) -> Dataset:
    """The data without its test part: what is not there cannot be chosen on."""
    return replace(dataset, table=dataset.table.filter(pc.not_equal(dataset.table["part"], "test")))
