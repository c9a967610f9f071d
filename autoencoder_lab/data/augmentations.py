"""Augmentations: the same small change for input and target, so that few images count for many.

`lab.fit(model, data, augment=lab.augment.affine())`. Unlike a corruption, an augmentation is not to be undone: the
changed image is itself the target. Models that are compared share one.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autoencoder_lab.arguments import batch, number, whole


@dataclass(frozen=True)
class affine:
    """Rotate, scale, shear and shift each image a little, at random; empty corners are filled with `padding`.

    rotation: largest turn in degrees; scale: largest relative change of size; shear: largest slant (tangent);
    shift: largest move as a share of the image's side; padding: "zeros", "border" or "reflection".
    The defaults helped on 3,500 digits; see notebook 02, section 4.
    """

    rotation: float = 10.0
    scale: float = 0.12
    shear: float = 0.2
    shift: float = 0.05
    padding: str = "zeros"

    def __post_init__(self) -> None:
        for name in ("rotation", "scale", "shear", "shift"):
            object.__setattr__(self, name, number(name, getattr(self, name), "is a number"))
        if not 0 <= self.scale < 1:
            raise ValueError(f"scale is a relative change of size, at least 0 and below 1, got {self.scale}")
        if min(self.rotation, self.shear, self.shift) < 0:
            raise ValueError(
                f"limits must be ≥ 0, got rotation={self.rotation}, shear={self.shear}, shift={self.shift}"
            )
        if self.padding not in ("zeros", "border", "reflection"):
            raise ValueError(f'padding must be "zeros", "border" or "reflection", got {self.padding!r}')

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)

        def uniform(limit: float) -> Tensor:
            draw = torch.rand(len(x), generator=generator, device=x.device, dtype=x.dtype)
            return (2 * draw - 1) * limit

        angle, zoom, slant = uniform(math.radians(self.rotation)), 1 + uniform(self.scale), uniform(self.shear)
        cos, sin = torch.cos(angle), torch.sin(angle)
        # rotation · shear, divided by the zoom: grid_sample asks where each output pixel comes from
        linear = (
            torch.stack([cos, cos * slant - sin, sin, sin * slant + cos], dim=1).view(-1, 2, 2) / zoom[:, None, None]
        )
        # the grid counts both sides as 2, so a turn in an image that is not square needs its aspect ratio
        height, width = x.shape[2:]
        linear = linear * x.new_tensor([[1, height / width], [width / height, 1]])
        shift = torch.stack([uniform(2 * self.shift), uniform(2 * self.shift)], dim=1)[:, :, None]  # grid is [−1, 1]
        grid = F.affine_grid(torch.cat([linear, shift], dim=2), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode=self.padding, align_corners=False).clamp(0, 1)


@dataclass(frozen=True)
class horizontal_flip:
    """Mirror each image left to right with probability one half. Right for photos, wrong for digits."""

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        flipped = torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device) < 0.5
        return torch.where(flipped, x.flip(-1), x)


@dataclass(frozen=True)
class nudge:
    """Move every second image or so by up to `pixels` whole pixels each way; what comes in at the border is 0.

    Nothing is interpolated, so black and white stay what they are. For models of binarised images that matters: the
    grey edges that `affine` leaves raise the entropy of the digits, and with it what every model must pay.
    """

    pixels: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", whole("pixels", self.pixels, 0))

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        height, width = x.shape[2:]
        moved = torch.rand(len(x), 1, generator=generator, device=x.device) < 0.5
        by = torch.randint(-self.pixels, self.pixels + 1, (len(x), 2), generator=generator, device=x.device) * moved
        padded = F.pad(x, (self.pixels,) * 4)
        # pixel (i, j) of the result is (i − down, j − right) of the image
        rows = torch.arange(height, device=x.device) + self.pixels - by[:, :1]
        columns = torch.arange(width, device=x.device) + self.pixels - by[:, 1:]
        image = torch.arange(len(x), device=x.device)[:, None, None]
        return padded[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()


@dataclass(frozen=True)
class crop:
    """A random square part of each image, enlarged to the whole: another view of the same thing.

    smallest, largest: the part's side as a share of the image's. Several images stacked as channels get the same crop.
    """

    smallest: float = 0.6
    largest: float = 0.95

    def __post_init__(self) -> None:
        for name in ("smallest", "largest"):
            object.__setattr__(self, name, number(name, getattr(self, name), "is a number"))
        if not 0 < self.smallest <= self.largest <= 1:
            raise ValueError(
                f"needs 0 < smallest ≤ largest ≤ 1, shares of the image's side, got {self.smallest}, {self.largest}"
            )

    def __call__(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        x = batch(x)
        draw = torch.rand(len(x), 3, generator=generator, device=x.device, dtype=x.dtype)
        side = self.smallest + (self.largest - self.smallest) * draw[:, 0]
        # the grid is [−1, 1]: a part of side s may be centred anywhere within ±(1 − s)
        centre = (2 * draw[:, 1:] - 1) * (1 - side[:, None])
        theta = torch.cat([torch.diag_embed(side[:, None].expand(-1, 2)), centre[:, :, None]], dim=2)
        return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)
