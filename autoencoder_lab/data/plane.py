"""Points in the plane that stand for images: there one sees at a glance what a model does.

A ring of small heaps, for the game; a bent curve, the course's running picture.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import Generator, Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.split import ImageData, Split

RADIUS, SIGMA = 2.0, 0.1  # of the ring, and of each heap


NEAR, ENOUGH = 3 * SIGMA, 0.02  # a mode is covered by a fiftieth of the points within three standard deviations


def ring_centres(modes: int = 8, radius: float = RADIUS) -> Tensor:
    """Where the heaps of a ring lie: (modes, 2), the first on the right, then anticlockwise."""
    angle = 2 * math.pi * torch.arange(modes) / modes
    return radius * torch.stack([angle.cos(), angle.sin()], dim=1)


def ring_points(
    n: int, modes: int = 8, radius: float = RADIUS, sigma: float = SIGMA, generator: Generator | None = None
) -> Tensor:
    """n points (n, 2) from an equal mixture of Gaussians with standard deviation sigma, centred on a circle."""
    which = torch.randint(modes, (n,), generator=generator)
    return ring_centres(modes, radius)[which] + sigma * torch.randn(n, 2, generator=generator)


class Modes(NamedTuple):
    """covered: how many centres have enough points near, int64; near: the share of points near any centre; (…) each."""

    covered: Tensor
    near: Tensor


def modes_covered(points: Tensor, centres: Tensor, radius: float, at_least: float) -> Modes:
    """Which centres (K, d) do points (…, N, d), of one run or several, cover: a share of at_least within radius?

    NaN is near nothing, so a run that diverged covers no mode. Raises ValueError for circles that overlap, in which a
    point would count twice.
    """
    if points.ndim < 2 or centres.ndim != 2 or points.shape[-1] != centres.shape[1] or 0 in points.shape:
        raise ValueError(
            f"needs points (…, N, d) and centres (K, d), got {tuple(points.shape)} and {tuple(centres.shape)}"
        )
    if len(centres) > 1 and torch.pdist(centres.double()).min() < 2 * radius:
        raise ValueError(f"circles of radius {radius:g} overlap: it must be at most half the distance of two centres")
    close = (points.double().unsqueeze(-2) - centres.double()).norm(dim=-1) <= radius
    return Modes((close.double().mean(dim=-2) >= at_least).sum(dim=-1), close.any(dim=-1).double().mean(dim=-1))


# --- a bent curve ----------------------------------------------------------------------------------

FROM, TO = math.radians(-20), math.radians(200)  # of a circle of radius 1: a little more than its upper half


@dataclass(frozen=True, eq=False, repr=False)
class CurveSplit(Split):
    """A Split of points along the bent curve.

    factors: float32 (N, 1), the position along the curve that each point was drawn at, from 0 (right) to 1 (left).
    """

    factors: Tensor = field(kw_only=True)
    factor_names: ClassVar[tuple[str, ...]] = ("position",)


def on_bent_curve(position: Tensor) -> Tensor:
    """The points (N, 2) of the curve itself at positions (N,) or (N, 1) in [0, 1]; equal steps are equally long."""
    angle = FROM + (TO - FROM) * position.flatten()
    return torch.stack([angle.cos(), angle.sin()], dim=1)


def bent_curve(n: int = 600, noise: float = 0.04) -> ImageData:
    """Points along a bent curve in the plane, as images (1, 1, 2) of real values: n to train on, 100 and 200 to judge.

    One number says nearly all of such a point, the position along the curve, which is kept as the splits' one factor;
    but no straight line passes near all of them. The curve is an arc of 220° and of radius 1. Points lie beside it by
    Gaussian noise of standard deviation `noise` ≥ 0 in both directions. Always the same points for the same arguments.
    """
    n = arguments.whole("n", n, 1, what="of points")
    noise = arguments.number("noise", noise, "is a standard deviation and must be ≥ 0", lambda sd: 0 <= sd < math.inf)
    train, val, test = (_along_the_curve(count, noise, seed) for seed, count in enumerate((n, 100, 200), start=1))
    return ImageData("bent curve", train, val, test, licence="MIT", source="drawn by the course")


def _along_the_curve(count: int, noise: float, seed: int) -> CurveSplit:
    generator = Generator().manual_seed(seed)
    position = torch.rand(count, generator=generator)
    points = on_bent_curve(position) + noise * torch.randn(count, 2, generator=generator)
    images, labels = points.view(count, 1, 1, 2), torch.zeros(count, dtype=torch.int64)
    return CurveSplit(images, labels, ("curve",), value_range=None, factors=position[:, None])
