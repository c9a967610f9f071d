"""Pictures that exist nowhere: strokes of a pen, drawn anew from a seed for each grading.

Real test images lie on every student's disk, in the package that brings them. A submission may keep them, find out
which of them a probe was made from, and answer with what it kept. Of pictures that are drawn while marking there is
nothing to keep: a model can only have learnt from those it was trained on. For judges only.
"""

import numpy as np
import torch
from torch import Tensor

STROKES, POINTS = 2, 4  # a drawing is two cubic Bézier curves, of four control points each


def alphabet(generator: np.random.Generator, letters: int) -> Tensor:
    """Control points of that many letters, (letters, 2, 4, 2), rows and columns in [0.1, 0.9] of the side."""
    return torch.from_numpy(generator.uniform(0.1, 0.9, (letters, STROKES, POINTS, 2)).astype("f4"))


def handwritten(letters: Tensor, generator: np.random.Generator, unsteady: float = 0.04, side: int = 28) -> Tensor:
    """Draw letters (N, 2, 4, 2) with an unsteady hand: grey images (N, 1, side, side) in [0, 1], white on black.

    unsteady: standard deviation by which each control point misses its place, as a share of the side. The pen's radius
    is between 1 and 1.5 of 28 pixels.
    """
    shape = letters.shape
    missed = torch.from_numpy(generator.normal(0, unsteady, shape).astype("f4"))
    radius = torch.from_numpy(generator.uniform(1.0, 1.5, len(letters)).astype("f4")) * side / 28
    t = torch.linspace(0, 1, 40)
    # B(t) = (1 − t)³ p₀ + 3 (1 − t)² t p₁ + 3 (1 − t) t² p₂ + t³ p₃
    weights = torch.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3], dim=1)
    path = (weights @ (letters + missed) * side).flatten(1, 2)
    centres = torch.arange(side) + 0.5
    pixels = torch.cartesian_prod(centres, centres)
    distance = torch.cat([torch.cdist(some, pixels.expand(len(some), -1, -1)).amin(dim=1) for some in path.split(200)])
    # full within the pen's radius, and one pixel of edge
    return (radius[:, None] + 0.5 - distance).clamp(0, 1).view(-1, 1, side, side)


def scribbles(generator: np.random.Generator, count: int, side: int = 28) -> Tensor:
    """`count` images (count, 1, side, side), no two of which show the same thing."""
    return handwritten(alphabet(generator, count), generator, 0.0, side)
