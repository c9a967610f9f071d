"""C51: autoencoders work where features are correlated, not where they are independent.

Every pixel of the digits shuffled across images: each pixel keeps its values, all correlations are gone. Dense
autoencoder 784-128-32-128-784, 1,500 steps of 64, and PCA with 32 components, on both.
"""

import torch
from torch import Tensor

from autoencoder_lab.models import PCA
from evidence.common import (
    RIGHT,
    UNDECIDED,
    Figures,
    Rows,
    Verdict,
    dense,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    test_mse,
)

SLIDE = "004"
CLAIM = "Autoencoders work where features are correlated, not where they are independent"
NOTEBOOK, SECTION = "02", "Deeper · Correlated features"
EXPECTED = RIGHT


def independent_pixels(x: Tensor) -> Tensor:
    """The same values at every pixel, each pixel's dealt out anew to the images; always the same deal."""
    generator = torch.Generator().manual_seed(0)
    deal = torch.rand(x.shape, generator=generator).argsort(dim=0)
    return x.gather(0, deal)


def experiment(seed: int) -> Figures:
    """Share of the variance explained on test images, with and without the correlations.

    `copied`: what the 32 most varying pixels hold.
    """
    figures = {}
    variance = digits().train.images.var(dim=0).flatten().sort(descending=True).values
    figures["copied"] = float(variance[:32].sum() / variance.sum())
    for kind, data in {"real": digits(), "independent": digits().map(independent_pixels)}.items():
        baseline = mean_image_mse(data)
        figures[f"ae_{kind}"] = 1 - test_mse(dense(data, 32, seed, steps=1500), data) / baseline
        figures[f"pca_{kind}"] = 1 - test_mse(PCA(32).fit(data.train), data) / baseline
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where real digits are explained to 70 % or more, independent pixels no better than by copying 32."""
    works = over_seeds(rows, "ae_real").above(0.7)
    fails = all(difference(rows, f"{model}_independent", "copied").below(0.005) for model in ("ae", "pca"))
    sentence = (
        f"32 numbers explain {over_seeds(rows, 'ae_real').percent} of the variance of test digits (PCA: "
        f"{over_seeds(rows, 'pca_real').percent}). With every pixel shuffled across images, so that each keeps its "
        "values but tells nothing of its neighbours, the same network explains "
        f"{over_seeds(rows, 'ae_independent').percent} (PCA: {over_seeds(rows, 'pca_independent').percent}): no more "
        f"than copying the 32 most varying pixels would, {over_seeds(rows, 'copied').percent}."
    )
    return Verdict(RIGHT if works and fails else UNDECIDED, sentence)
