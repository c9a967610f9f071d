"""C42: denoising works on audio too.

One-dimensional signals of shape (1, 1, 256), drawn by formula: plucked strings of random pitch, plucking point, decay
and onset, scaled to power 1. Dense autoencoder 256-1024-64-1024-256 with linear output, 20,000 tones, 1,200 steps of
128 at rate 2e-3, white noise of power 1 (0 dB). Controls: the best linear filter of the training tones, scipy's local
Wiener filter and thresholded Fourier coefficients, each tuned on validation tones. Then weaker noise (10 dB), and
signals of another family, gliding sines.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from autoencoder_lab import metrics
from autoencoder_lab.data.split import ImageData, Split
from autoencoder_lab.models import DenseAutoencoder
from autoencoder_lab.models.controls import LinearDenoiser
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    over_seeds,
    train,
)

SLIDE = "004"
CLAIM = "Denoising works on audio too"
NOTEBOOK, SECTION = "03", "Deeper · Sound"
EXPECTED = CONDITION
LENGTH = 256
LEVELS = {"trained": 1.0, "weak": 10**-0.5}  # the noise's standard deviation: 0 dB and 10 dB
CONTROLS = {
    "linear": "the best linear filter",
    "local": "scipy's local Wiener filter",
    "fourier": "the Fourier threshold",
}
Filter = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class white_noise:
    """Add Gaussian noise of standard deviation `sigma`; signals have no range to be clipped to."""

    sigma: float

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        return x + self.sigma * torch.randn(x.shape, generator=generator)


def signals(x: Tensor) -> Split:
    """(N, 256) → a Split of N signals (1, 1, 256) of power 1."""
    x = x / x.square().mean(dim=1, keepdim=True).sqrt()
    return Split(x[:, None, None], torch.zeros(len(x), dtype=torch.long), ("signal",), value_range=None)


def plucked(count: int, seed: int) -> Split:
    """Ideal strings: harmonic h has amplitude sin(πhp)/h² for a pluck at p of the length, and fades as e^(−dt√h)."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=generator)

    pitch = 4 * 5 ** draw(0, 1)  # 4 to 20 periods in the window
    place, decay = draw(0.1, 0.5), draw(1, 6)
    t = (torch.arange(LENGTH) / LENGTH - draw(0, 0.2)).clamp(min=0)  # silent up to the onset
    x = torch.zeros(count, LENGTH)
    for h in range(1, 7):
        amplitude = torch.sin(math.pi * h * place) / h**2
        x += amplitude * torch.exp(-decay * math.sqrt(h) * t) * torch.sin(2 * math.pi * h * pitch * t)
    return signals(x)


def glides(count: int, seed: int) -> Split:
    """Sines whose pitch glides from one value to another in the same range of pitches."""
    generator = torch.Generator().manual_seed(seed)
    start, end, phase = (torch.rand(count, 1, generator=generator) for _ in range(3))
    start, end, t = 4 * 5**start, 4 * 5**end, torch.arange(LENGTH) / LENGTH
    return signals(torch.sin(2 * math.pi * (start * t + (end - start) * t**2 / 2 + phase)))


def gain(clean: Filter, split: Split, sigma: float) -> float:
    """What a filter gains in signal-to-noise ratio, in dB: 10 log₁₀ of noise power over remaining error power."""
    x = split.images
    y = white_noise(sigma)(x, torch.Generator().manual_seed(metrics.CORRUPTION_SEED))
    return 10 * math.log10(float((y - x).square().mean() / (clean(y) - x).square().mean()))


def linear_filter(train_split: Split, sigma: float) -> Filter:
    """The best linear filter; it expects values in [0, 1], so signals go through as 0.5 + x/40."""
    scaled = Split(0.5 + train_split.images / 40, train_split.labels, train_split.classes)
    wiener = LinearDenoiser(sigma / 40).fit(scaled)
    return lambda y: 40 * (wiener.reconstruct(0.5 + y / 40) - 0.5)


