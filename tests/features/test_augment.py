from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from endcap.features.augment import NO_CHANGE, AugmentConfig, augment, mix
from endcap.features.images import pictures_of

SIDES = torch.zeros(6, 32, 32, 3, dtype=torch.uint8)
SIDES[:, :, :16, 0] = 255  # red on the left, blue on the right
SIDES[:, :, 16:, 2] = 255
EVERYTHING = AugmentConfig(
    crop=0.3, stretch=0.2, turn=9, flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2, erase=0.3
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def changed(pixels: Tensor = SIDES, size: int = 32, seed: int = 0, **changes: float) -> Tensor:
    return augment(pixels, size, replace(NO_CHANGE, **changes), seeded(seed))


def test_without_changes_pictures_stay_as_they_are() -> None:
    for size in (12, 32, 40):
        torch.testing.assert_close(changed(size=size), pictures_of(SIDES, size))


@pytest.mark.parametrize("size", [12, 16, 24, 48])
def test_pictures_come_in_the_size_asked_for(size: int) -> None:
    pictures = augment(SIDES, size, EVERYTHING, seeded())
    assert pictures.shape == (6, 3, size, size)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert pictures.is_contiguous(memory_format=torch.channels_last)


def test_one_seed_gives_one_result() -> None:
    one, same, other = (augment(SIDES, 32, EVERYTHING, seeded(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(one, same)
    assert not torch.allclose(one, other)


def test_a_flip_swaps_the_sides() -> None:
    torch.testing.assert_close(changed(flip=1), pictures_of(SIDES, 32).flip(3))
    some = changed(torch.cat([SIDES] * 50), flip=0.5)[:, 0, 16, 0] > 0.5
    assert 0.4 < some.float().mean() < 0.6


def test_a_crop_sees_a_part_at_a_larger_scale() -> None:
    dot = torch.zeros(200, 32, 32, 3, dtype=torch.uint8)
    dot[:, 12:20, 12:20] = 255
    areas = changed(dot, crop=0.5).mean((1, 2, 3)) / pictures_of(dot, 32).mean()
    assert areas.max() > 2.5
    assert areas.min() > 0.4  # a centred thing is never cut off by more than half
    assert areas.mean() > 1.3


def test_light_changes_by_as_much_as_was_asked() -> None:
    grey = torch.full((300, 8, 8, 3), 100, dtype=torch.uint8)
    light = changed(grey, 8, brightness=0.2).mean((1, 2, 3)) * 255
    assert 80 <= light.min() < 84
    assert 116 < light.max() <= 120.01
    torch.testing.assert_close(changed(grey, 8, contrast=0.5, saturation=0.5), pictures_of(grey, 8))


def test_contrast_and_saturation_keep_the_mean_light() -> None:
    before = pictures_of(torch.randint(90, 160, (50, 8, 8, 3), generator=seeded()).to(torch.uint8), 8)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    pixels = (before * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    for after in (changed(pixels, 8, contrast=0.4), changed(pixels, 8, saturation=0.4)):
        assert not torch.allclose(after, before, atol=0.02)
        torch.testing.assert_close((after * luma).sum(1).mean((1, 2)), (before * luma).sum(1).mean((1, 2)))


def test_holes_are_grey_and_as_frequent_as_asked() -> None:
    white = torch.full((400, 32, 32, 3), 255, dtype=torch.uint8)
    pictures = changed(white, erase=0.25)
    assert set(pictures.unique().tolist()) == {0.5, 1.0}
    holes = (pictures == 0.5).float().mean((1, 2, 3))
    assert 0.18 < (holes > 0).float().mean() < 0.32
    assert holes.max() < 0.25


def test_mixtures_hold_both_pictures_in_the_share_they_say() -> None:
    pictures = torch.rand(8, 3, 16, 16, generator=seeded())
    alone = mix(pictures, NO_CHANGE, seeded())
    assert alone.kept == 1
    torch.testing.assert_close(alone.pictures, pictures)
    for seed in range(5):
        blend = mix(pictures, replace(NO_CHANGE, mixup=1), seeded(seed))
        expected = blend.kept * pictures + (1 - blend.kept) * pictures[blend.partners]
        torch.testing.assert_close(blend.pictures, expected)
        pasted = mix(pictures, replace(NO_CHANGE, cutmix=1), seeded(seed))
        own = (pasted.pictures == pictures).all(1).float().mean((1, 2))
        moved = (pasted.partners != torch.arange(8)).numpy()
        np.testing.assert_allclose(own.numpy()[moved], pasted.kept, atol=1e-6)
        assert 0.5 <= pasted.kept <= 1
