"""Lists as they would be: of any version, under any rules. Nothing is written down, and no engine changes."""

import logging
import time
from collections.abc import Mapping, Sequence

import numpy as np

from endcap.data.errors import InputError
from endcap.engine.answering import Exploring, answer
from endcap.engine.engine import Engine, Role
from endcap.engine.past import Past
from endcap.engine.requests import Answer, Ask, Slot
from endcap.engine.rules import Policy, Rule, compile_rules, parse_rule
from endcap.engine.version import Version
from endcap.store.records import Visitor

log = logging.getLogger(__name__)

Pair = tuple[Answer | InputError, Answer | InputError]
"""A list as it is, and as it would be; or what is wrong with the request."""

NOBODY = Visitor()


def published(engine: Engine) -> dict[str, Rule]:
    """The rules of the store by their ids; one that this endcap cannot read is left out, as the engine does."""
    found = {}
    for rule_id, body in engine.store.rules() if engine.store is not None else ():
        try:
            found[rule_id] = parse_rule(body)
        except InputError as error:
            log.debug("rule %s was left out: %s", rule_id, error)
    return found


def preview(engine: Engine, rules: Sequence[Rule], asks: Sequence[Ask]) -> list[Pair]:
    """The lists of the live model under the published rules, and under `rules` in place of them.

    No place is left to chance in either, so that all that differs comes of the rules.
    """
    now, pasts = time.time(), _pasts(engine, asks)
    before = _answers(engine.live, [*published(engine).values()], asks, pasts, now)
    after = _answers(engine.live, rules, asks, pasts, now)
    return [*zip(before, after, strict=True)]


def beside(engine: Engine, ask: Ask) -> dict[Role, Answer | InputError]:
    """What each loaded model answers to one request under the published rules."""
    now, pasts, rules = time.time(), _pasts(engine, [ask]), [*published(engine).values()]
    return {role: _answers(version, rules, [ask], pasts, now)[0] for role, version in engine.versions.items()}


def _answers(
    version: Version, rules: Sequence[Rule], asks: Sequence[Ask], pasts: Sequence[Past], now: float
) -> list[Answer | InputError]:
    policies: Mapping[Slot, Policy] = {
        slot: _policy(version, rules, slot, now) for slot in dict.fromkeys(ask.slot for ask in asks) if rules
    }
    given = answer(version, asks, pasts, policies.get, now, exploring=Exploring(), random=np.random.default_rng())
    return [each if isinstance(each, InputError) else each.answer for each in given]


def _policy(version: Version, rules: Sequence[Rule], slot: Slot, now: float) -> Policy:
    rebought = version.artifact.facts.get("rebought", ())
    return compile_rules(rules, slot, version.shelf.whole, version.shelf.find, now, rebought=rebought)


def _pasts(engine: Engine, asks: Sequence[Ask]) -> list[Past]:
    """As the engine reads them, without taking a session and a user that are named together for one."""
    pasts: list[Past] = [ask.history or () for ask in asks]
    asked = [n for n, ask in enumerate(asks) if ask.history is None and ask.visitor != NOBODY]
    if engine.store is not None and asked:
        known = engine.store.histories([asks[n].visitor for n in asked], last=engine.config.last)
        for n, past in zip(asked, known, strict=True):
            pasts[n] = past
    return pasts
