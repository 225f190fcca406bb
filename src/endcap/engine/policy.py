"""The rules of a slot as numbers for every item of a catalogue, and lists that follow them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints
from endcap.engine.columns import Mask
from endcap.engine.filters import parse
from endcap.engine.requests import Slot
from endcap.engine.rules import BESIDE, AtMost, Boost, Bury, Complement, Floor, Hide, NoRepeats, Only, Pin, Rule
from endcap.features.cells import plain


@dataclass(frozen=True, eq=False)
class Policy:
    """What the rules say of one slot, by index of the catalogue they were compiled for."""

    allowed: Mask  # (items + 1,) what may be shown
    bonus: NDArray[np.float32] | None  # (items + 1,) in standard deviations of the visitor's scores; None: none
    pins: tuple[tuple[int, int], ...]  # (place from 0, item), in the order of the rules
    complements: tuple[tuple[frozenset[int], tuple[int, ...]], ...]  # beside any of these items, those come first
    at_most: tuple[tuple[NDArray[np.int32], int], ...]  # (items + 1,) a code per value, 0 where not known; how many
    no_repeats: NDArray[np.float32] | None  # (items + 1,) days after a purchase, 0: may come again; None: all may
    until: float  # seconds: when the next rule starts or ends
    problems: tuple[str, ...]  # rules, or parts of them, that cannot be followed with this catalogue
    boosts: tuple[tuple[str, NDArray[np.float32]], ...] = ()  # ids of rules, (items + 1,) the part of each in the bonus
    pin_rules: tuple[str, ...] = ()  # ids, of each pin
    complement_rules: tuple[str, ...] = ()  # ids, of each of the complements


def compile_rules(
    rules: Mapping[str, Rule],
    slot: Slot,
    catalog: Catalog,
    find: Callable[[str], int],
    now: float,
    *,
    rebought: Collection[str] = (),
) -> Policy:
    """The rules that hold now, as numbers for every item of the catalogue.

    rules: by their ids. find: an item's index, 0 where there is none. rebought: see `data/repurchase.py`. A rule that
    cannot be followed, as when a new catalogue lacks a column, is left out and named in `problems`: it must not take
    the shop down.
    """
    current = {rule_id: rule for rule_id, rule in rules.items() if rule.holds(slot, now)}
    allowed = np.arange(len(catalog) + 1) > 0
    bonus = np.zeros(len(catalog) + 1, np.float32)
    problems, boosts = [], []
    for rule_id, rule in current.items():
        try:
            match rule:
                case Hide():
                    allowed &= ~parse(rule.filter).mask(catalog)
                case Only():
                    allowed &= parse(rule.filter).mask(catalog)
                case Floor():
                    allowed &= catalog.prices >= rule.price  # NaN is not
                case Boost():
                    boosts.append((rule_id, np.float32(rule.strength) * parse(rule.filter).mask(catalog)))
                    bonus += boosts[-1][1]
                case Bury():
                    bonus -= np.float32(rule.strength) * parse(rule.filter).mask(catalog)
        except InputError as error:
            problems.append(f"{rule.action} was left out: {error}")
    pinned = [(rule_id, rule.position - 1 + place, item_id) for rule_id, rule in current.items()
              if isinstance(rule, Pin) for place, item_id in enumerate(rule.item_ids)]  # fmt: skip
    problems += [f"pin: {item_id} is no product of the catalogue" for _, _, item_id in pinned if not find(item_id)]
    beside = {rule_id: rule for rule_id, rule in current.items() if isinstance(rule, Complement) and slot in BESIDE}
    chosen, pins = [*beside.values()], [each for each in pinned if find(each[2])]
    problems += [f"complement: {item_id} is no product of the catalogue"
                 for rule in chosen for item_id in (*rule.beside, *rule.item_ids) if not find(item_id)]  # fmt: skip
    edges = [edge for rule in rules.values() for edge in (rule.starts, rule.ends) if edge is not None and edge > now]
    return Policy(
        allowed=allowed,
        bonus=bonus if bonus.any() else None,
        boosts=tuple(boosts),
        pins=tuple((place, find(item_id)) for _, place, item_id in pins),
        pin_rules=tuple(rule_id for rule_id, _, _ in pins),
        complements=_complements(chosen, catalog, find),
        complement_rules=tuple(beside),
        at_most=tuple((_codes(catalog, rule.of), rule.n) for rule in current.values() if isinstance(rule, AtMost)),
        no_repeats=_days([rule for rule in current.values() if isinstance(rule, NoRepeats)], catalog, rebought),
        until=min(edges, default=np.inf),
        problems=tuple(problems),
    )


def companions(policy: Policy, beside: Collection[int]) -> tuple[int, ...]:
    """The complements of some products, in the order of the rules, each once."""
    found = (item for those, items in policy.complements if not those.isdisjoint(beside) for item in items)
    return tuple(dict.fromkeys(found))


def pinned_by(policy: Policy, beside: Collection[int]) -> dict[int, str]:
    """Item -> the first rule that gives it a place of its own, beside some products."""
    found: dict[int, str] = {}
    for (_, item), rule_id in zip(policy.pins, policy.pin_rules, strict=True):
        found.setdefault(item, rule_id)
    for (those, items), rule_id in zip(policy.complements, policy.complement_rules, strict=True):
        for item in () if those.isdisjoint(beside) else items:
            found.setdefault(item, rule_id)
    return found


def arrange(items: Ints, policy: Policy, k: int) -> Ints:
    """The k places of a list from candidates, best first; fewer where there are no more that may be shown.

    Pins stand at their places, or at the end of a list that is too short, and do not count against at_most. Whatever
    a request leaves out beside the rules belongs into `policy.allowed`, so that it holds for pins too. A place that
    two pins want is the first one's, the other takes the next.
    """
    pins = _placed(policy, k)
    rest = iter(_permitted(items, policy, {*pins.values()}))
    shown = (pins[place] if place in pins else next(rest, 0) for place in range(k))
    return np.array([item for item in shown if item], np.int64)


def _placed(policy: Policy, k: int) -> dict[int, int]:
    """Place -> the item that is pinned there."""
    taken: dict[int, int] = {}
    for wanted, item in sorted(policy.pins, key=lambda pin: pin[0]):
        place = next(each for each in range(wanted, wanted + len(taken) + 1) if each not in taken)
        if place < k and policy.allowed[item] and item not in taken.values():
            taken[place] = item
    return taken


def _permitted(items: Ints, policy: Policy, used: set[int]) -> list[int]:
    """The candidates that may be shown beside those already used, each once, no more than at_most of a kind."""
    candidates = items[policy.allowed[items]]
    limits = [(codes[candidates].tolist(), n, dict[int, int]()) for codes, n in policy.at_most]
    found = []
    for place, item in enumerate(candidates.tolist()):
        if item in used or any(code[place] and count.get(code[place], 0) >= n for code, n, count in limits):
            continue
        for code, _, count in limits:
            count[code[place]] = count.get(code[place], 0) + 1
        used.add(item)
        found.append(item)
    return found


def _complements(
    rules: Sequence[Complement], catalog: Catalog, find: Callable[[str], int]
) -> tuple[tuple[frozenset[int], tuple[int, ...]], ...]:
    """Beside which products, which; what is sold out is not offered beside anything."""
    if not rules:
        return ()
    stocked = parse("in_stock").mask(catalog)
    found = []
    for rule in rules:
        items = tuple(item for item_id in rule.item_ids if stocked[item := find(item_id)])
        found.append((frozenset(find(item_id) for item_id in rule.beside) - {0}, items))
    return tuple(found)


def _codes(catalog: Catalog, column: Literal["brand", "category"]) -> NDArray[np.int32]:
    """(items + 1,) a number for each different value, 0 where it is not known."""
    texts = catalog.brands if column == "brand" else catalog.categories
    names = {text: plain(text) for text in {*texts}}
    number = {name: place for place, name in enumerate(sorted({*names.values()} - {""}), start=1)} | {"": 0}
    return np.array([number[names[text]] for text in texts], np.int32)


def _days(rules: Sequence[NoRepeats], catalog: Catalog, rebought: Collection[str]) -> NDArray[np.float32] | None:
    """(items + 1,) the longest of the rules' days that hold for each item."""
    if not rules:
        return None
    known = frozenset(rebought)
    exempt = np.array([category in known for category in catalog.categories])
    each = [np.where(exempt & rule.unless_rebought, 0, rule.days) for rule in rules]
    return np.max(each, axis=0).astype(np.float32)
