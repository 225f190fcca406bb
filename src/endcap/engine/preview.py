"""Lists as they would be: of any version, under any rules. Nothing is written down, and no engine changes."""

import time
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from endcap.data.errors import InputError
from endcap.engine.answering import Exploring, answer
from endcap.engine.engine import Engine, Role
from endcap.engine.past import Past
from endcap.engine.policy import Policy
from endcap.engine.requests import Answer, Ask, Slot
from endcap.engine.rules import Rule, readable
from endcap.engine.version import Version

Pair = tuple[Answer | InputError, Answer | InputError]
"""A list as it is, and as it would be; or what is wrong with the request."""


def published(engine: Engine) -> dict[str, Rule]:
    """The rules of the store by their ids; one that this endcap cannot read is left out, as the engine does."""
    return {} if engine.store is None else readable(engine.store.rules())


def preview(engine: Engine, rules: Mapping[str, Rule], asks: Sequence[Ask]) -> list[Pair]:
    """The lists of the live model under the published rules, and under `rules` in place of them.

    No place is left to chance in either, so that all that differs comes of the rules.
    """
    now, pasts = time.time(), engine.pasts(asks)
    before = _answers(engine.live, published(engine), asks, pasts, now)
    after = _answers(engine.live, rules, asks, pasts, now)
    return [*zip(before, after, strict=True)]


def beside(engine: Engine, ask: Ask) -> dict[Role, Answer | InputError]:
    """What each loaded model that answers in its slot says to one request under the published rules."""
    now, pasts, rules = time.time(), engine.pasts([ask]), published(engine)
    loaded = {role: each for role, each in engine.versions.items() if role not in get_args(Slot) or role == ask.slot}
    return {role: _answers(version, rules, [ask], pasts, now)[0] for role, version in loaded.items()}


def _answers(
    version: Version, rules: Mapping[str, Rule], asks: Sequence[Ask], pasts: Sequence[Past], now: float
) -> list[Answer | InputError]:
    policies: Mapping[Slot, Policy] = {
        slot: version.policy(rules, slot, now) for slot in dict.fromkeys(ask.slot for ask in asks) if rules
    }
    given = answer(version, asks, pasts, policies.get, now, exploring=Exploring(), random=np.random.default_rng())
    return [each if isinstance(each, InputError) else each.answer for each in given]
