"""Packed histories side by side, where each position looks at all before it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rectangle:
    """Histories of similar length side by side, for what looks at pairs of events; past an end a token is repeated."""

    places: Tensor  # (rows, length) which token stands where
    inside: Tensor  # (rows, length) bool: not past the end of its history
    is_whole: bool = False  # it is all tokens in their order


def rectangles(offsets: Tensor) -> list[Rectangle]:
    """Histories grouped by length (1-4, 5-8, 9-16, ...), so that little is computed past their ends."""
    lengths = offsets.diff()
    if len(lengths) and lengths[0] and (lengths == lengths[0]).all():
        places = torch.arange(int(offsets[-1])).view(len(lengths), -1)
        return [Rectangle(places, torch.ones_like(places, dtype=torch.bool), is_whole=True)]
    group = (lengths.clamp(min=4) - 1).log2().floor()
    result = []
    for value in group.unique():
        rows = torch.nonzero((group == value) & (lengths > 0)).squeeze(1)
        if not len(rows):
            continue
        steps = torch.arange(int(lengths[rows].max()))
        inside = steps < lengths[rows].unsqueeze(1)
        places = offsets[:-1][rows].unsqueeze(1) + torch.minimum(steps, lengths[rows].unsqueeze(1) - 1)
        result.append(Rectangle(places, inside))
    return result
