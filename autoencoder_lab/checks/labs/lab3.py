"""The questions of lab 3, denoising and inpainting."""

import math
from collections.abc import Mapping, Sequence
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
    "pooled_psnr": (3, "pooled_psnr.check(pooled_psnr)"),
    "best_linear": (4, "best_linear.check(best_linear)"),
    "scratched_pair": (4, "scratched_pair.check(scratched_pair)"),
    "hole_error": (3, "hole_error.check(hole_error)"),
    "row_restorer": (4, "row_restorer(model, data.val.images)"),
    "reading": (3, "reading(mine.train.images, hardest_row, share_left)"),
    "words": (4, ""),
}
"""The points of each part, and the check under it: what `autoencoder-lab check` asks where a notebook lost it."""

# --- decibels pooled -------------------------------------------------------------------------------------------------


def _pooled(psnrs: Tensor, pixels: Tensor, factor: float = 10, base: float = 10) -> Tensor:
    """Errors out of decibels, their mean over pixels, and decibels again."""
    errors = base ** (-psnrs.double() / factor)
    mean = (errors * pixels).sum() / pixels.sum()
    return -factor * mean.log() / math.log(base)


def _some_psnrs(generator: Generator) -> Sequence[Inputs]:
    calls = []
    for count in (5, 3):
        psnrs = 12 + 25 * torch.rand(count, generator=generator)
        calls.append((psnrs, torch.randint(200, 4000, (count,), generator=generator).float()))
    return calls


pooled_psnr = Question(
    "pooled_psnr",
    _pooled,
    {
        "mean of decibels": Wrong(
            "that is the mean of the images' PSNRs; a mean of logarithms is not the logarithm of the mean error",
            lambda psnrs, pixels: psnrs.mean(),
        ),
        "weighted mean of decibels": Wrong(
            "the weights are right, but decibels are averaged: a mean of logarithms is not the logarithm of the mean",
            lambda psnrs, pixels: (psnrs * pixels).sum() / pixels.sum(),
            0.25,
        ),
        "images alike": Wrong(
            "every image counts alike; pooled means that every pixel does, so a large image counts more",
            lambda psnrs, pixels: _pooled(psnrs, torch.ones_like(pixels)),
            0.5,
        ),
        "twenty": Wrong(
            "you convert with 20: that averages roots of mean squared errors; PSNR is 10 times the logarithm of the "
            "squared ones",
            lambda psnrs, pixels: _pooled(psnrs, pixels, factor=20),
            0.5,
        ),
        "twenty there, ten back": Wrong(
            "you convert to errors with 20 and back with 10; a squared error takes 10 both ways",
            lambda psnrs, pixels: _pooled(psnrs, pixels, factor=20) / 2,
            0.5,
        ),
        "natural logarithm": Wrong(
            "you use e where decibels use 10",
            lambda psnrs, pixels: _pooled(psnrs, pixels, base=math.e),
            0.5,
        ),
        "signal for error": Wrong(
            "you average 10^(PSNR/10), the inverse of the errors; what adds up over pixels is the squared error",
            lambda psnrs, pixels: -_pooled(-psnrs, pixels),
            0.25,
        ),
        "the error": Wrong(
            "that is the pooled squared error; turn it into decibels again",
            lambda psnrs, pixels: 10 ** (-_pooled(psnrs, pixels) / 10),
            0.5,
        ),
        "sum": Wrong(
            "the errors are weighted by their pixels and then divided by the number of images; divide by all pixels",
            lambda psnrs, pixels: _pooled(psnrs, pixels) - 10 * pixels.double().mean().log10(),
            0.5,
        ),
        "sign": Wrong(
            "the sign is wrong: a smaller error has more decibels",
            lambda psnrs, pixels: -_pooled(psnrs, pixels),
            0.75,
        ),
    },
    _some_psnrs,
)

# --- the best linear map, when pixels are lost and the rest is noisy -------------------------------------------------


