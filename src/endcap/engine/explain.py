"""Why each product stands in a list: a rule, what the visitor did with it before, an event, or that many like it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.data.batch import Batch
from endcap.data.interactions import Histories
from endcap.data.vocabulary import Ints
from endcap.engine import reasons
from endcap.engine.had import had, sentence
from endcap.engine.past import Past
from endcap.engine.policy import Policy
from endcap.engine.relations import Relations
from endcap.engine.requests import Reason, Step
from endcap.engine.retrieval import Restriction
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.store.records import Happened


@dataclass(frozen=True)
class Visit:
    """Who is told a reason: what a model heard of them, and all that they did."""

    history: Histories  # one
    past: Past
    goal: int  # a kind, from 1
    now: float  # seconds since 1970


def explain(version: Version, visit: Visit, items: Ints, ruled: Mapping[int, str]) -> list[Reason]:
    """Why each of some items stands in the list of one visitor. ruled: item -> the id of the rule that placed it."""

    def scores(histories: Histories) -> NDArray[np.float32]:
        return version.retriever.scores(_batch(version, visit, histories)).numpy()

    def keep(kept: NDArray[np.bool_]) -> Histories:
        return version.memory.kept(visit.history, kept)

    shelf, width = version.shelf, len(version.shelf) + 1
    relations = Relations.of(shelf)
    effects = reasons.effects(visit.history, items, scores, keep, width)
    done: defaultdict[int, list[Happened | Step]] = defaultdict(list)
    for event in visit.past:
        done[shelf.find(event.item_id)].append(event)
    one = [[other for other in done if other and relations.one_product(item, other)] for item in items.tolist()]
    alike = [np.isin(effects.items, [item, *same]) for item, same in zip(items.tolist(), one, strict=True)]
    related = [[relations.related(item, event) for event in effects.items.tolist()] for item in items.tolist()]
    named = [
        reasons.named(effects.only(~own), place, np.array(fit, bool)[~own], blind=relations.is_blind)
        for place, (own, fit) in enumerate(zip(alike, related, strict=True))
    ]
    named = reasons.confirmed(named, visit.history, items, scores, keep, width)
    features = _features(version, visit, items)
    result = []
    for place, (item, same) in enumerate(zip(items.tolist(), one, strict=True)):
        own = had([event for other in same for event in done[other]], visit.now, same=item in same)
        material = effects.material[:, place]
        if item in ruled:
            result.append(by_rule(ruled[item]))
        elif own is not None and (own.kind == "purchase" or (material & alike[place]).any()):
            result.append(Reason(sentence(own), kind="had", had=own))
        else:
            taste = bool((material & ~alike[place]).any())
            result.append(_reason(shelf, named[place], features[place], taste=taste))
    return result


def by_rule(rule: str) -> Reason:
    """That a rule placed it."""
    return Reason(f"by rule {rule}", kind="rule", rule=rule)


def _batch(version: Version, visit: Visit, histories: Histories) -> Batch:
    return version.batch(histories, np.full(len(histories), visit.goal), visit.now)


def _features(version: Version, visit: Visit, items: Ints) -> list[tuple[str, str] | None]:
    """For each item the column that fits the most, with its value."""
    batch, shelf = _batch(version, visit, visit.history), version.shelf
    columns, blanked = version.blanked(items, batch)
    named = reasons.by_features(version.retriever.some(batch, items).numpy()[0], blanked, columns)
    return [
        None if column is None else (column, str(shelf.row(shelf.ids[item - 1]).get(column)))
        for item, column in zip(items.tolist(), named, strict=True)
    ]


def _reason(shelf: Shelf, events: Ints, feature: tuple[str, str] | None, *, taste: bool) -> Reason:
    titles = [str(shelf.shown(event)["title"]) for event in events.tolist()]
    taste = taste and not titles
    why = f"because of {' and '.join(titles)}" if titles else "popular with people like you" if taste else ""
    fits = "" if feature is None else f"its {feature[0]} {feature[1]} fits"
    return Reason(
        "; ".join(filter(None, [why, fits])) or "many like it",
        tuple(shelf.ids[event - 1] for event in events.tolist()),
        () if feature is None else (f"{feature[0]} = {feature[1]}",),
        kind="events" if titles else "taste" if taste else "popular",
        titles=tuple(titles),
    )


def placed_by(
    version: Version, visit: Visit, items: Ints, policy: Policy, restriction: Restriction, without: Ints
) -> dict[int, str]:
    """Item -> the rule that boosts it, of those that without it would not stand in a list of so many."""
    boosted = [(rule, extra) for rule, extra in policy.boosts if extra[items].any()]
    if not boosted or restriction.bonus is None:
        return {}
    scored = version.retriever.scores(_batch(version, visit, visit.history)).numpy()[0]
    known = scored[1:][np.isfinite(scored[1:])]
    allowed = np.ones(len(scored), bool) if restriction.allowed is None else restriction.allowed.copy()
    allowed[without], allowed[0] = False, False
    found: dict[int, str] = {}
    for rule, extra in boosted:
        plain = np.where(allowed, scored + (restriction.bonus - extra) * known.std(), -np.inf)
        for item in items[extra[items] > 0].tolist():
            if (plain > plain[item]).sum() >= len(items):
                found.setdefault(item, rule)
    return found
