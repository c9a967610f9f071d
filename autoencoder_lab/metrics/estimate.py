"""A figure and its standard error, and the mean over images that most figures are."""

import math
from typing import NamedTuple

from torch import Tensor


class Estimate(NamedTuple):
    """A figure and its standard error; prints as `0.004460 ± 0.000060`."""

    value: float
    error: float

    def __str__(self) -> str:
        if not (math.isfinite(self.error) and self.error > 0):
            return f"{self.value:.4g}"
        decimals = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{decimals}f} ± {self.error:.{decimals}f}"


def mean_of(values: Tensor) -> Estimate:
    """The mean over images and its standard error, s/√N; nan for a single image."""
    values = values.double()
    error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error)


def shapes_of(a: Tensor, b: Tensor) -> str:
    return f"{tuple(a.shape)} and {tuple(b.shape)}"
