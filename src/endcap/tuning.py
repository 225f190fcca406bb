"""`endcap tune`: better parameters for a config, drawn by Optuna's TPE and chosen on validation alone.

The study is a SQLite database in OUT. This process is the only one that writes to it; workers train what it hands out,
one thread each, and are told after every epoch whether to go on. A trial that was still running when an earlier call
ended goes on from its last whole epoch, under a new number. The workers are given the data without its test part.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import StorageInternalError
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from endcap import config as configuration
from endcap.config import Config
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.describe import Described
from endcap.fitting import most_epochs
from endcap.search_space import Space, Target, applied, distributions, own_values, put_back
from endcap.tuning_crew import Crew, Worker

STARTUP = 5
"""Finished trials from which on TPE draws and pruning begins; before, values are drawn at random."""
DATABASE = "study.db"
_STATES: dict[TrialState, Literal["done", "pruned", "failed"]] = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class Budget:
    """How much is tried."""

    trials: int = 20  # in all, those of earlier calls too; for each network of a hybrid
    processes: int = 1
    minutes: float | None = None  # no trial is started after that


@dataclass(frozen=True)
class Progress:
    """What one worker just did."""

    worker: int
    study: str
    trial: int
    state: Literal["training", "done", "pruned", "failed"]
    epoch: int
    epochs: int  # at most
    metric: float
    finished: int  # trials of the study
    best: float  # NaN before there is one


@dataclass(frozen=True)
class Tried:
    """A trial that came to its end."""

    number: int
    state: Literal["done", "pruned", "failed"]
    given: bool  # whether it is the config as given
    value: float  # on validation; of a pruned one the last epoch's; of a failed one NaN
    values: dict[str, Any]  # key -> what was tried
    curve: dict[int, float]  # epoch -> validation metric
    seconds: float  # of this attempt; what an interrupted one before it took is not counted
    message: str  # why it failed


@dataclass(frozen=True)
class Tuned:
    """One study."""

    target: Target
    trials: list[Tried]
    importance: dict[str, float]  # key -> its share, largest first; empty where too few trials were done
    facts: dict[str, Any]  # of the data; see Bench

    @property
    def given(self) -> Tried | None:
        """The trial of the config as given; None where it did not come to its end."""
        return next((trial for trial in self.trials if trial.given), None)

    @property
    def ranked(self) -> list[Tried]:
        """The trials that were trained to their end, best first; of equal ones the earlier."""
        done = [trial for trial in self.trials if trial.state == "done"]
        return sorted(done, key=lambda trial: (-trial.value, trial.number))

    def count(self, state: str) -> int:
        """How many trials ended so."""
        return sum(trial.state == state for trial in self.trials)


@dataclass(frozen=True)
class Tuning:
    """What `endcap tune` found."""

    config: Config
    tuned: list[Tuned]
    best: Config | None  # None while a study has no trial that was done
    stopped: bool  # by Ctrl-C


def check_place(out: Path) -> None:
    """Raises InputError where `out` holds something else."""
    if out.is_file():
        raise InputError(f"{out} is a file; expected a new folder, or one that `endcap tune` made")
    others = [path.name for path in out.iterdir() if not path.name.startswith(".")] if out.is_dir() else []
    if others and not (out / DATABASE).exists():
        raise InputError(f"found {others[0]} in {out}; expected a new folder, or one that `endcap tune` made")


def tune(
    config: Config,
    targets: Sequence[Target],
    dataset: Dataset,
    described: Described | None,
    out: Path,
    budget: Budget,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Tuning:
    """Tries values for each target until `budget` is used up, those of earlier calls on `out` counted.

    Ctrl-C ends it with what is done. Raises InputError where `out` holds the study of another config or other data,
    where another call is working in it, and where the config as given cannot be trained.
    """
    check_place(out)
    out.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    until = time.monotonic() + 60 * (float("inf") if budget.minutes is None else budget.minutes)
    stopped = False
    with _alone(out), _storage(out) as storage:
        studies = [_open(storage, target, dataset, out) for target in targets]
        try:
            with Crew(out, dataset, described) as crew:
                for study, target in zip(studies, targets, strict=True):
                    _search(study, target, crew, out / "checkpoints" / target.name, budget, until, on_progress)
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
        except KeyboardInterrupt:
            stopped = True
        tuned = [_tuned(study, target) for study, target in zip(studies, targets, strict=True)]
    found = [(each.target, each.ranked[0].values) for each in tuned if each.ranked]
    best = put_back(config, found) if len(found) == len(tuned) else None
    return Tuning(config, tuned, best, stopped)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two calls would take each other's running trials for remains."""
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(f"another `endcap tune` is working in {out}; wait for it, or give another OUT") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _storage(out: Path) -> Iterator[RDBStorage]:
    url = URL.create("sqlite", database=str(out / DATABASE)).render_as_string()
    try:
        storage = RDBStorage(url)
    except Exception as error:  # of SQLite, SQLAlchemy, Alembic or Optuna, each with its own
        reason = str(error).splitlines()[0]
        said = f"{out / DATABASE} cannot be used: {reason}; it is damaged, of another version, or the disk is full"
        raise InputError(said) from error
    try:
        yield storage
    except (StorageInternalError, SQLAlchemyError) as error:  # a full disk
        reason = str(error.__cause__ or error).splitlines()[0]
        raise InputError(f"cannot write {out / DATABASE}: {reason}; what was done before is kept") from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _open(storage: RDBStorage, target: Target, dataset: Dataset, out: Path) -> optuna.Study:
    """The study of a target: a new one, or that of an earlier call, its interrupted trials waiting to go on."""
    of = {"config": configuration.dumps(target.config), "data": dataset.files, "search space": target.space}
    of = json.loads(json.dumps(of))
    for summary in optuna.get_all_study_summaries(storage):
        if summary.study_name != target.name:
            continue
        study = optuna.load_study(study_name=target.name, storage=storage, pruner=_pruner(target))
        begun = study.user_attrs.get("of", {})  # not there where a kill came before it
        other = [name for name, each in of.items() if begun.get(name) != each]
        if other and finished(study):
            raise InputError(
                f"{out} holds a study of another {' and another '.join(other)}; "
                "expected what it was begun with; give another OUT to begin anew"
            )
        if not other:
            _take_up(study, target)
            return study
        optuna.delete_study(study_name=target.name, storage=storage)  # nothing was done in it
    shutil.rmtree(out / "checkpoints" / target.name, ignore_errors=True)
    study = optuna.create_study(study_name=target.name, storage=storage, direction="maximize", pruner=_pruner(target))
    study.enqueue_trial(own_values(target), user_attrs={"given": True})
    study.set_user_attr("of", of)  # last: its presence says that the study is whole
    return study


