"""What the model says on pages that are no shelves: the order of a category, what is liked by all.

These lists are not kept for measuring: a page of the catalogue is no recommendation.
"""

import time
from collections.abc import Sequence

import numpy as np

from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints
from endcap.engine.answering import Exploring, answer
from endcap.engine.requests import Ask
from endcap.engine.version import Version
from endcap.store.records import Happened


def best(version: Version, past: Sequence[Happened], k: int, filter: str | None = None) -> Ints:  # noqa: A002
    """Indices of the first products for somebody with this past; without one, what is liked by all."""
    ask = Ask(k=min(k, len(version.shelf)), filter=filter)
    (given,) = answer(
        version, [ask], [past], lambda slot: None, time.time(),
        exploring=Exploring(), random=np.random.default_rng(0),
    )  # fmt: skip
    if isinstance(given, InputError):
        raise given
    return np.array([version.shelf.find(item.item_id) for item in given.answer.items], np.int64)
