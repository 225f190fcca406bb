"""Logistic regression on the vectors of a network that is not trained: its heads are solved, not descended to."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from endcap.data.vocabulary import Ints
from endcap.features.fit_images import LabelledPhotos, accuracy, look
from endcap.features.images import PhotoNetwork

Floats32 = NDArray[np.float32]
STRENGTHS = (0.003, 0.01, 0.03, 0.1)
"""Inverse strengths of the penalty that validation chooses from; without validation, the second."""


def fit_heads(network: PhotoNetwork, train: LabelledPhotos, valid: LabelledPhotos | None) -> None:
    """Solves each head of `network` on the vectors that its trunk gives, in place.

    The trunk's vectors are put on one scale for that, and the scale then goes into the head's weights.
    """
    vectors = look(network, train.pixels, train.rows)[1]
    held_out = None if valid is None else look(network, valid.pixels, valid.rows)[1]
    for column, head in enumerate(network.heads):
        assert isinstance(head, nn.Linear)
        codes = None if valid is None else valid.codes[:, column]
        weight, bias = solve(vectors, train.codes[:, column], head.out_features, held_out, codes)
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(weight))
            head.bias.copy_(torch.from_numpy(bias))
    network.eval()


def solve(
    vectors: Floats32, codes: Ints, classes: int, valid: Floats32 | None, valid_codes: Ints | None
) -> tuple[Floats32, Floats32]:
    """(classes, dim) weights and (classes,) biases, on (n, dim) vectors of (n,) codes, -1 unknown.

    A class that is never seen never wins.
    """
    from sklearn.linear_model import LogisticRegression

    known = codes >= 0
    weight = np.zeros((classes, vectors.shape[1]), np.float32)
    bias = np.full(classes, NEVER, np.float32)
    seen = np.unique(codes[known])
    if len(seen) < 2:
        bias[seen] = 0
        return weight, bias
    mean, spread = vectors[known].mean(0), vectors[known].std(0) + 1e-6
    scaled = (vectors[known] - mean) / spread
    best = -math.inf
    chooses = valid is not None and valid_codes is not None and bool((valid_codes >= 0).any())
    for strength in STRENGTHS if chooses else STRENGTHS[1:2]:
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(scaled, codes[known])
        slopes, shift = model.coef_ / spread, model.intercept_ - model.coef_ @ (mean / spread)
        if len(seen) == 2:  # scikit-learn gives one row for two classes
            slopes, shift = np.concatenate([-slopes, slopes]) / 2, np.concatenate([-shift, shift]) / 2
        found = math.inf
        if chooses:
            assert valid is not None
            assert valid_codes is not None
            found = accuracy(_scores(valid, slopes, shift, seen, classes), valid_codes)
        if found > best:
            best = found
            weight[seen], bias[seen] = slopes, shift
    return weight, bias


def _scores(vectors: Floats32, slopes: Floats32, shift: Floats32, seen: Ints, classes: int) -> Floats32:
    scores = np.full((len(vectors), classes), NEVER, np.float32)
    scores[:, seen] = vectors @ slopes.T + shift
    return scores


NEVER = -1e4
