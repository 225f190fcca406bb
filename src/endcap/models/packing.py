"""Packed histories side by side, where each position looks at all before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Rectangles:
    """Histories of similar length side by side, for what looks at pairs of events; past an end a token is repeated.

    The cells of all rectangles are counted through, so that one gather fills them and one gives the tokens back.
    """

    shapes: tuple[tuple[int, int], ...]  # (rows, length) of each
    places: Tensor  # (cells,) which token stands in each cell
    cells: Tensor  # (tokens,) in which cell each token stands

    @classmethod
    def of(cls, offsets: Tensor) -> "Rectangles":
        """Histories grouped by length (1-4, 5-8, 9-16, ...), so that little is computed past their ends."""
        lengths, tokens = offsets.diff(), torch.arange(int(offsets[-1]))
        if len(tokens) and (lengths == lengths[0]).all():
            return cls(((len(lengths), int(lengths[0])),), tokens, tokens)
        group = (lengths.clamp(min=4) - 1).log2().floor()
        shapes, found, cells, begin = [], [tokens[:0]], torch.empty_like(tokens), 0
        for value in group[lengths > 0].unique():
            rows = torch.nonzero((group == value) & (lengths > 0)).squeeze(1)
            steps = torch.arange(int(lengths[rows].max()))
            inside = steps < lengths[rows].unsqueeze(1)
            places = offsets[:-1][rows].unsqueeze(1) + torch.minimum(steps, lengths[rows].unsqueeze(1) - 1)
            cells[places[inside]] = begin + inside.flatten().nonzero().squeeze(1)
            shapes.append((len(rows), len(steps)))
            found.append(places.flatten())
            begin += places.numel()
        return cls(tuple(shapes), torch.cat(found), cells)

    @property
    def is_whole(self) -> bool:
        """Whether it is all tokens in their order, as when one question is asked: nothing has to be gathered."""
        return self.places is self.cells

    def spread(self, packed: Tensor) -> list[Tensor]:
        """(tokens, n) -> of each rectangle (rows, length, n)"""
        cells = packed if self.is_whole else F.embedding(self.places, packed)
        parts = cells.split([rows * length for rows, length in self.shapes])
        return [part.view(*shape, -1) for part, shape in zip(parts, self.shapes, strict=True)]

    def gather(self, spread: Sequence[Tensor]) -> Tensor:
        """Of each rectangle (rows, length, n) -> (tokens, n)"""
        cells = torch.cat([each.flatten(0, 1) for each in spread])
        return cells if self.is_whole else cells.index_select(0, self.cells)
