"""C03: an overcomplete code (dim h ≥ dim x) can copy, and is then useless.

Digits at 14×14 = 196 pixels, codes of 256 numbers, 1,500 training images, 1,200 steps of 64 for each of four models:
linear; one ReLU layer; the same with an L1 penalty on the code; the same fed noisy images. Two yardsticks for a probe
of their codes: the pixels, and the ReLU layer before training, for random features help a probe as well.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.corruptions import gaussian
from autoencoder_lab.models import DenseAutoencoder, LinearAutoencoder, Loss
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    Figures,
    Pixels,
    Rows,
    Verdict,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    test_mse,
    train,
)  # fmt: skip

SLIDE = "001"
CLAIM = "An overcomplete code (dim h ≥ dim x) can learn to copy, and is useless"
NOTEBOOK, SECTION = "01", "7"
EXPECTED = CONDITION
LATENT, STEPS = 256, 1200
WAYS = {
    "untrained": "before any training",
    "relu": "without penalty",
    "sparse": "with an L1 penalty",
    "denoising": "trained on noisy images",
}


class SparseAutoencoder(DenseAutoencoder):
    """Loss ‖x̂ − x‖² + λ Σ_j |h_j|, λ = 0.1."""

    def loss(self, x: Tensor, target: Tensor | None = None) -> Loss:
        """The reconstruction plus the L1 norm of the code, per image."""
        parts = super().loss(x, target).parts | {"sparsity": 0.1 * self.encode(x).abs().sum() / len(x)}
        return Loss(parts["reconstruction"] + parts["sparsity"], parts)


def experiment(seed: int) -> Figures:
    """Error relative to the mean image, probe, 5-NN accuracy and share of positive values of each code."""
    data = digits(1500).map(lambda x: F.avg_pool2d(x, 2))
    one_layer: dict[str, Any] = {"image_shape": data.shape, "hidden": (), "code_activation": "relu", "output": "linear"}
    models = {
        "linear": (LinearAutoencoder(LATENT, image_shape=data.shape), None),
        "relu": (DenseAutoencoder(LATENT, **one_layer), None),
        "sparse": (SparseAutoencoder(LATENT, **one_layer), None),
        "denoising": (DenseAutoencoder(LATENT, **one_layer), gaussian(0.5)),
    }
    figures = {"probe_pixels": metrics.probe(Pixels(), data).value, "knn_pixels": metrics.knn(Pixels(), data).value}
    torch.manual_seed(seed)
    figures["probe_untrained"] = metrics.probe(DenseAutoencoder(LATENT, **one_layer), data).value
    for name, (model, corrupt) in models.items():
        train(model, data, seed, STEPS, corrupt=corrupt)
        figures[f"left_{name}"] = test_mse(model, data) / mean_image_mse(data)
        figures[f"probe_{name}"] = metrics.probe(model, data).value
        figures[f"knn_{name}"] = metrics.knn(model, data).value
        figures[f"active_{name}"] = float((metrics.encode(model, data.test) > 0).double().mean())
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the linear code copies and helps no probe, nor does another of its size; conditional where one does.

    A linear code cannot tell a linear probe more than the pixels do, but for what fewer steps or numbers leave out. So
    the condition is in the others: by a point or more beyond the pixels, paired by seed.
    """
    copies = over_seeds(rows, "left_linear").below(0.01)
    useless = difference(rows, "probe_linear", "probe_pixels").below(0.01)
    others = ("untrained", "relu", "sparse", "denoising")
    helps = [name for name in others if difference(rows, f"probe_{name}", "probe_pixels").above(0.01)]
    learnt = [name for name in others[1:] if difference(rows, f"probe_{name}", "probe_untrained").above(0.01)]
    shown = ", ".join(f"{over_seeds(rows, f'probe_{key}').percent} {how}" for key, how in WAYS.items())
    sentence = (
        f"A linear autoencoder with 256 numbers for 196 pixels leaves {over_seeds(rows, 'left_linear').percent} of the "
        "variance on test images, and its code helps a linear probe no more than the pixels: "
        f"{over_seeds(rows, 'probe_linear').percent} against {over_seeds(rows, 'probe_pixels').percent}. The size "
        f"alone is not what makes it useless: with the same 256 numbers a ReLU code gives {shown}. Of its values "
        f"{over_seeds(rows, 'active_relu').percent} are above 0 without penalty, "
        f"{over_seeds(rows, 'active_sparse').percent} with it."
    )
    if not learnt:
        sentence += " None of these trainings adds a point to what the ReLU layer gives untrained."
    word = UNDECIDED if not (copies and useless) else CONDITION if helps else RIGHT
    return Verdict(word, sentence)
