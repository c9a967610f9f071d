"""What is measured on a trained model, each figure with its standard error.

A model here is anything with `encode` and `reconstruct`. Figures about images take one split; figures about codes take
the whole data set, fit on data.train and score on data.test.

Size: at most 550 lines of code, 130 a file.
"""

from autoencoder_lab.data.batches import in_batches
from autoencoder_lab.data.plane import Modes, modes_covered
from autoencoder_lab.metrics.codes import effective_rank, encode, knn, principal_angles, probe, retrieval_precision
from autoencoder_lab.metrics.critic import critic_accuracy
from autoencoder_lab.metrics.estimate import Estimate
from autoencoder_lab.metrics.generation import (
    DensityCoverage,
    PrecisionRecall,
    class_histogram,
    condition_accuracy,
    density_coverage,
    fcd,
    frechet,
    kid,
    mmd,
    nearest_training,
    precision_recall,
    two_sample_accuracy,
)
from autoencoder_lab.metrics.images import checkerboard_energy, power_spectrum, sharpness
from autoencoder_lab.metrics.likelihood import active_units, disentanglement, elbo, kl_per_dimension, nll
from autoencoder_lab.metrics.reconstruction import CORRUPTION_SEED, hole_errors, mse, psnr, ssim

__all__ = [
    "CORRUPTION_SEED", "DensityCoverage", "Estimate", "Modes", "PrecisionRecall", "active_units", "checkerboard_energy",
    "class_histogram", "condition_accuracy", "critic_accuracy", "density_coverage", "disentanglement", "effective_rank",
    "elbo", "encode", "fcd", "frechet", "hole_errors", "in_batches", "kid", "kl_per_dimension", "knn", "mmd",
    "modes_covered", "mse", "nearest_training", "nll", "power_spectrum", "precision_recall", "principal_angles",
    "probe", "psnr", "retrieval_precision", "sharpness", "ssim", "two_sample_accuracy",
]  # fmt: skip