def _best_linear(
    mean: Tensor,
    covariance: Tensor,
    lost: float,
    sigma: float,
    kept_once: float | None = None,
    kept_twice: float | None = None,
    dropped: float | None = None,
    squares: bool = True,
    noise: float | None = None,
    offset: str = "mean",
) -> tuple[Tensor, Tensor]:
    """K and b of x̂ = K x̃ + b. The names after sigma are the formula's parts, for those who get one of them wrong."""
    kept = 1 - lost
    mean, covariance = mean.double(), covariance.double()
    cross = (kept if kept_once is None else kept_once) * covariance
    value = covariance.diagonal() + (mean.square() if squares else 0)  # E[x²]
    seen = (kept**2 if kept_twice is None else kept_twice) * covariance
    seen = seen + (lost * kept if dropped is None else dropped) * value.diag()
    seen = seen + (sigma**2 if noise is None else noise) * torch.eye(len(mean), dtype=torch.double)
    matrix = torch.linalg.solve(seen, cross.T).T  # seen is symmetric
    subtracted = {"mean": matrix @ mean * kept, "whole mean": matrix @ mean, "none": mean}[offset]
    return matrix, mean - subtracted


def _moments(generator: Generator) -> Sequence[Inputs]:
    calls = []
    for size, lost, sigma in ((5, 0.3, 0.4), (4, 0.6, 0.7)):
        mixing = torch.randn(size, size, generator=generator)
        covariance = mixing @ mixing.T + 0.2 * torch.eye(size)
        calls.append((0.5 + torch.rand(size, generator=generator), covariance, lost, sigma))
    return calls


best_linear = Question(
    "best_linear",
    _best_linear,
    {
        "noise alone": Wrong(
            "that is the answer to noise alone; that pixels are lost changes the mean of x̃ and both covariances",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, 0.0, sigma),
            0.25,
        ),
        "without the squared mean": Wrong(
            "where a pixel is lost its whole value is missing, not only how far it is from its mean: the variance that "
            "this adds is lost · (1 − lost) · E[x²]",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, squares=False),
            0.5,
        ),
        "no variance from the loss": Wrong(
            "Cov(x̃) is more than the covariance scaled: which pixels are lost is chance too, and adds to each one's "
            "variance",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, dropped=0.0),
            0.5,
        ),
        "cross not scaled": Wrong(
            "Cov(x, x̃) is not the covariance of x: x̃ follows x only where the pixel is kept",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, kept_once=1.0),
            0.5,
        ),
        "kept once": Wrong(
            "two different pixels of x̃ are both kept with probability (1 − lost)²; you scale their covariance by "
            "1 − lost",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, kept_twice=1 - lost),
            0.5,
        ),
        "lost for lost times kept": Wrong(
            "the variance of a pixel that is 1 with probability 1 − lost and else 0 is lost · (1 − lost)",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, dropped=lost),
            0.5,
        ),
        "sigma not squared": Wrong(
            "σ is a standard deviation; covariances add σ²",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, noise=sigma),
            0.5,
        ),
        "no noise": Wrong(
            "the noise is left out: it adds σ² to every pixel's variance",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, noise=0.0),
            0.5,
        ),
        "kept for lost": Wrong(
            "lost and kept are exchanged: lost is the probability that a pixel shows 0",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, 1 - lost, sigma),
            0.5,
        ),
        "transposed": Wrong(
            "the matrix is transposed: K = Cov(x, x̃) Cov(x̃)⁻¹, in this order",
            lambda *given: (_best_linear(*given)[0].T.contiguous(), _best_linear(*given)[1]),
            0.75,
        ),
        "transposed, offset too": Wrong(
            "the matrix is transposed, and the offset with it: K = Cov(x, x̃) Cov(x̃)⁻¹, in this order",
            lambda *given: _transposed(*given),
            0.75,
        ),
        "offset of a whole mean": Wrong(
            "the matrix is right, the offset is not: it subtracts K x̄, but the mean of x̃ is (1 − lost) x̄",
            lambda mean, covariance, lost, sigma: _best_linear(mean, covariance, lost, sigma, offset="whole mean"),
            0.75,
        ),
        "mean for offset": Wrong(
            "the matrix is right, the offset is not: x̃ has a mean as well, and K takes it along",
            lambda mean, covariance, lost, sigma: (_best_linear(mean, covariance, lost, sigma)[0], mean),
            0.75,
        ),
        "no offset": Wrong(
            "the matrix is right, the offset is not: without it the mean of x̂ is not that of x",
            lambda *given: (_best_linear(*given)[0], torch.zeros_like(given[0])),
            0.5,
        ),
    },
    _moments,
    1e-3,
)


