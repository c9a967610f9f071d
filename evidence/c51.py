"""C51: autoencoders work where features are correlated, not where they are independent.

Every pixel of the digits shuffled across images: each pixel keeps its values, all correlations are gone. Dense
autoencoder 784-128-32-128-784, 1,000 steps of 64, and PCA with 32 components, on both.
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
    digits,
    mean_image_mse,
    over_seeds,
    test_mse,
)

SLIDE = "004"
CLAIM = "Autoencoders work where features are correlated, not where they are independent"
EXPECTED = RIGHT


def independent_pixels(x: Tensor) -> Tensor:
    """The same values at every pixel, each pixel's dealt out anew to the images; always the same deal."""
    generator = torch.Generator().manual_seed(0)
    deal = torch.rand(x.shape, generator=generator).argsort(dim=0)
    return x.gather(0, deal)


def experiment(seed: int) -> Figures:
    """Share of the variance explained on test images, with and without the correlations."""
    figures = {}
    for kind, data in {"real": digits(), "independent": digits().map(independent_pixels)}.items():
        baseline = mean_image_mse(data)
        figures[f"ae_{kind}"] = 1 - test_mse(dense(data, 32, seed, steps=1000), data) / baseline
        figures[f"pca_{kind}"] = 1 - test_mse(PCA(32).fit(data.train), data) / baseline
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where real digits are explained to 70 % or more and independent pixels to less than 10 %."""
    right = over_seeds(rows, "ae_real").above(0.7) and all(
        over_seeds(rows, f"{m}_independent").below(0.1) for m in ("ae", "pca")
    )
    sentence = (
        f"32 numbers explain {over_seeds(rows, 'ae_real').percent} of the variance of test digits. With every pixel "
        "shuffled "
        f"across images, so that each keeps its values but tells nothing of its neighbours, the same network explains "
        f"{over_seeds(rows, 'ae_independent').percent} (PCA: {over_seeds(rows, 'pca_real').percent} and "
        f"{over_seeds(rows, 'pca_independent').percent}); 32 of 784 numbers are {100 * 32 / 784:.1f} %."
    )
    return Verdict(RIGHT if right else UNDECIDED, sentence)
