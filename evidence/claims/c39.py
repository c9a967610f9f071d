"""C39: the CCAE: Y = f(X), Z = p(Y), X' = d(Y), Y' = f(X'), Z' = p(Y'), trained by VICReg between Z and Z'.

3,500 digits, codes of 32, width 8, projector 64-64, 500 steps of 128 at 3e-3. The slide to the letter; the inversion of
an encoder that VICReg trained before, for as many steps; the same random crop of X and X' before a judge that learns,
and before a frozen one; the slide to the letter plus 100 times the squared error per pixel. As a control the inversion
of an encoder that nobody trained. On test images: squared error per pixel and correlation of X' with X, linear probe
and vote of the 5 nearest codes.
"""

from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.models import CCAE, VICReg
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    ratio,
    reconstructions,
    test_mse,
    train,
    unwatched,
)

SLIDE = "000"
CLAIM = "The CCAE: Y = f(X), Z = p(Y), X' = d(Y), Y' = f(X'), Z' = p(Y'), trained by VICReg between Z and Z'"
NOTEBOOK, SECTION = "06", "5"
EXPECTED = CONDITION
SIZE: dict[str, Any] = {"width": 8, "hidden": 128, "projector": (64, 64), "weights": (25.0, 25.0, 1.0)}
STEPS: dict[str, Any] = {"steps": 500, "learning_rate": 3e-3, "batch_size": 128}
READINGS: dict[str, dict[str, Any]] = {
    "literal": {"views": "none", "judge": "live"},
    "inversion": {"views": "none", "judge": "frozen"},
    "live": {"views": "crop", "judge": "live"},
    "frozen": {"views": "crop", "judge": "frozen", "agreement": 0.2},
    "pixel": {"views": "none", "judge": "live", "pixel": 100.0},
    "untrained": {"views": "none", "judge": "frozen"},
}


def correlation(x_hat: Tensor, x: Tensor) -> float:
    """Pearson's r between the pixels of two sets of images, over all of them at once."""
    return float(torch.corrcoef(torch.stack([x_hat.flatten(), x.flatten()]).double())[0, 1])


def experiment(seed: int) -> Figures:
    """Error, correlation, probe and 5-NN of each reading; the mean image's error."""
    data = digits()
    figures = {"mse_mean_image": mean_image_mse(data)}
    for name, reading in READINGS.items():
        encoder = None
        if name in ("inversion", "untrained"):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                encoder = VICReg(32, **SIZE)
            if name == "inversion":
                train(encoder, unwatched(data), seed, **STEPS)
        model = CCAE(32, encoder=encoder, **SIZE, **reading)
        train(model, unwatched(data), seed, **STEPS)
        figures |= {
            f"mse_{name}": test_mse(model, data),
            f"correlation_{name}": correlation(reconstructions(model, data.test.images), data.test.images),
            f"probe_{name}": metrics.probe(model, data).value,
            f"knn_{name}": metrics.knn(model, data).value,
        }
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the slide to the letter makes less than half the mean image's error; conditional where it does worse
    than the mean image, but another reading without pixels less than half; wrong where none does better than it."""
    half = {name: ratio(rows, f"mse_{name}", "mse_mean_image") for name in READINGS}
    without_pixels = [half[name] for name in ("inversion", "live", "frozen")]
    worse = difference(rows, "mse_literal", "mse_mean_image").above()
    described = {
        name: f"{over_seeds(rows, f'mse_{name}')} (r = {over_seeds(rows, f'correlation_{name}')}; "
        f"probe {over_seeds(rows, f'probe_{name}').percent}, 5-NN {over_seeds(rows, f'knn_{name}').percent})"
        for name in READINGS
    }
    sentence = (
        f"To the letter the error is {described['literal']}, the mean image's {over_seeds(rows, 'mse_mean_image')}: "
        "encoder and decoder agree on a private code. Other readings, equal steps: inversion of an encoder that VICReg "
        f"trained before {described['inversion']}, of one that nobody trained {described['untrained']}; the same crop "
        f"of X and X' before a judge that learns {described['live']}, before a frozen one {described['frozen']}; to "
        f"the letter with a pixel term {described['pixel']}."
    )
    if worse and all(share.above(1) for share in without_pixels):
        return Verdict(WRONG, sentence)
    found = worse and any(share.below(0.5) for share in without_pixels)
    return Verdict(RIGHT if half["literal"].below(0.5) else CONDITION if found else UNDECIDED, sentence)
