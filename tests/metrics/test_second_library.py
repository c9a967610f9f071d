"""Every measure and every loss beside the same quantity from a library that people know.

scipy, scikit-learn and scikit-image come with the course. prdc, torchmetrics and lightly are in the extra `second`,
which only the continuous integration installs; elsewhere their tests are skipped. What has no counterpart stands in
`ALONE`, with the reason. Double precision agrees to 1e-7 or better, float32 to what its seven digits allow.
"""

import ast
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import seeded
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab import losses, metrics
from autoencoder_lab.metrics import classifier
from autoencoder_lab.metrics.likelihood import posterior_draws

DOUBLE, FLOAT32 = 1e-9, 2e-6  # relative tolerances
HINT = "the second libraries are in an extra: pip install -e '.[second]'"

ALONE = {
    "checkerboard_energy": "no library has it: a share of Fourier power (test_metrics.py has patterns made by hand)",
    "critic_accuracy": "a network that is trained (test_critic.py has the best accuracy there is, of two Gaussians)",
    "generator_hinge": "a mean with a minus sign",
}
NO_FIGURES = {"DensityCoverage", "Estimate", "Modes", "PrecisionRecall", "CORRUPTION_SEED", "encode", "in_batches"}


def prdc() -> ModuleType:
    return pytest.importorskip("prdc", reason=HINT)


def torchmetrics(part: str) -> Any:
    return pytest.importorskip(f"torchmetrics.{part}", reason=HINT)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.double)


def same(ours: Any, theirs: Any, rel: float = DOUBLE) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float), rtol=rel, atol=rel)


class Given:
    """A stand-in model: what comes out was worked out beforehand, image by image; without codes, pixels are codes."""

    has_posterior = fills = False

    def __init__(self, outputs: Tensor | None = None, codes: Tensor | None = None) -> None:
        self.outputs = None if outputs is None else iter(outputs)
        self.codes = None if codes is None else iter(codes)

    def reconstruct(self, x: Tensor) -> Tensor:
        assert self.outputs is not None
        return torch.stack([next(self.outputs) for _ in x])

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) if self.codes is None else torch.stack([next(self.codes) for _ in x])


def itself(points: Tensor) -> Tensor:
    return points


@pytest.fixture(scope="module")
def pairs(mnist: lab.ImageData) -> tuple[lab.Split, Tensor]:
    """600 digits (more than one batch), and noisy copies that leave [0, 1]."""
    some = mnist.test[:600]
    return some, some.images + 0.2 * torch.randn(some.images.shape, generator=seeded(5))


# --- which there are -------------------------------------------------------------------------------------------------


