"""Controls: what needs no training by gradients, and what every denoiser and inpainter has to beat.

Denoisers reconstruct, so `lab.compare`, `lab.metrics` and `lab.plot.reconstructions` take them like a model; PCA
is `lab.PCA` itself. Inpainters fill and are told where the hole is; outside it the image is returned untouched.
"""

import inspect
import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.models.base import Model
from autoencoder_lab.models.linear import PCA


class Control(Model):
    """A model for images of any shape that no gradient trains, without a code.

    mean: the mean training image (C, H, W), None where none is needed or `fit` has not been called.
    """

    solved = True

    def __init__(self, label: str, fit_seconds: float | None = 0.0) -> None:
        super().__init__(image_shape=None)
        self.label, self.fit_seconds = label, fit_seconds
        self.mean: Tensor | None = None

    def learned_numbers(self) -> int:
        """Those of the mean image, where there is one."""
        return 0 if self.mean is None else self.mean.numel()

    def _fitted_mean(self, x: Tensor) -> Tensor:
        """The mean training image (C, H, W), after a look at whether x fits it."""
        if self.mean is None:
            raise RuntimeError(f"{self.label} is not fitted yet: call .fit(data.train) first")
        if _as_batch(x).shape[1:] != self.mean.shape:
            shapes = f"(B, {', '.join(map(str, self.mean.shape))}), got {tuple(x.shape)}"
            raise ValueError(f"{self.label} was fitted to images {shapes}; fit it to images of that shape")
        return self.mean


# --- denoisers -------------------------------------------------------------------------------------


class Median(Control):
    """Each pixel becomes the median of the `size` × `size` pixels round it; size is odd. Edges are mirrored."""

    reconstructs = True

    def __init__(self, size: int = 3) -> None:
        size = arguments.whole("size", size, what="of pixels")
        if size < 1 or size % 2 == 0:
            raise ValueError(f"size must be odd and at least 1, so that a pixel stands in the middle, got {size}")
        super().__init__(f"median {size}×{size}")
        self.size = size

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        from scipy.ndimage import median_filter

        return torch.from_numpy(median_filter(_as_batch(x).numpy(), size=(1, 1, self.size, self.size)))


class Gaussian(Control):
    """Each pixel becomes a weighted mean of its surroundings, exp(−r²/2σ²); `sigma` ≥ 0 in pixels. Edges mirrored."""

    reconstructs = True

    def __init__(self, sigma: float = 1.0) -> None:
        said = "is the width of the blur in pixels and must be ≥ 0"
        sigma = arguments.number("sigma", sigma, said, lambda value: 0 <= value < math.inf)
        super().__init__(f"Gaussian {sigma:g} px")
        self.sigma = sigma

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        from scipy.ndimage import gaussian_filter

        return torch.from_numpy(gaussian_filter(_as_batch(x).numpy(), sigma=(0, 0, self.sigma, self.sigma)))


class NonLocalMeans(Control):
    """Each pixel becomes a mean of those whose 5×5 surroundings look alike (Buades, Coll and Morel, 2005).

    noise: the standard deviation to remove, in pixel values, > 0; scikit-image's, with its advice h = 0.8 · noise.
    """

    reconstructs = True

    def __init__(self, noise: float) -> None:
        noise = _check_noise(noise)
        super().__init__(f"non-local means {noise:g}")
        self.noise = noise

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        from skimage.restoration import denoise_nl_means

        settings = {"h": 0.8 * self.noise, "sigma": self.noise, "patch_size": 5, "patch_distance": 6}
        # channels last, then the shape anew: of a single channel scikit-image 0.26 drops the axis, and transposes
        last = _as_batch(x).permute(0, 2, 3, 1)
        cleaned = [denoise_nl_means(image, channel_axis=-1, **settings) for image in last.numpy()]
        return torch.from_numpy(np.stack(cleaned)).view(last.shape).permute(0, 3, 1, 2).to(x.dtype).clamp(0, 1)