def _transposed(mean: Tensor, covariance: Tensor, lost: float, sigma: float) -> tuple[Tensor, Tensor]:
    matrix = _best_linear(mean, covariance, lost, sigma)[0].T.contiguous()
    return matrix, mean - matrix @ mean.double() * (1 - lost)


# --- a bug found: the pair that is no pair ---------------------------------------------------------------------------


def _scratched(
    images: Tensor, starts: Tensor, width: int, own: bool = True, grey: float = 0.5, rows: bool = False
) -> Tensor:
    damaged = images.clone()
    for i, start in enumerate(starts.tolist()):
        image = damaged[i] if own else damaged
        (image.transpose(-1, -2) if rows else image)[..., start : start + width] = grey
    return damaged


def _pictures_and_starts(generator: Generator) -> Sequence[Inputs]:
    calls = []
    for count, side, width in ((3, 9, 2), (2, 7, 3)):
        starts = torch.randperm(side - width - 1, generator=generator)[:count]  # no two alike
        calls.append((torch.rand(count, 1, side, side, generator=generator) * 0.4, starts, width))
    return calls


scratched_pair = Question(
    "scratched_pair",
    lambda images, starts, width: (_scratched(images, starts, width), images),
    {
        "both bugs": Wrong(
            "the function still is the colleague's: both of its bugs are there",
            lambda images, starts, width: (_scratched(images, starts, width, own=False),) * 2,
        ),
        "target damaged": Wrong(
            "the second value, the target, is scratched as well: an assignment to a part of a tensor changes the "
            "tensor, by whatever name it goes",
            lambda images, starts, width: (_scratched(images, starts, width),) * 2,
            0.5,
        ),
        "every scratch in every image": Wrong(
            "every image has the scratches of all: scratch i belongs to image i alone",
            lambda images, starts, width: (_scratched(images, starts, width, own=False), images),
            0.5,
        ),
        "exchanged": Wrong(
            "the two are exchanged: the damaged images come first, the clean ones second",
            lambda images, starts, width: (images, _scratched(images, starts, width)),
            0.75,
        ),
        "one scratch for all": Wrong(
            "all images have the first image's scratch; each has its own",
            lambda images, starts, width: (_scratched(images, starts[:1].expand(len(starts)), width), images),
            0.5,
        ),
        "rows": Wrong(
            "your scratches lie; these are columns, the last dimension",
            lambda images, starts, width: (_scratched(images, starts, width, rows=True), images),
            0.5,
        ),
        "one column more": Wrong(
            "your scratches are one column too wide: a slice ends before its second number",
            lambda images, starts, width: (_scratched(images, starts, width + 1), images),
            0.75,
        ),
        "black": Wrong(
            "your scratches are black; a network could not tell them from the ground. They should be grey, 0.5",
            lambda images, starts, width: (_scratched(images, starts, width, grey=0.0), images),
            0.75,
        ),
    },
    _pictures_and_starts,
)

# --- what no linear filler can know ----------------------------------------------------------------------------------


def _unexplained(covariance: Tensor, hole: Tensor, noise: float) -> Tensor:
    """The covariance of the lost pixels that is left when the seen ones are known up to this noise variance."""
    covariance = covariance.double()
    cross = covariance[hole][:, ~hole]
    seen = covariance[~hole][:, ~hole]
    seen = seen + noise * torch.eye(len(seen), dtype=torch.double)
    left: Tensor = covariance[hole][:, hole] - cross @ torch.linalg.solve(seen, cross.T)
    return left


def _per_pixel(covariance: Tensor, hole: Tensor, noise: float) -> Tensor:
    return _unexplained(covariance, hole, noise).diagonal().mean()


def _variance(covariance: Tensor, hole: Tensor) -> Tensor:
    return covariance.double().diagonal()[hole].mean()


