"""All modalities of an item as one row of comparable numbers, and back; what is absent is zero and flagged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints
from endcap.features.base import Block

Scale = Literal["number", "modality", "range"]


@dataclass(frozen=True)
class Modality:
    """One block's place in the row: its numbers come after those of the modalities before it."""

    name: str
    numbers: tuple[str, ...]  # what each number is


@dataclass(frozen=True)
class Rows:
    """Items side by side, ready for a network."""

    values: Tensor  # (items + 1, width) standardised; zero where the modality is absent
    present: Tensor  # (items + 1, modalities) bool

    def __len__(self) -> int:
        return len(self.values)

    def take(self, items: Tensor) -> "Rows":
        """(n,) indices or a mask -> those rows."""
        return Rows(self.values[items], self.present[items])


class Standard(nn.Module):
    """Standardises with the statistics of the items it was fitted on.

    `number`: each number has mean 0 and deviation 1; `modality`: mean 0, and one factor for all numbers of a modality,
    so that its geometry stays; `range`: each number from 0 to 1. A number that never changes says nothing: it is 0,
    and has no weight.
    """

    mean: Tensor  # (width,)
    deviation: Tensor  # (width,) what the centred numbers are divided by
    spread: Tensor  # (width,) the standard deviation of what comes out
    weight: Tensor  # (width,) adds up to 1; each modality alike, 0 for constants

    def __init__(self, modalities: Sequence[Modality]) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        sizes = torch.tensor([len(each.numbers) for each in modalities])
        self.width = int(sizes.sum())
        self.owner = torch.repeat_interleave(torch.arange(len(sizes)), sizes)  # (width,) which modality a number is of
        for name in ("mean", "deviation", "spread", "weight"):
            self.register_buffer(name, torch.zeros(self.width))

    def observe(self, blocks: Mapping[str, Block], known: Ints, scale: Scale) -> None:
        """Takes the statistics of the items `known`, of each modality over those that have it."""
        at = 0
        for modality in self.modalities:
            block = blocks[modality.name]
            rows = block.vectors[known[block.present[known]]].astype(np.float64)
            mean, spread, deviation = _statistics(rows, scale) if len(rows) else (np.zeros(block.dim),) * 3
            live = deviation > 0
            place = slice(at, at + block.dim)
            self.mean[place], self.deviation[place] = torch.from_numpy(mean), torch.from_numpy(deviation)
            self.spread[place] = torch.from_numpy(np.divide(spread, deviation, out=np.zeros_like(mean), where=live))
            self.weight[place] = torch.from_numpy(live / max(1, live.sum()))
            at += block.dim
        self.weight /= self.weight.sum().clamp(min=1)

    def rows(self, blocks: Mapping[str, Block]) -> Rows:
        """Blocks of any items as rows; a modality that is not there at all is absent from every item.

        Raises InputError where a block is not of the kind that this was fitted on.
        """
        items = check(blocks, self.modalities)
        values, present = torch.zeros(items, self.width), torch.zeros(items, len(self.modalities), dtype=torch.bool)
        at = 0
        for number, modality in enumerate(self.modalities):
            place = slice(at, at + len(modality.numbers))
            at = place.stop
            if modality.name not in blocks:
                continue
            block = blocks[modality.name]
            has = torch.from_numpy(block.present)
            deviation = self.deviation[place]
            standard = (torch.from_numpy(block.vectors) - self.mean[place]) / deviation.where(deviation > 0, 1)
            values[:, place] = torch.where(has[:, None] & (deviation > 0), standard, 0)
            present[:, number] = has
        return Rows(values, present)

    def blocks(self, values: Tensor) -> dict[str, np.ndarray]:
        """(items + 1, width) standardised rows in the units of each block: modality -> (items + 1, dim)."""
        raw = (values * self.deviation + self.mean).numpy()
        return {name: raw[:, place] for name, place in self.places().items()}

    def places(self) -> dict[str, slice]:
        """Modality -> where its numbers are in a row."""
        ends = np.cumsum([len(each.numbers) for each in self.modalities]).tolist()
        starts = [0, *ends[:-1]]
        return {m.name: slice(start, end) for m, start, end in zip(self.modalities, starts, ends, strict=True)}

    def has(self, present: Tensor) -> Tensor:
        """(n, modalities) -> (n, width): whether each number is there."""
        return present[:, self.owner]


def check(blocks: Mapping[str, Block], modalities: Sequence[Modality]) -> int:
    """How many rows the blocks have, 0's included; raises InputError where they cannot be those of `modalities`."""
    fitted = {modality.name: modality.numbers for modality in modalities}
    used = [name for name in blocks if name in fitted]
    if not used or len(used) < len(blocks):
        unknown = ", ".join(name for name in blocks if name not in fitted) or "no block"
        raise InputError(f"found {unknown}; expected blocks out of {', '.join(fitted)}; or fit the autoencoder again")
    lengths = {name: len(blocks[name].vectors) for name in used}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise InputError(f"found blocks of different lengths ({found}); expected a row per item in each")
    for name in used:
        block = blocks[name]
        if block.names != fitted[name]:
            raise InputError(f"found a {name} block with {_differing(block.names, fitted[name])}; fit the autoencoder "
                             "on these blocks, or encode with the encoders it was fitted with")  # fmt: skip
        if not np.isfinite(block.vectors).all():
            item, number = np.argwhere(~np.isfinite(block.vectors))[0]
            value, what = block.vectors[item, number], block.names[number]
            raise InputError(f"found {value} as `{what}` of item {item} in {name}; expected a number: mark what is "
                             "missing in `present`, or by a number of its own")  # fmt: skip
    return next(iter(lengths.values()))


def _differing(found: tuple[str, ...], expected: tuple[str, ...]) -> str:
    if len(found) != len(expected):
        return f"{len(found)} numbers where {len(expected)} were expected"
    wrong = next((a, b) for a, b in zip(found, expected, strict=True) if a != b)
    return f"`{wrong[0]}` where `{wrong[1]}` was expected"


def _statistics(rows: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, dim) -> what to subtract, the standard deviation, what to divide by; 0 there where nothing varies."""
    spread = rows.std(axis=0)
    constant = spread <= TINY * (1 + np.abs(rows).max(axis=0))
    spread = np.where(constant, 0, spread)
    match scale:
        case "number":
            return rows.mean(axis=0), spread, spread
        case "modality":
            one = np.sqrt(np.square(spread[~constant]).mean()) if not constant.all() else 0.0
            return rows.mean(axis=0), spread, np.where(constant, 0, one)
        case "range":
            return rows.min(axis=0), spread, np.where(constant, 0, np.ptp(rows, axis=0))


TINY = 1e-6
"""Of a number's size: below it, what varies is rounding."""
