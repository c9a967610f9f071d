"""Corruptions x → x̃ for denoising and inpainting: `lab.corrupt.gaussian(0.5)`.

A corruption is a small frozen object: call it with images (B, C, H, W) in [0, 1] and get damaged images of the same
shape, still in [0, 1]. Without a generator it draws from torch's global one, so every batch gets fresh noise; with
`generator=` the noise is repeatable, which is how models are evaluated.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autoencoder_lab.arguments import batch, number, whole


class Corruption(Protocol):
    """Anything that damages a batch of images and keeps its shape."""

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor: ...


@dataclass(frozen=True)
class gaussian:
    """Add Gaussian noise of standard deviation `sigma` ≥ 0 (in pixel values), then clip to [0, 1]."""

    sigma: float

    def __post_init__(self) -> None:
        _settle(self, "sigma", number("sigma", self.sigma, "is a standard deviation and must be ≥ 0", _not_negative))

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        return (x + self.sigma * noise).clamp(0, 1)


@dataclass(frozen=True)
class salt_pepper:
    """Set a `fraction` of the positions to 0 or 1, half of them each; all channels of a position alike."""

    fraction: float

    def __post_init__(self) -> None:
        _settle(self, "fraction", number("fraction", self.fraction, "is a share of the pixels in [0, 1]", _share))

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        dice = torch.rand((len(x), 1, *x.shape[2:]), generator=generator, device=x.device)
        pepper = dice < self.fraction / 2
        salt = dice > 1 - self.fraction / 2
        return torch.where(pepper, 0.0, torch.where(salt, 1.0, x)).to(x.dtype)


@dataclass(frozen=True)
class pixel_mask:
    """Set a `fraction` of the positions, drawn at random, to 0."""

    fraction: float

    def __post_init__(self) -> None:
        _settle(self, "fraction", number("fraction", self.fraction, "is a share of the pixels in [0, 1]", _share))

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        kept = torch.rand((len(x), 1, *x.shape[2:]), generator=generator, device=x.device) >= self.fraction
        return x * kept


@dataclass(frozen=True)
class box_mask:
    """Blank a `size` × `size` box at a random place wholly inside each image; `fill` is the value put there."""

    size: int
    fill: float = 0.0

    def __post_init__(self) -> None:
        _settle(self, "size", whole("size", self.size, 1, what="of pixels"))
        _settle(self, "fill", number("fill", self.fill, "is a pixel value in [0, 1]", _share))

    def mask(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """The holes themselves: (B, 1, H, W), True where a pixel is lost."""
        x = batch(x)
        height, width = x.shape[2:]
        if self.size > min(height, width):
            raise ValueError(f"a {self.size}×{self.size} box does not fit into images of {height}×{width}")

        def inside(length: int) -> Tensor:
            start = torch.randint(length - self.size + 1, (len(x), 1), generator=generator, device=x.device)
            position = torch.arange(length, device=x.device)
            return (position >= start) & (position < start + self.size)

        rows, columns = inside(height), inside(width)
        return (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        return x.masked_fill(self.mask(x, generator), self.fill)


@dataclass(frozen=True)
class downsample:
    """Average blocks of `factor` × `factor` pixels and enlarge them again: the detail is gone, the shape stays."""

    factor: int

    def __post_init__(self) -> None:
        _settle(self, "factor", whole("factor", self.factor, 1))

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        small = F.avg_pool2d(x, self.factor, ceil_mode=True, count_include_pad=False)
        return F.interpolate(small, scale_factor=self.factor, mode="nearest")[..., : x.shape[2], : x.shape[3]]


@dataclass(frozen=True)
class grayscale:
    """Replace the colours by their luminance (ITU-R BT.601), repeated over the channels so that the shape stays."""

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        if x.shape[1] != 3:
            raise ValueError(f"grayscale needs colour images (B, 3, H, W), got {tuple(x.shape)}")
        weights = x.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        return (x * weights).sum(dim=1, keepdim=True).expand_as(x)


def _settle(corruption: object, name: str, value: float) -> None:
    """Keep an argument as Python's own number: a checkpoint tells corruptions apart by their repr."""
    object.__setattr__(corruption, name, value)


def _not_negative(value: float) -> bool:
    return 0 <= value < math.inf


def _share(value: float) -> bool:
    return 0 <= value <= 1
