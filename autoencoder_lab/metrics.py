"""What is measured on a trained model, each figure with its standard error.

A model here is anything with `encode` and `reconstruct`. Figures about images take one split; figures about codes take
the whole data set, fit on data.train and score on data.test.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autoencoder_lab import classifier, losses
from autoencoder_lab.corruptions import Corruption

CORRUPTION_SEED = 0


class Estimate(NamedTuple):
    """A figure and its standard error; prints as `0.004460 ± 0.000060`."""

    value: float
    error: float

    def __str__(self) -> str:
        if not (math.isfinite(self.error) and self.error > 0):
            return f"{self.value:.4g}"
        decimals = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{decimals}f} ± {self.error:.{decimals}f}"


def mse(model: Any, split: Any, corrupt: Corruption | None = None) -> Estimate:
    """Squared error per pixel between reconstruction and clean image, averaged over the split.

    corrupt: the model sees corrupt(x), always with the same noise, and is scored against x.
    The error is that of a mean over images.
    """
    return _mean(_squared_errors(model, split, corrupt, clip=False))


def psnr(model: Any, split: Any, corrupt: Corruption | None = None) -> Estimate:
    """Peak signal-to-noise ratio in dB: −10 log₁₀ of the squared error over all pixels, outputs clipped to [0, 1].

    Pooled, not averaged over images: one perfect image would make an average infinite. Error by the delta method.
    """
    pooled = _mean(_squared_errors(model, split, corrupt, clip=True))
    if pooled.value == 0:
        return Estimate(math.inf, math.nan)
    return Estimate(-10 * math.log10(pooled.value), 10 / math.log(10) * pooled.error / pooled.value)


def ssim(model: Any, split: Any, corrupt: Corruption | None = None) -> Estimate:
    """Structural similarity (Wang et al., 2004) in [−1, 1], 1 is perfect; averaged over images.

    Outputs are clipped to [0, 1]. scikit-image's, with its 7×7 window; images smaller than that are refused there.
    """
    from skimage.metrics import structural_similarity

    outputs, targets = (images.numpy() for images in _outputs_and_targets(model, split, corrupt))
    scores = [
        structural_similarity(x, x_hat, data_range=1.0, channel_axis=0)
        for x_hat, x in zip(outputs.clip(0, 1), targets, strict=True)
    ]
    return _mean(torch.tensor(scores))


def probe(model: Any, data: Any) -> Estimate:
    """Accuracy on data.test of a linear classifier (logistic regression on standardised codes) fitted on data.train.

    In [0, 1]; it tells how much of the class can be read off the code by straight lines. nan where data.train shows
    one class only (faces): there is nothing to tell apart.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(data.train.labels.unique()) < 2:
        return Estimate(math.nan, math.nan)
    train, test = encode(model, data.train).numpy(), encode(model, data.test).numpy()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, tol=1e-3))
    classifier.fit(train, data.train.labels.numpy())
    return _mean(torch.from_numpy(classifier.predict(test) == data.test.labels.numpy()))


def knn(model: Any, data: Any, neighbours: int = 5) -> Estimate:
    """Accuracy on data.test of a vote among the nearest codes of data.train (Euclidean distance)."""
    nearest = data.train.labels[_nearest(model, data, neighbours)]
    return _mean(nearest.mode(dim=1).values == data.test.labels)


def retrieval_precision(model: Any, data: Any, k: int = 10) -> Estimate:
    """The share of the k nearest training images, by code, that show the query's class; queries are data.test.

    The images of one query count as one observation.
    """
    found = data.train.labels[_nearest(model, data, k)]
    return _mean((found == data.test.labels[:, None]).float().mean(dim=1))


def principal_angles(a: Any, b: Any) -> Tensor:
    """Angles in degrees, smallest first, between the subspaces that two linear decoders span: (k,).

    a, b: models with `decoder_matrix()` of shape (pixels, k), or such matrices. 0 everywhere: the same subspace.
    cos θ_i are the singular values of Q_aᵀ Q_b (Björck and Golub, 1973). A property of the models, hence no
    standard error.
    """
    bases = []
    for model in (a, b):
        matrix = model if isinstance(model, Tensor) else model.decoder_matrix()
        bases.append(torch.linalg.qr(matrix.detach().double()).Q)
    bases.sort(key=lambda basis: basis.shape[1])  # the smaller subspace against the larger, min(k_a, k_b) angles
    # the sines are exact for small angles, where the arccosine loses half the digits
    residual = bases[0] - bases[1] @ (bases[1].T @ bases[0])
    sines = torch.linalg.svdvals(residual).clamp(0, 1).flip(0)
    cosines = torch.linalg.svdvals(bases[0].T @ bases[1]).clamp(0, 1)
    angles = torch.where(cosines**2 > 0.5, torch.asin(sines), torch.acos(cosines))
    return torch.rad2deg(angles)