def local_filter(size: int, sigma: float) -> Filter:
    """scipy.signal.wiener: a local mean where the local variance is no more than the noise's, the signal elsewhere."""
    from scipy.signal import wiener

    def clean(y: Tensor) -> Tensor:
        with warnings.catch_warnings():  # it divides by the local variance before it looks whether that is 0
            warnings.simplefilter("ignore", RuntimeWarning)
            return torch.from_numpy(np.stack([wiener(one, size, sigma**2) for one in y.flatten(1).numpy()])).view_as(y)

    return clean


def fourier_filter(threshold: float, sigma: float) -> Filter:
    """Keep the Fourier coefficients above `threshold` standard deviations of the noise's, drop the others."""

    def clean(y: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(y)
        kept = spectrum.abs() > threshold * sigma * math.sqrt(LENGTH)
        return torch.fft.irfft(spectrum * kept, LENGTH)

    return clean


def experiment(seed: int) -> Figures:
    """Gain in dB by method, family of signals and noise level."""
    data = ImageData("tones", plucked(20_000, 1), plucked(500, 2), plucked(1000, 3))
    model = DenseAutoencoder(64, (1, 1, LENGTH), hidden=(1024,), output="linear")
    train(model, data, seed, 1200, 2e-3, 128, corrupt=white_noise(LEVELS["trained"]))
    figures = {}
    for level, sigma in LEVELS.items():
        tried: dict[str, list[Filter]] = {
            "ae": [lambda y: metrics.in_batches(model.reconstruct, y)],
            "linear": [linear_filter(data.train, sigma)],
            "local": [local_filter(size, sigma) for size in (3, 5, 9, 15)],
            "fourier": [fourier_filter(threshold, sigma) for threshold in (1.5, 2, 2.5, 3)],
        }
        for name, filters in tried.items():
            best = max(filters, key=lambda one: gain(one, data.val, sigma))
            figures[f"{name}_{level}"] = gain(best, data.test, sigma)
            figures[f"{name}_{level}_foreign"] = gain(best, glides(1000, 4), sigma)
    return figures


def verdict(rows: Rows) -> Verdict:
    """Right where the autoencoder gains more than every control in all four settings, conditional where it does so on
    tones like those trained on, at that noise, but not beyond, wrong where it loses to a control even there."""
    settings = {"trained": "", "weak": "", "trained_foreign": "", "weak_foreign": ""}

    def wins(where: str) -> bool:
        return all(difference(rows, f"ae_{where}", f"{name}_{where}").above() for name in CONTROLS)

    def losses(where: str) -> list[str]:
        return [words for name, words in CONTROLS.items()
                if difference(rows, f"ae_{where}", f"{name}_{where}").below()]  # fmt: skip

    lost = [where for where in settings if losses(where)]
    sentence = (
        f"Plucked-string tones at 0 dB: the autoencoder gains {over_seeds(rows, 'ae_trained')} dB, the best linear "
        f"filter {over_seeds(rows, 'linear_trained')}, scipy's local Wiener filter "
        f"{over_seeds(rows, 'local_trained')}, thresholded Fourier coefficients {over_seeds(rows, 'fourier_trained')}. "
        f"It has learned these tones, not denoising: on gliding sines at the same noise it gains "
        f"{over_seeds(rows, 'ae_trained_foreign')} against the linear filter's "
        f"{over_seeds(rows, 'linear_trained_foreign')} and the Fourier threshold's "
        f"{over_seeds(rows, 'fourier_trained_foreign')}. On tones at 10 dB, weaker noise than it was trained on, "
        f"{over_seeds(rows, 'ae_weak')} against {over_seeds(rows, 'linear_weak')} of the linear filter."
    )
    if all(map(wins, settings)):
        return Verdict(RIGHT, sentence)
    return Verdict(CONDITION if wins("trained") and lost else WRONG if "trained" in lost else UNDECIDED, sentence)
