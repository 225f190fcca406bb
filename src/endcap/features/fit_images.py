"""The loop that trains a PhotoNetwork on several label columns at once, and chooses its epoch on validation."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import convert_conv2d_weight_memory_format

from endcap.data.ranges import Chance, Count, CountOrNone, NotNegative, Positive, Share
from endcap.data.vocabulary import Ints
from endcap.features.augment import AugmentConfig, augment, mix
from endcap.features.images import PhotoNetwork, Trunk, folded, has_bfloat16, pictures_of

Pixels = NDArray[np.uint8]
"""(n, height, width, 3)"""


@dataclass(frozen=True)
class PhotoTrainConfig:
    """How networks for photos are trained: AdamW, one cycle of the learning rate, averaged weights."""

    epochs: Count = 25  # all of them are trained; the best one on validation is kept
    batch: Count = 64  # photos a step
    learning_rate: Positive = 3e-3  # at its highest
    warmup: Share = 0.15  # of the steps, from nothing to the highest rate; then down along a cosine
    weight_decay: NotNegative = 0.2  # of matrices; biases and norms have none
    average: Chance = 0.998  # what the averaged weights, which are used, keep of themselves at each step
    smoothing: Chance = 0.1  # of the labels
    balance: Share = 0.0  # 0 learns how frequent classes are; 1 treats all alike (logit adjustment, arXiv 2007.07314)
    others: NotNegative = 0.2  # weight of each further label column beside the first
    smaller: Chance = 0.25  # pictures of a batch are smaller by a random share up to this: faster, and all sizes work
    precision: Literal["auto", "float32"] = "auto"  # auto: bfloat16 where the CPU multiplies it; float32
    seed: CountOrNone = 0  # of the weights, the order and all changes
    augment: AugmentConfig = field(default_factory=AugmentConfig)  # how pictures change from epoch to epoch


@dataclass(frozen=True)
class LabelledPhotos:
    """Some rows of an album with what is on them; pixels are read when they are looked at."""

    pixels: Pixels  # of the whole album
    rows: Ints  # (n,) which of them
    codes: Ints  # (n, columns) the class of each label column from 0, -1 where it is not known

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class PhotoEpoch:
    """What one epoch did."""

    epoch: int
    loss: float
    accuracy: tuple[float, ...]  # of each label column on validation; NaN where nothing is known
    seconds: float  # of training, without validation
    photos_per_second: float


def fit_network(
    network: PhotoNetwork,
    train: LabelledPhotos,
    valid: LabelledPhotos | None,
    config: PhotoTrainConfig,
    *,
    rates: Callable[[str], float] = lambda name: 1.0,
    on_epoch: Callable[[PhotoEpoch], None] = lambda epoch: None,
) -> list[PhotoEpoch]:
    """Trains `network` in place; it ends with the averaged weights of the epoch that was best on the first column.

    Without `valid` it ends with those of the last epoch. `rates` gives the share of the learning rate that a
    parameter has, by its name; 0 leaves it as it is.
    """
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    optimizer, average = _optimizer(network, config, rates), _copy(network)
    priors = [_log_priors(train.codes[:, column], n) for column, n in enumerate(network.sizes)]
    random = torch.Generator().manual_seed(config.seed)
    torch.manual_seed(config.seed)  # dropout
    steps = max(1, len(train) // config.batch) * config.epochs
    codes = torch.from_numpy(train.codes)
    epochs: list[PhotoEpoch] = []
    best, kept, step = -math.inf, average, 0
    for number in range(1, config.epochs + 1):
        started, losses = time.perf_counter(), []
        _train_mode(network)
        for rows in _batches(len(train), config.batch, random):
            _set_rate(optimizer, config, step, steps)
            step += 1
            size = _size(network.trunk, config.smaller, random)
            pixels = torch.from_numpy(train.pixels[train.rows[rows.numpy()]])
            mixture = mix(augment(pixels, size, config.augment, random), config.augment, random)
            with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "auto" and has_bfloat16()):
                logits, _ = network(mixture.pictures)
            own, other = codes[rows], codes[rows[mixture.partners]]
            loss = joint_loss(logits, own, priors, config)
            if mixture.kept < 1:
                loss = torch.lerp(joint_loss(logits, other, priors, config), loss, mixture.kept)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
            _mingle(average, network, min(config.average, step / (step + 10)))
            losses.append(loss.item())
        seconds = time.perf_counter() - started
        accuracy = _accuracy(network, average, valid)
        epoch = PhotoEpoch(number, float(np.mean(losses)), accuracy, seconds, len(losses) * config.batch / seconds)
        epochs.append(epoch)
        if valid is None or not accuracy[0] < best:  # of equal ones the later
            best, kept = accuracy[0] if accuracy else 0.0, {name: each.clone() for name, each in average.items()}
        on_epoch(epoch)
    network.load_state_dict(kept)
    network.eval()
    return epochs


def joint_loss(logits: Sequence[Tensor], codes: Tensor, priors: Sequence[Tensor], config: PhotoTrainConfig) -> Tensor:
    """Cross-entropy of each label column over the photos whose class is known, the first column weighing 1.

    For each column logits are (n, classes) and priors (classes,), the log of their shares; codes: (n, columns).
    """
    total = torch.zeros(())
    for column, (values, prior) in enumerate(zip(logits, priors, strict=True)):
        known = codes[:, column] >= 0
        if known.any():
            adjusted = values[known].float() + config.balance * prior
            loss = F.cross_entropy(adjusted, codes[known, column], label_smoothing=config.smoothing)
            total = total + (1.0 if column == 0 else config.others) * loss
    return total


@torch.inference_mode()
def look(
    network: PhotoNetwork, pixels: Pixels, rows: Ints | None = None, *, batch: int = 256
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """For each label column (n, classes) logits, and (n, dim) vectors, of the photos in `rows` (all without)."""
    fast = folded(network)
    precision = next(fast.parameters()).dtype
    logits: list[list[Tensor]] = [[] for _ in network.heads]
    vectors: list[Tensor] = [torch.zeros(0, network.trunk.dim)]
    rows = np.arange(len(pixels)) if rows is None else rows
    for start in range(0, len(rows), batch):
        some = torch.from_numpy(pixels[rows[start : start + batch]])
        found, vector = fast(pictures_of(some, network.trunk.size).to(precision))
        vectors.append(vector.float())
        for column, values in enumerate(found):
            logits[column].append(values.float())
    empty = [torch.zeros(0, n) for n in network.sizes]
    return [torch.cat([e, *each]).numpy() for e, each in zip(empty, logits, strict=True)], torch.cat(vectors).numpy()


def _accuracy(network: PhotoNetwork, weights: dict[str, Tensor], valid: LabelledPhotos | None) -> tuple[float, ...]:
    if valid is None:
        return ()
    present = _copy(network)
    network.load_state_dict(weights)
    logits, _ = look(network, valid.pixels, valid.rows)
    network.load_state_dict(present)
    return tuple(accuracy(values, valid.codes[:, column]) for column, values in enumerate(logits))


def accuracy(logits: NDArray[np.float32], codes: Ints) -> float:
    """The share of (n,) known classes that have the highest of (n, classes) logits; NaN where none is known."""
    known = codes >= 0
    return float((logits[known].argmax(1) == codes[known]).mean()) if known.any() else math.nan


def _batches(n: int, batch: int, random: torch.Generator) -> list[Tensor]:
    """A shuffle in whole batches; what is left over comes in another epoch."""
    order = torch.randperm(n, generator=random)
    return [order] if n < batch else list(order[: n - n % batch].split(batch))


def _size(trunk: Trunk, smaller: float, random: torch.Generator) -> int:
    """The side of this batch's pictures: a multiple of 8, at most the trunk's."""
    lowest, highest = math.ceil(trunk.size * (1 - smaller) / 8), trunk.size // 8
    if not trunk.any_size or lowest >= highest:
        return trunk.size
    return 8 * int(torch.randint(lowest, highest + 1, (), generator=random))


def _log_priors(codes: Ints, classes: int) -> Tensor:
    counts = np.bincount(codes[codes >= 0], minlength=classes) + 1.0
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def _optimizer(network: PhotoNetwork, config: PhotoTrainConfig, rates: Callable[[str], float]) -> torch.optim.Optimizer:
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        rate = rates(name)
        parameter.requires_grad_(rate > 0)
        if rate > 0:
            groups.setdefault((rate, config.weight_decay if parameter.dim() > 1 else 0.0), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": each, "rate": rate, "weight_decay": decay} for (rate, decay), each in groups.items()],
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        fused=True,
    )


def _train_mode(network: PhotoNetwork) -> None:
    """Norms that do not learn go on using the statistics they came with."""
    network.train()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def _set_rate(optimizer: torch.optim.Optimizer, config: PhotoTrainConfig, step: int, steps: int) -> None:
    done = (step + 1) / steps
    up = min(1.0, done / max(config.warmup, 1e-9))
    down = 0.5 * (1 + math.cos(math.pi * max(0.0, done - config.warmup) / max(1 - config.warmup, 1e-9)))
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * group["rate"] * min(up, down)


def _copy(network: PhotoNetwork) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


@torch.no_grad()
def _mingle(average: dict[str, Tensor], network: PhotoNetwork, keep: float) -> None:
    """average = keep * average + (1 - keep) * network; counters are taken as they are."""
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor, 1 - keep)
        else:
            average[name].copy_(tensor)


CLIP = 5.0
"""Largest norm of the gradient."""
