"""The autoencoder's network and how it is trained."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from endcap.data.ranges import Chance, Count, CountOrNone, NotNegative, Positive
from endcap.features.standard import Rows, Scale, Standard


@dataclass(frozen=True)
class AutoencoderConfig:
    """The autoencoder of products: all modalities in, one code out; its code is the product's vector."""

    encoder: tuple[Count, ...] = (256,)  # widths of the layers before the code
    code: Count = 64  # numbers per product
    decoder: tuple[Count, ...] = (256,)  # widths of the layers after it; []: straight back to the input
    activation: Literal["gelu", "relu", "sigmoid"] = "gelu"  # after each layer; without `linear`, after the code too
    output: Literal["linear", "sigmoid"] = "linear"  # sigmoid fits scale = "range"
    linear: bool = True  # a linear path beside the layers, which starts as PCA; the layers start as its correction
    scale: Scale = "modality"  # one factor for all its numbers, deviation 1 for each number, or from 0 to 1 (range)
    loss: Literal["mean", "sum"] = "mean"  # of squared errors: each modality alike, or half the sum over all numbers
    noise: NotNegative = 0.1  # Gaussian, in deviations of each number
    masking: Chance = 0.1  # of the numbers are hidden at each step
    modality_dropout: Chance = 0.3  # of the modalities are hidden at each step; never all of an item
    agreement: NotNegative = 0.1  # weight of drawing the code of what is left to the code of the whole item
    epochs: Count = 60  # at most; the best on held-out items is kept
    steps: CountOrNone = 1250  # at most, so that the time does not grow with the catalogue; 0: all of the epochs
    patience: CountOrNone = 10  # epochs without a better validation error; 0 trains all epochs
    valid: Chance = 0.1  # of the items are held out to choose the epoch; 0: the last one
    learning_rate: Positive = 5e-3  # at its highest; falls as a cosine
    weight_decay: NotNegative = 0.01  # of matrices
    batch: Count = 64  # items a step
    seed: CountOrNone = 0  # of the weights, the noise, the order and the held-out items


@dataclass(frozen=True)
class AutoencoderEpoch:
    """What one epoch did; errors are mean squares of standardised numbers, each modality alike."""

    epoch: int
    loss: float  # of the noisy input
    error: float  # on held-out items, half of it with hidden modalities; NaN where none are held out
    seconds: float


class Denoiser(nn.Module):
    """Vincent et al. 2008 (Extracting and composing robust features with denoising autoencoders).

    Departures: whole modalities are hidden too, and flags say which are there (so with one modality there are none);
    a linear path that starts as PCA runs beside the layers, so that the code can only gain on it.
    """

    centre: Tensor  # (code,) the mean code
    metric: Tensor  # (code, code) see `measured`

    def __init__(self, width: int, modalities: int, config: AutoencoderConfig) -> None:
        super().__init__()
        self.flags = modalities if modalities > 1 else 0
        last = [] if config.linear else [_activation(config.activation)]
        self.encoder = nn.Sequential(*_layers([width + self.flags, *config.encoder, config.code], config), *last)
        squash = [nn.Sigmoid()] if config.output == "sigmoid" else []
        self.decoder = nn.Sequential(*_layers([config.code, *config.decoder, width], config))
        self.squash = nn.Sequential(*squash)
        self.project = nn.Linear(width, config.code, bias=False) if config.linear else None
        self.restore = nn.Linear(config.code, width, bias=False) if config.linear else None
        self.register_buffer("centre", torch.zeros(config.code))
        self.register_buffer("metric", torch.eye(config.code))

    def encode(self, values: Tensor, present: Tensor) -> Tensor:
        """(n, width) standardised, (n, modalities) -> (n, code)"""
        inputs = torch.cat([values, present.to(values.dtype)], dim=1) if self.flags else values
        code = self.encoder(inputs)
        return code if self.project is None else code + self.project(values)

    def decode(self, code: Tensor) -> Tensor:
        """(n, code) -> (n, width) standardised"""
        found = self.decoder(code)
        return self.squash(found if self.restore is None else found + self.restore(code))

    def place(self, code: Tensor) -> Tensor:
        """(n, code) -> (n, code) of length 1, so that products that are alike are near."""
        return nn.functional.normalize((code - self.centre) @ self.metric, dim=1)

    def start_from(self, components: Tensor, weight: Tensor) -> None:
        """Takes (code, width) principal components of the numbers times the root of their (width,) weight."""
        assert self.project is not None
        assert self.restore is not None
        root = weight.sqrt()
        with torch.no_grad():
            # In units of the numbers, not of their weighted sum of squares: codes of about 1 train well.
            size = len(root.nonzero()) ** 0.5
            self.project.weight.copy_(components * root * size)
            self.restore.weight.copy_((components / root.where(root > 0, 1) / size).T)
            for layers in (self.encoder, self.decoder):
                for parameter in layers[-1].parameters():
                    parameter.zero_()


