"""What is new for a visitor: every other product of a category that they looked at last, the others as they may come.

As a part of the score the category would be enough where scores are spread evenly. Where few products have most of the
sales, these stand many standard deviations above the rest: a bonus that brings up a category which sells little is all
that is seen elsewhere. So the categories have places of their own.
"""

import numpy as np

from endcap.data.interactions import Histories
from endcap.data.vocabulary import Ints
from endcap.engine.columns import Mask
from endcap.engine.retrieval import Floats32, Found
from endcap.engine.version import Version

NEAR = 1.0
"""What a standard deviation of likeness to what was looked at counts against one of the model's scores."""
LATEST = 5
"""Products of the visitor that it is looked for near."""


def near(version: Version, history: Histories) -> Floats32 | None:
    """(items + 1,) how like the likest of the visitor's latest products each is; None where nothing is known."""
    likeness = [each for item in latest(history) if (each := version.likeness(item)) is not None]
    return NEAR * np.max(likeness, axis=0) if likeness else None


def kin(version: Version, history: Histories) -> Mask:
    """(items + 1,) whether each is of a category of the visitor's latest products."""
    own, _ = version.shelf.kin
    looked = own[latest(history)]
    return np.isin(own, looked[looked > 0])


def latest(history: Histories) -> Ints:
    """The last different products of one history, the latest first."""
    return np.array(list(dict.fromkeys(history.items[::-1].tolist()))[:LATEST], np.int64)


def alternating(first: Found, second: Found, n: int) -> Found:
    """At most n products of two lists in turn, each once; where one ends, the other goes on.

    >>> found = Found(np.array([5, 2]), np.zeros(2, np.float32)), Found(np.array([2, 7, 8]), np.zeros(3, np.float32))
    >>> alternating(*found, n=9).items
    array([5, 2, 7, 8])
    """
    items = np.concatenate([first.items, second.items])
    turns = np.concatenate([2 * np.arange(len(first.items)), 2 * np.arange(len(second.items)) + 1])
    order = np.argsort(turns, kind="stable")
    order = order[np.sort(np.unique(items[order], return_index=True)[1])][:n]
    return Found(items[order], np.concatenate([first.scores, second.scores])[order])
