"""Diagnoses of a student's function: `lab.checks.stamp(stamp)` passes, or names the likely mistake.

The mechanism stands in compare.py, the checks of each notebook in a file of their own.
"""

from autoencoder_lab.checks.compare import CheckFailed, compare_with
from autoencoder_lab.checks.labs import lab1, lab2, lab3, lab4, lab5, lab6
from autoencoder_lab.checks.notebooks.notebook_00 import squared_error_per_image, training_step, unseen_digit
from autoencoder_lab.checks.notebooks.notebook_01 import components_from_decoder, cross_entropy, few_images_experiment
from autoencoder_lab.checks.notebooks.notebook_02 import fast_share, shuffled_pixels, stamp
from autoencoder_lab.checks.notebooks.notebook_03 import denoising_epochs, loss_on_the_hole, posterior_mean
from autoencoder_lab.checks.notebooks.notebook_04 import (
    collapse_experiment,
    gaussian_kl,
    interpolate,
    reparameterise,
    vae_loss,
)
from autoencoder_lab.checks.notebooks.notebook_04_code import code
from autoencoder_lab.checks.notebooks.notebook_04_experiment import copying_experiment
from autoencoder_lab.checks.notebooks.notebook_04b import active_units
from autoencoder_lab.checks.notebooks.notebook_05 import (
    adversarial_losses,
    critic_network,
    critic_step,
    generator_step,
    steps_experiment,
)
from autoencoder_lab.checks.notebooks.notebook_06 import decoder_loss, term_experiment, vicreg_terms

__all__ = [
    "CheckFailed",
    "active_units",
    "adversarial_losses",
    "code",
    "collapse_experiment",
    "compare_with",
    "components_from_decoder",
    "copying_experiment",
    "critic_network",
    "critic_step",
    "cross_entropy",
    "decoder_loss",
    "denoising_epochs",
    "fast_share",
    "few_images_experiment",
    "gaussian_kl",
    "generator_step",
    "interpolate",
    "lab1",
    "lab2",
    "lab3",
    "lab4",
    "lab5",
    "lab6",
    "loss_on_the_hole",
    "posterior_mean",
    "reparameterise",
    "shuffled_pixels",
    "squared_error_per_image",
    "stamp",
    "steps_experiment",
    "term_experiment",
    "training_step",
    "unseen_digit",
    "vae_loss",
    "vicreg_terms",
]