def _one_by_one(covariance: Tensor, hole: Tensor, sigma: float) -> Tensor:
    covariance = covariance.double()
    alone = covariance[hole][:, ~hole].square() / (covariance.diagonal()[~hole] + sigma**2)
    return _variance(covariance, hole) - alone.sum(dim=1).mean()


def _holes(generator: Generator) -> Sequence[Inputs]:
    calls = []
    for size, lost, sigma in ((7, 3, 0.4), (6, 2, 0.8)):
        mixing = torch.randn(size, size, generator=generator)
        hole = torch.zeros(size, dtype=torch.bool)
        hole[torch.randperm(size, generator=generator)[:lost]] = True
        calls.append((mixing @ mixing.T + 0.2 * torch.eye(size), hole, sigma))
    return calls


hole_error = Question(
    "hole_error",
    lambda covariance, hole, sigma: _per_pixel(covariance, hole, sigma**2),
    {
        "nothing used": Wrong(
            "that is the variance of the lost pixels, the error of filling in their mean; the seen pixels tell more",
            lambda covariance, hole, sigma: _variance(covariance, hole),
        ),
        "explained": Wrong(
            "that is the part of the variance that the seen pixels explain; the error is the part that they do not",
            lambda covariance, hole, sigma: _variance(covariance, hole) - _per_pixel(covariance, hole, sigma**2),
            0.5,
        ),
        "no noise": Wrong(
            "the noise on the seen pixels is left out; it makes them tell less",
            lambda covariance, hole, sigma: _per_pixel(covariance, hole, 0.0),
            0.5,
        ),
        "sigma not squared": Wrong(
            "σ is a standard deviation; covariances add σ²",
            lambda covariance, hole, sigma: _per_pixel(covariance, hole, sigma),
            0.5,
        ),
        "noise in the hole": Wrong(
            "you add the noise to the lost pixels as well; the answer is compared with the clean ones",
            lambda covariance, hole, sigma: _per_pixel(covariance, hole, sigma**2) + sigma**2,
            0.75,
        ),
        "sum": Wrong(
            "that is the error of the whole hole; divide by its pixels",
            lambda covariance, hole, sigma: _per_pixel(covariance, hole, sigma**2) * hole.sum(),
            0.75,
        ),
        "over all pixels": Wrong(
            "the hole's error is divided by all pixels; divide by those that are lost",
            lambda covariance, hole, sigma: _per_pixel(covariance, hole, sigma**2) * hole.double().mean(),
            0.75,
        ),
        "exchanged": Wrong(
            "seen and lost are exchanged: hole is True where a pixel is lost",
            lambda covariance, hole, sigma: _per_pixel(covariance, ~hole, sigma**2),
            0.5,
        ),
        "one by one": Wrong(
            "you add up what each seen pixel explains by itself; they repeat each other, so solve with their whole "
            "covariance",
            _one_by_one,
            0.25,
        ),
        "whole matrix": Wrong(
            "you average the whole matrix; the squared errors stand on its diagonal",
            lambda covariance, hole, sigma: _unexplained(covariance, hole, sigma**2).mean(),
            0.5,
        ),
        "root": Wrong(
            "that is the root of the error",
            lambda covariance, hole, sigma: _per_pixel(covariance, hole, sigma**2).sqrt(),
            0.75,
        ),
    },
    _holes,
    1e-3,
)

# --- the trained model -----------------------------------------------------------------------------------------------

# The squared error in the lost rows and in the seen ones, each as a share of the squares that stand there: mean and
# standard deviation of ten reference runs on the validation images
VALIDATION = {"lost": (0.268, 0.0073), "seen": (0.0037, 0.0006)}


