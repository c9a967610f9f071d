"""C24: the KL term pulls the codes to a unit Gaussian, so that they are continuous, overlapping and smooth.

Codes of 10 numbers, 2,000 digits, 400 steps of 64, width 8, hidden 64: a plain autoencoder and a VAE (β = 1), whose
aggregate posterior is taken by one draw an image. Codes of 1,000 test digits against 1,000 draws from N(0, I), as they
are and after a linear map that gives the training codes mean 0 and covariance I. Smooth: the largest of ten steps
between two decoded digits, in units of the mean step.
"""

import torch
from torch import Tensor

from autoencoder_lab import metrics
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    confidence,
    difference,
    digits,
    digits_ae,
    digits_vae,
    drawn_codes,
    largest_step,
    over_seeds,
    pairs_of_digits,
    standardised,
)

SLIDE = "002, 003"
CLAIM = "The KL term pulls the codes to a unit Gaussian: continuous, overlapping, smooth"
NOTEBOOK, SECTION = "04b", "1"
EXPECTED = CONDITION
BANDWIDTH = 10**0.5  # of the kernel: the scale of N(0, I) in ten dimensions, for every set of codes


def moments(codes: Tensor) -> tuple[float, float, float]:
    """Of codes (N, d): the mean |mean| of a dimension, its mean standard deviation, the mean |correlation| of two."""
    correlations = torch.corrcoef(codes.T)[torch.triu_indices(codes.shape[1], codes.shape[1], 1).unbind()]
    return float(codes.mean(dim=0).abs().mean()), float(codes.std(dim=0).mean()), float(correlations.abs().mean())


def experiment(seed: int) -> Figures:
    """Moments, squared MMD and two-sample accuracy against N(0, I); evenness of steps and confidence half way."""
    data = digits(2000)
    ae, vae = digits_ae(10, seed), digits_vae(10, seed)
    codes = {
        "ae": (metrics.encode(ae, data.test), metrics.encode(ae, data.train)),
        "vae": (drawn_codes(vae, data.test), drawn_codes(vae, data.train)),
    }
    normal = torch.randn(len(data.test), 10, generator=torch.Generator().manual_seed(seed)).double()
    figures: Figures = {}
    for name, (test, train) in codes.items():
        for word, value in zip(("mean", "sd", "correlation"), moments(test), strict=True):
            figures[f"{word}_{name}"] = value
        even = standardised(test, train)
        figures[f"mmd_{name}"] = metrics.mmd(test.double(), normal, BANDWIDTH).value
        figures[f"mmd_even_{name}"] = metrics.mmd(even, normal, BANDWIDTH).value
        figures[f"told_even_{name}"] = metrics.two_sample_accuracy(even, normal).value
    figures["told_vae"] = metrics.two_sample_accuracy(codes["vae"][0].double(), normal).value
    for name, model in {"ae": ae, "vae": vae}.items():
        start, end = (metrics.in_batches(model.encode, x) for x in pairs_of_digits(data))
        figures[f"largest_step_{name}"] = largest_step(model, start, end)
        figures[f"sure_{name}"] = confidence(metrics.in_batches(model.decode, (start + end) / 2))
    return figures


def verdict(rows: Rows) -> Verdict:
    """Conditional where the VAE's codes are nearer to N(0, I) than the autoencoder's as they are; right where they are
    also nearer once standardised, arrive (told apart in 55 % at most) and give more even steps; wrong where they are
    farther."""
    pull, shape = difference(rows, "mmd_ae", "mmd_vae"), difference(rows, "told_even_ae", "told_even_vae")
    steps = difference(rows, "largest_step_ae", "largest_step_vae")
    arrives = over_seeds(rows, "told_vae").below(0.55)
    how = "more even" if steps.above() else "less even" if steps.below() else "no more even"
    too = "a smaller difference" if shape.above() else "no difference"
    sentence = (
        f"A dimension of a plain autoencoder's codes has the standard deviation {over_seeds(rows, 'sd_ae')}, of draws "
        f"from the VAE's posteriors {over_seeds(rows, 'sd_vae')}; squared MMD to N(0, I): "
        f"{over_seeds(rows, 'mmd_ae')} and {over_seeds(rows, 'mmd_vae')}. Most of that is place and scale. With these "
        f"taken out there is {too}: a nearest-neighbour judge (50 % is the ideal) tells the codes from N(0, I) in "
        f"{over_seeds(rows, 'told_even_ae').percent} and {over_seeds(rows, 'told_even_vae').percent} (squared MMD "
        f"{over_seeds(rows, 'mmd_even_ae')} and {over_seeds(rows, 'mmd_even_vae')}). Pulled, not there: as they "
        f"are the VAE's codes are told from N(0, I) in {over_seeds(rows, 'told_vae').percent}. Between two decoded "
        f"digits the VAE's steps are {how}: the largest of ten is {over_seeds(rows, 'largest_step_vae')} mean steps, "
        f"the autoencoder's {over_seeds(rows, 'largest_step_ae')}; half way a classifier is sure to "
        f"{over_seeds(rows, 'sure_vae').percent} and {over_seeds(rows, 'sure_ae').percent}."
    )
    word = UNDECIDED if not pull.above() else RIGHT if shape.above() and steps.above() and arrives else CONDITION
    return Verdict(WRONG if pull.below() else word, sentence)
