"""The questions of lab 1, the linear autoencoder."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from autoencoder_lab import arguments
from autoencoder_lab.checks.compare import CheckFailed, unfinished
from autoencoder_lab.checks.question import Inputs, Question, Wrong, numbers_read

IMPORTS = """import torch
from torch import nn

import autoencoder_lab as lab
"""
"""The cell of imports, which `autoencoder-lab check` puts back where a notebook lost it."""
PARTS = {
    "best_error": (4, "best_error.check(best_error)"),
    "best_code": (4, "best_code.check(best_code)"),
    "whitened_codes": (4, "whitened_codes.check(whitened_codes)"),
    "nested": (4, "nested(model, data.val.images)"),
    "reading": (3, "reading(mine.train.images, smallest_k, share_of_two)"),
    "words": (4, ""),
}
"""The points of each part, and the check under it: what `autoencoder-lab check` asks where a notebook lost it."""

# --- the best error, without a single reconstruction -----------------------------------------------------------------


def _scatter_values(images: Tensor) -> Tensor:
    """The squared singular values of the centred images, largest first."""
    flat = images.flatten(1).double()
    values: Tensor = torch.linalg.svdvals(flat - flat.mean(dim=0))
    return values.square()


def _best_error(images: Tensor, k: int) -> Tensor:
    return _scatter_values(images)[k:].sum() / images.numel()  # Eckart and Young (1936)


def _not_centred(images: Tensor, k: int) -> Tensor:
    values: Tensor = torch.linalg.svdvals(images.flatten(1).double())
    return values.square()[k:].sum() / images.numel()


def _some_images(generator: Generator) -> Sequence[Inputs]:
    """Small pictures with a few strong directions, some more images than pixels, some fewer."""
    calls = []
    for count, side, k in ((40, 4, 3), (12, 5, 1)):
        mixing = torch.randn(6, side * side, generator=generator) * torch.linspace(0.3, 0.02, 6)[:, None]
        noise = 0.02 * torch.randn(count, side * side, generator=generator)
        flat = 0.5 + torch.randn(count, 6, generator=generator) @ mixing + noise
        calls.append((flat.clamp(0, 1).view(count, 1, side, side), k))
    return calls


best_error = Question(
    "best_error",
    _best_error,
    {
        "not centred": Wrong(
            "the mean image is not subtracted before the singular values are taken; a linear autoencoder has a bias, "
            "so the mean costs it nothing",
            _not_centred,
            0.5,
        ),
        "kept for lost": Wrong(
            "that is the variance that the first k directions keep; the error is what all the others hold",
            lambda images, k: _scatter_values(images)[:k].sum() / images.numel(),
            0.5,
        ),
        "not squared": Wrong(
            "you add singular values; the squared error is the sum of their squares",
            lambda images, k: _scatter_values(images).sqrt()[k:].sum() / images.numel(),
            0.25,
        ),
        "per image": Wrong(
            "that is the error of an image; divide by the pixels too, for the error per pixel",
            lambda images, k: _scatter_values(images)[k:].sum() / len(images),
            0.75,
        ),
        "sum": Wrong(
            "that is the error summed over all images and pixels; divide by both counts",
            lambda images, k: _scatter_values(images)[k:].sum(),
            0.75,
        ),
        "n - 1": Wrong(
            "you divide by n − 1 images, as an unbiased variance does; the mean squared error divides by n",
            lambda images, k: _scatter_values(images)[k:].sum() / images.numel() * len(images) / (len(images) - 1),
            0.75,
        ),
        "off by one": Wrong(
            "one direction too many is kept: the first k are singular values 0 … k − 1, so the lost ones start at k",
            lambda images, k: _scatter_values(images)[k + 1 :].sum() / images.numel(),
            0.5,
        ),
        "one too few": Wrong(
            "one direction too few is kept: the first k are singular values 0 … k − 1, so the lost ones start at k",
            lambda images, k: _scatter_values(images)[k - 1 :].sum() / images.numel(),
            0.5,
        ),
        "root": Wrong(
            "that is the root of the mean squared error",
            lambda images, k: _best_error(images, k).sqrt(),
            0.75,
        ),
        "share": Wrong(
            "that is the share of the variance that is lost; asked for is the error itself, per pixel",
            lambda images, k: _scatter_values(images)[k:].sum() / _scatter_values(images).sum(),
            0.5,
        ),
    },
    _some_images,
)

# --- the best code for a decoder one is given -----------------------------------------------------------------------


def _best_code(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    codes: Tensor = torch.linalg.lstsq(weight.double(), (images.flatten(1) - bias).double().T).solution
    return codes.T


def _decoders(generator: Generator) -> Sequence[Inputs]:
    """Decoder matrices whose columns are neither short nor at right angles."""
    calls = []
    for count, side, k in ((7, 4, 3), (5, 3, 2)):
        weight = torch.randn(side * side, k, generator=generator) @ (torch.eye(k) + 0.6)
        images, bias = (
            torch.rand(count, 1, side, side, generator=generator),
            torch.rand(side * side, generator=generator),
        )
        calls.append((images, weight, bias))
    return calls


best_code = Question(
    "best_code",
    _best_code,
    {
        "transposed": Wrong(
            "you multiply by the decoder's transpose, which is its inverse only where the columns are orthonormal; "
            "here they are not",
            lambda images, weight, bias: (images.flatten(1) - bias) @ weight,
            0.25,
        ),
        "bias forgotten": Wrong(
            "the decoder adds its bias; subtract it from the image before solving for the code",
            lambda images, weight, bias: _best_code(images, weight, torch.zeros_like(bias)),
            0.5,
        ),
        "bias added": Wrong(
            "the bias has the wrong sign: Wz + b ≈ x means Wz ≈ x − b",
            lambda images, weight, bias: _best_code(images, weight, -bias),
            0.5,
        ),
        "transposed, bias forgotten": Wrong(
            "two things: the decoder's bias has to be subtracted first, and the transpose is no inverse unless the "
            "columns are orthonormal",
            lambda images, weight, bias: images.flatten(1) @ weight,
        ),
        "columns scaled": Wrong(
            "you divide by the columns' squared lengths alone; the columns also lean on each other, so solve with the "
            "whole matrix WᵀW",
            lambda images, weight, bias: ((images.flatten(1) - bias) @ weight) / weight.square().sum(dim=0),
            0.5,
        ),
        "centred by the batch": Wrong(
            "you subtract the mean of the batch; the decoder adds its own bias, so subtract that",
            lambda images, weight, bias: _best_code(images, weight, images.flatten(1).mean(dim=0)),
            0.5,
        ),
        "the reconstruction": Wrong(
            "that is the reconstruction Wz + b; return the code z itself",
            lambda images, weight, bias: _best_code(images, weight, bias).to(weight) @ weight.T + bias,
            0.75,
        ),
        "codes in columns": Wrong(
            "your codes stand in columns; return one row for each image, (N, k)",
            lambda images, weight, bias: _best_code(images, weight, bias).T,
            0.75,
        ),
    },
    _decoders,
    1e-3,
)

# --- a bug found: whitening -----------------------------------------------------------------------------------------


def _whitened(images: Tensor, k: int, spread: str = "std", centre: bool = True, kept: str = "first") -> Tensor:
    flat = images.flatten(1).double()
    centred = flat - flat.mean(dim=0 if centre else 1, keepdim=True)
    _, values, right = torch.linalg.svd(centred, full_matrices=False)
    right = right[:k] if kept == "first" else right[-k:]
    values = values[:k] if kept == "first" else values[-k:]
    codes: Tensor = centred @ right.T
    scale = {"std": values / len(images) ** 0.5, "variance": values.square() / len(images), "sum": values, "none": 1.0}
    # an axis points either way: the first image's number is made positive
    codes = codes / scale[spread]
    return codes * torch.where(codes[:1] < 0, -1.0, 1.0)


whitened_codes = Question(
    "whitened_codes",
    _whitened,
    {
        "both bugs": Wrong(
            "the function still is the colleague's: both of its bugs are there",
            lambda images, k: _whitened(images, k, "variance", centre=False),
        ),
        "image means": Wrong(
            "each image's own mean is still subtracted; whitening centres every pixel over the images",
            lambda images, k: _whitened(images, k, centre=False),
            0.5,
        ),
        "variance": Wrong(
            "the codes are still divided by their variance; to make it 1, divide by the standard deviation",
            lambda images, k: _whitened(images, k, "variance"),
            0.5,
        ),
        "root n": Wrong(
            "the codes are divided by the singular values, so that their squares sum to 1; their mean square should "
            "be 1, which takes √n more",
            lambda images, k: _whitened(images, k, "sum"),
            0.75,
        ),
        "not whitened": Wrong(
            "the codes are centred but not divided by their standard deviations",
            lambda images, k: _whitened(images, k, "none"),
            0.5,
        ),
        "last axes": Wrong(
            "these are the k weakest directions; the singular values come largest first",
            lambda images, k: _whitened(images, k, kept="last"),
            0.5,
        ),
        "n - 1": Wrong(
            "the standard deviation divides by n − 1 here; the text asks for a mean square of exactly 1",
            lambda images, k: _whitened(images, k) * ((len(images) - 1) / len(images)) ** 0.5,
            0.75,
        ),
    },
    _some_images,
    1e-3,
)

# --- the trained model, and the numbers read ------------------------------------------------------------------------


def nested(model: Any, images: Tensor) -> None:
    """Whether the first 1, 2, 4 and 8 numbers of a code do about as well as so many principal components."""
    images = arguments.images(images)
    with torch.no_grad():
        codes = arguments.model(model, "encode").encode(images)
        if unfinished("nested", codes) or unfinished("nested", model.decode(codes)):
            return
        if unfinished("nested", model.loss(images[:8])):
            return
        if codes.shape != (len(images), 8):
            raise CheckFailed(
                f"nested: encode must return one row of 8 numbers for each image, got {tuple(codes.shape)}"
            )
        ratios = {}
        for j in (1, 2, 4, 8):
            shown = model.decode(codes * (torch.arange(8) < j))
            if shown.shape != images.shape:
                raise CheckFailed(f"nested: decode must return {tuple(images.shape)}, got {tuple(shown.shape)}")
            ratios[j] = float((shown - images).square().mean() / _best_error(images, j))
    by_size = ", ".join(f"{j}: {ratio:.2f}" for j, ratio in ratios.items())
    if ratios[8] > 1.45:
        raise CheckFailed(
            f"nested: with all 8 numbers the error is {ratios[8]:.2f} times the best possible, so it is hardly "
            "trained; is the loss a mean over j, images and pixels, and does encode reach it?"
        )
    if max(ratios.values()) > 1.45 or ratios[1] > 1.2:
        raise CheckFailed(
            "nested: all 8 numbers together do well, but the first ones alone do not (error against the best possible "
            f"with so many numbers: {by_size}); does the loss hold every beginning j = 1 … 8, the others set to 0?"
        )
    print(f"✓ nested: the error against the best possible with so many numbers: {by_size}")


SHARE_OFF = 0.0004  # what share_of_two may be off by


def reading(images: Tensor, smallest_k: Any, share_of_two: Any) -> None:
    """Whether the two numbers are those of these images."""
    if (given := numbers_read(smallest_k=smallest_k, share_of_two=share_of_two)) is None:
        return
    _, said = misread(arguments.images(images), *given[0])
    if said:
        raise CheckFailed(f"reading: {given[1]}{said}")
    print("✓ reading: both numbers are right")


def misread(images: Tensor, smallest_k: float, share_of_two: float) -> tuple[str, str]:
    """(which of the two is wrong, share_of_two first; what is wrong), ("", "") where both are right.

    smallest_k is a small whole number, which can be guessed: it counts only beside a right share_of_two.
    """
    wanted_k, wanted_share = numbers_to_read(images)
    said = "" if smallest_k == wanted_k else f"smallest_k: {reading_mistake(images, smallest_k)}"
    if not abs(share_of_two - wanted_share) <= SHARE_OFF:
        wrong = "share_of_two is not the share of the variance that the first two components keep"
        return "share_of_two", f"{said}. {wrong}" if said else wrong
    return ("smallest_k", said) if said else ("", "")


def numbers_to_read(images: Tensor) -> tuple[int, float]:
    """The smallest k that loses at most a tenth of the variance, and the share that the first two keep."""
    values = _scatter_values(images)
    kept = values.cumsum(0) / values.sum()
    return int((kept < 0.9).sum()) + 1, float(kept[1])


def reading_mistake(images: Tensor, smallest_k: Any) -> str:
    """Which mistake gives this k."""
    wanted, _ = numbers_to_read(images)
    values = _scatter_values(images).sqrt()
    if smallest_k == int((values.cumsum(0) / values.sum() < 0.9).sum()) + 1:
        return "you added singular values; variances are their squares"
    uncentred = torch.linalg.svdvals(images.flatten(1).double()).square()
    if smallest_k == int((uncentred.cumsum(0) / uncentred.sum() < 0.9).sum()) + 1:
        return "the mean image is not subtracted, so it counts as variance"
    if smallest_k == wanted - 1:
        return "with this k a little more than a tenth is lost; index i of a cumulative sum holds i + 1 components"
    return "this is not the smallest k that keeps nine tenths of the variance"