def _pruner(target: Target) -> MedianPruner:
    return MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=warmup(target))


def warmup(target: Target) -> int:
    """The epoch from which on a trial can be pruned: earlier ones say little."""
    return max(3, target.config.train.epochs // 10)


def _take_up(study: optuna.Study, target: Target) -> None:
    """Trials that an earlier call left running wait to be tried again; they do not count."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        again = {"given": trial.user_attrs.get("given", False), "first": trial.user_attrs.get("first", trial.number)}
        # A kill may have come before all values were drawn: those that are missing are drawn then.
        study.enqueue_trial(own_values(target) if again["given"] else trial.params, user_attrs=again)
        study.set_user_attr("interrupted", sorted({*_interrupted(study), trial.number}))
        study.tell(trial.number, state=TrialState.FAIL)


def _interrupted(study: optuna.Study) -> list[int]:
    numbers: list[int] = study.user_attrs.get("interrupted", [])
    return numbers


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count."""
    ended = study.get_trials(deepcopy=False, states=tuple(_STATES))
    interrupted = _interrupted(study)
    return [trial for trial in ended if trial.number not in interrupted]


def _search(
    study: optuna.Study,
    target: Target,
    crew: Crew,
    checkpoints: Path,
    budget: Budget,
    until: float,
    on_progress: Callable[[Progress], None],
) -> None:
    """Hands out trials until enough are finished or the time is over, and takes in what comes of them."""
    running: dict[Worker, optuna.Trial] = {}
    space, epochs = distributions(target.space), most_epochs(target.config.model, target.config.train)

    def announce(worker: Worker, trial: optuna.Trial, state: Any, epoch: int = 0, metric: float = float("nan")) -> None:
        ended = finished(study)
        best = max((each.value or 0.0 for each in ended if each.state == TrialState.COMPLETE), default=float("nan"))
        on_progress(Progress(worker.number, target.name, trial.number, state, epoch, epochs, metric, len(ended), best))

    while True:
        while (
            len(running) < budget.processes
            and len(finished(study)) + len(running) < budget.trials
            and time.monotonic() < until
        ):
            trial = _draw(study, target, space)
            try:
                config = target.config if _given(trial) else applied(target.config, trial.params)
            except InputError as error:  # values that do not go together
                _fail(study, trial, str(error))
                continue
            worker = crew.free(running)
            running[worker] = trial
            worker.send(
                {"config": configuration.without_none(asdict(config)), "checkpoint": str(_place(checkpoints, trial))}
            )
            announce(worker, trial, "training")
        if not running:
            return
        worker, message = crew.hear()
        if worker not in running:  # it died while it had nothing to do
            continue
        trial = running[worker]
        if "epoch" in message:
            epoch, metric = message["epoch"]["epoch"], message["epoch"]["metric"]
            trial.report(metric, epoch)
            announce(worker, trial, "training", epoch, metric)
            # After the last epoch there is nothing to save by pruning, and the value is known.
            worker.send({"go_on": _given(trial) or epoch == epochs or not trial.should_prune()})
            continue
        trial.set_user_attr("seconds", message["seconds"])
        if "measured" in message:
            measured = message["measured"]
            study.set_user_attr("facts", measured["facts"])
            study.tell(trial, measured["value"])
            state, metric = "done", measured["value"]
        elif "stopped" in message:
            study.tell(trial, state=TrialState.PRUNED)
            state, metric = "pruned", float("nan")
        else:
            if message["input"] and _given(trial):
                raise InputError(message["failed"])
            _fail(study, trial, message["failed"])
            state, metric = "failed", float("nan")
        del running[worker]
        shutil.rmtree(_place(checkpoints, trial), ignore_errors=True)
        announce(worker, trial, state, metric=metric)


def _draw(study: optuna.Study, target: Target, space: dict[str, Any]) -> optuna.Trial:
    """The next trial: one that waits, or new values, by a seed of its own: a later call draws what this one would."""
    number = len(study.get_trials(deepcopy=False)) - len(_interrupted(study))
    seed = target.config.train.seed + number
    study.sampler = TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=True)
    return study.ask(space)


