"""C28: with β too low a VAE memorises like a plain autoencoder, with β too high it reconstructs poorly.

10 numbers, width 8, hidden 64, 400 steps of 64: a plain autoencoder and VAEs with β = 0.01, 1 and 100 on 2,000 digits,
and the first three again on 200. Memorising: the error of test digits over that of the digits trained on. 500 samples
of each VAE against 500 test digits.
"""

from typing import Any

import torch

from autoencoder_lab import metrics
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
    digits_ae,
    digits_vae,
    mean_image_mse,
    over_seeds,
    ratio,
    test_mse,
)

SLIDE = "003"
CLAIM = "Too low a β memorises the training data like a plain autoencoder; too high a β gives poor reconstructions"
NOTEBOOK, SECTION = "04b", "3"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """Errors on training and test digits, active units, and how samples fare, by β and number of digits."""
    figures: Figures = {"mean_image": mean_image_mse(digits(2000))}
    for count in (2000, 200):
        data = digits(count)
        models: dict[str, Any] = {
            "ae": digits_ae(10, seed, count),
            "0.01": digits_vae(10, seed, 0.01, count),
            "1": digits_vae(10, seed, 1.0, count),
        }
        if count == 2000:
            models["100"] = digits_vae(10, seed, 100.0)
        for name, model in models.items():
            figures[f"test_{name}_{count}"] = test_mse(model, data)
            figures[f"gap_{name}_{count}"] = test_mse(model, data) / metrics.mse(model, data.train).value
            if name == "ae":
                continue
            figures[f"active_{name}_{count}"] = float(metrics.active_units(model, data.test))
            samples = model.sample(500, torch.Generator().manual_seed(seed))
            figures[f"told_{name}_{count}"] = metrics.two_sample_accuracy(samples, data.test.images[:500]).value
    return figures


def verdict(rows: Rows) -> Verdict:
    """Low: like the autoencoder, β = 0.01 has a wider gap than β = 1 and its samples are worse. High: at β = 100 no
    unit is active and the error is the mean image's (90 % or more). Right where both hold, and it memorises (twice the
    error on test digits) from 2,000 digits; conditional where it does from 200 only; wrong where neither end holds."""
    like_ae = all(
        difference(rows, f"gap_{name}_{count}", f"gap_1_{count}").above()
        for name in ("ae", "0.01")
        for count in (2000, 200)
    )
    worse_samples = difference(rows, "told_0.01_2000", "told_1_2000").above()
    poor = ratio(rows, "test_100_2000", "mean_image").above(0.9) and over_seeds(rows, "active_100_2000").below(0.5)
    fine = (
        ratio(rows, "test_100_2000", "test_1_2000").below(1) and difference(rows, "gap_0.01_200", "gap_1_200").below()
    )
    memorises = {count: over_seeds(rows, f"gap_0.01_{count}").above(2) for count in (2000, 200)}
    gap = {
        key: over_seeds(rows, f"gap_{key}") for key in ("ae_2000", "0.01_2000", "1_2000", "ae_200", "0.01_200", "1_200")
    }
    sentence = (
        f"Trained on 2,000 digits, the error of test digits is {gap['ae_2000']} times that of training digits for a "
        f"plain autoencoder, {gap['0.01_2000']} at β = 0.01 and {gap['1_2000']} at β = 1; on 200 digits "
        f"{gap['ae_200']}, {gap['0.01_200']} and {gap['1_200']}. So it behaves like an autoencoder, but memorises "
        "only where images are few. Its samples are worse: a nearest-neighbour judge (50 % is the ideal) tells them "
        f"from test digits in {over_seeds(rows, 'told_0.01_2000').percent}, at β = 1 in "
        f"{over_seeds(rows, 'told_1_2000').percent}. At β = 100 "
        f"{over_seeds(rows, 'active_100_2000')} units are active and the error is {over_seeds(rows, 'test_100_2000')}, "
        f"the mean image's ({over_seeds(rows, 'mean_image')}), against {over_seeds(rows, 'test_1_2000')} at β = 1 and "
        f"{over_seeds(rows, 'test_0.01_2000')} at 0.01."
    )
    if not (like_ae and worse_samples and poor):
        return Verdict(WRONG if fine else UNDECIDED, sentence)
    return Verdict(RIGHT if memorises[2000] else CONDITION if memorises[200] else UNDECIDED, sentence)
