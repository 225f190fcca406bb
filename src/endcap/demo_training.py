"""`endcap demo` while its shop is open: it opens on models that count, and gets better.

`opening` makes what a shop needs to open, once. `beside` trains all models in a child process of the lowest priority,
which does what production does (update.py): a version that validation prefers is put beside OUT and made live by the
store. What is done stays done: killed at any moment, the next start goes on from there.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import filelock
from pydantic import TypeAdapter, ValidationError

from endcap import config as configuration
from endcap.compare import Comparison, Progress, compare, keyed
from endcap.config import Config
from endcap.data.dataset import Dataset, prepare_locally
from endcap.data.errors import InputError
from endcap.data.places import linked, replacing, write
from endcap.demo import DATABASE, stock
from endcap.describe import describe
from endcap.evaluation import INTENTS
from endcap.experiment import end_with_parent
from endcap.models import counting
from endcap.publish import publish
from endcap.store.store import Store
from endcap.summary import Summary

T = TypeVar("T")

SHOP = "shop"
"""The folder of the artifact that the shop opens on; versions that go live later lie in SHOP-versions beside it."""
QUICK = ("popular", "own")
"""Models that are counted in seconds, whatever the log."""
OPENED, STANDING, TRAINED = "opened.json", "standing.json", "trained"
"""What the shop was opened with; who answers in it; the key of what was trained to the end."""
BY = "endcap demo"


@dataclass(frozen=True)
class Opened:
    """What a shop of a demonstration was opened with."""

    key: str  # of the data, the configs and the code
    configs: list[dict[str, Any]]
    households: tuple[str, ...]  # whom its visitors may be
    notes: tuple[str, ...]  # what is in it, for people


@dataclass(frozen=True)
class Standing:
    """Who answers in the shop, by what validation says, and what is still to come."""

    model: str
    metric: str  # what validation measures, as ndcg@10
    valid: float
    path: str  # the artifact, from the folder of the demonstration
    before: str | None = None  # the model that answered before, with its figure
    before_valid: float | None = None
    training: tuple[str, ...] = ()  # models that are not done


@dataclass(frozen=True)
class News:
    """What the training beside the shop has to say."""

    kind: Literal["step", "epoch", "done", "live", "end", "failed"]
    text: str


def database(out: Path) -> str:
    """Where what happens in the shop is kept."""
    return f"sqlite:///{(out / DATABASE).resolve()}"


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Raises InputError where another demonstration runs in the same folder, or nothing can be written there."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(out / ".demo.lock", timeout=0):
            yield
    except filelock.Timeout:
        raise InputError(f"another demonstration runs in {out}; end it, or choose another --out") from None
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}; choose another --out") from error


def opening(configs: Sequence[Config], out: Path, *, on_step: Callable[[str], None] = lambda step: None) -> Opened:
    """Reads, counts and stocks, so that a shop can open; what an earlier call made of the same is taken as it is.

    Only QUICK models are fitted, which need no description of the products. Raises InputError where one fails.
    """
    first = configs[0]
    key = keyed(configs)
    with suppress(InputError):
        earlier = opened(out)
        if earlier.key == key and (out / SHOP).is_dir() and (out / DATABASE).exists():
            return earlier
    dataset = prepare_locally(first.data, first.clean, first.split, on_step=on_step)
    on_step("counting")
    quick = [config for config in configs if config.model.name in QUICK]
    comparison = compare(quick, dataset, out)
    stocked = stock(out, first.data, on_step=on_step)
    publish(comparison, dataset, quick, None, out)
    strict = comparison.summaries["strict"]
    with replacing(out / SHOP) as new:
        new.rmdir()
        linked(out / "models" / strict.serves, new)
    with _store(out) as store:
        for role in ("live", "previous", "again", "new"):  # of an earlier comparison
            store.set_model(SHOP, role, None, by=BY, now=time.time())
    valid = next(each.valid for each in strict.standings if each.model == strict.serves)
    training = tuple(config.model.name for config in configs if config not in quick)
    _stand(out, Standing(strict.serves, first.train.metric, valid, SHOP, training=training))
    documents = [configuration.without_none(json.loads(json.dumps(asdict(config)))) for config in configs]
    made = Opened(key, documents, stocked.households, (*dataset.facts["notes"], *stocked.notes))
    write(out / OPENED, json.dumps(asdict(made), indent=1))
    return made


def opened(out: Path) -> Opened:
    """What `opening` wrote; raises InputError where there is nothing, or it is damaged."""
    return _read(out / OPENED, Opened)


def standing(out: Path) -> Standing:
    """Who answers in the shop in `out`; raises InputError where it is not known."""
    return _read(out / STANDING, Standing)


def trained(out: Path) -> bool:
    """Whether all models of the shop are done."""
    with suppress(OSError, InputError):
        return (out / TRAINED).read_text(encoding="utf-8") == opened(out).key
    return False


@contextmanager
def beside(out: Path, on_news: Callable[[News], None]) -> Iterator[None]:
    """Trains in a child process until this is left, unless all is trained; `on_news` hears of it, in a thread."""
    if trained(out):
        yield
        return
    command = [sys.executable, "-m", "endcap.demo_training", str(out)]
    leaving = threading.Event()
    with (
        (out / "training.log").open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, encoding="utf-8"
        ) as child,
    ):
        listener = threading.Thread(target=_listen, args=(child, out, on_news, leaving), daemon=True)
        listener.start()
        try:
            yield
        finally:
            leaving.set()
            child.kill()  # what is done is kept, and its own children end with it
            listener.join()


def _listen(
    child: "subprocess.Popen[str]", out: Path, on_news: Callable[[News], None], leaving: threading.Event
) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        on_news(News(**json.loads(line)))
    code = child.wait()
    if code and not leaving.is_set():
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        on_news(
            News("failed", f"the training ended with {why}, see {out / 'training.log'}; the shop stays as it is, and "
                 "the next `endcap demo` goes on from here")
        )  # fmt: skip


def train(out: Path, on_news: Callable[[News], None] = lambda news: None) -> None:
    """All models of the shop in `out`, but those that are done; each that validation prefers becomes live there.

    Raises InputError where a run fails.
    """
    start = opened(out)
    configs = [configuration.check(document, "demo") for document in start.configs]
    configs.sort(key=lambda config: not counting(config.model))
    dataset = Dataset.load(out / "data")
    described = describe(configs[0], dataset, lambda step: on_news(News("step", step)))

    def progressed(progress: Progress) -> None:
        if progress.state == "training" and progress.epoch:
            text = f"{progress.run}: epoch {progress.epoch} of {progress.epochs}, validation {progress.metric:.4f}"
            on_news(News("epoch", text))
        elif progress.state in ("done", "skipped"):
            on_news(News("done", f"{progress.run}: trained"))

    def compared(comparison: Comparison) -> None:
        publish(comparison, dataset, configs, described, out)
        if (said := _promote(out, comparison, [config.model.name for config in configs])) is not None:
            on_news(News("live", said))

    last = compare(configs, dataset, out, described, on_progress=progressed, on_comparison=compared)
    compared(last)
    write(out / TRAINED, start.key)
    on_news(News("end", f"all {len(configs)} models are trained; {out / 'report.html'} compares them"))


def _promote(out: Path, comparison: Comparison, models: Sequence[str]) -> str | None:
    """Makes the model live that validation prefers, unless it is, and gives slots to those that are best there.

    Says what is new in the shop.
    """
    summary, before, now = comparison.summaries["strict"], standing(out), time.time()
    valid = {each.model: each.valid for each in summary.standings}
    training = tuple(model for model in models if model not in (*valid, *QUICK))
    after = replace(before, training=training)
    said = None
    with _store(out) as store:
        places = store.models(SHOP)
        live = out.resolve() / before.path
        chosen_by_hand = "live" in places and places["live"]["path"] != str(live)
        better = before.model in valid or valid[summary.serves] >= before.valid
        if better and not chosen_by_hand and not _is_version_of(out, summary.serves, live):
            path = _version(out, summary.serves, now)
            if "live" not in places:  # SHOP itself was live, which nothing said: there would be no way back
                store.set_model(SHOP, "previous", str(live), by=BY, now=now)
            store.set_model(SHOP, "live", str(path), by=BY, now=now)
            relative = str(path.relative_to(out.resolve()))
            after = replace(after, model=summary.serves, valid=valid[summary.serves], path=relative)
            if summary.serves != before.model:
                after = replace(after, before=before.model, before_valid=before.valid)
                said = told(after)
        if after.model in valid:  # else they were compared with another one
            _give_slots(store, out, summary, after.model, now)
    _stand(out, after)
    return said


def _give_slots(store: Store, out: Path, summary: Summary, live: str, now: float) -> None:
    """Slots `again` and `new` to the models that validation prefers there to the live one."""
    places = store.models(SHOP)
    for intent in INTENTS:
        choice = summary.intents.get(intent)
        other = None if choice is None or choice.model == live else choice.model
        had = places.get(intent, {}).get("path")
        if other is None and had is not None:
            store.set_model(SHOP, intent, None, by=BY, now=now)
        elif other is not None and (had is None or not _is_version_of(out, other, Path(had))):
            store.set_model(SHOP, intent, str(_version(out, other, now)), by=BY, now=now)


def told(standing: Standing) -> str:
    """`now: hybrid, NDCG@10 .1871, was .1186 (transitions)`."""
    was = "" if standing.before_valid is None else f", was {figure(standing.before_valid)} ({standing.before})"
    return f"now: {standing.model}, {standing.metric.upper()} {figure(standing.valid)}{was}"


def figure(value: float) -> str:
    """`.1871`, as figures of rankings are written."""
    return f"{value:.4f}".removeprefix("0")


def _version(out: Path, model: str, now: float) -> Path:
    """A folder of its own for a model as it is now, which no later training replaces."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    place = out.resolve() / f"{SHOP}-versions" / f"{model}-{stamp}"
    if not place.exists():
        with replacing(place) as new:
            new.rmdir()
            linked(out / "models" / model, new)
    return place


def _is_version_of(out: Path, model: str, path: Path) -> bool:
    """Whether an artifact is this model as it is now: the same file, or the same words."""
    one, other = (folder / "artifact.json" for folder in (out / "models" / model, path))
    try:
        return one.samefile(other) or one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _stand(out: Path, standing: Standing) -> None:
    write(out / STANDING, json.dumps(asdict(standing), indent=1))


@contextmanager
def _store(out: Path) -> Iterator[Store]:
    store = Store.open(database(out))
    try:
        yield store
    finally:
        store.close()


def _read(path: Path, kind: type[T]) -> T:
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} is missing or damaged: {str(error).splitlines()[0]}") from error


def main() -> None:
    """The child process of `beside`: says its news a line each, as JSON."""
    with suppress(OSError):
        os.nice(19)
    threading.Thread(target=end_with_parent, daemon=True).start()
    train(Path(sys.argv[1]), lambda news: print(json.dumps(asdict(news)), flush=True))


if __name__ == "__main__":
    main()