def limits(reference: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The largest share that still counts: three standard deviations above the mean."""
    return {name: mean + 3 * spread for name, (mean, spread) in reference.items()}


def pairs_lost(dice: Tensor) -> Tensor:
    """(N, 28), True in both rows of a pair that is lost, by dice, (N, 14), in [0, 1]."""
    return (dice < 0.4).repeat_interleave(2, dim=1)


def lose_rows(images: Tensor, lost: Tensor) -> Tensor:
    """Grey, 0.5, in the rows where lost, (N, H), is True."""
    return torch.where(lost[:, None, :, None], 0.5, images)


def shares(shown: Tensor, images: Tensor, lost: Tensor) -> dict[str, float]:
    """The squared error in the rows that were lost and in those that were seen, as shares of the squares there."""
    rows = lost[:, None, :, None].expand_as(images)
    error, square = (shown - images).double().square(), images.double().square()
    return {name: float(error[side].sum() / square[side].sum()) for name, side in (("lost", rows), ("seen", ~rows))}


def between_neighbours(damaged: Tensor, lost: Tensor) -> Tensor:
    """Every lost row on a straight line from the nearest seen row above to the nearest below; outside them black."""
    filled = damaged.clone()
    for i, gone in enumerate(lost.tolist()):
        seen = [row for row, is_lost in enumerate(gone) if not is_lost]
        for row in set(range(len(gone))) - set(seen):
            above, below = (
                max((s for s in seen if s < row), default=None),
                min((s for s in seen if s > row), default=None),
            )
            if above is None or below is None:
                filled[i, :, row] = 0
            else:
                filled[i, :, row] = torch.lerp(
                    damaged[i, :, above], damaged[i, :, below], (row - above) / (below - above)
                )
    return filled


def row_restorer(model: Any, images: Tensor) -> None:
    """Whether a model restores lost rows, and leaves those alone that it can see."""
    name, images = "row_restorer", arguments.images(images)
    lost = pairs_lost(torch.rand(len(images), 14, generator=Generator().manual_seed(0)))
    damaged = lose_rows(images, lost)
    with torch.no_grad():
        shown = arguments.model(model, "restore").restore(damaged)
        if unfinished(name, shown) or unfinished(name, model.loss(damaged, images)):
            return
    if shown.shape != images.shape:
        raise CheckFailed(f"{name}: restore must return {tuple(images.shape)}, got {tuple(shown.shape)}")
    found = restored_figures(shown, damaged, images, lost)
    if complaint := restorer_mistake(found, limits(VALIDATION)):
        raise CheckFailed(f"{name}: {complaint[1]}")
    print(f"✓ {name}: of the squares {found['lost']:.3f} is lost in the lost rows, {found['seen']:.4f} in the others")
    line = shares(between_neighbours(damaged, lost), images, lost)["lost"]
    print(f"  a straight line between the nearest seen rows loses {line:.3f}")


def restored_figures(shown: Tensor, damaged: Tensor, images: Tensor, lost: Tensor) -> dict[str, float]:
    """What restored images come to: `shares`, the same once the damaged images are added, and how far they moved.

    moved: the squared distance from the damaged images, as a share of that between damaged and clean ones.
    """
    added = {f"added_{name}": share for name, share in shares(shown + damaged, images, lost).items()}
    moved = float((shown - damaged).square().mean() / (damaged - images).square().mean())
    return shares(shown, images, lost) | added | {"moved": moved}


def restorer_mistake(found: Mapping[str, float], most: Mapping[str, float]) -> tuple[str, str, float] | None:
    """(short name, sentence, share of the points) of what is wrong with the restored images; None where nothing is.

    found: `restored_figures`; most: the largest shares that count, of the lost rows and of the seen ones.
    """
    loss = f"of the squares in the lost rows {found['lost']:.3f} is lost, at most {most['lost']:.3f} is asked for"
    if found["lost"] <= most["lost"] and found["seen"] <= most["seen"]:
        return None
    if found["added_lost"] <= most["lost"] and found["added_seen"] <= most["seen"]:
        return "the correction", "restore returns the correction alone; add it to the damaged images", 0.5
    if found["moved"] < 0.1:
        return "copies", f"{loss}: it gives back what it is given, so what does the loss compare with?", 0.0
    if found["lost"] <= most["lost"]:
        said = f"the lost rows are restored, but the seen ones are spoilt: {found['seen']:.4f} of their squares is lost"
        return "seen rows spoilt", f"{said}, at most {most['seen']:.4f} is asked for", 0.5
    if found["lost"] <= 1.15 * most["lost"]:  # a straight line between the seen rows loses 1.4 times as much
        return "not as good", f"{loss}: it has learnt, but not all that this network can", 0.5
    return "not trained", f"{loss}: that is no better than a straight line from row to row", 0.0


# --- the numbers read ------------------------------------------------------------------------------------------------

SEEN_NOISE = 0.1


def rows_left(images: Tensor, noise: float = SEEN_NOISE, correction: int = 0) -> tuple[Tensor, Tensor]:
    """For each row: the least squared error per pixel of filling it in from all others, and its variance; (H,) both.

    With M = C + σ²I and h the row: (M⁻¹)_hh⁻¹ = M_hh − M_hk M_kk⁻¹ M_kh, so one inverse serves all rows.
    """
    height, width = images.shape[2:]
    rows = torch.arange(height)
    covariance = torch.cov(images.flatten(1).double().T, correction=correction)
    inverse = torch.linalg.inv(covariance + noise**2 * torch.eye(len(covariance), dtype=torch.double))
    blocks = inverse.view(height, width, height, width)[rows, :, rows]  # (H, W, W)
    left = torch.linalg.inv(blocks).diagonal(dim1=1, dim2=2).mean(dim=1) - noise**2
    return left, covariance.diagonal().view(height, width).mean(dim=1)


def numbers_to_read(images: Tensor, correction: int = 0) -> tuple[int, float]:
    """The row that is hardest to fill in, and the share of its variance that is left."""
    left, variance = rows_left(images, correction=correction)
    row = int(left.argmax())
    return row, float(left[row] / variance[row])


def row_mistake(images: Tensor, given: Any) -> str:
    """Which mistake gives this row."""
    left, variance = rows_left(images)
    wanted = int(left.argmax())
    if given == wanted + 1:
        return "that is one too many; rows are counted from 0"
    if given == int((left / variance.clamp(min=1e-9)).argmax()):
        return "that row has the largest share left, of next to no variance; hardest is the one with the largest error"
    if given == int(variance.argmax()):
        return "that row varies most, but its neighbours tell much of it"
    if given == int(left.argmin()):
        return "that is the easiest"
    return "another row has a larger error"


def share_mistake(images: Tensor, given: float) -> str:
    """Which mistake gives this share."""
    left, variance = rows_left(images)
    row = int(left.argmax())
    known = {
        "that is the share that is filled in; asked for is what is left": 1 - left[row] / variance[row],
        "that is the error itself; divide it by the row's variance": left[row],
        "the noise of the lost row is counted as well; it is compared with the clean one": (
            (left[row] + SEEN_NOISE**2) / variance[row]
        ),
        "that is the error of the whole row, against the variance of a pixel": 28 * left[row] / variance[row],
        "that is the error against the variance of all pixels; divide by this row's": left[row] / variance.mean(),
        "σ is used where σ² belongs": rows_left(images, SEEN_NOISE**0.5)[0][row] / variance[row],
    }
    return next((said for said, value in known.items() if close(given, float(value))), "that is not the share left")


def close(given: float, wanted: float) -> bool:
    """Equal to two parts in a thousand."""
    return abs(given - wanted) <= 0.002 * abs(wanted)


def misread(images: Tensor, hardest_row: float, share_left: float) -> tuple[str, str]:
    """(which of the two is wrong, share_left first; what is wrong), ("", "") where both are right.

    hardest_row is one of few numbers, which can be guessed: it counts only beside a right share_left.
    """
    wanted_row, wanted_share = numbers_to_read(images)
    unbiased = numbers_to_read(images, correction=1)[1]  # a covariance divided by n − 1 will do
    said = "" if hardest_row == wanted_row else f"hardest_row: {row_mistake(images, hardest_row)}"
    if not (close(share_left, wanted_share) or close(share_left, unbiased)):
        wrong = f"share_left: {share_mistake(images, share_left)}"
        return "share_left", f"{said}. {wrong}" if said else wrong
    return ("hardest_row", said) if said else ("", "")


def reading(images: Tensor, hardest_row: Any, share_left: Any) -> None:
    """Whether the two numbers are those of these images."""
    if (given := numbers_read(hardest_row=hardest_row, share_left=share_left)) is None:
        return
    _, said = misread(arguments.images(images), *given[0])
    if said:
        raise CheckFailed(f"reading: {given[1]}{said}")
    print("✓ reading: both numbers are right")
