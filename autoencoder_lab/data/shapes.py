"""Colour pictures of one shape each, drawn from six known factors: the only set here whose true causes are known.

Rectangle and ellipse are twice as long as wide, the triangle is equilateral; all three have the area scale². Rotation
stays within ±45°, so no shape looks the same at two angles. All lie wholly inside the picture.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from autoencoder_lab.data.split import Split

Floats = NDArray[Any]

SHAPES = ("rectangle", "ellipse", "triangle")
FACTORS = ("shape", "scale", "rotation", "x", "y", "hue")
# shape: index into SHAPES; scale: pixels, √area; rotation: degrees, counter-clockwise as seen;
# x, y: the centroid in pixels from the left and the top edge; hue: turns of the colour circle, 0 is red
LOWEST = np.array([0, 5, -45, 10, 10, 0], dtype=np.float32)
HIGHEST = np.array([2, 10, 45, 22, 22, 1], dtype=np.float32)
SIZE = 32
SATURATION = 0.8


@dataclass(frozen=True, eq=False, repr=False)
class FactorSplit(Split):
    """A Split whose images were drawn from known causes.

    factors: float32 (N, 6), the columns named in `factor_names` and explained above;
    masks: float32 (N, 1, H, W) in [0, 1], the part of each pixel that the shape covers.
    """

    factors: Tensor = field(kw_only=True)
    masks: Tensor = field(kw_only=True)
    factor_names: ClassVar[tuple[str, ...]] = FACTORS


def sample(count: int, seed: int) -> Floats:
    """(count, 6) float32 factors, independent and uniform; the shapes take turns, so they are equally frequent."""
    random = np.random.RandomState(seed)  # its stream is frozen for good (NEP 19)
    factors = random.uniform(LOWEST, HIGHEST, size=(count, 6)).astype(np.float32)
    factors[:, 0] = np.arange(count) % len(SHAPES)
    return factors


def draw(factors: Floats, chunk: int = 100) -> tuple[Floats, Floats]:
    """Draw (N, 6) factors: images float32 (N, 3, 32, 32) on black and masks (N, 1, 32, 32), both in [0, 1].

    A mask holds how much of each pixel the shape covers, so edges are smooth and a small change of any factor changes
    the image a little. Raises ValueError for factors of another shape or outside LOWEST … HIGHEST.
    """
    factors = np.asarray(factors, dtype=np.float32)
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(f"factors must be (N, 6) in the order {', '.join(FACTORS)}, got shape {factors.shape}")
    outside = ~((factors >= LOWEST) & (factors <= HIGHEST)) | ((np.arange(6) == 0) & (factors % 1 != 0))
    if outside.any():
        row, column = np.argwhere(outside)[0]
        number = "a whole number" if column == 0 else "a number"
        raise ValueError(
            f"{FACTORS[column]} must be {number} from {LOWEST[column]:g} to {HIGHEST[column]:g}, "
            f"got {factors[row, column]:g} in row {row}"
        )
    masks = np.empty((len(factors), 1, SIZE, SIZE), dtype=np.float32)
    for kind, distance in enumerate((_rectangle, _ellipse, _triangle)):
        rows = np.flatnonzero(factors[:, 0] == kind)
        for part in np.split(rows, range(chunk, len(rows), chunk)):  # in chunks that stay in the processor's cache
            masks[part, 0] = _coverage(factors[part], distance)
    return masks * _colour(factors[:, 5])[:, :, None, None], masks


def _coverage(factors: Floats, distance: Callable[[Floats, Floats, Floats], Floats]) -> Floats:
    """(N, 32, 32): the part of each pixel inside, the mean of four points a pixel.

    Each point counts 1 inside, 0 outside, with a ramp half a pixel wide across the edge: clip(½ − 2 · distance).
    """
    scale, rotation, x, y = (factors[:, i, None, None] for i in (1, 2, 3, 4))
    points = (np.arange(2 * SIZE, dtype=np.float32) + 0.5) / 2
    dx, dy = points[None, None, :] - x, points[None, :, None] - y  # y points down
    cos, sin = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    u, v = cos * dx - sin * dy, sin * dx + cos * dy  # the point seen from the shape's own axes
    inside: Floats = np.clip(0.5 - 2 * distance(u, v, scale), 0, 1)
    rows = inside[:, ::2] + inside[:, 1::2]
    coverage: Floats = (rows[:, :, ::2] + rows[:, :, 1::2]) / 4
    return coverage


# Signed distance to the edge in pixels, negative inside. u, v: the point along and across; s: scale = √area.


def _rectangle(u: Floats, v: Floats, s: Floats) -> Floats:
    half = s / math.sqrt(2)  # 2·half long and half wide: area s²
    return np.maximum(np.abs(u) - half, np.abs(v) - half / 2)


def _ellipse(u: Floats, v: Floats, s: Floats) -> Floats:
    a = s * math.sqrt(2 / math.pi)  # semi-axes a and a/2: area π · a · a/2 = s²
    p, q = (u / a) ** 2, (2 * v / a) ** 2
    radius = np.sqrt(p + q)  # 1 on the edge
    slope = np.sqrt(p + 4 * q) / a / np.maximum(radius, 1e-6)  # |∇ radius|, never below 1/a
    return (radius - 1) / np.maximum(slope, 1 / a)  # to first order, so exact on the edge, which is all that shows


def _triangle(u: Floats, v: Floats, s: Floats) -> Floats:
    inradius = s / 3**0.75  # equilateral, its apex up: area 3√3 · inradius² = s²
    return np.maximum(v, math.sqrt(3) / 2 * np.abs(u) - v / 2) - inradius


def _colour(hue: Floats) -> Floats:
    """(N,) hues in turns → (N, 3) red, green and blue: HSV with saturation 0.8 and value 1."""
    sector = (np.array([5, 3, 1], dtype=np.float32) + 6 * hue[:, None]) % 6
    colour: Floats = 1 - SATURATION * np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return colour.astype(np.float32)
