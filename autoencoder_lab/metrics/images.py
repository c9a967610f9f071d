"""What single pictures look like: sharpness, frequencies, checkerboards."""

import torch
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.metrics.estimate import Estimate, mean_of


def sharpness(images: Tensor) -> Estimate:
    """Mean absolute Laplacian per pixel of images (N, C, H, W): blur lowers it. Error over images."""
    images = arguments.images(images)
    if min(images.shape[2:]) < 3:
        raise ValueError(
            f"sharpness compares a pixel with its neighbours: needs 3×3 pixels or more, got {tuple(images.shape)}"
        )
    laplacian = (
        4 * images[..., 1:-1, 1:-1]
        - images[..., :-2, 1:-1]
        - images[..., 2:, 1:-1]
        - images[..., 1:-1, :-2]
        - images[..., 1:-1, 2:]
    )
    return mean_of(laplacian.abs().flatten(1).mean(dim=1))


def power_spectrum(images: Tensor) -> Tensor:
    """Power at each spatial frequency, averaged over images, channels and directions: (min(H, W) // 2 + 1,).

    Entry f holds the mean of |FFT|² / (H·W) over the ring of f cycles per image.
    """
    images = arguments.images(images)
    height, width = images.shape[2:]
    power = torch.fft.fft2(images).abs().square().mean(dim=(0, 1)) / (height * width)
    row, column = torch.fft.fftfreq(height) * height, torch.fft.fftfreq(width) * width
    ring = (row[:, None].square() + column[None, :].square()).sqrt().round().long()
    count = min(height, width) // 2 + 1
    return torch.stack([power[ring == frequency].mean() for frequency in range(count)])


def checkerboard_energy(images: Tensor) -> Estimate:
    """The share of an image's variance at the three frequencies a stride of 2 can imprint. Error over images.

    Those are (H/2, 0), (0, W/2) and (H/2, W/2) cycles: patterns that alternate with every pixel. Needs even H and W.
    Source: Odena, Dumoulin and Olah (2016), "Deconvolution and checkerboard artifacts".
    """
    images = arguments.images(images)
    height, width = images.shape[2:]
    if height % 2 or width % 2:
        raise ValueError(f"checkerboards of period 2 need an even height and width, got {height}×{width}")
    power = torch.fft.fft2(images).abs().square().mean(dim=1)
    alternating = power[:, height // 2, 0] + power[:, 0, width // 2] + power[:, height // 2, width // 2]
    mean_power = power[:, 0, 0].clone()
    power[:, 0, 0] = 0
    varying = power.sum(dim=(1, 2))
    # an image of one grey varies by rounding alone: that is no pattern
    return mean_of(torch.where(varying > 1e-10 * mean_power, alternating / varying, 0.0))
