"""The colours of plots are told apart by everybody, in both schemes, and in grey."""

import re
from importlib import resources

import numpy as np
import pytest
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# Machado, Oliveira and Fernandes 2009 (A physiologically-based model for simulation of color vision deficiency), linear
# sRGB, whole deficiency.
SEEN_BY = {
    "anybody": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
SERIES = 5


def linear(name: str) -> Numbers:
    """(3,) linear sRGB of `#rrggbb`."""
    value = np.array([int(name[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(colours: Numbers) -> Numbers:
    """(n, 3) linear sRGB -> (n, 3) CIE L*a*b* of 1976."""
    ratio = colours @ XYZ.T / XYZ.sum(axis=1)
    root = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.stack([116 * root[:, 1] - 16, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])], axis=1)


def tokens() -> dict[str, tuple[str, str]]:
    """Variable -> its colours in the light and the dark scheme."""
    text = (resources.files("endcap") / "templates" / "tokens.css").read_text(encoding="utf-8")
    return {name: (light, dark) for name, light, dark in
            re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", text)}  # fmt: skip


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("vision", SEEN_BY)
def test_five_series_are_told_apart(scheme: int, vision: str) -> None:
    colours = np.stack([linear(tokens()[f"c{number}"][scheme]) for number in range(SERIES)])
    seen = lab(np.clip(colours @ SEEN_BY[vision].T, 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen, axis=2)
    assert apart[~np.eye(SERIES, dtype=bool)].min() >= 15


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_in_grey_they_differ_and_all_stand_out_from_the_paper(scheme: int) -> None:
    known = tokens()
    lightness = lab(np.stack([linear(known[f"c{number}"][scheme]) for number in range(SERIES)]))[:, 0]
    assert np.ptp(lightness) >= 40
    paper = linear(known["paper"][scheme]) @ XYZ[1]
    for number in range(8):
        bright, dim = sorted([linear(known[f"c{number}"][scheme]) @ XYZ[1], paper], reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 3  # WCAG 1.4.11
