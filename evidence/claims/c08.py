"""C08: PCA is linear, the autoencoder can be non-linear.

Equal k everywhere. Curved data: 600 images (16×16) of one blob on a circle, a single factor, k = 2.
Digits: 3,500, k = 8. Linear autoencoder 1,500 steps, dense 784-128-8-128-784 1,500 steps of 64.
"""

import math

import torch
from torch import Tensor

from autoencoder_lab.data.split import ImageData, Split
from autoencoder_lab.models import PCA, LinearAutoencoder
from evidence.common import (
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    dense,
    difference,
    digits,
    over_seeds,
    test_mse,
    train,
)

SLIDE = "001"
CLAIM = "PCA is linear, the autoencoder can be non-linear"
NOTEBOOK, SECTION = "01", "4"
EXPECTED = RIGHT


def blobs(angle: Tensor) -> Tensor:
    """(N,) angles → (N, 1, 16, 16): a Gaussian blob (σ = 1.5 pixels) on a circle of radius 4."""
    grid = torch.arange(16.0)
    x, y = (7.5 + 4 * f(angle)[:, None, None] for f in (torch.cos, torch.sin))
    return torch.exp(-((grid[None, None, :] - x) ** 2 + (grid[None, :, None] - y) ** 2) / (2 * 1.5**2))[:, None]


def circle() -> ImageData:
    """600 / 100 / 200 blobs at random angles, always the same."""
    angles = 2 * math.pi * torch.rand(900, generator=torch.Generator().manual_seed(0))
    images, labels = blobs(angles), torch.zeros(900, dtype=torch.int64)
    every = Split(images, labels, ("blob",))
    return ImageData("circle", every[:600], every[600:700], every[700:])


def experiment(seed: int) -> Figures:
    """Test error of PCA, a linear and a dense autoencoder on both sets."""
    figures = {}
    for name, data, k, rate in (("curve", circle(), 2, 2e-3), ("digits", digits(), 8, 5e-3)):
        linear = LinearAutoencoder(k, image_shape=data.shape)
        train(linear, data, seed, steps=1500, learning_rate=1e-2)
        figures[f"{name}_pca"] = test_mse(PCA(k).fit(data.train), data)
        figures[f"{name}_linear"] = test_mse(linear, data)
        figures[f"{name}_dense"] = test_mse(dense(data, k, seed, 1500, more={"learning_rate": rate}), data)
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the linear autoencoder does not beat PCA by 1 % and the non-linear one beats it by a fifth or
    more."""
    tie = all(
        difference(rows, f"{name}_linear", f"{name}_pca").above(-0.01 * over_seeds(rows, f"{name}_pca").mean)
        for name in ("curve", "digits")
    )
    bends = all(
        difference(rows, f"{name}_pca", f"{name}_dense").above(0.2 * over_seeds(rows, f"{name}_pca").mean)
        for name in ("curve", "digits")
    )
    sentence = (
        f"A blob moving on a circle, two numbers: PCA leaves an error of {over_seeds(rows, 'curve_pca')}, a linear "
        f"autoencoder {over_seeds(rows, 'curve_linear')}, a non-linear one {over_seeds(rows, 'curve_dense')}. Digits, "
        f"eight numbers: {over_seeds(rows, 'digits_pca')}, {over_seeds(rows, 'digits_linear')} and "
        f"{over_seeds(rows, 'digits_dense')}. What wins is the bend, not the training by gradients."
    )
    return Verdict(RIGHT if tie and bends else UNDECIDED, sentence)
