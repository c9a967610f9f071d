"""Are these images like those? Distances, kernels and balls, over pixels or through the eyes of a classifier.

Images (N, C, H, W) of two sets are compared by their features (N, d), in double precision. features: what makes them
from a batch of images; None for the 64 of `classifier.load()`, which sees digits (N, 1, 28, 28) in [0, 1].
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoencoder_lab import arguments
from autoencoder_lab.data.batches import in_batches
from autoencoder_lab.metrics import classifier
from autoencoder_lab.metrics.estimate import Estimate, mean_of, shapes_of


def two_sample_accuracy(a: Tensor, b: Tensor) -> Estimate:
    """How often the nearest other image tells whether an image is of a or of b: 0.5 where the two are alike.

    a, b: (N, …), as many of each. 1: far apart; below 0.5: a holds near-copies of b. Euclidean, leave-one-out.
    Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests".
    """
    a, b = _rows("a", a), _rows("b", b)
    if a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"needs two or more images of each kind, as many of both: got {shapes_of(a, b)}; cut with [:n]"
        )
    both, own = torch.cat([a, b]).flatten(1).double(), torch.arange(2 * len(a))
    first, second = in_batches(lambda x: torch.cdist(x, both).topk(2, largest=False).indices, both).T
    nearest = torch.where(first == own, second, first)
    accuracy = mean_of((nearest < len(a)) == (own < len(a)))
    # each other's nearest are right or wrong together: one observation, not two
    mutual = (nearest[nearest] == own).double().mean().item()
    return Estimate(accuracy.value, accuracy.error * math.sqrt(1 + mutual))


def nearest_training(images: Tensor, split: Any) -> tuple[Tensor, Tensor]:
    """The nearest image of `split` (data.train) to each of images (N, C, H, W): distances (N,) and indices (N,).

    Euclidean over pixels, so √(C·H·W·MSE). Are samples copies? Compare with the distances of data.test.
    """
    images = arguments.batch(images, "images")
    if images.shape[1:] != arguments.split(split, "data.train").images.shape[1:]:
        raise ValueError(f"images must be of one shape, got {shapes_of(images, split.images)}")
    train = split.images.flatten(1).double()
    found = in_batches(lambda x: torch.cdist(x.flatten(1).double(), train).argmin(dim=1), images)
    return (images - split.images[found]).flatten(1).norm(dim=1), found


def mmd(a: Tensor, b: Tensor, bandwidth: float | None = None) -> Estimate:
    """Squared maximum mean discrepancy of two samples a (N, d), b (M, d); about 0, or a little below, for one source.

    E k(a, a') + E k(b, b') − 2 E k(a, b), without bias, k(x, y) = exp(−‖x − y‖² / 2h²); bandwidth: h, None for the
    median distance. Error to first order, over rows; up to √2 too large where the two agree.
    Gretton et al. (2012), "A kernel two-sample test", equation 3. Needs memory for (N + M)² numbers.
    """
    a, b = _rows("a", a), _rows("b", b)
    if bandwidth is not None:
        bandwidth = arguments.number("bandwidth", bandwidth, "is a distance, above 0", lambda h: 0 < h < math.inf)
    if a.ndim != 2 or a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2:
        raise ValueError(f"needs two or more rows of each, (N, d) and (M, d), got {shapes_of(a, b)}")
    both, n = torch.cat([a, b]).detach().double(), len(a)
    if bandwidth is None:
        distances = torch.pdist(both)
        bandwidth = distances.median().item() or distances.mean().item() or 1.0
    kernel = torch.exp(-torch.cdist(both, both).square() / (2 * bandwidth**2)).fill_diagonal_(0)
    # row by row, so that mean(u) + mean(v) is the estimate
    u = kernel[:n, :n].sum(dim=1) / (n - 1) - kernel[:n, n:].mean(dim=1)
    v = kernel[n:, n:].sum(dim=1) / (len(b) - 1) - kernel[n:, :n].mean(dim=1)
    return Estimate(mean_of(u).value + mean_of(v).value, 2 * math.hypot(mean_of(u).error, mean_of(v).error))


Features = Callable[[Tensor], Tensor] | None


def frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians, means (d,) and covariances (d, d); ≥ 0.

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½). Dowson and Landau (1982).
    Covariances may be singular. Raises ValueError for shapes that do not fit.
    """
    names = ("mean_a", "cov_a", "mean_b", "cov_b")
    given = zip(names, (mean_a, cov_a, mean_b, cov_b), strict=True)
    mean_a, cov_a, mean_b, cov_b = (arguments.tensor(name, value, "") for name, value in given)
    d = len(mean_a) if mean_a.ndim else -1
    if not (mean_a.shape == mean_b.shape == (d,) and cov_a.shape == cov_b.shape == (d, d)):
        raise ValueError(f"means (d,) and covariances (d, d): {shapes_of(mean_a, cov_a)}, {shapes_of(mean_b, cov_b)}")

    def root(covariance: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(covariance.double())
        square: Tensor = vectors * values.clamp(min=0).sqrt() @ vectors.T
        return square

    # the trace of that root is the sum of the singular values of Σ₁^½ Σ₂^½, which never squares what is small
    overlap = torch.linalg.svdvals(root(cov_a) @ root(cov_b)).sum()
    distance = (mean_a.double() - mean_b.double()).square().sum() + (cov_a + cov_b).double().trace() - 2 * overlap
    return max(float(distance), 0.0)


def fcd(a: Tensor, b: Tensor, features: Features = None, resamples: int = 20) -> Estimate:
    """Fréchet classifier distance of images a (N, …) and b (M, …): `frechet` of Gaussians fitted to their features.

    Heusel et al. (2017) with the course's own classifier; ≥ 0, in its units, so to compare within the course alone.
    Biased upwards for few images: show it beside its floor, that of two sets of real images of the same size.
    Error by bootstrap over images, up to twice too large near the floor.
    """
    resamples = arguments.whole("resamples", resamples, 2)
    x, y = _features(features, 2, a, b)

    def distance(x: Tensor, y: Tensor) -> float:
        return frechet(x.mean(dim=0), torch.atleast_2d(x.T.cov()), y.mean(dim=0), torch.atleast_2d(y.T.cov()))

    generator = torch.Generator().manual_seed(0)

    def again(rows: Tensor) -> Tensor:
        return rows[torch.randint(len(rows), (len(rows),), generator=generator)]

    values = torch.tensor([distance(again(x), again(y)) for _ in range(resamples)])
    return Estimate(distance(x, y), float(values.std()))


def kid(a: Tensor, b: Tensor, features: Features = None) -> Estimate:
    """Kernel distance of images a (N, …) and b (M, …): squared MMD, without bias, with k(x, y) = (xᵀy / d + 1)³.

    About 0 for two sets drawn from one source, however few; below for two with the same number of each class, as our
    splits are, which are more alike than chance. Error to first order, over images; up to twice too large near 0.
    Bińkowski et al. (2018), "Demystifying MMD GANs".
    """
    x, y = _features(features, 2, a, b)
    both, n = torch.cat([x, y]), len(x)
    kernel = (both @ both.T / both.shape[1] + 1).pow(3).fill_diagonal_(0)
    u = kernel[:n, :n].sum(dim=1) / (n - 1) - kernel[:n, n:].mean(dim=1)  # row by row, as in mmd
    v = kernel[n:, n:].sum(dim=1) / (len(y) - 1) - kernel[n:, :n].mean(dim=1)
    return Estimate(mean_of(u).value + mean_of(v).value, 2 * math.hypot(mean_of(u).error, mean_of(v).error))


class PrecisionRecall(NamedTuple):
    """precision: are generated images like real ones? recall: can the model make all that is real? In [0, 1]."""

    precision: Estimate
    recall: Estimate


class DensityCoverage(NamedTuple):
    """density: how deep generated images lie among real ones, 1 ideally and more if they crowd. coverage: in [0, 1]."""

    density: Estimate
    coverage: Estimate


def precision_recall(real: Tensor, generated: Tensor, k: int = 5, features: Features = None) -> PrecisionRecall:
    """The share of generated images inside the support of the real ones, and of real ones inside that of generated.

    A set's support: the balls around its images that reach to their k-th nearest neighbour in the set. A single real
    outlier has a wide ball, in which even noise may lie. Kynkäänniemi et al. (2019), "Improved precision and recall".
    """

    def shares(between: Tensor, real_radius: Tensor, generated_radius: Tensor) -> list[Tensor]:
        return [(between < real_radius[:, None]).any(dim=0), (between < generated_radius).any(dim=1)]

    return PrecisionRecall(*_by_balls(real, generated, k, features, shares))


def density_coverage(real: Tensor, generated: Tensor, k: int = 5, features: Features = None) -> DensityCoverage:
    """How many of the real images' balls a generated image lies in, over k; the share of these balls that hold one.

    Balls as in `precision_recall`, but around real images alone, and counted, so that one wide ball does little. Even
    for two sets of one source and size, coverage is about 1 − 2⁻ᵏ. Naeem et al. (2020), "Reliable fidelity and
    diversity metrics for generative models", equations 4 and 5.
    """

    def shares(between: Tensor, real_radius: Tensor, _: Tensor) -> list[Tensor]:
        inside = between < real_radius[:, None]
        return [inside.double().sum(dim=0) / k, inside.any(dim=1)]

    return DensityCoverage(*_by_balls(real, generated, k, features, shares))


def class_histogram(images: Tensor) -> Tensor:
    """The share of images (N, 1, 28, 28) that the digit classifier takes for each digit: (10,), sums to 1."""
    images = arguments.images(images)
    return torch.bincount(in_batches(classifier.load().predict, images), minlength=10).double() / len(images)


def condition_accuracy(images: Tensor, labels: Tensor) -> Estimate:
    """How often the digit classifier sees in images (N, 1, 28, 28) the class asked for, labels (N,) in 0 … 9."""
    images = arguments.images(images)
    if not isinstance(labels := arguments.stacked(labels), Tensor):
        raise TypeError(f"labels must be a tensor of whole numbers (N,), got {arguments.shown(labels)}")
    if labels.shape != images.shape[:1]:
        raise ValueError(f"needs one label for each image, got {shapes_of(images, labels)}")
    return mean_of(in_batches(classifier.load().predict, images) == labels)


def _features(features: Features, at_least: int, a: Tensor, b: Tensor) -> list[Tensor]:
    """The features of both sets in double precision, (N, d) and (M, d); ValueError for images that have none."""
    a, b = _rows("images", a), _rows("images", b)
    if features is not None:
        arguments.function("features", features, "model.encode")
    if a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < at_least:
        raise ValueError(f"needs {at_least} or more images of each kind, all of one shape, got {shapes_of(a, b)}")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("images must be finite, but some hold NaN or infinity: has the model that made them diverged?")
    features = features or classifier.load().features
    return [in_batches(features, images).double() for images in (a, b)]


def _rows(name: str, given: Any) -> Tensor:
    """Floating point numbers of one thing a row; errors as those of `arguments.tensor`."""
    x = arguments.tensor(name, given, "(N, …)")
    if x.ndim < 2:
        raise ValueError(f"{name} must be (N, …), one image or code a row, got shape {tuple(x.shape)}")
    return x


def _by_balls(real: Tensor, generated: Tensor, k: int, features: Features, shares: Any) -> list[Estimate]:
    """Means of what `shares` makes of the distances (N, M) between the sets, and of each image's distance to the k-th
    nearest of its own set, (N,) and (M,). Errors by a jackknife that leaves out a tenth of both sets at a time, up to
    twice too large; a plain error over images would be half of what it should, for a few wide balls decide much."""
    k = arguments.whole("k", k, 1)  # which neighbour a ball reaches to
    x, y = _features(features, 2 * (k + 1), real, generated)
    # not by ‖x‖² − 2xᵀy + ‖y‖², so that copies are at distance 0
    xx, yy, xy = (torch.cdist(u, v, compute_mode="donot_use_mm_for_euclid_dist") for u, v in ((x, x), (y, y), (x, y)))

    def measure(i: Tensor, j: Tensor) -> Tensor:
        # k + 1, for the nearest is the image itself
        radii = [own[kept][:, kept].kthvalue(k + 1, dim=1).values for own, kept in ((xx, i), (yy, j))]
        return torch.stack([share.double().mean() for share in shares(xy[i][:, j], *radii)])

    generator = torch.Generator().manual_seed(0)
    part_x, part_y = (torch.randperm(len(rows), generator=generator) % 10 for rows in (x, y))
    whole = measure(part_x >= 0, part_y >= 0)
    changes = torch.stack([measure(part_x != part, part_y != part) for part in range(10)]) - whole
    errors = changes.std(dim=0, correction=0) * math.sqrt(9)
    return [Estimate(value, error) for value, error in zip(whole.tolist(), errors.tolist(), strict=True)]
