"""What a model would have put at the explored places of lists that were shown, from what was known at the time."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from endcap.bootstrap import RESAMPLES
from endcap.engine.past import joined
from endcap.engine.version import Version
from endcap.evaluation import SCORES
from endcap.experiment import trained_until
from endcap.exposure import CLICKS, person
from endcap.ranking import CHUNK
from endcap.replay import UNEXPLORED, Choose, Estimate, checked, replay, rewards
from endcap.store.records import Happened, Shown

SEEN = "the candidate was trained on what came of them"
BROUGHT = "what came with the request, a product or a cart, is not in the log"

LATEST = 1_000
"""Events of a history, as the engine reads them."""


def judged(
    version: Version,
    shown: Iterable[Shown],
    events: pa.Table,
    named: pa.Table,
    *,
    kinds: tuple[str, ...] = CLICKS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """The replay of a candidate on the lists that it can be asked about.

    events: Store.events_table; named: Store.events_of_lists; `kinds` of event that are a reward. Lists from before the
    end of the candidate's training are left out, or it would be asked what it has learned by heart; so are those beside
    a product or for a cart, which were not made of the history alone. Raises InputError as `replay` does.
    """
    until = trained_until(version.artifact)
    lists, without = [], Counter[str]()
    for each in shown:
        if not each.explored:
            without[UNEXPLORED] += 1
        elif until is not None and each.time < until:
            without[SEEN] += 1
        elif each.slot not in ("home", "email"):
            without[BROUGHT] += 1
        else:
            lists.append(each)
    choose = choices(version, lists, events)
    return replay(lists, rewards(named, kinds), choose, left_out=without, resamples=resamples, seed=seed)


def choices(version: Version, shown: Sequence[Shown], events: pa.Table) -> Choose:
    """What a model would choose at each explored place: the best of the pool by its score for the visitor's history.

    The history is what the visitor did before the list, as the engine would have heard it. Of equal scores the lower
    index, as everywhere; seen items are no choice where the model does not repeat.
    """
    if not version.memory.hears_shown:
        events = events.filter(pc.not_equal(events["kind"], "impression"))
    pasts = _pasts(shown, events)
    chosen: dict[tuple[str, int], str | None] = {}
    size = max(1, min(CHUNK, SCORES // max(1, len(version.shelf))))
    for start in range(0, len(shown), size):
        part = slice(start, start + size)
        chosen |= _chosen(version, shown[part], pasts[part])
    return lambda each, place, pool: chosen[each.recommendation_id, place]


@torch.inference_mode()
def _chosen(
    version: Version, shown: Sequence[Shown], pasts: Sequence[Sequence[Happened]]
) -> dict[tuple[str, int], str | None]:
    memory, find = version.memory, version.shelf.find
    heard = [memory.histories([past], find, each.time)[0] for each, past in zip(shown, pasts, strict=True)]
    histories = joined(heard)
    batch = version.batch(histories, np.full(len(shown), version.goal), np.array([each.time for each in shown]))
    scored = version.retriever.scores(batch).numpy()
    scored[:, 0] = -np.inf
    if not version.repeat:
        scored[histories.owners, histories.items] = -np.inf
    found: dict[tuple[str, int], str | None] = {}
    for row, each in enumerate(shown):
        for record in checked(each):
            pool = [(version.shelf.find(item_id), item_id) for item_id in record["pool"]]
            best, _, item_id = max((float(scored[row, index]), -index, item_id) for index, item_id in pool)
            found[each.recommendation_id, int(record["place"])] = item_id if best > -np.inf else None
    return found


def _pasts(shown: Sequence[Shown], events: pa.Table) -> list[list[Happened]]:
    """What the visitor of each list had done before it, oldest first."""
    owners = [person(each.visitor) for each in shown]
    own = events.filter(pc.is_in(events["user_id"], pa.array(sorted(set(owners)), pa.string()))).sort_by("row")
    past: defaultdict[str, list[Happened]] = defaultdict(list)
    columns = ("item_id", "kind", "time", "rating", "price", "quantity")
    for user_id, *values in zip(*(own[name].to_pylist() for name in ("user_id", *columns)), strict=True):
        past[user_id].append(Happened(*values))
    found = []
    for each, owner in zip(shown, owners, strict=True):
        before = bisect_left(past[owner], each.time, key=lambda event: event.time)
        found.append(past[owner][max(0, before - LATEST) : before])
    return found
