"""Points in the plane that stand for images: a ring of small heaps, where one sees at a glance what is missing."""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

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
