"""Random changes of pictures that leave what is on them the same: crop, turn, flip, light, holes, mixtures.

Every geometric change of a picture is one affine map, every change of colour one 3x3 matrix, so that a batch is read
once for each, from the size it was decoded at to the size the network looks at.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from endcap.data.ranges import NotNegative, Share
from endcap.features.images import LUMA, pictures_of


@dataclass(frozen=True)
class AugmentConfig:
    """How pictures change from epoch to epoch; 0 switches a change off.

    The defaults are for a shop's photos, which show every product from the same side; other photos want more.
    """

    crop: Share = 0.12  # of a side is cut off at most
    stretch: NotNegative = 0.1  # width against height, at most
    turn: NotNegative = 0.0  # degrees to either side, at most
    flip: Share = 0.0  # of the pictures are mirrored
    brightness: NotNegative = 0.1  # light times 1 plus or minus this, at most
    contrast: NotNegative = 0.1  # likewise, around the picture's mean
    saturation: NotNegative = 0.1  # likewise, around grey; large values hide what colour a product is
    erase: Share = 0.0  # of the pictures get a grey hole (arXiv 1708.04896)
    mixup: Share = 0.0  # of the batches are blends of two pictures (arXiv 1710.09412)
    cutmix: Share = 0.0  # of the batches are pictures with a piece of another one (arXiv 1905.04899)


NO_CHANGE = AugmentConfig(
    crop=0, stretch=0, turn=0, flip=0, brightness=0, contrast=0, saturation=0, erase=0, mixup=0, cutmix=0
)


@dataclass(frozen=True)
class Mixture:
    """Pictures of which a share shows another one of the batch."""

    pictures: Tensor  # (n, 3, size, size)
    partners: Tensor  # (n,) whose picture was mixed in
    kept: float  # the share that is still the picture's own


def augment(pixels: Tensor, size: int, config: AugmentConfig, random: torch.Generator) -> Tensor:
    """(n, height, width, 3) uint8 -> (n, 3, size, size) float32 in 0..1, each picture changed in its own way."""
    moves = config.crop or config.stretch or config.turn or config.flip
    pictures = _moved(pixels, size, config, random) if moves else pictures_of(pixels, size)
    pictures = _coloured(pictures, config, random)
    return _erased(pictures, config, random).contiguous(memory_format=torch.channels_last)


def mix(pictures: Tensor, config: AugmentConfig, random: torch.Generator) -> Mixture:
    """Now and then blends the batch with its own shuffled self, or pastes pieces of it."""
    n, drawn = len(pictures), float(torch.rand((), generator=random))
    if drawn >= config.mixup + config.cutmix:
        return Mixture(pictures, torch.arange(n), 1.0)
    partners = torch.randperm(n, generator=random)
    share = 0.5 * float(torch.rand((), generator=random))  # of the other picture
    if drawn < config.mixup:
        return Mixture(torch.lerp(pictures, pictures[partners], share), partners, 1 - share)
    size = pictures.shape[2]
    side = round(size * share**0.5)
    top, left = (int(torch.randint(size - side + 1, (), generator=random)) for _ in range(2))
    mixed = pictures.clone()
    mixed[:, :, top : top + side, left : left + side] = pictures[partners, :, top : top + side, left : left + side]
    return Mixture(mixed, partners, 1 - (side / size) ** 2)


def _moved(pixels: Tensor, size: int, config: AugmentConfig, random: torch.Generator) -> Tensor:
    n, pictures = len(pixels), pixels.permute(0, 3, 1, 2).float().div_(255)
    zoom = 1 - config.crop * torch.rand(n, generator=random)  # the side of what is still seen
    stretch = (config.stretch * _either(n, random)).exp().sqrt()
    angle = torch.deg2rad(config.turn * _either(n, random))
    mirror = 1 - 2 * (torch.rand(n, generator=random) < config.flip).float()
    across, down = (zoom * stretch).clamp(max=1), (zoom / stretch).clamp(max=1)
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = across * angle.cos() * mirror, -down * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = across * angle.sin() * mirror, down * angle.cos()
    matrix[:, 0, 2], matrix[:, 1, 2] = (1 - across) * _either(n, random), (1 - down) * _either(n, random)
    if pictures.shape[2] >= 2 * size:  # sampled at single points, a much larger picture would lose its fine lines
        pictures = F.avg_pool2d(pictures, pictures.shape[2] // size)
    grid = F.affine_grid(matrix, [n, 3, size, size], align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _coloured(pictures: Tensor, config: AugmentConfig, random: torch.Generator) -> Tensor:
    """brightness * (contrast around the mean) * (saturation around grey), as one matrix and one shift."""
    if not (config.brightness or config.contrast or config.saturation):
        return pictures
    n = len(pictures)
    brightness, contrast, saturation = (
        1 + amount * _either(n, random).view(n, 1, 1)
        for amount in (config.brightness, config.contrast, config.saturation)
    )
    grey = torch.tensor(LUMA).expand(3, 3)
    matrix = brightness * contrast * (saturation * torch.eye(3) + (1 - saturation) * grey)  # (n, 3, 3)
    mean = pictures.mean((2, 3)) @ torch.tensor(LUMA)
    shift = brightness.view(n) * (1 - contrast.view(n)) * mean
    changed = torch.baddbmm(shift.view(n, 1, 1), matrix, pictures.flatten(2))
    return changed.view_as(pictures).clamp_(0, 1)


def _erased(pictures: Tensor, config: AugmentConfig, random: torch.Generator) -> Tensor:
    if not config.erase:
        return pictures
    n, size = len(pictures), pictures.shape[2]
    place = torch.arange(size)
    inside = []
    for _ in range(2):
        length = size * (0.15 + 0.3 * torch.rand(n, 1, generator=random))
        start = (size - length) * torch.rand(n, 1, generator=random)
        inside.append((place >= start) & (place < start + length))  # (n, size)
    hit = (torch.rand(n, generator=random) < config.erase).view(n, 1, 1)
    hole = inside[0].unsqueeze(2) & inside[1].unsqueeze(1) & hit  # (n, size, size)
    return pictures.masked_fill(hole.unsqueeze(1), 0.5)


def _either(n: int, random: torch.Generator) -> Tensor:
    """(n,) evenly from -1 to 1."""
    return 2 * torch.rand(n, generator=random) - 1