def effective_rank(model: Any, split: Any, resamples: int = 20) -> Estimate:
    """How many directions the codes really use, between 1 and their dimension.

    exp of the entropy of the covariance's eigenvalue shares, exp(−Σ p_i log p_i) (after Roy and Vetterli, 2007);
    0 where all codes are equal. Error by bootstrap over images.
    """
    codes = encode(model, split).double()

    def rank(sample: Tensor) -> float:
        centred = sample - sample.mean(dim=0)
        eigenvalues = torch.linalg.eigvalsh(centred.T @ centred).clamp(min=0)
        if eigenvalues.sum() <= 1e-12 * sample.square().sum():  # all that float32 codes can resolve
            return 0.0
        share = eigenvalues / eigenvalues.sum()
        return float(torch.exp(-torch.xlogy(share, share).sum()))

    generator = torch.Generator().manual_seed(0)
    again = [rank(codes[torch.randint(len(codes), (len(codes),), generator=generator)]) for _ in range(resamples)]
    return Estimate(rank(codes), float(torch.tensor(again).std()))


def sharpness(images: Tensor) -> Estimate:
    """Mean absolute Laplacian per pixel of images (N, C, H, W): blur lowers it. Error over images."""
    laplacian = (
        4 * images[..., 1:-1, 1:-1]
        - images[..., :-2, 1:-1]
        - images[..., 2:, 1:-1]
        - images[..., 1:-1, :-2]
        - images[..., 1:-1, 2:]
    )
    return _mean(laplacian.abs().flatten(1).mean(dim=1))


