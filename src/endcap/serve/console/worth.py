"""How good an artifact was on what it had not seen, in words, and whether another one is known to be as good."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from endcap.artifact import Artifact
from endcap.serve.console.render import percent
from endcap.serve.console.texts import Words

HITS = "hr@10"
"""The figure that is told in words: the share of questions with a right answer in ten places."""

FIRST = ("hr@10", "ndcg@10", "recall@10", "mrr@10", "coverage@10")
"""Figures that are shown first, where an artifact has them."""

SMALL = 0.095
"""Shares below this are told with a decimal."""


@dataclass(frozen=True)
class Worth:
    """The figures of an artifact, and what they were measured on."""

    figures: Mapping[str, float]
    goal: str = ""  # the kind that was to be predicted; empty: whatever came next
    asked: tuple[object, ...] = ()  # equal for artifacts that answered the same questions

    @property
    def hits(self) -> float | None:
        """Of 1; None where nobody has measured it."""
        return self.figures.get(HITS)


def worth(goal: str | None, facts: Mapping[str, Any], files: Mapping[str, str]) -> Worth:
    """Of what an artifact says of itself; what is no number is left out."""
    found = facts.get("metrics") or {}
    names = [*(name for name in FIRST if name in found), *(name for name in found if name not in FIRST)]
    figures = {name: float(found[name]) for name in names if isinstance(found[name], int | float)}
    asked = (goal, facts.get("protocol"), tuple(facts.get("cuts") or ()), facts.get("measured_from"),
             tuple(sorted(files.values())))  # fmt: skip
    return Worth(figures, goal or "", asked)


def worth_of(artifact: Artifact) -> Worth:
    """Of an artifact that is loaded."""
    return worth(artifact.config.data.goal, artifact.facts, artifact.files)


def doubtful(choice: Worth, live: Worth) -> bool:
    """Whether to ask once more before `choice` goes live: it is worse, or nobody knows that it is not."""
    if choice.hits is None:
        return True
    return live.hits is not None and (choice.asked != live.asked or choice.hits < live.hits)


def told(choice: Worth, live: Worth | None, words: Words) -> str:
    """A sentence on what it finds, against the live model where that is another one."""
    against = None if live is None or live.hits is None else share(live.hits)
    if choice.hits is None:
        said = words("worth.unknown")
        return said if against is None else words("worth.against", said=said, share=against)
    said = words(f"worth.finds.{choice.goal or 'any'}", share=share(choice.hits))
    if against is None or live is None:
        return said
    if choice.asked != live.asked:
        return words("worth.elsewhere", said=said, share=against)
    return words("worth.against", said=said, share=against)


def figure(choice: Worth, live: Worth, words: Words) -> str:
    """The share that it finds, for a table."""
    if choice.hits is None:
        return words("worth.not_measured")
    found = share(choice.hits)
    return found if choice.asked == live.asked else words("worth.on_others", share=found)


def share(value: float) -> str:
    """In hundredths, of a small share with a decimal."""
    return percent(value, 1 if 0 < value < SMALL else 0)
