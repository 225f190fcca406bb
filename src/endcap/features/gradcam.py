"""What a network looked at: Grad-CAM (Selvaraju et al., arXiv 1610.02391)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from endcap.data.vocabulary import Ints
from endcap.features.fit_images import Pixels
from endcap.features.images import PhotoNetwork, pictures_of


def heat(network: PhotoNetwork, pixels: Pixels, column: int, codes: Ints) -> NDArray[np.float32]:
    """(n, height, width) in 0..1, as large as the pixels: what spoke for class `codes` (n,) of a label column.

    A map's weight is the mean gradient of the class's logit by it; zeros where nothing spoke for the class.
    """
    network.eval()
    pictures = pictures_of(torch.from_numpy(np.array(pixels)), network.trunk.size)
    with torch.no_grad():
        maps = network.trunk.maps(pictures)
    maps.requires_grad_()
    with torch.enable_grad():
        logits = network.head(maps)[0][column]
        chosen = logits.gather(1, torch.from_numpy(codes).unsqueeze(1)).sum()
        (gradient,) = torch.autograd.grad(chosen, maps)
    weights = gradient.mean((2, 3), keepdim=True)
    seen = F.relu((weights * maps.detach()).sum(1, keepdim=True))
    large = F.interpolate(seen, pixels.shape[1:3], mode="bilinear", align_corners=False).squeeze(1)
    highest = large.amax((1, 2), keepdim=True)
    return (large / highest.clamp(min=torch.finfo().tiny)).clamp(0, 1).numpy()
