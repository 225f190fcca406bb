"""A merchandiser's rules: what stands where, what is favoured, what is not shown; docs/rules.md has each as JSON."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from annotated_types import Interval, Len
from numpy.typing import NDArray
from pydantic import AfterValidator, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.ranges import Count
from endcap.data.vocabulary import Ints
from endcap.engine.filters import Mask, parse, plain
from endcap.engine.requests import Slot

log = logging.getLogger(__name__)


def _parsed(text: str) -> str:
    parse(text)
    return text


FilterText = Annotated[str, AfterValidator(_parsed)]
Strength = Annotated[FiniteFloat, Interval(gt=0, le=100)]
Days = Annotated[FiniteFloat, Interval(gt=0, le=36_500)]
Seconds = Annotated[FiniteFloat, Field(ge=0)]
ItemId = Annotated[str, Len(1, 512)]


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where and when a rule holds."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    slots: tuple[Slot, ...] = ()  # none: all
    starts: Seconds | None = None  # seconds since 1970
    ends: Seconds | None = None  # no longer at that moment
    note: Annotated[str, Len(0, 1000)] = ""  # for people

    def __post_init__(self) -> None:
        if self.starts is not None and self.ends is not None and self.starts >= self.ends:
            raise ValueError(f"found starts {self.starts:.0f} and ends {self.ends:.0f}; expected starts before ends")

    def holds(self, slot: Slot, now: float) -> bool:
        """Whether it holds for a list that is made now."""
        begun = self.starts is None or self.starts <= now
        return begun and (self.ends is None or now < self.ends) and (not self.slots or slot in self.slots)


@dataclass(frozen=True, kw_only=True)
class Pin(Scope):
    """Products at fixed places: the first at `position`, the others after it."""

    action: Literal["pin"] = "pin"
    item_ids: Annotated[tuple[ItemId, ...], Len(1, 100)]
    position: Annotated[int, Interval(ge=1, le=1000)] = 1  # from 1


@dataclass(frozen=True, kw_only=True)
class Boost(Scope):
    """Products that come earlier, by `strength` standard deviations of the visitor's scores."""

    action: Literal["boost"] = "boost"
    filter: FilterText
    strength: Strength = 1.0


@dataclass(frozen=True, kw_only=True)
class Bury(Scope):
    """Products that come later, by `strength` standard deviations of the visitor's scores."""

    action: Literal["bury"] = "bury"
    filter: FilterText
    strength: Strength = 1.0


@dataclass(frozen=True, kw_only=True)
class Hide(Scope):
    """Products that are not shown."""

    action: Literal["hide"] = "hide"
    filter: FilterText


@dataclass(frozen=True, kw_only=True)
class Only(Scope):
    """No other products are shown."""

    action: Literal["only"] = "only"
    filter: FilterText


@dataclass(frozen=True, kw_only=True)
class Floor(Scope):
    """Products below a price, or without one, are not shown."""

    action: Literal["floor"] = "floor"
    price: Annotated[FiniteFloat, Field(gt=0)]


@dataclass(frozen=True, kw_only=True)
class NoRepeats(Scope):
    """What the visitor bought in the last days is not shown."""

    action: Literal["no_repeats"] = "no_repeats"
    days: Days
    unless_rebought: bool = True  # but for categories that are bought again and again


@dataclass(frozen=True, kw_only=True)
class AtMost(Scope):
    """So many products of one brand, or of one category; where it is not known they do not count."""

    action: Literal["at_most"] = "at_most"
    n: Count
    of: Literal["brand", "category"]


Rule = Pin | Boost | Bury | Hide | Only | Floor | NoRepeats | AtMost
ACTIONS: dict[str, type[Rule]] = {kind.__dataclass_fields__["action"].default: kind for kind in get_args(Rule)}
RULE: TypeAdapter[Rule] = TypeAdapter(Annotated[Rule, Field(discriminator="action")])


@dataclass(frozen=True, eq=False)
class Policy:
    """What the rules say of one slot, by index of the catalogue they were compiled for."""

    allowed: Mask  # (items + 1,) what may be shown
    bonus: NDArray[np.float32] | None  # (items + 1,) in standard deviations of the visitor's scores; None: none
    pins: tuple[tuple[int, int], ...]  # (place from 0, item), in the order of the rules
    at_most: tuple[tuple[NDArray[np.int32], int], ...]  # (items + 1,) a code per value, 0 where not known; how many
    no_repeats: NDArray[np.float32] | None  # (items + 1,) days after a purchase, 0: may come again; None: all may
    until: float  # seconds: when the next rule starts or ends
    problems: tuple[str, ...]  # rules, or parts of them, that cannot be followed with this catalogue


