"""Update: trains the live model on from the events in the store, and promotes the result only if it is no worse.

What came after the live model was trained is cut in three by time. The newest days, at most the newer half of it, are
for the decision; before them, at most as many answers again and at most the later half of the rest are for validation;
all earlier events are training. So neither the choice of epochs nor the decision is made on what the live model, from
which the new one starts, has learned by heart.

1. A network, or each of a hybrid, goes on from the live one (models/warm.py) on the training part; validation chooses
   how many epochs.
2. It is trained that long on training and validation together, and measured on the newest days, beside the live model.
3. If its mean is not below the live one's, it is trained that long on everything, saved and made live.

The mean decides and not the interval: on a day's questions an interval is wide, and "not significantly worse" would let
a shop lose a little with every update. An unlucky one waits for the next day, when there is more to learn.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.data.errors import InputError
from endcap.engine.version import Version
from endcap.experiment import run, trained_until
from endcap.live_log import LiveLog, read
from endcap.measured import Outcome
from endcap.models import Network
from endcap.results import plain
from endcap.store.store import Store
from endcap.training import Epoch
from endcap.trial import METRICS, Compared, Trial, compared, epochs, held_back, last_fit, start_of


@dataclass(frozen=True)
class Update:
    """What an update did, and the figures that decided."""

    state: Literal["promoted", "kept", "unchanged", "tried"]  # tried: a dry run that would have promoted
    reason: str
    live: str  # the artifact that was live
    new: str | None  # the one that is live now
    trained_until: float  # seconds: from then on events were new
    newest: float  # seconds: the newest event that can be predicted
    cuts: tuple[float, float] | None  # seconds: where validation and the newest days begin
    events: int  # of the store, after cleaning
    new_events: int  # of them after trained_until
    new_items: int  # with events, which the live model knew by their content or not at all
    epochs: int
    compared: Compared | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; null where a number is not known."""
        found: dict[str, Any] = plain(asdict(self))
        return found


def update(
    out: Path,
    store: Store,
    *,
    newest_days: float = 3,
    dry_run: bool = False,
    cold: bool = False,
    by: str = "endcap update",
    now: float | None = None,
    on_step: Callable[[str], None] = lambda step: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Update:
    """Retrains what is live of `out` and promotes it unless it is worse on the newest days; see above for how.

    Nothing is changed before the new version is whole: killed at any moment, it can be run again. With `dry_run`
    no model changes place; with `cold` a network starts from nothing.
    Raises InputError where there is too little to learn from or to decide on.
    """
    if not newest_days > 0:
        raise InputError(f"found {newest_days} newest days; expected more than 0")
    now = time.time() if now is None else now
    name = out.resolve().name
    before = store.models(name).get("live")
    path = out if before is None else Path(before["path"])
    on_step("reading the live model")
    version = Version.load(path).with_changes(store.items_since(0), store)
    if (until := trained_until(version.artifact)) is None:
        raise InputError(f"{path} does not say up to when it was trained; train it anew on a log with times")
    on_step("reading the store")
    log = read(store, version, now)
    found = _begun(path, until, log)
    if not found.new_events:
        return found

    trial = held_back(name, version, log, until, newest_days)
    start = None if cold else start_of(version)
    on_step("training")
    outcome = run(trial.config, trial.dataset, trial.described, refit=True, start=start, on_epoch=on_epoch)
    on_step("comparing with the live model")
    against = compared(trial, version, outcome)
    found = replace(found, compared=against, **_account(trial, version, outcome))
    if not against.difference.value >= 0:
        return replace(found, state="kept", reason=f"The live model stays: {_figures(against)}.")
    if dry_run:
        return replace(found, state="tried", reason=f"The new model would become live: {_figures(against)}.")
    on_step("training on everything")
    last = last_fit(trial, version, outcome, start)
    on_step("saving")
    folder = _promote(last, path, out, store, before, by=by, now=now)
    return replace(found, state="promoted", new=str(folder), reason=f"The new model is live: {_figures(against)}.")


def _promote(artifact: Artifact, live: Path, out: Path, store: Store, before: Any, *, by: str, now: float) -> Path:
    """Saves a new version beside OUT and makes it live; raises InputError where another one became live meanwhile."""
    place, stamp = out.resolve(), datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = place.parent / f"{place.name}-versions" / stamp
    artifacts.save(artifact, folder)
    for file in (live / "features").rglob("*"):
        # The same encoders byte for byte: by their fingerprint the store keeps what they say of products.
        if file.is_file() and file.name != "products.safetensors":
            shutil.copyfile(file, folder / file.relative_to(live))
    if store.models(place.name).get("live") != before:
        raise InputError(f"another model became live meanwhile; {folder} was left beside it, run the update again")
    if before is None:  # OUT itself was live, which nothing said yet: without it there would be no way back
        store.set_model(place.name, "previous", str(place), by=by, now=now)
    store.set_model(place.name, "live", str(folder), by=by, now=now)
    return folder


def _begun(path: Path, until: float, log: LiveLog) -> Update:
    """Nothing done yet."""
    new = int((log.times >= until).sum())
    newest = float(log.times[-1])
    notes = list(log.notes)
    if log.times[0] >= until:
        notes.append(
            "the store has no event from before the live model was trained, so the new one would forget what that was "
            "trained on; `endcap load` brings the older log"
        )
    return Update(
        state="unchanged",
        reason=f"Nothing is newer than what the live model was trained on; the newest event is of {_date(newest)}.",
        live=str(path),
        new=None,
        trained_until=until,
        newest=newest,
        cuts=None,
        events=len(log.times),
        new_events=new,
        new_items=0,
        epochs=0,
        compared=None,
        notes=tuple(notes),
    )


def _account(trial: Trial, version: Version, outcome: Outcome) -> dict[str, Any]:
    """The fields of Update that a trial tells."""
    artifact, table = version.artifact, trial.dataset.table
    known = set(artifact.vocabulary.ids[: artifact.traits.known])
    return {
        "cuts": trial.cuts,
        "events": len(table),
        "new_items": len(set(pc.unique(table["item_id"]).to_pylist()) - known),
        "epochs": epochs(outcome) if isinstance(artifact.model, Network) else 0,
    }


def _figures(compared: Compared) -> str:
    metric, difference = METRICS[0], compared.difference
    found = (
        f"{difference.value:+.4f}, 95 % interval {difference.low:+.4f} to {difference.high:+.4f}, "
        f"{compared.questions:,} questions"
    ).replace("-", "−")
    return (
        f"on the newest days it has {metric.upper()} {compared.new[metric]:.4f} where the one before has "
        f"{compared.live[metric]:.4f} ({found})"
    )


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