def power_spectrum(images: Tensor) -> Tensor:
    """Power at each spatial frequency, averaged over images, channels and directions: (min(H, W) // 2 + 1,).

    Entry f holds the mean of |FFT|² / (H·W) over the ring of f cycles per image.
    """
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
    height, width = images.shape[2:]
    if height % 2 or width % 2:
        raise ValueError(f"checkerboards of period 2 need an even height and width, got {height}×{width}")
    power = torch.fft.fft2(images).abs().square().mean(dim=1)
    alternating = power[:, height // 2, 0] + power[:, 0, width // 2] + power[:, height // 2, width // 2]
    mean_power = power[:, 0, 0].clone()
    power[:, 0, 0] = 0
    varying = power.sum(dim=(1, 2))
    # an image of one grey varies by rounding alone: that is no pattern
    return _mean(torch.where(varying > 1e-10 * mean_power, alternating / varying, 0.0))


def encode(model: Any, split: Any) -> Tensor:
    """The codes of a whole split, (N, d), computed in batches without gradients."""
    return in_batches(model.encode, split.images)


@torch.no_grad()  # not inference_mode: its tensors could not be used in a computation with gradients later
def in_batches(function: Callable[[Tensor], Tensor], images: Tensor, batch_size: int = 500) -> Tensor:
    """function(images), a batch at a time and without gradients."""
    return torch.cat([function(batch) for batch in images.split(batch_size)])


def _outputs_and_targets(model: Any, split: Any, corrupt: Corruption | None) -> tuple[Tensor, Tensor]:
    targets = split.images
    inputs = targets if corrupt is None else corrupt(targets, torch.Generator().manual_seed(CORRUPTION_SEED))
    return in_batches(model.reconstruct, inputs), targets


def _squared_errors(model: Any, split: Any, corrupt: Corruption | None, clip: bool) -> Tensor:
    """One squared error per pixel for each image, (N,), in double precision."""
    outputs, targets = _outputs_and_targets(model, split, corrupt)
    return ((outputs.clamp(0, 1) if clip else outputs) - targets).double().square().flatten(1).mean(dim=1)


def _nearest(model: Any, data: Any, k: int) -> Tensor:
    """Indices into data.train of the k nearest codes to each code of data.test: (N, k), nearest first."""
    train, test = encode(model, data.train).double(), encode(model, data.test).double()
    if not 1 <= k <= len(train):
        raise ValueError(f"asked for {k} neighbours among {len(train)} training images")
    # in double, for ‖a‖² − 2aᵀb + ‖b‖² loses the digits of codes far from 0; in batches, for 10,000 × 54,000 is 4 GB
    return in_batches(lambda batch: torch.cdist(batch, train).topk(k, largest=False).indices, test)


def _mean(values: Tensor) -> Estimate:
    """The mean over images and its standard error, s/√N; nan for a single image."""
    values = values.double()
    error = float(values.std() / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error)


def hole_errors(method: Any, split: Any, corrupt: Any) -> tuple[Estimate, Estimate]:
    """Squared error per pixel inside and outside the holes that `corrupt` makes, pooled over the pixels of the split.

    corrupt: with `mask(x, generator)`, such as box_mask; mask and damaged images are drawn with the same seed. A method
    with `fill(x, mask)` is told where the hole is, any other has to `reconstruct` the damaged image. Errors of a ratio
    of means over images; nan for a side that has no pixels. Raises TypeError for a corruption that makes no holes.
    """
    if not hasattr(corrupt, "mask"):
        raise TypeError(f"hole_errors needs a corruption with a mask, such as box_mask(10, fill=0.5), got {corrupt!r}")
    x = split.images
    damaged, hole = (draw(x, torch.Generator().manual_seed(CORRUPTION_SEED)) for draw in (corrupt, corrupt.mask))
    with torch.no_grad():
        output = method.fill(damaged, hole) if hasattr(method, "fill") else in_batches(method.reconstruct, damaged)
    squared = (output - x).double().square()

    def over(side: Tensor) -> Estimate:
        error, pixels = ((term * side).flatten(1).sum(dim=1) for term in (squared, torch.ones_like(squared)))
        value = float(error.sum() / pixels.sum())
        return Estimate(value, _mean((error - value * pixels) / pixels.mean()).error)

    return over(hole), over(~hole)


# --- models with a posterior q(z|x) ----------------------------------------------------------------------------------


def elbo(model: Any, split: Any) -> Estimate:
    """The evidence lower bound in nats per image, E_q[log p(x|z) + log p(z) − log q(z|x)]; higher is better.

    One z an image is drawn from q(z|x), never its mean, which would flatter; β, free bits and warm-up play no part.
    x is what the model observes, so binarised images for a Bernoulli likelihood. Raises TypeError for a model without
    `posterior`. Kingma and Welling (2014).
    """
    return _mean(_log_weights(model, split, 1)[0])


def nll(model: Any, split: Any, samples: int = 100) -> Estimate:
    """−log p(x) in nats per image by importance sampling, −log 1/K Σ_k p(x|z_k) p(z_k) / q(z_k|x); lower is better.

    An upper bound in expectation, tighter with more samples: K = 1 is −ELBO. Each image is observed (binarised) once.
    Burda, Grosse and Salakhutdinov (2016), "Importance weighted autoencoders", equation 8.
    """
    weights = _log_weights(model, split, samples)
    return _mean(math.log(samples) - weights.logsumexp(dim=0))


@torch.no_grad()
def kl_per_dimension(model: Any, split: Any) -> Tensor:
    """KL[q(z_j|x) ‖ p(z_j)] in nats for each dimension j, averaged over images: (d,), double precision.

    (1,) for a prior that does not factorise: one KL of the whole code, estimated at one draw an image.
    """
    return torch.cat([model.kl(mu, log_var, z) for _, mu, log_var, z in _draws(model, split)]).double().mean(dim=0)


def active_units(model: Any, split: Any, threshold: float = 0.01) -> int:
    """How many dimensions of the code say something about the image: those where Var_x[μ_j(x)] > threshold.

    Burda, Grosse and Salakhutdinov (2016), section 5.3. Says little about a model whose codes have no fixed scale.
    """
    return int((encode(model, split).double().var(dim=0, correction=0) > threshold).sum())


@torch.no_grad()
def _draws(model: Any, split: Any, samples: int = 1) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """(x, μ, log σ², z) batch by batch, the whole split `samples` times; always the same draws."""
    if not hasattr(model, "posterior"):
        raise TypeError(f"this is about q(z|x), which a VAE names; {getattr(model, 'label', model)!r} has no posterior")
    if samples < 1:
        raise ValueError(f"samples is how many codes are drawn for an image and must be at least 1, got {samples}")
    generator = torch.Generator().manual_seed(0)
    observed = model.observe(split.images, generator).split(500)
    for x, (mu, log_var) in [(x, model.posterior(x)) for x in observed] * samples:
        noise = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        yield x, mu, log_var, mu + torch.exp(0.5 * log_var) * noise


@torch.no_grad()
def _log_weights(model: Any, split: Any, samples: int) -> Tensor:
    """log p(x|z) + log p(z) − log q(z|x) at draws z from q(z|x): (samples, N), double precision."""
    weights = [
        model.log_likelihood(x, z) + model.log_prior(z) - losses.gaussian_log_density(z, mu, log_var).sum(dim=1)
        for x, mu, log_var, z in _draws(model, split, samples)
    ]
    return torch.cat(weights).double().view(samples, -1)


def disentanglement(model: Any, split: Any, resamples: int = 20) -> Estimate:
    """Mutual information gap of the codes in [0, 1]: 1 where each factor is told by one dimension alone.

    For each factor v: the information that its best dimension has about it less that of the second best, divided by the
    entropy of v; averaged over the factors. Codes are draws from q(z|x) where there is one, so that a dimension drowned
    in noise tells nothing. Information is measured on ten equally filled bins. Error by bootstrap over images.
    split: with `factors` (N, F), such as lab.load("shapes").test. Chen et al. (2018), equation 6.
    """
    if not hasattr(split, "factors"):
        raise TypeError('disentanglement needs images with known factors, such as lab.load("shapes").test')
    has_posterior = hasattr(model, "posterior")
    codes = torch.cat([z for *_, z in _draws(model, split)]) if has_posterior else encode(model, split)
    z, v = _in_bins(codes), _in_bins(split.factors)

    def gap(rows: Tensor) -> float:
        # I(z_j; v_k) = Σ p(a, b) log p(a, b) / (p(a) p(b)) over the bins a of z_j and b of v_k
        joint = torch.einsum("nja,nkb->jkab", z[rows], v[rows]) / len(rows)
        independent = joint.sum(dim=3, keepdim=True) * joint.sum(dim=2, keepdim=True)
        information = (torch.xlogy(joint, joint) - torch.xlogy(joint, independent)).sum(dim=(2, 3))
        best, second = torch.cat([information, torch.zeros_like(information[:1])]).topk(2, dim=0).values
        share = v[rows].mean(dim=0)
        entropy = -torch.xlogy(share, share).sum(dim=1)
        return float(((best - second) / entropy)[entropy > 0].mean())  # a factor that never varies is not asked after

    generator = torch.Generator().manual_seed(0)
    again = [gap(torch.randint(len(z), (len(z),), generator=generator)) for _ in range(resamples)]
    return Estimate(gap(torch.arange(len(z))), float(torch.tensor(again).std()))


def _in_bins(values: Tensor, bins: int = 10) -> Tensor:
    """(N, d) → (N, d, bins), one-hot: the bin of each value among equally filled ones; equal values share a bin."""
    values = values.double()
    edges = torch.quantile(values, torch.arange(1, bins, dtype=torch.double) / bins, dim=0)
    return torch.nn.functional.one_hot((values > edges[:, None]).sum(dim=0), bins).double()


# --- are these images like those? ------------------------------------------------------------------------------------


def two_sample_accuracy(a: Tensor, b: Tensor) -> Estimate:
    """How often the nearest other image tells whether an image is of a or of b: 0.5 where the two are alike.

    a, b: (N, …), as many of each. 1: far apart; below 0.5: a holds near-copies of b. Euclidean, leave-one-out.
    Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests".
    """
    if a.shape != b.shape or len(a) < 2:
        raise ValueError(f"needs two or more images of each kind, as many of both: got {_shapes(a, b)}; cut with [:n]")
    both, own = torch.cat([a, b]).flatten(1).double(), torch.arange(2 * len(a))
    first, second = in_batches(lambda x: torch.cdist(x, both).topk(2, largest=False).indices, both).T
    nearest = torch.where(first == own, second, first)
    accuracy = _mean((nearest < len(a)) == (own < len(a)))
    # each other's nearest are right or wrong together: one observation, not two
    mutual = (nearest[nearest] == own).double().mean().item()
    return Estimate(accuracy.value, accuracy.error * math.sqrt(1 + mutual))


def nearest_training(images: Tensor, split: Any) -> tuple[Tensor, Tensor]:
    """The nearest image of `split` (data.train) to each of images (N, C, H, W): distances (N,) and indices (N,).

    Euclidean over pixels, so √(C·H·W·MSE). Are samples copies? Compare with the distances of data.test.
    """
    if images.shape[1:] != split.images.shape[1:]:
        raise ValueError(f"images must be of one shape, got {_shapes(images, split.images)}")
    train = split.images.flatten(1).double()
    found = in_batches(lambda x: torch.cdist(x.flatten(1).double(), train).argmin(dim=1), images)
    return (images - split.images[found]).flatten(1).norm(dim=1), found


def mmd(a: Tensor, b: Tensor, bandwidth: float | None = None) -> Estimate:
    """Squared maximum mean discrepancy of two samples a (N, d), b (M, d); about 0, or a little below, for one source.

    E k(a, a') + E k(b, b') − 2 E k(a, b), without bias, k(x, y) = exp(−‖x − y‖² / 2h²); bandwidth: h, None for the
    median distance. Error to first order, over rows; up to √2 too large where the two agree.
    Gretton et al. (2012), "A kernel two-sample test", equation 3. Needs memory for (N + M)² numbers.
    """
    if a.ndim != 2 or a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < 2:
        raise ValueError(f"needs two or more rows of each, (N, d) and (M, d), got {_shapes(a, b)}")
    both, n = torch.cat([a, b]).detach().double(), len(a)
    if bandwidth is None:
        distances = torch.pdist(both)
        bandwidth = distances.median().item() or distances.mean().item() or 1.0
    kernel = torch.exp(-torch.cdist(both, both).square() / (2 * bandwidth**2)).fill_diagonal_(0)
    # row by row, so that mean(u) + mean(v) is the estimate
    u = kernel[:n, :n].sum(dim=1) / (n - 1) - kernel[:n, n:].mean(dim=1)
    v = kernel[n:, n:].sum(dim=1) / (len(b) - 1) - kernel[n:, :n].mean(dim=1)
    return Estimate(_mean(u).value + _mean(v).value, 2 * math.hypot(_mean(u).error, _mean(v).error))


def _shapes(a: Tensor, b: Tensor) -> str:
    return f"{tuple(a.shape)} and {tuple(b.shape)}"


# --- images that a model made up, through the eyes of a classifier ----------------------------------------------------
#
# Images (N, C, H, W) of two sets are compared by their features (N, d), in double precision. features: what makes them
# from a batch of images; None for the 64 of `classifier.load()`, which sees digits (N, 1, 28, 28) in [0, 1].

Features = Callable[[Tensor], Tensor] | None


def frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians, means (d,) and covariances (d, d); ≥ 0.

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁^½ Σ₂ Σ₁^½)^½). Dowson and Landau (1982).
    Covariances may be singular. Raises ValueError for shapes that do not fit.
    """
    d = len(mean_a)
    if not (mean_a.shape == mean_b.shape == (d,) and cov_a.shape == cov_b.shape == (d, d)):
        raise ValueError(f"means (d,) and covariances (d, d): {_shapes(mean_a, cov_a)}, {_shapes(mean_b, cov_b)}")

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
    return Estimate(_mean(u).value + _mean(v).value, 2 * math.hypot(_mean(u).error, _mean(v).error))


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
    return torch.bincount(in_batches(classifier.load().predict, images), minlength=10).double() / len(images)


def condition_accuracy(images: Tensor, labels: Tensor) -> Estimate:
    """How often the digit classifier sees in images (N, 1, 28, 28) the class asked for, labels (N,) in 0 … 9."""
    if labels.shape != images.shape[:1]:
        raise ValueError(f"needs one label for each image, got {_shapes(images, labels)}")
    return _mean(in_batches(classifier.load().predict, images) == labels)


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
        raise ValueError(f"needs points (…, N, d) and centres (K, d), got {_shapes(points, centres)}")
    if len(centres) > 1 and torch.pdist(centres.double()).min() < 2 * radius:
        raise ValueError(f"circles of radius {radius:g} overlap: it must be at most half the distance of two centres")
    close = (points.double().unsqueeze(-2) - centres.double()).norm(dim=-1) <= radius
    return Modes((close.double().mean(dim=-2) >= at_least).sum(dim=-1), close.any(dim=-1).double().mean(dim=-1))


def _features(features: Features, at_least: int, a: Tensor, b: Tensor) -> list[Tensor]:
    """The features of both sets in double precision, (N, d) and (M, d); ValueError for images that have none."""
    if a.shape[1:] != b.shape[1:] or min(len(a), len(b)) < at_least:
        raise ValueError(f"needs {at_least} or more images of each kind, all of one shape, got {_shapes(a, b)}")
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("images must be finite, but some hold NaN or infinity: has the model that made them diverged?")
    features = features or classifier.load().features
    return [in_batches(features, images).double() for images in (a, b)]


def _by_balls(real: Tensor, generated: Tensor, k: int, features: Features, shares: Any) -> list[Estimate]:
    """Means of what `shares` makes of the distances (N, M) between the sets, and of each image's distance to the k-th
    nearest of its own set, (N,) and (M,). Errors by a jackknife that leaves out a tenth of both sets at a time, up to
    twice too large; a plain error over images would be half of what it should, for a few wide balls decide much."""
    if k < 1:
        raise ValueError(f"k is which neighbour a ball reaches to and must be at least 1, got {k}")
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
