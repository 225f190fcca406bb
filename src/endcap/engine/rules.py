"""A merchandiser's rules: what stands where, what is favoured, what is not shown; docs/rules.md has each as JSON."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Literal, get_args

from annotated_types import Interval, Len
from pydantic import AfterValidator, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.ranges import Count
from endcap.engine.filters import parse
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

BESIDE: tuple[Slot, ...] = ("product", "cart")
"""Slots in which complements come first."""


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
class Complement(Scope):
    """Products chosen by hand that come first beside some others, as far as they can be bought."""

    action: Literal["complement"] = "complement"
    beside: Annotated[tuple[ItemId, ...], Len(1, 100)]
    item_ids: Annotated[tuple[ItemId, ...], Len(1, 100)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if wrong := [slot for slot in self.slots if slot not in BESIDE]:
            raise ValueError(f"found slots {', '.join(wrong)}; expected some of {', '.join(BESIDE)}: beside a product")


@dataclass(frozen=True, kw_only=True)
class AtMost(Scope):
    """So many products of one brand, or of one category; where it is not known they do not count."""

    action: Literal["at_most"] = "at_most"
    n: Count
    of: Literal["brand", "category"]


Rule = Pin | Boost | Bury | Hide | Only | Floor | NoRepeats | AtMost | Complement
ACTIONS: dict[str, type[Rule]] = {kind.__dataclass_fields__["action"].default: kind for kind in get_args(Rule)}
RULE: TypeAdapter[Rule] = TypeAdapter(Annotated[Rule, Field(discriminator="action")])


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
