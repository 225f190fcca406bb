"""Fits any model: one part by the one loop, a hybrid part by part, in several processes where that is shorter."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import torch

from endcap.data.errors import InputError
from endcap.data.interactions import Interactions
from endcap.data.split import Queries
from endcap.features.base import Content
from endcap.models import ModelConfig, Recommender, counting
from endcap.models.blending import Pool
from endcap.models.hybrid import Hybrid, HybridConfig, PartConfig
from endcap.models.own import OwnConfig
from endcap.models.sequence import SequenceNetwork
from endcap.models.warm import Start
from endcap.selection import pool, select
from endcap.training import Epoch, Fitted, Given, Task, TrainConfig, drawn, fit_part, sampled

SEEDS = 1_000
"""What lies between the seeds of two parts, so that no two networks begin alike."""
PAYS = 1_000_000
"""Events to go through, over all epochs of all networks, from which other processes are worth their start: 5 s."""


def fit(
    config: ModelConfig,
    train: Interactions,
    valid: Queries | None,
    training: TrainConfig,
    task: Task,
    *,
    content: Content | None = None,
    start: Start | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    processes: int = 1,
    apart: bool = False,
) -> Fitted:
    """Builds a model and fits it to `train`, and to what is known of the items, where that is given.

    With `valid`, validation chooses: the open parameters of a counting model, the epoch of a network, which parts of a
    hybrid are kept and how much each counts.
    Without, the config is taken as it is and all its epochs are trained: the `refit` protocol; the weights of a hybrid
    are yet to be taken (see `keep_chosen`).
    A network goes on from `start`, where one is given, and so does each network of a hybrid that stands in that of
    `start` too; counting models begin anew.
    With `checkpoint` (a folder), every epoch is saved there, and a run that was killed goes on from the
    last one to the same result.
    apart: also each part of a hybrid by itself, and what those of them that count make together without the networks.
    processes: the parts of a hybrid may be fitted at a time, each in a process of its own with one thread. They are
    started by `spawn`, so that a program that asks for several guards its start by `if __name__ == "__main__"`.
    """
    given = Given(train, valid, task, content)
    if not isinstance(config, HybridConfig):
        return fit_part(config, given, training, start=start, checkpoint=checkpoint, on_epoch=on_epoch)
    started = time.perf_counter()
    places = list(range(len(config.parts)))
    if valid is not None and not task.repeat:  # what nobody may be shown is no use to count
        places = [place for place in places if not isinstance(config.parts[place], OwnConfig)] or places
    starts = [None] * len(config.parts) if start is None else start.of_parts(config)
    heard: list[Epoch] = []

    def hear(epoch: Epoch) -> None:
        heard.append(replace(epoch, epoch=len(heard) + 1))
        on_epoch(heard[-1])

    jobs = {
        place: _Job(
            config.parts[place],
            of_part(config, place, training),
            None if checkpoint is None else checkpoint / f"{place}-{config.parts[place].name}",
            starts[place],
        )
        for place in places
    }
    events = sum(job.training.epochs * len(train.items) for job in jobs.values() if not counting(job.config))
    at_a_time = min(processes, len(jobs)) if events >= PAYS else 1
    fitted = _side_by_side(jobs, given, at_a_time, hear) if at_a_time > 1 else _in_turn(jobs, given, hear)
    pooled = None
    if valid is not None:
        every = Hybrid([each.model for each in fitted.values()])
        every.observe(train, content)
        pooled = pool(every, sampled(valid, config.questions, training.seed), repeat=task.repeat)
    whole = _blended(config, fitted, given, training, pooled)
    counts = {place: each for place, each in fitted.items() if counting(each.config)}
    others = _named(config, fitted) if apart else {}
    if apart and pooled is not None and 0 < len(counts) < len(fitted):
        began = time.perf_counter()
        some = pooled.of([n for n, place in enumerate(fitted) if place in counts])
        alone = _blended(config, counts, given, training, some)
        taken = time.perf_counter() - began + sum(each.seconds for each in counts.values())
        others[COUNTS] = replace(alone, seconds=taken)
    return replace(whole, epochs=heard, seconds=time.perf_counter() - started, parts=others)


COUNTS = "counts"
"""The parts of a hybrid that count, weighed and looked at twice without its networks."""


def _blended(
    config: HybridConfig, fitted: Mapping[int, Fitted], given: Given, training: TrainConfig, pooled: Pool | None
) -> Fitted:
    """A hybrid of parts by their place in the config: of those that validation keeps, where there is one.

    pooled: what these parts say of the validation questions; `seconds` and `epochs` are the caller's to fill in.
    """
    model, places, judged = Hybrid([each.model for each in fitted.values()]), list(fitted), None
    if given.valid is not None and pooled is not None:
        asked = drawn(len(given.valid), config.questions, training.seed)
        names = [config.parts[place].name for place in places]
        selection = select(pooled, model.counted, names, given.valid.take(asked), training.metric, config)
        places = [places[kept] for kept in selection.kept]
        model = Hybrid([fitted[place].model for place in places])
        model.take(selection.blend, selection.reranker)
        model.note = selection.note
        if selection.values is not None:
            judged = np.full(len(given.valid), np.nan)
            judged[asked] = selection.values
    model.observe(given.train, given.content)
    parts = [fitted[place] for place in places]
    chosen = tuple(part.config for part in parts if not isinstance(part.config, HybridConfig))
    epochs = tuple(part.best_epoch for part in parts)
    return Fitted(model.eval(), replace(config, parts=chosen, epochs=epochs), [], sum(epochs), 0.0, judged)


def _named(config: HybridConfig, fitted: Mapping[int, Fitted]) -> dict[str, Fitted]:
    """The parts by their names; a second one of a name has its number."""
    named: dict[str, Fitted] = {}
    for place, part in fitted.items():
        name = config.parts[place].name
        same = sum(config.parts[before].name == name for before in fitted if before < place)
        named[name if not same else f"{name}-{same + 1}"] = part
    return named


def of_part(config: HybridConfig, place: int, training: TrainConfig) -> TrainConfig:
    """How a part of a hybrid is trained: as long as the hybrid says, from a seed of its own."""
    epochs = (config.epochs[place] if config.epochs else 0) or training.epochs
    return replace(training, epochs=epochs, seed=training.seed + SEEDS * place)


def most_epochs(config: ModelConfig, training: TrainConfig) -> int:
    """How many epochs a fit may take: of all networks of a hybrid together; 1 for what is counted."""
    if not isinstance(config, HybridConfig):
        return 1 if counting(config) else training.epochs
    each = [of_part(config, place, training).epochs for place, part in enumerate(config.parts) if not counting(part)]
    return max(1, sum(each))


def keep_chosen(chosen: Recommender, refitted: Recommender) -> None:
    """What validation said of new items, and of the parts of a hybrid, also holds for the model trained on it."""
    if isinstance(chosen, SequenceNetwork) and isinstance(refitted, SequenceNetwork):
        refitted.items.newness.copy_(chosen.items.newness)
    if isinstance(chosen, Hybrid) and isinstance(refitted, Hybrid):
        refitted.keep(chosen)
        for before, after in zip(chosen.members, refitted.members, strict=True):
            keep_chosen(before, after)


@dataclass(frozen=True)
class _Job:
    """One part to fit."""

    config: PartConfig
    training: TrainConfig
    checkpoint: Path | None
    start: Start | None

    def fit(self, given: Given, hear: Callable[[Epoch], None]) -> Fitted:
        return fit_part(self.config, given, self.training, start=self.start, checkpoint=self.checkpoint, on_epoch=hear)


def _in_turn(jobs: dict[int, _Job], given: Given, hear: Callable[[Epoch], None]) -> dict[int, Fitted]:
    return {place: job.fit(given, hear) for place, job in jobs.items()}


def _side_by_side(
    jobs: dict[int, _Job], given: Given, processes: int, hear: Callable[[Epoch], None]
) -> dict[int, Fitted]:
    """Networks are small: two of them with a thread each are done sooner than one after the other with two."""
    context = multiprocessing.get_context("spawn")
    heard, stop = context.SimpleQueue(), context.Event()
    first = sorted(jobs, key=lambda place: counting(jobs[place].config))  # networks take longest
    pool = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(given, heard, stop))
    try:
        running: dict[int, Future[Fitted]] = {place: pool.submit(_fit, jobs[place]) for place in first}
        waiting: set[Future[Fitted]] = set(running.values())
        while waiting:
            _, waiting = wait(waiting, timeout=0.2, return_when="FIRST_COMPLETED")
            while not heard.empty():
                hear(heard.get())
            for done in set(running.values()) - waiting:
                done.result()  # raises what went wrong there, at once
        return {place: running[place].result() for place in jobs}
    except BrokenProcessPool as error:
        raise InputError(
            "a process that fitted a part of the hybrid was killed, perhaps for want of memory; "
            "with OMP_NUM_THREADS=1 its parts are fitted one after the other"
        ) from error
    finally:
        stop.set()  # after an error nobody asks for what still runs: it ends with its epoch
        pool.shutdown(cancel_futures=True)


_shared: tuple[Given, "SimpleQueue[Epoch]", Event]


def _begin(given: Given, heard: "SimpleQueue[Epoch]", stop: Event) -> None:
    """A process that fits parts: it is told once what all of them are fitted to, and ends when its parent does."""
    global _shared
    _shared = given, heard, stop
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _fit(job: _Job) -> Fitted:
    given, heard, stop = _shared

    def hear(epoch: Epoch) -> None:
        if stop.is_set():
            raise InterruptedError
        heard.put(epoch)

    return job.fit(given, hear)


def _end_with_parent() -> None:
    """An orphan would go on writing checkpoints where the parent's successor writes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