def principal_components(rows: Rows, weight: Tensor, n: int) -> Tensor:
    """(n, width) axes of the largest weighted variance, absent numbers at their mean; zeros where there are fewer."""
    scaled = (rows.values * weight.sqrt()).double()
    strength, axes = torch.linalg.eigh(scaled.T @ scaled)  # ascending
    found = axes.flip(1)[:, :n].T * (strength.flip(0)[:n, None] > RANK * strength[-1])
    components = torch.zeros(n, rows.values.shape[1])
    components[: len(found)] = found.to(components.dtype)
    return components


def train(
    model: Denoiser,
    standard: Standard,
    known: Rows,
    config: AutoencoderConfig,
    on_epoch: Callable[[AutoencoderEpoch], None],
) -> None:
    """Fits the network to the rows `known`; keeps the epoch that is best on those it holds out, 0 being PCA."""
    random = torch.Generator().manual_seed(config.seed)
    order = torch.randperm(len(known), generator=random)
    held = round(config.valid * len(known))
    valid, rows = known.take(order[:held]), known.take(order[held:])
    weight = standard.weight if config.loss == "mean" else (standard.weight > 0) / 2.0
    if model.project is not None:
        some = rows.take(torch.arange(min(len(rows), FIRST)))  # in the order drawn
        model.start_from(principal_components(some, standard.weight, config.code), standard.weight)
    partial = Rows(valid.values, dropped(valid.present, config.modality_dropout, random))
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        fused=True,
    )
    best, best_epoch, kept = _validation(model, standard, valid, partial), 0, _copy(model)
    steps = config.epochs * math.ceil(len(rows) / config.batch)
    steps = min(steps, config.steps or steps)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, config.learning_rate / 100)
    for epoch in range(1, config.epochs + 1):
        started, losses, seen = time.perf_counter(), 0.0, 0
        batches = torch.randperm(len(rows), generator=random).split(config.batch)[:steps]
        steps -= len(batches)
        for chosen in batches:
            clean = rows.take(chosen)
            loss = _loss(model, standard, clean, _corrupted(standard, clean, config, random), weight, config)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item() * len(chosen)
            seen += len(chosen)
        error = _validation(model, standard, valid, partial)
        on_epoch(AutoencoderEpoch(epoch, losses / seen, error, time.perf_counter() - started))
        if error < best or not held:
            best, best_epoch, kept = error, epoch, _copy(model)
        if not steps or (held and config.patience and epoch - best_epoch >= config.patience):
            break
    model.load_state_dict(kept)
    codes = encoded(model, known)
    model.centre.copy_(codes.mean(0))
    model.metric.copy_(measured(codes, known.values * standard.weight.sqrt()))


@torch.no_grad()
def reconstructed(model: Denoiser, standard: Standard, rows: Rows) -> Tensor:
    """(n, width) the rows as the network gives them back, those of absent modalities filled in."""
    return torch.cat([model.decode(model.encode(*part)) for part in _parts(rows)])


@torch.no_grad()
def encoded(model: Denoiser, rows: Rows) -> Tensor:
    """(n, code)"""
    return torch.cat([model.encode(*part) for part in _parts(rows)])


