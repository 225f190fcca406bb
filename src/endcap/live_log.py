"""The store as a data set: its events cleaned and cut for an update, and the catalogue as it is now."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from endcap.config import Config
from endcap.data import backend as backends
from endcap.data.aliases import resolve
from endcap.data.backend import Backend, DataFrame
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.prepare import prepare_tables
from endcap.data.schema import GOALS, KINDS, Validated, validate
from endcap.data.sources import duck
from endcap.data.split import Queries, questions
from endcap.data.vocabulary import Floats, Vocabulary
from endcap.engine.version import Version
from endcap.store.store import Store

DAY = 86_400.0


@dataclass(frozen=True)
class LiveLog:
    """What the store holds, checked like any log."""

    backend: Backend
    validated: Validated
    times: Floats  # (answers,) seconds, ascending, of the events that can be predicted
    items: pa.Table  # the catalogue as it is now
    aliases: dict[str, str]  # a variant's id or SKU -> its product's id
    notes: tuple[str, ...]

    def dataset(self, name: str, config: Config) -> Dataset:
        """Cleaned and cut as `config` says."""
        prepared = prepare_tables(self.backend, self.validated, config.clean, config.split)
        facts = {"steps": [asdict(step) for step in prepared.steps], "cuts": prepared.cuts, "notes": [*self.notes]}
        return Dataset(name, prepared.events.toArrow(), self.items, files={}, facts=facts, aliases=self.aliases)


def read(store: Store, version: Version, now: float) -> LiveLog:
    """All events of the store. Those after `now` (seconds), which a wrong clock sent, are left out and noted.

    Impressions are left out unless the live model was trained on some: ten products shown would push what a visitor did
    out of the events that a model looks at. Raises InputError where nothing is left.
    """
    table, aliases = store.events_table(), version.artifact.aliases
    if not version.memory.hears_shown:
        table = table.filter(pc.not_equal(table["kind"], "impression"))
    if not len(table):
        raise InputError("found no event to learn from in the store; `endcap load EVENTS --db URL` fills it with a log")
    backend = backends.local()
    validated = replace(validate(backend, _frame(backend, table), now=now), notes=())  # units of time are no question
    if aliases:
        named = pa.table({"alias": [*aliases], "item_id": [*aliases.values()]})
        validated = resolve(backend, validated, _frame(backend, named))
    events = validated.events.toArrow()
    times = np.sort(events["time"].filter(pc.is_in(events["kind"], pa.array(GOALS))).to_numpy())
    if not len(times):
        raise InputError(f"found no event that can be predicted ({', '.join(GOALS)}) in the store")
    unusable = len(table) - len(events)
    note = f"{unusable:,} events cannot be used, such as those of a time to come"
    items = catalogue(version, set(pc.unique(events["item_id"]).to_pylist()))
    return LiveLog(backend, validated, times, items, aliases, (*validated.notes, *[note] * bool(unusable)))


def catalogue(version: Version, known: set[str]) -> pa.Table:
    """The products as they are now; what was taken out of the shop stays where there are events of it (`known`)."""
    table = version.shelf.whole.table
    keep = [
        there or item_id in known
        for there, item_id in zip(version.shelf.there[1:], table["item_id"].to_pylist(), strict=True)
    ]
    return table.filter(pa.array(keep, pa.bool_()))


def cuts(times: Floats, until: float, newest_days: float) -> tuple[float, float]:
    """Where validation and the newest days begin, both after `until`; times: (answers,) seconds, ascending.

    The newest days are at most the newer half of what is new; validation has at most as many answers, and at most the
    later half of the rest. Raises InputError where all new events came at once.
    """
    new = times[times >= until]
    test = max(float(new[-1]) - newest_days * DAY, float(np.quantile(new, 0.5)))
    rest = new[new < test]
    if not len(rest):
        raise InputError(f"found {len(new):,} new events, all at one time; nothing can be held back to decide on")
    held = max(1, min(len(new) - len(rest), len(rest) // 2))  # counted, not by days: the shop may have been closed
    return float(rest[-held]), test


def asked_of(version: Version, table: pa.Table, since: float, config: Config) -> Queries:
    """The questions from `since` (seconds) on, as a served model hears them: its own items, its own kinds."""
    ids = version.shelf.ids if version.knows_content else version.artifact.vocabulary.ids
    found = questions(table, Vocabulary(ids), since=since, goal=config.data.goal, min_rating=config.data.min_rating)
    heard = np.array([0, *(version.memory.kinds.get(kind, 0) for kind in KINDS)])
    past = found.histories
    kinds = heard[past.kinds]
    histories = replace(past, items=np.where(kinds > 0, past.items, 0), kinds=kinds).known()
    return replace(found, histories=histories, goals=heard[found.goals])


def _frame(backend: Backend, table: pa.Table) -> DataFrame:
    assert backend.connection is not None
    return duck.frame(backend, duck.store(backend.connection, table))
