"""C01: an undercomplete code keeps the important characteristics.

Dense autoencoders 784-128-k-128-784, 1,500 steps of 64 digits each; error on test images and a linear probe of the
code.
"""

from autoencoder_lab import metrics
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Pixels,
    Rows,
    Verdict,
    dense,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    test_mse,
)  # fmt: skip

SLIDE = "001"
CLAIM = "An undercomplete code (dim h < dim x) captures the important characteristics"
NOTEBOOK, SECTION = "00", "3"
EXPECTED = CONDITION


def experiment(seed: int) -> Figures:
    """Share of the variance explained and accuracy of a linear probe, for codes of 2, 8 and 32 numbers."""
    data = digits()
    figures = {"probe_pixels": metrics.probe(Pixels(), data).value}
    for latent in (2, 8, 32):
        model = dense(data, latent, seed, steps=1500)
        figures[f"explained_{latent}"] = 1 - test_mse(model, data) / mean_image_mse(data)
        figures[f"probe_{latent}"] = metrics.probe(model, data).value
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where 32 numbers explain 75 % and lose at most 5 points of accuracy; conditional where 2 numbers do not."""
    enough = over_seeds(rows, "explained_32").above(0.75) and difference(rows, "probe_32", "probe_pixels").above(-0.05)
    too_few = over_seeds(rows, "explained_2").below(0.5) and difference(rows, "probe_2", "probe_pixels").below(-0.1)
    sentence = (
        f"32 numbers in place of 784 explain {over_seeds(rows, 'explained_32').percent} of the pixels' variance and a "
        f"linear probe reads {over_seeds(rows, 'probe_32').percent} of the digits off them (off the pixels: "
        f"{over_seeds(rows, 'probe_pixels').percent}). With 8 numbers it is {over_seeds(rows, 'explained_8').percent} "
        f"and {over_seeds(rows, 'probe_8').percent}, with 2 only {over_seeds(rows, 'explained_2').percent} and "
        f"{over_seeds(rows, 'probe_2').percent}: the code must not be too small."
    )
    return Verdict(CONDITION if enough and too_few else RIGHT if enough else UNDECIDED, sentence)