def _place(checkpoints: Path, trial: optuna.Trial) -> Path:
    """Where a trial is saved after each epoch: where its first attempt was."""
    return checkpoints / str(trial.user_attrs.get("first", trial.number))


def _given(trial: optuna.Trial) -> bool:
    return bool(trial.user_attrs.get("given"))


def _fail(study: optuna.Study, trial: optuna.Trial, message: str) -> None:
    trial.set_user_attr("message", message)
    study.tell(trial, state=TrialState.FAIL)


def _tuned(study: optuna.Study, target: Target) -> Tuned:
    trials = [_tried(trial) for trial in finished(study)]
    return Tuned(target, trials, importance(study, target.space), study.user_attrs.get("facts", {}))


def _tried(trial: FrozenTrial) -> Tried:
    return Tried(
        number=trial.number,
        state=_STATES[trial.state],
        given=bool(trial.user_attrs.get("given")),
        value=float("nan") if trial.value is None else trial.value,
        values=trial.params,
        curve=dict(sorted(trial.intermediate_values.items())),
        seconds=trial.user_attrs.get("seconds", 0.0),
        message=trial.user_attrs.get("message", ""),
    )


def importance(study: optuna.Study, space: Space) -> dict[str, float]:
    """What mattered: by the mean decrease of impurity in a forest over the trials that were done; needs a few."""
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator, get_param_importances  # and scikit-learn

    done = [trial for trial in finished(study) if trial.state == TrialState.COMPLETE]
    if len(done) < STARTUP or len({trial.value for trial in done}) < 2:
        return {}
    found = get_param_importances(study, evaluator=MeanDecreaseImpurityImportanceEvaluator(seed=0), params=list(space))
    return {key: float(share) for key, share in sorted(found.items(), key=lambda pair: -pair[1])}
