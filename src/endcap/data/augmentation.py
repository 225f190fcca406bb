"""Histories as they might also have been: cropped, reordered, with events hidden or swapped for similar ones.

The four of CL4SRec and CoSeRec (arXiv 2010.14395, 2108.06479), here for next-item training: cropping and reordering
change the history and its questions alike; hiding and substituting change what is looked at, never what is asked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.data.interactions import Histories, spans
from endcap.data.ranges import Chance, Count
from endcap.data.vocabulary import Ints


@dataclass(frozen=True)
class SequenceAugmentConfig:
    """How training histories are varied; all off: switch on what helps on validation."""

    crop: Chance = 0.0  # of the histories are cut to a random part, at least half of it
    reorder: Chance = 0.0  # of the histories have a few neighbouring events in another order
    span: Count = 4  # events that change places
    mask: Chance = 0.0  # of the events looked at are hidden
    substitute: Chance = 0.0  # of the events looked at show one of the items most alike instead
    alike: Count = 10  # items that may stand for one


def reshaped(log: Histories, config: SequenceAugmentConfig, random: np.random.Generator) -> Histories:
    """The histories, some of them cropped and some reordered; times stay where they are, so that they still ascend."""
    starts, ends, n = log.offsets[:-1], log.offsets[1:], len(log)
    if config.crop:
        lengths = ends - starts
        keep = np.ceil(lengths * random.uniform(0.5, 1.0, n)).astype(np.int64)
        keep = np.where(random.random(n) < config.crop, keep, lengths)
        starts = starts + (random.random(n) * (lengths - keep + 1)).astype(np.int64)
        log = log.ranges(starts, starts + keep)
        starts, ends = log.offsets[:-1], log.offsets[1:]
    if not config.reorder:
        return log
    long = (ends - starts >= 2) & (random.random(n) < config.reorder)
    width = np.minimum(config.span, ends - starts)[long]
    first = starts[long] + (random.random(long.sum()) * ((ends - starts)[long] - width + 1)).astype(np.int64)
    places, _ = spans(first, first + width)
    owners = np.repeat(np.arange(len(width)), width)
    order = np.arange(len(log.items))
    order[places] = places[np.lexsort((random.random(len(places)), owners))]
    return Histories(log.items[order], log.kinds[order], log.times, log.values[order], log.offsets)


def disturbed(
    items: Ints, config: SequenceAugmentConfig, alike: NDArray[np.int64] | None, random: np.random.Generator
) -> Ints:
    """(events,) what is looked at: some items hidden (0), some replaced; alike: (n_items + 1, m) those most alike."""
    items = items.copy()
    if config.substitute and alike is not None:
        swap = random.random(len(items)) < config.substitute
        items[swap] = alike[items[swap], random.integers(0, alike.shape[1], swap.sum())]
    if config.mask:
        items[random.random(len(items)) < config.mask] = 0
    return items