class LinearDenoiser(Control):
    """The best linear map from damaged to clean images, x̂ = x̄ + K (x̃ − ȳ), a Wiener filter; clipped to [0, 1].

    noise: a standard deviation σ > 0: ȳ = x̄ and K = C (C + σ² I)⁻¹, C the covariance of the training images (Wiener,
    1949). That is exact for noise which is added and *not* clipped. Given a corruption, such as
    lab.corrupt.gaussian(0.5), ȳ and K = Cov(x, x̃) Cov(x̃)⁻¹ are measured on damaged training images instead.
    """

    reconstructs = True

    pairs = 15_000  # as many damaged images at least, however few clean ones there are

    def __init__(self, noise: float | Corruption) -> None:
        if not callable(noise):
            noise = _check_noise(noise)
        elif inspect.isclass(noise):
            raise TypeError(
                f"noise is a number or a corruption, such as lab.corrupt.gaussian(0.5), got {noise.__name__} itself"
            )
        super().__init__(f"linear {noise}", fit_seconds=None)
        self.noise = noise

    def fit(self, split: Any) -> "LinearDenoiser":
        """Fit to the images of one split (`data.train`); returns self."""
        started = time.perf_counter()
        x = arguments.split(split, "data.train").images.flatten(1).double()
        if isinstance(self.noise, int | float):
            seen_mean, covariance = x.mean(dim=0), torch.cov(x.T)
            seen = covariance + self.noise**2 * torch.eye(len(covariance), dtype=x.dtype)
        else:
            generator, copies = torch.Generator().manual_seed(0), -(-self.pairs // len(x))
            y = torch.cat([self.noise(split.images, generator) for _ in range(copies)]).flatten(1).double()
            seen_mean = y.mean(dim=0)
            centred = y - seen_mean
            covariance = (x - x.mean(dim=0)).repeat(copies, 1).T @ centred / len(y)
            seen = centred.T @ centred / len(y)
            seen += 1e-6 * torch.eye(len(seen), dtype=x.dtype)  # for pixels that never vary
        # K C_ỹ = C_xỹ, transposed for the solver
        self.matrix = torch.linalg.solve(seen, covariance.T).T.to(split.images.dtype)
        self.mean = split.images.mean(dim=0)
        self.seen_mean = seen_mean.to(split.images.dtype)
        self.fit_seconds = time.perf_counter() - started
        return self

    def learned_numbers(self) -> int:
        """Those of the mean image and of the matrix K."""
        return 0 if self.mean is None else self.mean.numel() + self.matrix.numel()

    def reconstruct(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        clean: Tensor = self._fitted_mean(x) + ((x.flatten(1) - self.seen_mean) @ self.matrix.T).view_as(x)
        return clean.clamp(0, 1)


# --- inpainters ------------------------------------------------------------------------------------


class MeanFill(Control):
    """The hole shows the mean training image: what knowing nothing about this image costs."""

    fills = True

    def __init__(self) -> None:
        super().__init__("mean fill", fit_seconds=None)

    def fit(self, split: Any) -> "MeanFill":
        """Fit to the images of one split (`data.train`); returns self."""
        self.mean, self.fit_seconds = arguments.split(split, "data.train").images.mean(dim=0), 0.0
        return self

    def fill(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, C, H, W), damaged; mask: (B, 1, H, W), True where lost."""
        return torch.where(_as_hole(mask, x), self._fitted_mean(x), x)


class PCAFill(Control):
    """The code is fitted to the known pixels by least squares, and its reconstruction fills the hole.

    min over u of |x_K − x̄_K − W_K u|² + s²|u|², where W = V Λ^½ are `k` components in units of their standard
    deviations and s² is the variance of one direction left out: the mean of the hole given the known pixels K, under
    probabilistic PCA (Tipping and Bishop, 1999). The ridge s² keeps it well posed where few pixels are known.
    """

    fills = True

    def __init__(self, k: int) -> None:
        super().__init__(f"PCA fill {k}", fit_seconds=None)
        self.k, self.pca = k, PCA(k)

    def fit(self, split: Any) -> "PCAFill":
        """Fit to the images of one split (`data.train`); returns self. Errors: those of `PCA.fit`."""
        started = time.perf_counter()
        pca = self.pca.fit(split)
        variance = split.images.flatten(1).double().var(dim=0).sum() - pca.variances.double().sum()
        self.ridge = max(1e-9, float(variance) / max(1, len(pca.mean) - self.k))
        self.scaled = pca.components.double() * pca.variances.double().sqrt()  # W
        self.mean = pca.mean.view(split.images.shape[1:])
        self.fit_seconds = time.perf_counter() - started
        return self

    def fill(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, C, H, W), damaged; mask: (B, 1, H, W), True where lost."""
        mean, hole = self._fitted_mean(x), _as_hole(mask, x).expand_as(x)
        prior = self.ridge * torch.eye(self.k, dtype=torch.double)
        filled = []
        for residual, known in zip((x - mean).flatten(1).double(), ~hole.flatten(1), strict=True):
            weights = self.scaled[known]
            u = torch.linalg.solve(weights.T @ weights + prior, weights.T @ residual[known])
            filled.append(self.scaled @ u)
        return torch.where(hole, (mean + torch.stack(filled).view_as(x).to(x.dtype)).clamp(0, 1), x)


class Biharmonic(Control):
    """The smoothest surface that meets the edge of the hole, Δ²x = 0; scikit-image's. It has seen no other image."""

    fills = True

    def __init__(self) -> None:
        super().__init__("biharmonic")

    def fill(self, x: Tensor, mask: Tensor) -> Tensor:
        """x: (B, C, H, W), damaged; mask: (B, 1, H, W), True where lost. ValueError if an image is lost wholly."""
        from skimage.restoration import inpaint_biharmonic

        hole = _as_hole(mask, x)
        if hole.flatten(1).all(dim=1).any():
            raise ValueError("biharmonic inpainting continues the known pixels into the hole, but an image has none")
        filled = [
            inpaint_biharmonic(image, lost, channel_axis=0) if lost.any() else image
            for image, lost in zip(x.numpy(), hole[:, 0].numpy(), strict=True)
        ]
        return torch.where(hole, torch.from_numpy(np.stack(filled)).to(x.dtype).clamp(0, 1), x)


# --- checks ----------------------------------------------------------------------------------------


def _check_noise(noise: float) -> float:
    said = "is a standard deviation in pixel values and must be > 0"
    checked: float = arguments.number("noise", noise, said, lambda value: value > 0)
    return checked


def _as_batch(x: Tensor) -> Tensor:
    x = arguments.batch(x, "images")
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x  # for NumPy knows no bfloat16


def _as_hole(mask: Tensor, x: Tensor) -> Tensor:
    expected = (len(x), 1, *_as_batch(x).shape[2:])
    if not isinstance(mask, Tensor):
        raise TypeError(f"mask must be a tensor, bool {expected}, True where lost, got {arguments.shown(mask)}")
    if mask.dtype != torch.bool or mask.shape != expected:
        raise ValueError(f"mask must be bool {expected}, True where lost, got {mask.dtype} {tuple(mask.shape)}")
    return mask
