"""C02: the code h is a "loss-free encoding" of x.

Dense autoencoders 784-128-k-128-784, 2,000 steps of 64 digits; PCA with k up to 512 beside them.
Loss-free means: rounded to the 8 bits the pixels came in, the reconstruction is the image.
"""

import torch

from autoencoder_lab.models import PCA
from evidence.common import (
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    dense,
    digits,
    over_seeds,
    reconstructions,
    test_mse,
)  # fmt: skip

SLIDE = "001"
CLAIM = "The code h is a “loss-free encoding” of x"
NOTEBOOK, SECTION = "01", "1"
EXPECTED = WRONG


def experiment(seed: int) -> Figures:
    """Test error and share of images restored exactly, for codes of 8, 32 and 128 numbers; PCA up to 512."""
    data = digits()
    figures = {}
    for latent in (8, 32, 128):
        model = dense(data, latent, seed, steps=2000)
        x_hat, x = reconstructions(model, data.test.images), data.test.images
        exact = (255 * x_hat).round() == (255 * x).round()
        figures[f"mse_{latent}"] = test_mse(model, data)
        figures[f"images_exact_{latent}"] = float(exact.flatten(1).all(dim=1).float().mean())
        figures[f"ink_exact_{latent}"] = float(exact[x > 0].float().mean())
    pca = PCA(512).fit(data.train)
    centred = data.test.images.flatten(1) - pca.mean
    kept = (centred @ pca.components).square().cumsum(dim=1) / centred.shape[1]
    left = centred.square().mean(dim=1, keepdim=True) - kept
    for latent in (8, 32, 128, 512):
        figures[f"pca_mse_{latent}"] = float(left[:, latent - 1].mean().clamp(min=0))
    figures["rank"] = float(torch.linalg.matrix_rank((data.train.images.flatten(1) - pca.mean).double()))
    return figures


def verdict(rows: Rows) -> Verdict:
    """Wrong where not one test image survives any of the three codes."""
    lossy = all(over_seeds(rows, f"images_exact_{k}").mean == 0 for k in (8, 32, 128))
    errors = all(over_seeds(rows, f"mse_{k}").above(1e-4) for k in (8, 32, 128))
    sentence = (
        "Not one of 1,000 test images comes back bit for bit, whatever the code. The error falls with the rate, "
        f"{over_seeds(rows, 'mse_8')} at 8 numbers, {over_seeds(rows, 'mse_32')} at 32, {over_seeds(rows, 'mse_128')} "
        f"at 128, but does not reach 0; at 128 numbers {over_seeds(rows, 'ink_exact_128').percent} of the inked pixels "
        f"are exact. PCA leaves {over_seeds(rows, 'pca_mse_128')} at 128 and {over_seeds(rows, 'pca_mse_512')} at 512: "
        "a linear code is free of loss only once it has as many numbers as the training images have directions "
        f"({over_seeds(rows, 'rank')}), and then only for images within them."
    )
    return Verdict(WRONG if lossy and errors else UNDECIDED, sentence)
