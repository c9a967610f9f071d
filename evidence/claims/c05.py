"""C05: real-valued inputs want a linear decoder; sigmoid and tanh clip the range.

Photo patches at 16×16 in colour (768 values), dense 768-128-32-128-768, 1,000 steps of 64: once standardised,
once in [0, 1].
"""

import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab.data.datasets import load
from evidence.common import RIGHT, UNDECIDED, Figures, Rows, Verdict, dense, difference, over_seeds, ratio, test_mse

SLIDE = "001"
CLAIM = "Real-valued inputs want a linear decoder; sigmoid and tanh clip the range"
NOTEBOOK, SECTION = "01", "5"
EXPECTED = RIGHT


def experiment(seed: int) -> Figures:
    """Test error by output function; `floor_*`: the error of the best output inside that function's range."""
    photos = load("photos").map(lambda x: F.avg_pool2d(x, 2))
    mean, std = photos.train.images.mean(), photos.train.images.std()

    def standardise(x: Tensor) -> Tensor:
        return (x - mean) / std

    real = photos.map(standardise, value_range=None)
    x = real.test.images
    figures = {
        "floor_sigmoid": float((x - x.clamp(0, 1)).square().mean()),
        "floor_tanh": float((x - x.clamp(-1, 1)).square().mean()),
    }
    for output in ("linear", "tanh", "sigmoid"):
        figures[f"mse_{output}"] = test_mse(dense(real, 32, seed, steps=1000, output=output), real)
    for output in ("linear", "sigmoid"):
        figures[f"unit_mse_{output}"] = test_mse(dense(photos, 32, seed, steps=1000, output=output), photos)
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where linear wins and neither of the others gets below the floor of its range."""
    wins = all(difference(rows, f"mse_{other}", "mse_linear").above() for other in ("tanh", "sigmoid"))
    floors = all(difference(rows, f"mse_{other}", f"floor_{other}").mean >= 0 for other in ("tanh", "sigmoid"))
    sentence = (
        f"On standardised photos the error is {over_seeds(rows, 'mse_linear')} with linear, "
        f"{over_seeds(rows, 'mse_tanh')} with tanh and {over_seeds(rows, 'mse_sigmoid')} with sigmoid outputs (unit: "
        f"the training pixels' variance); tanh cannot go below {over_seeds(rows, 'floor_tanh')} there, sigmoid not "
        f"below {over_seeds(rows, 'floor_sigmoid')}, whatever the network. It is the range that does it, not that the "
        "values are real: on the same photos left in [0, 1] sigmoid's error is "
        f"{ratio(rows, 'unit_mse_sigmoid', 'unit_mse_linear')} times linear's, here "
        f"{ratio(rows, 'mse_sigmoid', 'mse_linear')} times."
    )
    return Verdict(RIGHT if wins and floors else UNDECIDED, sentence)