def parse_rule(body: Any) -> Rule:
    """A rule from JSON; raises InputError naming each wrong key.

    >>> parse_rule({"action": "hide", "filter": "brand:Acme"}).filter
    'brand:Acme'
    """
    if not isinstance(body, Mapping):
        raise InputError(
            f"found {_shown(body)}; expected a rule: an object with an action, one of {', '.join(ACTIONS)}"
        )
    try:
        return RULE.validate_python(dict(body))
    except ValidationError as error:
        raise InputError(f"rule: {_explain(error, body)}") from error


def readable(stored: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Rule]:
    """The rules of a store by their ids; one that a newer endcap wrote is left out and named: the shop goes on."""
    found = {}
    for rule_id, body in stored:
        try:
            found[rule_id] = parse_rule(body)
        except InputError as error:
            log.warning("rule %s was left out: %s", rule_id, error)
    return found


def dump_rule(rule: Rule) -> dict[str, Any]:
    """The JSON that `parse_rule` reads back to an equal rule."""
    return RULE.dump_python(rule, mode="json", exclude_defaults=True) | {"action": rule.action}


def check_rule(rule: Rule, catalog: Catalog) -> None:
    """Raises InputError where the rule's filter asks for a column that the catalogue does not have."""
    if isinstance(rule, Boost | Bury | Hide | Only):
        parse(rule.filter).mask(catalog)


def compile_rules(
    rules: Sequence[Rule],
    slot: Slot,
    catalog: Catalog,
    find: Callable[[str], int],
    now: float,
    *,
    rebought: Collection[str] = (),
) -> Policy:
    """The rules that hold now, as numbers for every item of the catalogue.

    find: an item's index, 0 where there is none. rebought: see `data/repurchase.py`. A rule that cannot be followed,
    as when a new catalogue lacks a column, is left out and named in `problems`: it must not take the shop down.
    """
    current = [rule for rule in rules if rule.holds(slot, now)]
    allowed = np.arange(len(catalog) + 1) > 0
    bonus = np.zeros(len(catalog) + 1, np.float32)
    problems = []
    for rule in current:
        try:
            match rule:
                case Hide():
                    allowed &= ~parse(rule.filter).mask(catalog)
                case Only():
                    allowed &= parse(rule.filter).mask(catalog)
                case Floor():
                    allowed &= catalog.prices >= rule.price  # NaN is not
                case Boost():
                    bonus += np.float32(rule.strength) * parse(rule.filter).mask(catalog)
                case Bury():
                    bonus -= np.float32(rule.strength) * parse(rule.filter).mask(catalog)
        except InputError as error:
            problems.append(f"{rule.action} was left out: {error}")
    pinned = [(rule.position - 1 + place, item_id)
              for rule in current if isinstance(rule, Pin) for place, item_id in enumerate(rule.item_ids)]  # fmt: skip
    problems += [f"pin: {item_id} is no product of the catalogue" for _, item_id in pinned if not find(item_id)]
    edges = [edge for rule in rules for edge in (rule.starts, rule.ends) if edge is not None and edge > now]
    return Policy(
        allowed=allowed,
        bonus=bonus if bonus.any() else None,
        pins=tuple((place, item) for place, item_id in pinned if (item := find(item_id))),
        at_most=tuple((_codes(catalog, rule.of), rule.n) for rule in current if isinstance(rule, AtMost)),
        no_repeats=_days([rule for rule in current if isinstance(rule, NoRepeats)], catalog, rebought),
        until=min(edges, default=np.inf),
        problems=tuple(problems),
    )


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


def _explain(error: ValidationError, body: Mapping[str, Any]) -> str:
    """One clause per wrong key: found, expected."""
    kind = ACTIONS.get(str(body.get("action")))
    clauses = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"][1:])
        match problem["type"]:
            case "union_tag_not_found":
                clauses.append(f"found no action; expected one of {', '.join(ACTIONS)}")
            case "union_tag_invalid":
                clauses.append(f"found action {_shown(body['action'])}; expected one of {', '.join(ACTIONS)}")
            case "unexpected_keyword_argument" if kind is not None:
                names = ", ".join(each.name for each in fields(kind))
                clauses.append(f"found the unknown key {place}; expected some of {names}")
            case "missing":
                clauses.append(f"found no {place}, which {body['action']} needs")
            case "value_error":
                clauses.append(": ".join(filter(None, [place, problem["msg"].removeprefix("Value error, ")])))
            case _:
                clauses.append(f"{place}: found {_shown(problem['input'])}; {problem['msg'].lower()}")
    return "; ".join(clauses)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
