"""Networks that look at photos: pixels -> a vector, and logits for each label column.

A trunk turns a batch of pictures into feature maps and a vector; `PhotoNetwork` puts one linear head per label column
on the vector. So the vector is the penultimate layer, whichever the trunk.

`CompactCnn` is a small ResNet (He et al., arXiv 1512.03385) for CPUs. Departures: two blocks a stage, shortcuts that
average before their 1x1 convolution (ResNet-D, arXiv 1812.01187), mean and maximum pooled side by side. Dense 3x3
convolutions are what oneDNN does best: depthwise ones have a tenth of the multiplications and are hardly faster.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Trunk(nn.Module, ABC):
    """Pictures to feature maps to one vector each."""

    size: int
    """The side of the pictures it looks at, in pixels."""
    dim: int
    """Numbers of a vector."""
    any_size: bool
    """Whether pictures of another size pass too."""

    @abstractmethod
    def maps(self, pictures: Tensor) -> Tensor:
        """(n, 3, size, size) in 0..1 -> (n, channels, height, width), the last layer that still has places."""

    @abstractmethod
    def pool(self, maps: Tensor) -> Tensor:
        """(n, channels, height, width) -> (n, dim)"""


class PhotoNetwork(nn.Module):
    """A trunk with a softmax head per label column."""

    trunk: Trunk

    def __init__(self, trunk: Trunk, classes: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.sizes = tuple(classes)
        self.heads = nn.ModuleList(nn.Linear(trunk.dim, n) for n in classes)

    def forward(self, pictures: Tensor) -> tuple[list[Tensor], Tensor]:
        """(n, 3, size, size) in 0..1 -> for each label column (n, classes) logits, and (n, dim) vectors."""
        return self.head(self.trunk.maps(pictures))

    def head(self, maps: Tensor) -> tuple[list[Tensor], Tensor]:
        """What follows the trunk's maps."""
        vectors = self.trunk.pool(maps)
        kept = self.dropout(vectors)
        return [head(kept) for head in self.heads], vectors


class SmallCnn(Trunk):
    """The smallest one: Conv 32 -> pool -> Conv 64 -> pool -> Conv 64 -> Dense 64, on 28x28 grey pictures."""

    size = 28
    dim = 64
    any_size = False
    luma: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3), nn.ReLU(),
        )  # fmt: skip
        self.dense = nn.Sequential(nn.Flatten(), nn.Linear(64 * 3 * 3, self.dim), nn.ReLU())
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)

    def maps(self, pictures: Tensor) -> Tensor:  # noqa: D102
        return self.convolutions((pictures * self.luma).sum(1, keepdim=True))

    def pool(self, maps: Tensor) -> Tensor:  # noqa: D102
        return self.dense(maps)


class CompactCnn(Trunk):
    """A residual network of three stages, each of half the side and twice the width of the one before."""

    any_size = True

    def __init__(self, size: int, width: int, dim: int) -> None:
        super().__init__()
        self.size, self.dim = size, dim
        widths = (width, 2 * width, 4 * width)
        self.stem = ConvNorm(3, width // 2, stride=2)
        stages: list[nn.Module] = []
        previous = width // 2
        for each in widths:
            stages += [Residual(previous, each, stride=2), Residual(each, each, stride=1)]
            previous = each
        self.stages = nn.Sequential(*stages)
        self.project = nn.Linear(2 * previous, dim, bias=False)
        self.norm = nn.BatchNorm1d(dim)

    def maps(self, pictures: Tensor) -> Tensor:  # noqa: D102
        return self.stages(F.relu(self.stem((pictures - 0.5) * 4)))

    def pool(self, maps: Tensor) -> Tensor:  # noqa: D102
        return self.norm(self.project(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)))


class ConvNorm(nn.Module):
    """A convolution and its batch norm, which become one when training is over (see `folded`)."""

    def __init__(self, before: int, after: int, *, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(after)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, before, height, width) -> (n, after, height / stride, width / stride)"""
        return self.norm(self.conv(maps))

    def fold(self) -> None:
        """Moves the norm into the convolution's weights; in eval mode alone."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.first, self.second = ConvNorm(before, after, stride=stride), ConvNorm(after, after)
        average = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
        changes = stride > 1 or before != after
        self.shortcut = nn.Sequential(average, ConvNorm(before, after, kernel=1)) if changes else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """(n, before, height, width) -> (n, after, height / stride, width / stride)"""
        return F.relu(self.second(F.relu(self.first(maps))) + self.shortcut(maps))


def folded(network: PhotoNetwork) -> PhotoNetwork:
    """A copy for looking, not for training: batch norms are folded, numbers are bfloat16 where the CPU has them."""
    fast = copy.deepcopy(network).eval()
    for module in list(fast.modules()):
        if isinstance(module, ConvNorm):
            module.fold()
    convert_conv2d_weight_memory_format(fast, torch.channels_last)
    return fast.to(dtype=torch.bfloat16 if has_bfloat16() else torch.float32)


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16; without that it would be slower than float32, not twice as fast."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def pictures_of(pixels: Tensor, size: int) -> Tensor:
    """(n, height, width, 3) uint8 -> (n, 3, size, size) float32 in 0..1, channels last in memory."""
    pictures = pixels.permute(0, 3, 1, 2).float().div_(255)
    if pictures.shape[2:] != (size, size):
        pictures = F.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
    return pictures.contiguous(memory_format=torch.channels_last)


LUMA = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (ITU-R BT.601)."""
