"""How near reconstructions are to the clean images: squared error, PSNR, SSIM, errors inside a hole.

A model here is anything with `reconstruct`; figures take one split.
"""

import inspect
import math
from typing import Any

import torch
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.batches import evaluating, in_batches
from autoencoder_lab.data.corruptions import Corruption
from autoencoder_lab.metrics.estimate import Estimate, mean_of
from autoencoder_lab.models.own import as_model

CORRUPTION_SEED = 0


def mse(model: Any, split: Any, corrupt: Corruption | None = None) -> Estimate:
    """Squared error per pixel between reconstruction and clean image, averaged over the split.

    corrupt: the model sees corrupt(x), always with the same noise, and is scored against x.
    The error is that of a mean over images.
    """
    return mean_of(_squared_errors(model, split, corrupt, clip=False))


def psnr(model: Any, split: Any, corrupt: Corruption | None = None) -> Estimate:
    """Peak signal-to-noise ratio in dB: −10 log₁₀ of the squared error over all pixels, outputs clipped to [0, 1].

    Pooled, not averaged over images: one perfect image would make an average infinite. Error by the delta method.
    """
    pooled = mean_of(_squared_errors(model, split, corrupt, clip=True))
    if pooled.value == 0:
        return Estimate(math.inf, math.nan)
    return Estimate(-10 * math.log10(pooled.value), 10 / math.log(10) * pooled.error / pooled.value)


def ssim(model: Any, split: Any, corrupt: Corruption | None = None) -> Estimate:
    """Structural similarity (Wang et al., 2004) in [−1, 1], 1 is perfect; averaged over images.

    Outputs are clipped to [0, 1]. scikit-image's, with its 7×7 window; images smaller than that are refused there.
    Compare SSIM within one library only: here the window is flat, variances are divided by 48, and the 3 pixels along
    the border are left out; torchmetrics weighs 11×11 pixels by a Gaussian (σ = 1.5), divides by their number, and
    counts the border, mirrored outwards. Digits in noise of 0.2 get 0.60 here and 0.36 there.
    """
    from skimage.metrics import structural_similarity

    outputs, targets = (images.numpy() for images in _outputs_and_targets(model, split, corrupt))
    scores = [
        structural_similarity(x, x_hat, data_range=1.0, channel_axis=0)
        for x_hat, x in zip(outputs.clip(0, 1), targets, strict=True)
    ]
    return mean_of(torch.tensor(scores))


def _outputs_and_targets(model: Any, split: Any, corrupt: Corruption | None) -> tuple[Tensor, Tensor]:
    model = as_model(model)
    arguments.model(model, "reconstruct")
    targets, images = arguments.split(split).wanted, split.images
    if corrupt is not None:
        arguments.function("corrupt", corrupt, "lab.corrupt.gaussian(0.5)")
    inputs = images if corrupt is None else corrupt(images, torch.Generator().manual_seed(CORRUPTION_SEED))
    return in_batches(model.reconstruct, inputs), targets


def _squared_errors(model: Any, split: Any, corrupt: Corruption | None, clip: bool) -> Tensor:
    """One squared error per pixel for each image, (N,), in double precision."""
    outputs, targets = _outputs_and_targets(model, split, corrupt)
    return ((outputs.clamp(0, 1) if clip else outputs) - targets).double().square().flatten(1).mean(dim=1)


def hole_errors(method: Any, split: Any, corrupt: Any) -> tuple[Estimate, Estimate]:
    """Squared error per pixel inside and outside the holes that `corrupt` makes, pooled over the pixels of the split.

    corrupt: with `mask(x, generator)`, such as box_mask; mask and damaged images are drawn with the same seed. A model
    that fills is told where the hole is, any other has to `reconstruct` the damaged image. Errors of a ratio
    of means over images; nan for a side that has no pixels. Raises TypeError for a corruption that makes no holes.
    """
    if inspect.isclass(corrupt) or not hasattr(corrupt, "mask"):
        given = arguments.shown(corrupt)
        raise TypeError(f"hole_errors needs a corruption with a mask, such as box_mask(10, fill=0.5), got {given}")
    x, method = arguments.split(split).images, as_model(method)
    arguments.model(method, "fill" if getattr(method, "fills", False) else "reconstruct")
    damaged, hole = (draw(x, torch.Generator().manual_seed(CORRUPTION_SEED)) for draw in (corrupt, corrupt.mask))
    with torch.no_grad(), evaluating(method):
        output = method.fill(damaged, hole) if method.fills else in_batches(method.reconstruct, damaged)
    squared = (output - x).double().square()

    def over(side: Tensor) -> Estimate:
        error, pixels = ((term * side).flatten(1).sum(dim=1) for term in (squared, torch.ones_like(squared)))
        value = float(error.sum() / pixels.sum())
        return Estimate(value, mean_of((error - value * pixels) / pixels.mean()).error)

    return over(hole), over(~hole)
