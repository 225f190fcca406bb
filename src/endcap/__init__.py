"""Endcap: a deep-learning recommender for shops.

>>> from endcap import Ask, Engine, Step            # doctest: +SKIP
>>> engine = Engine.open(Path("runs/shop"))         # doctest: +SKIP
>>> engine.recommend([Ask(history=(Step("4711"),))])  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from endcap.engine.engine import Engine
    from endcap.engine.requests import Answer, Ask, Step
    from endcap.store.records import Event, Visitor

__all__ = ["Answer", "Ask", "Engine", "Event", "Step", "Visitor"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: PyTorch takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'endcap' has no attribute {name!r}")
    from endcap.engine import engine, requests
    from endcap.store import records

    return next(getattr(module, name) for module in (engine, requests, records) if hasattr(module, name))
