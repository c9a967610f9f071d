"""What the experiments share: small models trained on a fixed budget, and the statistics a verdict rests on.

Every experiment names its budget itself (steps, batch, learning rate, widths), so that tuning a model's defaults
changes no stored figure.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoencoder_lab import metrics
from autoencoder_lab.datasets import load
from autoencoder_lab.images import ImageData
from autoencoder_lab.models import DenseAutoencoder, ResidualAutoencoder
from autoencoder_lab.training import History, fit

Figures = dict[str, float]
Rows = Sequence[Mapping[str, float]]

STUDENT_T = 2.78  # 97.5 % quantile of Student's t with 4 degrees of freedom: five seeds


class Verdict(NamedTuple):
    """word: one of WORDS; sentence: what was measured, with its spread over training seeds."""

    word: str
    sentence: str


RIGHT, CONDITION, WRONG, UNDECIDED = WORDS = ("right", "right under a condition", "wrong", "undecided")


class Spread(NamedTuple):
    """Mean and standard deviation over training seeds; prints as `0.0124 ± 0.0002` (one standard deviation)."""

    mean: float
    sd: float
    n: int

    def above(self, margin: float = 0.0) -> bool:
        """Whether the mean exceeds `margin` by more than t · s/√n: a one-sided error of 2.5 % at five seeds."""
        return self.mean - STUDENT_T * self.sd / math.sqrt(self.n) > margin

    def below(self, margin: float = 0.0) -> bool:
        """The same downwards."""
        return self.mean + STUDENT_T * self.sd / math.sqrt(self.n) < margin

    def __str__(self) -> str:
        if self.sd < 2e-4 * abs(self.mean) or self.sd == 0:  # no seed in it, such as PCA
            return f"{self.mean:.3g}"
        decimals = min(6, max(0, 1 - math.floor(math.log10(self.sd))))
        return f"{self.mean:.{decimals}f} ± {self.sd:.{decimals}f}"

    @property
    def percent(self) -> str:
        """The same as a percentage."""
        return f"{Spread(100 * self.mean, 100 * self.sd, self.n)} %"


def over_seeds(rows: Rows, key: str) -> Spread:
    """One figure over the seeds."""
    return _spread([row[key] for row in rows])


def difference(rows: Rows, larger: str, smaller: str) -> Spread:
    """larger − smaller, paired by seed."""
    return _spread([row[larger] - row[smaller] for row in rows])


def ratio(rows: Rows, numerator: str, denominator: str) -> Spread:
    """numerator / denominator, paired by seed."""
    return _spread([row[numerator] / row[denominator] for row in rows])


def _spread(values: Sequence[float]) -> Spread:
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
    return Spread(mean, math.sqrt(variance), len(values))


# --- training --------------------------------------------------------------------------------------


@cache
def digits(n: int = 3500) -> ImageData:
    """mnist-5k with the first n training images; the 1,000 test images stay whole."""
    return load("mnist-5k", n)


@cache
def binary_digits(n: int = 3500) -> ImageData:
    """The same in black and white: 1 where a pixel is above one half."""
    return digits(n).map(lambda x: (x > 0.5).float())


def train(
    model: Any, data: Any, seed: int, steps: int, learning_rate: float = 5e-3, batch_size: int = 64, **more: Any
) -> History:
    """`fit` on the processor, silently, with nothing left to a default that may be tuned."""
    return fit(
        model, data, steps=steps, seed=seed, learning_rate=learning_rate, batch_size=batch_size,
        device="cpu", progress=False, **more,
    )  # fmt: skip


def dense(
    data: Any, latent: int, seed: int, steps: int, hidden: Sequence[int] = (128,), more: Any = None, **keywords: Any
) -> DenseAutoencoder:
    """A trained dense autoencoder; `keywords` go to the model, `more` (a dict) to `train`."""
    model = DenseAutoencoder(latent, image_shape=data.shape, hidden=hidden, **keywords)
    train(model, data, seed, steps, **(more or {}))
    return model


def test_mse(model: Any, data: Any) -> float:
    """Squared error per pixel on the test images."""
    return metrics.mse(model, data.test).value


test_mse.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest thinks of its name


def mean_image_mse(data: Any) -> float:
    """The test error of answering every image with the mean training image: what knowing nothing costs."""
    return float((data.test.images - data.train.images.mean(dim=0)).square().mean())


class Pixels:
    """The image itself as a code: what a code has to be compared with."""

    @staticmethod
    def encode(x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C·H·W)."""
        return x.flatten(1)


def reconstructions(model: Any, images: Tensor) -> Tensor:
    """x̂ of all images, without gradients."""
    return metrics.in_batches(model.reconstruct, images)


def shuffled_rows(count: int, seed: int = 0) -> Tensor:
    """A permutation of range(count) that leaves no row in its place: a shifted random cycle."""
    cycle = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    answer = torch.empty_like(cycle)
    answer[cycle] = cycle.roll(1)
    return answer


def with_other_codes(model: ResidualAutoencoder, x: Tensor, other: Tensor) -> Tensor:
    """Reconstruct x while every image gets another image's code; only feature maps that skip the code are its own."""

    def exchange(_layer: torch.nn.Module, _inputs: object, codes: Tensor) -> Tensor:
        return codes[other]

    hook = model.to_code.register_forward_hook(exchange)
    try:
        with torch.inference_mode():
            return model.reconstruct(x)
    finally:
        hook.remove()