def test_every_measure_and_loss_is_here_or_says_why_not() -> None:
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    named = [(node.value, node.attr) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    asked = {name for of, name in named if isinstance(of, ast.Name) and of.id in ("metrics", "losses")}
    formulas = {name for name, thing in vars(losses).items() if getattr(thing, "__module__", "") == losses.__name__}
    measures = set(metrics.__all__) - NO_FIGURES
    every = {name for name in formulas | measures if not name.startswith("_")}
    assert len(every) > 40 and every - asked == ALONE.keys()


# --- reconstruction --------------------------------------------------------------------------------------------------


def test_mse_is_scikit_learn_s(pairs: tuple[lab.Split, Tensor]) -> None:
    from scipy.stats import sem
    from sklearn.metrics import mean_squared_error

    split, outputs = pairs
    found = metrics.mse(Given(outputs), split)
    x, x_hat = (images.flatten(1).double().numpy() for images in (split.images, outputs))
    same(found.value, mean_squared_error(x, x_hat), FLOAT32)
    same(found.error, sem(((x - x_hat) ** 2).mean(axis=1)), FLOAT32)


def test_psnr_is_torchmetrics(pairs: tuple[lab.Split, Tensor]) -> None:
    theirs = torchmetrics("functional.image").peak_signal_noise_ratio
    split, outputs = pairs
    clipped = outputs.clamp(0, 1).double()
    same(metrics.psnr(Given(outputs), split).value, theirs(clipped, split.images.double(), data_range=1.0), FLOAT32)


def test_ssim_is_scikit_image_s(pairs: tuple[lab.Split, Tensor]) -> None:
    from skimage.metrics import structural_similarity

    split, outputs = pairs
    x, x_hat = split.images[:50], outputs[:50].clamp(0, 1)
    theirs = [
        structural_similarity(a[0].double().numpy(), b[0].double().numpy(), data_range=1)
        for a, b in zip(x, x_hat, strict=True)
    ]
    same(metrics.ssim(Given(outputs), split[:50]).value, np.mean(theirs), 1e-5)  # variances of float32: fewer digits


def test_ssim_differs_from_torchmetrics_by_window_variance_and_border_alone(pairs: tuple[lab.Split, Tensor]) -> None:
    """As its docstring says: with their window and border made ours, theirs is ours; as they come, they differ."""
    theirs = torchmetrics("functional.image").structural_similarity_index_measure
    split, outputs = pairs[0][:100], pairs[1][:100]
    x, x_hat = split.images.double(), outputs.clamp(0, 1).double()
    ours = metrics.ssim(Given(outputs), split).value
    # variances over 49 − 1 pixels are 49/48 of theirs; dividing the constant (0.03)² instead comes to the same
    flat = {"gaussian_kernel": False, "kernel_size": 7, "k2": 0.03 * math.sqrt(48 / 49)}
    _, everywhere = theirs(x_hat, x, data_range=1.0, reduction="none", return_full_image=True, **flat)
    same(ours, everywhere[..., 3:-3, 3:-3].mean(), 1e-5)
    whole, as_it_comes = (float(one.mean()) for one in (everywhere, theirs(x_hat, x, data_range=1.0)))
    assert ours == pytest.approx(0.60, abs=0.01) and as_it_comes == pytest.approx(0.36, abs=0.01)
    assert as_it_comes < whole - 0.03 and whole < ours - 0.1  # the border does most of it on images that are dark there


def test_errors_in_and_around_a_hole_are_scikit_learn_s_weighted_by_the_mask(pairs: tuple[lab.Split, Tensor]) -> None:
    from sklearn.metrics import mean_squared_error

    split, outputs = pairs
    corrupt = lab.corrupt.box_mask(10, fill=0.5)
    hole = corrupt.mask(split.images, seeded(metrics.CORRUPTION_SEED)).expand_as(split.images).flatten().numpy()
    x, x_hat = (images.flatten().double().numpy() for images in (split.images, outputs))
    for found, side in zip(metrics.hole_errors(Given(outputs), split, corrupt), (hole, ~hole), strict=True):
        same(found.value, mean_squared_error(x, x_hat, sample_weight=side), FLOAT32)


# --- codes -----------------------------------------------------------------------------------------------------------


def test_probe_is_scikit_learn_s(digits: lab.ImageData) -> None:
    """It is scikit-learn's, stopped early: what is asked is that stopping costs nothing. Two images of 360 at most."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    (x, y), (x_test, y_test) = ((s.images.flatten(1).numpy(), s.labels.numpy()) for s in (digits.train, digits.test))
    scaler = StandardScaler().fit(x)
    theirs = LogisticRegression(max_iter=2000).fit(scaler.transform(x), y).score(scaler.transform(x_test), y_test)
    assert abs(metrics.probe(Given(), digits).value - theirs) <= 2 / len(y_test)


def off_the_grid(data: lab.ImageData) -> lab.ImageData:
    """Grey values of sixteen steps make ties, which may fall either way; with a little noise there are none."""
    return data.map(lambda images: images + 0.01 * torch.randn(images.shape, generator=seeded(len(images))), None)


@pytest.mark.parametrize("neighbours", [1, 4, 5])
def test_knn_is_scikit_learn_s(neighbours: int, digits: lab.ImageData) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    data = off_the_grid(digits)
    theirs = KNeighborsClassifier(neighbours).fit(data.train.images.flatten(1).double(), data.train.labels)
    same(
        metrics.knn(Given(), data, neighbours).value,
        theirs.score(data.test.images.flatten(1).double(), data.test.labels),
    )


def test_retrieval_precision_is_torchmetrics(digits: lab.ImageData) -> None:
    theirs = torchmetrics("functional.retrieval").retrieval_precision
    data = off_the_grid(digits)
    test = data.test[:40]
    distances = torch.cdist(test.images.flatten(1).double(), data.train.images.flatten(1).double())
    each = [  # scores above 0: it takes the others for not found
        theirs(1 / (1 + row), data.train.labels == label, top_k=10)
        for row, label in zip(distances, test.labels, strict=True)
    ]
    cut = lab.ImageData("cut", data.train, data.val, test)
    same(metrics.retrieval_precision(Given(), cut, k=10).value, torch.stack(each).mean(), FLOAT32)


def test_principal_angles_are_scipy_s() -> None:
    from scipy.linalg import subspace_angles

    a, b = normal(50, 4), normal(50, 7, seed=1)
    same(metrics.principal_angles(a, b), np.rad2deg(np.sort(subspace_angles(a.numpy(), b.numpy()))))


def test_effective_rank_is_the_entropy_of_scikit_learn_s_variance_ratios() -> None:
    from scipy.stats import entropy
    from sklearn.decomposition import PCA

    codes = (normal(300, 6) @ normal(6, 6, seed=1)).float()
    split = lab.Split(codes[:, None, None], torch.zeros(300, dtype=torch.long), ("one",), None)
    shares = PCA().fit(codes.double().numpy()).explained_variance_ratio_
    same(metrics.effective_rank(Given(), split).value, np.exp(entropy(shares)))


def test_active_units_are_counted_by_numpy_s_variance() -> None:
    codes = normal(300, 1, 1, 8) * torch.logspace(-3, 1, 8, dtype=torch.double)
    split = lab.Split(codes.float(), torch.zeros(300, dtype=torch.long), ("one",), None)
    theirs = int((np.var(codes.flatten(1).numpy(), axis=0) > 0.01).sum())
    assert 0 < metrics.active_units(Given(), split) == theirs < 8


@pytest.mark.parametrize("count", [40, 1200])  # fewer images than pixels, and more: two ways to one answer
def test_pca_is_scikit_learn_s(count: int, digits: lab.ImageData) -> None:
    from sklearn.decomposition import PCA

    split = digits.train[:count]
    ours = lab.PCA(8).fit(split)
    theirs = PCA(8, svd_solver="full").fit(split.images.flatten(1).double().numpy())
    same(ours.mean, theirs.mean_, FLOAT32)
    same(ours.variances, theirs.explained_variance_, FLOAT32)
    signs = np.sign((ours.components.T.numpy() * theirs.components_).sum(axis=1, keepdims=True))
    same(ours.components.T, theirs.components_ * signs, 1e-5)
    x = digits.test.images
    again = theirs.inverse_transform(theirs.transform(x.flatten(1).double().numpy()))
    same(ours.reconstruct(x).flatten(1), again, 1e-5)


# --- posteriors ------------------------------------------------------------------------------------------------------


def test_bounds_and_kl_are_those_of_torch_distributions(tiny: lab.ImageData) -> None:
    from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

    vae, split = lab.VAE(3, (1, 8, 8)), tiny.val
    logs, divergences = [], []
    with torch.no_grad():
        for x, mu, log_var, z in posterior_draws(vae, split, 4):
            q, prior = (Normal(mean, torch.exp(log / 2)) for mean, log in ((mu, log_var), (0 * mu, 0 * mu)))
            pixels = Independent(Bernoulli(logits=vae.decoder(z)), 3)
            logs.append(pixels.log_prob(x) + (prior.log_prob(z) - q.log_prob(z)).sum(dim=1))
            divergences.append(kl_divergence(q, prior))
    weights = torch.stack(logs).double()
    same(metrics.elbo(vae, split).value, weights[0].mean(), FLOAT32)
    same(metrics.nll(vae, split, 4).value, (math.log(4) - weights.logsumexp(dim=0)).mean(), FLOAT32)
    same(metrics.kl_per_dimension(vae, split), divergences[0].double().mean(dim=0), FLOAT32)


def test_information_gap_is_scikit_learn_s_mutual_information() -> None:
    from sklearn.metrics import mutual_info_score

    split = lab.load("shapes").test[:2000]
    mixed = (split.factors.double() @ normal(split.factors.shape[1], 5, seed=3)).float()

    def binned(values: Tensor) -> np.ndarray[Any, Any]:
        edges = np.quantile(values.numpy(), np.arange(1, 10) / 10, axis=0)
        return np.stack(
            [np.searchsorted(edges[:, j], values[:, j].numpy(), side="left") for j in range(values.shape[1])]
        )

    gaps = []
    for factor in binned(split.factors.double()):
        entropy = mutual_info_score(factor, factor)
        *_, second, best = sorted(mutual_info_score(code, factor) for code in binned(mixed.double()))
        if entropy > 0:
            gaps.append((best - second) / entropy)
    assert len(gaps) > 2
    same(metrics.disentanglement(Given(codes=mixed), split, resamples=2).value, np.mean(gaps))


# --- generated images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "shift", "scale"), [(1, 0.0, 1.0), (3, 0.5, 0.7), (5, 1.0, 1.0)])
def test_precision_recall_density_and_coverage_are_prdc_s(k: int, shift: float, scale: float) -> None:
    real, generated = normal(150, 8), scale * normal(120, 8, seed=1) + shift
    theirs = prdc().compute_prdc(real.numpy(), generated.numpy(), k)
    precision, recall = metrics.precision_recall(real, generated, k, itself)
    density, coverage = metrics.density_coverage(real, generated, k, itself)
    same(
        [one.value for one in (precision, recall, density, coverage)],
        [theirs[name] for name in ("precision", "recall", "density", "coverage")],
    )
    assert density.value != 1 and 0 < recall.value < 1


def test_frechet_is_torchmetrics_and_scipy_s() -> None:
    from scipy.linalg import sqrtm

    theirs = torchmetrics("image.fid")._compute_fid
    (mean_a, a), (mean_b, b) = ((normal(16, seed=i), normal(40, 16, seed=i + 9).T.cov()) for i in (1, 2))
    found = metrics.frechet(mean_a, a, mean_b, b)
    same(found, theirs(mean_a, a, mean_b, b))
    same(
        found, (mean_a - mean_b).square().sum() + a.trace() + b.trace() - 2 * sqrtm((a @ b).numpy()).real.trace(), 1e-7
    )


class Eyes(nn.Module):
    """The course's classifier as torchmetrics takes one: its features, in double precision."""

    num_features = 64

    def forward(self, images: Tensor) -> Tensor:
        return classifier.load().features(images).double()


def test_fcd_and_kid_are_torchmetrics_with_our_classifier(pairs: tuple[lab.Split, Tensor]) -> None:
    fid, kid = torchmetrics("image.fid").FrechetInceptionDistance, torchmetrics("image.kid").KernelInceptionDistance
    real, fake = pairs[0].images[:300], pairs[1][300:].clamp(0, 1)
    theirs = fid(feature=Eyes()).set_dtype(torch.double), kid(feature=Eyes(), subsets=1, subset_size=300)
    for one in theirs:
        one.update(real, real=True)
        one.update(fake, real=False)
    same(metrics.fcd(real, fake, resamples=2).value, theirs[0].compute(), 1e-7)
    same(metrics.kid(real, fake).value, theirs[1].compute()[0], 1e-7)


def test_mmd_is_torchmetrics_with_scikit_learn_s_kernel() -> None:
    from sklearn.metrics.pairwise import rbf_kernel

    discrepancy = torchmetrics("image.kid").maximum_mean_discrepancy
    a, b, h = normal(80, 3), 1.2 * normal(80, 3, seed=1) + 0.4, 1.7
    kernels = [
        torch.from_numpy(rbf_kernel(x.numpy(), y.numpy(), gamma=1 / (2 * h**2))) for x, y in ((a, a), (a, b), (b, b))
    ]
    same(metrics.mmd(a, b, h).value, discrepancy(*kernels))


def test_nearest_images_and_the_two_sample_test_are_scikit_learn_s(mnist: lab.ImageData) -> None:
    from sklearn.model_selection import LeaveOneOut, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

    a, train = mnist.test.images[:60], mnist.train[:500]
    reference = NearestNeighbors(n_neighbors=1).fit(train.images.flatten(1).double())
    distances, indices = reference.kneighbors(a.flatten(1).double())
    found = metrics.nearest_training(a, train)
    same(found[0], distances[:, 0], FLOAT32)
    assert found[1].tolist() == indices[:, 0].tolist()
    b = 0.9 * train.images[:60]
    both, kind = torch.cat([a, b]).flatten(1).double().numpy(), [0] * 60 + [1] * 60
    theirs = cross_val_score(KNeighborsClassifier(1), both, kind, cv=LeaveOneOut()).mean()
    same(metrics.two_sample_accuracy(a, b).value, theirs)


def test_accuracy_of_conditions_is_scikit_learn_s_and_classes_are_numpy_s(mnist: lab.ImageData) -> None:
    from sklearn.metrics import accuracy_score

    images, labels = mnist.test.images[:200], mnist.test.labels[:200].roll(30)
    predicted = classifier.load().predict(images)
    same(metrics.condition_accuracy(images, labels).value, accuracy_score(labels, predicted))
    same(metrics.class_histogram(images), np.histogram(predicted, bins=range(11))[0] / 200)


def test_modes_are_counted_by_scipy_s_tree() -> None:
    from scipy.spatial import KDTree

    centres = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    points = normal(200, 2) + centres[torch.arange(200) % 2]  # nobody goes to the third
    counts = KDTree(points.numpy()).query_ball_point(centres.numpy(), 1.0, return_length=True)
    found = metrics.modes_covered(points, centres, radius=1.0, at_least=0.1)
    same([found.covered, found.near], [(counts >= 20).sum(), counts.sum() / 200])


# --- single pictures -------------------------------------------------------------------------------------------------


def test_sharpness_is_scipy_s_laplacian(pairs: tuple[lab.Split, Tensor]) -> None:
    from scipy.ndimage import laplace

    images = pairs[1][:30]
    inner = np.stack([laplace(image[0].double().numpy())[1:-1, 1:-1] for image in images])
    same(metrics.sharpness(images).value, np.abs(inner).mean(), FLOAT32)


def test_power_spectrum_is_scipy_s_means_over_rings(pairs: tuple[lab.Split, Tensor]) -> None:
    from scipy import fft, ndimage

    images = pairs[0].images[:30].double()
    power = np.mean([np.abs(fft.fft2(image[0].numpy(), norm="ortho")) ** 2 for image in images], axis=0)
    rings = np.rint(np.hypot(*np.meshgrid(*[fft.fftfreq(28, 1 / 28)] * 2)))
    same(metrics.power_spectrum(images), ndimage.mean(power, rings, range(15)))


# --- losses ----------------------------------------------------------------------------------------------------------


def test_squared_error_is_scikit_learn_s() -> None:
    from sklearn.metrics import mean_squared_error

    x, x_hat = normal(7, 2, 5, 5), normal(7, 2, 5, 5, seed=1)
    same(losses.squared_error(x_hat, x), 50 * mean_squared_error(x.flatten(1).numpy(), x_hat.flatten(1).numpy()))


def test_cross_entropy_and_entropy_are_scipy_s_for_grey_and_scikit_learn_s_for_black_and_white() -> None:
    from scipy.special import entr, expit, rel_entr
    from sklearn.metrics import log_loss

    logits, x = 3 * normal(7, 1, 5, 5), torch.rand(7, 1, 5, 5, generator=seeded(2), dtype=torch.double)
    x[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    entropy = entr(x.numpy()) + entr(1 - x.numpy())
    p = expit(logits.numpy())
    divergence = rel_entr(x.numpy(), p) + rel_entr(1 - x.numpy(), 1 - p)
    same(losses.entropy(x), entropy.sum() / 7)
    same(losses.cross_entropy(logits, x), (entropy + divergence).sum() / 7)
    black_and_white = x.round()
    theirs = log_loss(black_and_white.flatten().numpy(), p.flatten())
    same(losses.cross_entropy(logits, black_and_white), 25 * theirs)


def test_densities_are_scipy_s_and_kl_is_that_of_torch_distributions() -> None:
    from scipy import stats
    from scipy.special import expit
    from torch.distributions import Normal, kl_divergence

    x, mean, log_var = normal(9, 4), normal(9, 4, seed=1), normal(9, 4, seed=2)
    sigma = torch.exp(log_var / 2)
    same(losses.gaussian_log_density(x, mean, log_var), stats.norm.logpdf(x.numpy(), mean.numpy(), sigma.numpy()))
    same(losses.gaussian_kl(mean, log_var), kl_divergence(Normal(mean, sigma), Normal(torch.zeros_like(mean), 1.0)))
    bits = (x > 0).double()
    same(losses.bernoulli_log_density(bits, mean), stats.bernoulli.logpmf(bits.numpy(), expit(mean.numpy())))


def test_adversarial_losses_are_those_of_scikit_learn_and_torch() -> None:
    from sklearn.metrics import hinge_loss, log_loss

    real, fake = 2 * normal(40), 2 * normal(40, seed=1)
    scores, truth = torch.cat([real, fake]), [1] * 40 + [0] * 40
    same(
        losses.critic_cross_entropy(real, fake), 2 * log_loss(truth, torch.sigmoid(scores).numpy())
    )  # a mean for each kind
    same(losses.critic_hinge(real, fake), 2 * hinge_loss(truth, scores.numpy()))
    same(losses.generator_non_saturating(real, fake), F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake)))
    same(losses.generator_saturating(real, fake), -F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)))
    same(losses.relativistic(real, fake), F.soft_margin_loss(real - fake, torch.ones_like(fake)))


def test_squared_gradient_is_torch_func_s_image_by_image() -> None:
    weight, x = normal(12), normal(5, 3, 2, 2, seed=1).requires_grad_()

    def score(image: Tensor) -> Tensor:
        return torch.tanh(image.flatten() @ weight) + image.square().sum()

    each = torch.func.vmap(torch.func.grad(score))(x.detach())
    found = losses.squared_gradient(torch.stack([score(image) for image in x]), x)
    same(found.detach(), each.flatten(1).square().sum(dim=1).mean())


def test_vicreg_terms_and_their_gradients_are_lightly_s() -> None:
    pytest.importorskip("lightly", reason=HINT)
    from lightly.loss import vicreg_loss as theirs

    z, other = (0.7 * normal(30, 6)).requires_grad_(), normal(30, 6, seed=9)
    both = [
        (losses.vicreg_variance(z), theirs.variance_loss(z)),
        (losses.vicreg_invariance(z, other), theirs.invariance_loss(z, other)),
        (losses.vicreg_covariance(z), theirs.covariance_loss(z)),
    ]
    for ours, reference in both:
        assert reference > 0
        same(ours.detach(), reference.detach())
        same(*(torch.autograd.grad(value, z)[0] for value in (ours, reference)))
