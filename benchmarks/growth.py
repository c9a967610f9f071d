"""How training time grows with images, pixels, code size and batch: fitted exponents, and the steepest step.

    python -m benchmarks growth [--short]

time ∝ size^exponent, fitted over all sizes on a double logarithmic scale. The steepest step is the largest exponent
between two neighbouring sizes: a cliff, where something falls out of a cache or changes its way, would show there.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F

import autoencoder_lab as lab
from benchmarks.rivals import timed
from benchmarks.table import Row


def digits(count: int, side: int = 28) -> lab.ImageData:
    """Real digits, scaled, and repeated as often as it takes.

    Not noise: nothing can be learned from it but to turn units off, and the numbers next to zero that this leaves
    (10⁻⁴⁰, "denormal") take Intel's processors ninety times as long to multiply.
    """
    data = lab.load("mnist-5k").map(lambda x: F.interpolate(x, size=side, mode="area"))
    index = torch.arange(count) % len(data.train)
    train = replace(data.train, images=data.train.images[index], labels=data.train.labels[index])
    return replace(data, train=train, val=data.val[:10])


def step_seconds(data: lab.ImageData, latent: int = 32, batch: int = 64, steps: int = 30) -> float:
    """Seconds of one step of `fit`, set-up apart."""
    model = lab.ConvAutoencoder(latent, data.shape)
    history = lab.fit(model, data, steps=steps, batch_size=batch, progress=False)
    return history.seconds[-1] / steps


def epoch_seconds(count: int) -> float:
    """Seconds of `fit` for one epoch, set-up included, of a model small enough to be done with 60,000 images."""
    data, model = digits(count), lab.DenseAutoencoder(8, hidden=(32,))
    return timed(lambda: lab.fit(model, data, epochs=1, batch_size=100, progress=False))


def exponents(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """(fitted over all sizes, largest between neighbours)."""
    x, y = [math.log(s) for s in sizes], [math.log(s) for s in seconds]
    slopes = [(d - b) / (c - a) for (a, b), (c, d) in itertools.pairwise(zip(x, y, strict=True))]
    return statistics.linear_regression(x, y).slope, max(slopes)


def measure(short: bool = False) -> list[Row]:
    """One fitted exponent and one steepest step for each of the four sizes."""
    few = digits(1024)
    sizes: dict[str, tuple[Sequence[int], Callable[[int], float], str]] = {
        "images, an epoch": ((1000, 4000, 15_000, 60_000), epoch_seconds, ""),
        "pixels, a step": ((8, 16, 32, 64), lambda side: step_seconds(digits(256, side)), "side "),
        "code size, a step": ((2, 8, 32, 128, 512), lambda latent: step_seconds(few, latent=latent), ""),
        "batch, a step": ((16, 64, 256, 1024), lambda batch: step_seconds(few, batch=batch, steps=12), ""),
    }
    rows = []
    for name, (values, run, word) in sizes.items():
        run(values[0])  # warm
        took = [statistics.median(run(value) for _ in range(3 if short else 7)) for value in values]
        counted = [value**2 for value in values] if word else list(values)
        fitted, steepest = exponents(counted, took)
        text = ", ".join(f"{word}{value:,}: {second * 1e3:,.3g} ms" for value, second in zip(values, took, strict=True))
        rows.append(Row(f"time grows with {name}: exponent", fitted, "", 1.1, False, text, True))
        rows.append(Row(f"time grows with {name}: steepest step", steepest, "", 1.5, False, difference=True))
    return rows
