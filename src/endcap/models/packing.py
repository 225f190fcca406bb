"""Packed histories side by side, where each position looks at all before it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Histories in rows as long as the longest of them, for what looks at pairs of events: short ones share a row.

    One rectangle, filled by one gather, in place of one for each length: small products cost more to begin than to do.
    """

    places: Tensor  # (rows, length) which token stands in each cell; the first one where none does
    cells: Tensor  # (tokens,) in which cell each token stands, counted through
    apart: Tensor  # (rows or 1, length, length) bool: which cells do not see which: later ones, and other histories
    is_whole: bool = False  # it is all tokens in their order: nothing has to be gathered

    @classmethod
    def of(cls, offsets: Tensor) -> "Rows":
        """offsets: (batch + 1,) of at least one token."""
        lengths = offsets.diff()
        lengths, tokens = lengths[lengths > 0], torch.arange(int(offsets[-1]))
        longest = int(lengths.max())
        later = torch.ones(1, longest, longest, dtype=torch.bool).triu(1)
        if (lengths == longest).all():  # as when one question is asked
            return cls(tokens.view(-1, longest), tokens, later, is_whole=True)
        order = lengths.argsort(stable=True)
        each, counts = lengths[order].unique_consecutive(return_counts=True)
        beside = longest // each  # as many histories of a length go into a row
        rows = (counts + beside - 1) // beside
        length, share, first, row = (
            of_length.repeat_interleave(counts)
            for of_length in (each, beside, counts.cumsum(0) - counts, rows.cumsum(0) - rows)
        )
        rank = torch.arange(len(lengths)) - first  # among those of its length
        begins = torch.empty_like(lengths)
        begins[order] = (row + rank // share) * longest + rank % share * length
        cells = tokens + (begins - (lengths.cumsum(0) - lengths)).repeat_interleave(lengths)
        places, owners = torch.zeros(2, int(rows.sum()) * longest, dtype=torch.int64)
        places[cells] = tokens
        owners[cells] = torch.arange(1, len(lengths) + 1).repeat_interleave(lengths)
        owners = owners.view(-1, longest)
        return cls(places.view(-1, longest), cells, later | (owners.unsqueeze(2) != owners.unsqueeze(1)))

    def spread(self, packed: Tensor) -> Tensor:
        """(tokens, n) -> (rows, length, n)"""
        return packed.view(*self.places.shape, -1) if self.is_whole else F.embedding(self.places, packed)

    def gather(self, spread: Tensor) -> Tensor:
        """(rows, length, n) -> (tokens, n)"""
        cells = spread.flatten(0, 1)
        return cells if self.is_whole else cells.index_select(0, self.cells)