def measured(code: Tensor, values: Tensor) -> Tensor:
    """(n, code), (n, width) -> (code, code): times it, distances of codes are those of the products, as far as known.

    A network is free to stretch its code; the regression of the products on their codes says by how much each
    direction counts. The map is the root of what that regression's coefficients span.
    """
    code, values = code.double(), values.double()
    centred = code - code.mean(0)
    gram = centred.T @ centred
    ridge = RIDGE * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram), dtype=gram.dtype)
    slopes = torch.linalg.solve(gram + ridge, centred.T @ (values - values.mean(0)))  # (code, width)
    strength, axes = torch.linalg.eigh(slopes @ slopes.T)
    return (axes * strength.clamp(min=0).sqrt() @ axes.T).float()


def error(standard: Standard, target: Rows, found: Tensor) -> float:
    """Mean square of the standardised numbers that are there, each modality alike."""
    share = standard.has(target.present) * standard.weight
    return float((share * (found - target.values).square()).sum() / share.sum().clamp(min=1e-12))


def dropped(present: Tensor, chance: float, random: torch.Generator) -> Tensor:
    """(n, modalities) with each left out by `chance`; an item keeps at least one of what it has."""
    keeps = present & (torch.rand(present.shape, generator=random) >= chance)
    kept = (torch.rand(present.shape, generator=random) * present).argmax(1)
    last = nn.functional.one_hot(kept, present.shape[1]).bool() & present
    return torch.where(keeps.any(1, keepdim=True), keeps, last)


def _corrupted(standard: Standard, rows: Rows, config: AutoencoderConfig, random: torch.Generator) -> Rows:
    """The rows with noise, hidden numbers and hidden modalities; hidden is 0, as absent is."""
    values = rows.values
    if config.noise:
        values = values + config.noise * standard.spread * torch.randn(values.shape, generator=random)
    present = dropped(rows.present, config.modality_dropout, random) if config.modality_dropout else rows.present
    shown = standard.has(present)
    if config.masking:
        shown = shown & (torch.rand(values.shape, generator=random) >= config.masking)
    return Rows(values * shown, present)


def _loss(
    model: Denoiser, standard: Standard, clean: Rows, seen: Rows, weight: Tensor, config: AutoencoderConfig
) -> Tensor:
    """Squared error of all that the item has, hidden or not; with `agreement`, the cosine of its codes too."""
    code = model.encode(seen.values, seen.present)
    share = standard.has(clean.present) * weight  # (batch, width)
    total = share.sum() if config.loss == "mean" else len(share)
    loss = (share * (model.decode(code) - clean.values).square()).sum() / total
    if config.agreement:
        with torch.no_grad():
            whole = model.encode(clean.values, clean.present)
        loss = loss + config.agreement * (1 - nn.functional.cosine_similarity(code, whole)).mean()
    return loss


def _validation(model: Denoiser, standard: Standard, valid: Rows, partial: Rows) -> float:
    """The error of whole items and of items with hidden modalities, averaged: the code has to serve both."""
    if not len(valid):
        return math.nan
    hidden = Rows(valid.values * standard.has(partial.present), partial.present)
    errors = [error(standard, valid, reconstructed(model, standard, rows)) for rows in (valid, hidden)]
    return sum(errors) / 2


def _layers(widths: Sequence[int], config: AutoencoderConfig) -> list[nn.Module]:
    """Linear layers with the activation between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [_activation(config.activation)] * bool(layers) + [nn.Linear(before, after)]
    return layers


def _activation(name: str) -> nn.Module:
    match name:
        case "gelu":
            return nn.GELU()
        case "relu":
            return nn.ReLU()
        case _:
            return nn.Sigmoid()


def _parts(rows: Rows) -> list[tuple[Tensor, Tensor]]:
    return list(zip(rows.values.split(CHUNK), rows.present.split(CHUNK), strict=True))


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


FIRST = 20_000
"""Items whose principal components are where training starts."""

CHUNK = 8192
"""Items encoded at a time."""

RIDGE = 1e-4
"""Of the mean variance of the code, where a regression is solved: a direction that is not used has none."""

RANK = 1e-9
"""Of the largest variance: an axis with less is rounding."""
