"""Metrics of models with a posterior, and of sets of images, against closed forms and planted truths."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import seeded
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab import metrics

PIXELS, LATENT, SIGMA = 6, 2, 0.5


def split(images: Tensor, **more: Tensor) -> SimpleNamespace:
    return SimpleNamespace(images=images, **more)


def linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.double)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


class LinearGaussian:
    """z ~ N(0, I), x|z ~ N(Wz + b, σ²I): everything about it is known. W has orthogonal columns, so that the exact
    posterior is diagonal, as a VAE's is: N(S Wᵀ(x − b)/σ², S) with S⁻¹ = I + WᵀW/σ²."""

    def __init__(self) -> None:
        random = torch.randn(PIXELS, LATENT, generator=seeded(1), dtype=torch.double)
        self.w = torch.linalg.qr(random).Q * torch.tensor([2.0, 0.7], dtype=torch.double)
        self.b = torch.randn(PIXELS, generator=seeded(2), dtype=torch.double)
        self.posterior_variance = 1 / (1 + self.w.square().sum(dim=0) / SIGMA**2)

    def images(self, count: int) -> Tensor:
        z = torch.randn(count, LATENT, generator=seeded(3), dtype=torch.double)
        noise = torch.randn(count, PIXELS, generator=seeded(4), dtype=torch.double)
        return (z @ self.w.T + self.b + SIGMA * noise).view(count, 1, 2, 3)

    def log_density(self, x: Tensor) -> Tensor:
        covariance = self.w @ self.w.T + SIGMA**2 * torch.eye(PIXELS, dtype=torch.double)
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x.flatten(1))

    def vae(self, model: Any = lab.VAE, mean_off: float = 0.0, variance_times: float = 1.0, **settings: Any) -> Any:
        """A VAE with this decoder, and the exact posterior but for the two changes."""
        vae = model(LATENT, (1, 2, 3), likelihood="gaussian", sigma=SIGMA, output="linear", **settings)
        to_mean = self.posterior_variance[:, None] * self.w.T / SIGMA**2
        log_variance = (self.posterior_variance * variance_times).log()
        weight = torch.cat([to_mean, torch.zeros_like(to_mean)])
        vae.encoder = nn.Sequential(
            nn.Flatten(), linear(weight, torch.cat([mean_off - to_mean @ self.b, log_variance]))
        )
        vae.decoder = nn.Sequential(linear(self.w, self.b), nn.Unflatten(1, (1, 2, 3)))
        return vae


@pytest.fixture(scope="module")
def known() -> LinearGaussian:
    return LinearGaussian()


# --- the likelihood and its bounds -----------------------------------------------------------------------------------


def test_elbo_at_the_exact_posterior_is_the_log_likelihood(known: LinearGaussian) -> None:
    x = known.images(50)
    vae = known.vae()
    vae.log_sigma = torch.tensor(math.log(SIGMA), dtype=torch.double)  # ½ is rounded to 7 digits in single precision
    exact = known.log_density(x)
    for found in (metrics.elbo(vae, split(x)).value, -metrics.nll(vae, split(x), 7).value):
        assert math.isclose(found, exact.mean().item(), abs_tol=1e-10)
    assert math.isclose(metrics.elbo(vae, split(x)).error, exact.std().item() / 50**0.5, rel_tol=1e-6)
    for one in range(3):
        assert math.isclose(metrics.elbo(vae, split(x[one : one + 1])).value, exact[one].item(), abs_tol=1e-10)


@pytest.mark.parametrize(("mean_off", "variance_times"), [(0.5, 1.0), (0.0, 3.0), (-0.3, 0.5)])
def test_elbo_at_a_wrong_posterior_is_lower_by_the_kl(
    known: LinearGaussian, mean_off: float, variance_times: float
) -> None:
    x = known.images(4000)
    found = metrics.elbo(known.vae(mean_off=mean_off, variance_times=variance_times), split(x))
    exact = torch.distributions.Normal(torch.zeros(LATENT), known.posterior_variance.sqrt())
    wrong = torch.distributions.Normal(
        torch.full((LATENT,), mean_off), (variance_times * known.posterior_variance).sqrt()
    )
    gap = torch.distributions.kl_divergence(wrong, exact).sum().item()
    below = known.log_density(x).mean().item() - found.value
    assert gap > 0.1 and abs(below - gap) < 4 * found.error  # the error holds the spread of log p(x) too: generous
    assert abs(below - gap) < 0.1


def test_importance_weighted_bounds_rise_to_the_log_likelihood(known: LinearGaussian) -> None:
    x = split(known.images(300))
    vae = known.vae(mean_off=0.4, variance_times=2.0)
    exact = known.log_density(x.images).mean().item()
    bounds = [metrics.elbo(vae, x).value, *(-metrics.nll(vae, x, k).value for k in (5, 50, 2000))]
    assert bounds == sorted(bounds) and bounds[0] < exact - 0.5
    # measured gaps −1.7, −0.32, −0.020, −0.0003: about Var[w]/2K
    assert abs(bounds[-1] - exact) < 0.01 < exact - bounds[1]


def test_nll_of_one_sample_is_minus_elbo(known: LinearGaussian) -> None:
    vae, x = known.vae(mean_off=0.4), split(known.images(1203))  # more than two batches
    assert math.isclose(metrics.nll(vae, x, 1).value, -metrics.elbo(vae, x).value, rel_tol=1e-12)


def test_weights_too_small_for_a_float_are_added_up_in_logarithms(mnist: lab.ImageData) -> None:
    vae = lab.VAE(2, likelihood="gaussian", sigma=0.01)  # an untrained one: log p(x|z) ≈ −10⁶
    found = metrics.nll(vae, mnist.test[:20], 3)
    assert math.isfinite(found.value) and found.value > 1e5 and math.isfinite(found.error)


def test_beta_free_bits_and_training_mode_play_no_part(tiny: lab.ImageData) -> None:
    plain = lab.VAE(3, (1, 8, 8), width=4, hidden=16)
    other = lab.VAE(3, (1, 8, 8), width=4, hidden=16, beta=7.0, free_bits=2.0)
    other.load_state_dict(plain.state_dict())
    other.warmth.zero_()
    other.train(), plain.eval()
    for measure in (metrics.elbo, metrics.nll, metrics.active_units):
        assert measure(plain, tiny.test) == measure(other, tiny.test)


def test_measuring_twice_agrees_and_leaves_no_trace(tiny: lab.ImageData) -> None:
    for model in (lab.VAE(3, (1, 8, 8)), lab.MixturePriorVAE(3, (1, 8, 8))):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        for measure in (metrics.elbo, metrics.nll, metrics.kl_per_dimension):
            first = measure(model, tiny.test)
            torch.manual_seed(6)
            second = measure(model, tiny.test)
            torch.manual_seed(5)
            assert torch.equal(torch.as_tensor(first), torch.as_tensor(second))
            assert not (isinstance(first, Tensor) and first.requires_grad)
        assert torch.equal(torch.get_rng_state(), before)


def test_elbo_draws_from_q_and_not_its_mean(known: LinearGaussian) -> None:
    """At z = μ the log weights would be higher by about d/2: log q peaks there, and log p(x|z) p(z) with it."""
    vae = known.vae(variance_times=20.0)
    x = known.images(2000)
    at_mean = vae.log_likelihood(x, vae.encode(x)) + vae.log_prior(vae.encode(x))
    assert metrics.elbo(vae, split(x)).value < at_mean.mean().item() - 1


def test_a_bernoulli_likelihood_scores_what_is_observed(mnist: lab.ImageData) -> None:
    """A decoder that ignores z and knows each pixel's probability: −log p is the entropy, on black-and-white draws."""
    images = torch.full((400, 1, 28, 28), 0.3)
    vae = lab.VAE(1)
    vae.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    vae.decoder = nn.Sequential(nn.Linear(1, 784), nn.Unflatten(1, (1, 28, 28)))
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
        vae.decoder[0].bias.fill_(math.log(0.3 / 0.7))
    found = metrics.elbo(vae, split(images))
    entropy = -784 * (0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    # one image's spread: √(784 · 0.3 · 0.7) · log(0.7/0.3) = 10.9 nats, so binarised; grey images would have none
    assert abs(found.value + entropy) < 4 * found.error and math.isclose(found.error, 10.9 / 20, rel_tol=0.15)


@pytest.mark.parametrize("measure", [metrics.elbo, metrics.nll, metrics.kl_per_dimension])
def test_a_model_without_a_posterior_is_refused(measure: Any, tiny: lab.ImageData) -> None:
    with pytest.raises(TypeError, match=r"DenseAutoencoder\(4\)' has no posterior"):
        measure(lab.DenseAutoencoder(4, (1, 8, 8)), tiny.test)


def test_wrong_input_to_nll(tiny: lab.ImageData) -> None:
    vae = lab.VAE(3, (1, 8, 8))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        metrics.nll(vae, tiny.test, 0)
    with pytest.raises(ValueError, match=r"takes images in \[0, 1\], got \[-"):
        metrics.elbo(vae, split(torch.randn(4, 1, 8, 8)))
    with pytest.raises(ValueError, match=r"built for images \(B, 1, 8, 8\), got \(4, 1, 9, 9\)"):
        metrics.elbo(vae, split(torch.rand(4, 1, 9, 9)))


def test_a_mixture_prior_of_one_standard_gaussian_changes_nothing(known: LinearGaussian) -> None:
    x = split(known.images(600))
    plain, mixture = known.vae(mean_off=0.3), known.vae(lab.MixturePriorVAE, mean_off=0.3, components=3)
    with torch.no_grad():
        mixture.prior_means.zero_()
    assert math.isclose(metrics.nll(mixture, x, 20).value, metrics.nll(plain, x, 20).value, rel_tol=1e-6)
    whole = metrics.kl_per_dimension(mixture, x)  # at one draw an image
    assert whole.shape == (1,)
    assert abs(whole.item() - metrics.kl_per_dimension(plain, x).sum().item()) < 0.2  # spread √d/√600 ≈ 0.06


# --- the dimensions --------------------------------------------------------------------------------------------------


def test_kl_per_dimension_is_that_of_torch_distributions(known: LinearGaussian) -> None:
    vae, x = known.vae(mean_off=0.3, variance_times=1.7), known.images(1100)
    mu, log_var = vae.posterior(x)
    q, prior = torch.distributions.Normal(mu, (log_var / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(q, prior).mean(dim=0)
    found = metrics.kl_per_dimension(vae, split(x))
    assert found.shape == (LATENT,) and torch.allclose(found, expected, rtol=1e-10)


class Codes:
    """A stand-in model whose code is the first pixels, as they are."""

    has_posterior = False

    def __init__(self, matrix: Tensor | None = None) -> None:
        self.matrix = matrix

    def encode(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat if self.matrix is None else flat @ self.matrix


def test_active_units_are_the_dimensions_whose_mean_moves() -> None:
    # standard deviations 1 and 0.2 are active at a variance of 0.01; 0.05 and a constant are not
    scale = torch.tensor([1.0, 0.2, 0.05, 0.0])
    codes = torch.randn(900, 4, generator=seeded()) * scale + torch.tensor([0.0, 1.0, 0.0, 50.0])
    images = split(codes[:, None, None])
    assert metrics.active_units(Codes(), images) == 2
    assert metrics.active_units(Codes(), images, threshold=0.001) == 3
    assert metrics.active_units(Codes(), images, threshold=0.1) == 1


def test_active_units_do_not_count_noise_of_the_posterior(known: LinearGaussian) -> None:
    """An encoder that says N(0, 1) whatever it sees: draws vary with variance 1, means do not."""
    vae = known.vae()
    with torch.no_grad():
        vae.encoder[1].weight[1].zero_()  # the second mean is constant now
        vae.encoder[1].bias[2:].zero_()
    assert metrics.active_units(vae, split(known.images(500))) == 1


# --- disentanglement -------------------------------------------------------------------------------------------------


def factors(count: int = 3000) -> Tensor:
    """Three independent factors: two continuous ones, and one of three values."""
    values = torch.rand(count, 3, generator=seeded())
    values[:, 2] = torch.arange(count) % 3
    return values


def gap(codes: Tensor, causes: Tensor) -> metrics.Estimate:
    return metrics.disentanglement(Codes(), split(codes[:, None, None], factors=causes))


def test_codes_that_are_the_factors_have_a_gap_of_one() -> None:
    v = factors()
    # a second-best dimension seems to tell 81/2N nats by chance alone (Miller and Madow): 0.0135 of log 10
    assert gap(v, v).value > 0.97
    assert gap(torch.stack([5 * v[:, 2], -v[:, 1], v[:, 0] ** 3 - 7], dim=1), v).value > 0.97  # in any order and scale
    assert gap(v[:, :1], v[:, :1]).value == pytest.approx(1)  # a single dimension has no rival


def test_codes_that_know_nothing_have_a_gap_of_zero() -> None:
    found = gap(torch.randn(3000, 5, generator=seeded(1)), factors())
    assert 0 <= found.value < 0.01
    assert gap(torch.zeros(3000, 4), factors()).value == 0  # constant codes


def test_codes_shared_between_two_dimensions_have_a_small_gap() -> None:
    v = factors()[:, :2]
    quarter_turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5
    assert gap(v @ quarter_turn, v).value < 0.05  # both dimensions tell as much of either factor
    assert gap(torch.cat([v, v], dim=1), v).value < 1e-9  # a copy of each


def test_a_dimension_drowned_in_noise_tells_nothing(known: LinearGaussian) -> None:
    """Means that are the factors are not enough: at σ = 1 beside a spread of 0.001 the draws tell nothing."""
    v = factors()[:, :2].double()
    vae = known.vae()
    for log_variance, low, high in ((-12.0, 0.9, 1.0), (0.0, 0.0, 0.01)):
        scale = 1.0 if log_variance < 0 else 0.001
        take = torch.cat([scale * torch.eye(2), torch.zeros(2, 2)]).double()
        take = torch.cat([take, torch.zeros(4, 4, dtype=torch.double)], dim=1)
        bias = torch.tensor([0.0, 0.0, log_variance, log_variance], dtype=torch.double)
        vae.encoder = nn.Sequential(nn.Flatten(), linear(take, bias))
        images = torch.cat([v, torch.zeros(len(v), 4, dtype=torch.double)], dim=1).view(-1, 1, 2, 3)
        assert low <= metrics.disentanglement(vae, split(images, factors=v)).value <= high


def test_gap_by_hand() -> None:
    """z₁ = v and z₂ = v with a quarter of the values wrong, v a fair coin: gap = 1 − I(z₂; v)/log 2 = H(¼)/log 2."""
    v = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).repeat(50)[:, None]
    other = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]).repeat(50)[:, None]
    expected = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / math.log(2)
    assert gap(torch.cat([v, other], dim=1), v).value == pytest.approx(expected)
    constant_beside = torch.cat([v, torch.zeros_like(v)], dim=1)  # a factor that never varies is left out
    assert gap(torch.cat([v, other], dim=1), constant_beside).value == pytest.approx(expected)


def test_disentanglement_error_is_the_spread_over_data_sets() -> None:
    # 20 resamples know a standard deviation to 16 %: margin a factor of 2, on the mean of ten
    found = []
    for seed in range(30):
        v = torch.rand(500, 2, generator=seeded(seed))
        found.append(gap(v + 0.2 * torch.randn(500, 2, generator=seeded(seed + 100)), v))
    spread = torch.tensor([one.value for one in found]).std().item()
    assert 0.5 < sum(one.error for one in found) / len(found) / spread < 2


def test_disentanglement_on_real_shapes_and_without_factors(tiny: lab.ImageData) -> None:
    shapes = lab.load("shapes")
    assert 0 <= metrics.disentanglement(lab.PCA(6).fit(shapes.train[:200]), shapes.test[:500]).value < 1
    with pytest.raises(TypeError, match="known factors"):
        metrics.disentanglement(lab.VAE(2, (1, 8, 8)), tiny.test)


# --- two sets of images ----------------------------------------------------------------------------------------------


def cloud(count: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, d, generator=seeded(seed)) + shift


@pytest.mark.parametrize("d", [2, 30])
def test_one_source_gives_half_and_the_error_is_right(d: int) -> None:
    found = [metrics.two_sample_accuracy(cloud(150, d, 2 * i), cloud(150, d, 2 * i + 1)) for i in range(60)]
    values = torch.tensor([one.value for one in found])
    typical = sum(one.error for one in found) / len(found)
    assert typical > 0.5 / 300**0.5  # wider than the binomial: neighbours come in pairs
    assert abs(values.mean().item() - 0.5) < 4 * typical / 60**0.5
    assert 0.75 < values.std().item() / typical < 1.3  # 60 runs know a standard deviation to 9 %


def test_far_apart_gives_one_and_copies_give_none() -> None:
    a = torch.rand(100, 1, 4, 4, generator=seeded())
    assert metrics.two_sample_accuracy(a, a + 5).value == 1
    assert metrics.two_sample_accuracy(a, a.clone()).value == 0
    nearly = a + 1e-3 * torch.randn(a.shape, generator=seeded(1))
    assert metrics.two_sample_accuracy(a, nearly).value < 0.1
    memoriser = torch.cat([a[:50], a[:50] + 1e-3])  # each training image twice, slightly changed
    assert metrics.two_sample_accuracy(memoriser, torch.cat([a[:50], a[50:]])).value < 0.5


def test_two_sample_accuracy_by_hand() -> None:
    """On a line: a at 0, 1, 10 and b at 1.5, 9, 20. Nearest: 0→1 ✓, 1→1.5 ✗, 10→9 ✗, 1.5→1 ✗, 9→10 ✗, 20→10 ✗."""
    a, b = torch.tensor([[0.0], [1.0], [10.0]]), torch.tensor([[1.5], [9.0], [20.0]])
    assert metrics.two_sample_accuracy(a, b).value == pytest.approx(1 / 6)
    assert metrics.two_sample_accuracy(b, a).value == pytest.approx(1 / 6)


def test_two_sample_accuracy_is_scikit_learn_s(mnist: lab.ImageData) -> None:
    from sklearn.model_selection import LeaveOneOut, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    a, b = mnist.test.images[:60], mnist.train.images[:60] * 0.9
    both, label = torch.cat([a, b]).flatten(1).double().numpy(), [0] * 60 + [1] * 60
    theirs = cross_val_score(KNeighborsClassifier(1), both, label, cv=LeaveOneOut()).mean()
    assert metrics.two_sample_accuracy(a, b).value == pytest.approx(theirs)


def test_nearest_training_finds_planted_copies(mnist: lab.ImageData) -> None:
    planted = mnist.train.images[[7, 3000, 42]] + torch.tensor([0.0, 0.01, 0.0]).view(3, 1, 1, 1)
    distances, found = metrics.nearest_training(planted, mnist.train)
    assert found.tolist() == [7, 3000, 42]
    assert distances.tolist() == pytest.approx([0, 0.01 * 28, 0], abs=1e-5)  # 0.01 on each of 784 pixels
    distances, found = metrics.nearest_training(mnist.test.images[:50], mnist.train)
    by_hand = (mnist.test.images[:50, None] - mnist.train.images[None, :]).flatten(2).norm(dim=2)
    assert torch.equal(found, by_hand.argmin(dim=1)) and torch.allclose(distances, by_hand.amin(dim=1), rtol=1e-5)


def expected_mmd(d: int, shift: float, scale: float, h: float) -> float:
    """MMD² of N(0, I) and N(shift·1, scale²·I): E k for N(m, v·I) − differences is (h²/(h² + v))^(d/2) exp(…)."""

    def mean_kernel(variance: float, squared_distance: float) -> float:
        return (h**2 / (h**2 + variance)) ** (d / 2) * math.exp(-squared_distance / (2 * (h**2 + variance)))

    return mean_kernel(2, 0) + mean_kernel(2 * scale**2, 0) - 2 * mean_kernel(1 + scale**2, d * shift**2)


@pytest.mark.parametrize(("shift", "scale"), [(0.5, 1.0), (0.0, 2.0), (1.0, 0.3)])
def test_mmd_of_two_gaussians_is_the_closed_form(shift: float, scale: float) -> None:
    d, h = 3, 1.5
    expected = expected_mmd(d, shift, scale, h)
    runs = [metrics.mmd(cloud(400, d, 2 * i), scale * cloud(300, d, 2 * i + 1) + shift, h) for i in range(40)]
    values = torch.tensor([run.value for run in runs])
    assert expected > 0.02 and abs(values.mean().item() - expected) < 4 * values.std().item() / 40**0.5
    typical = sum(run.error for run in runs) / len(runs)
    assert 0.6 < typical / values.std().item() < 1.6  # 40 runs know a standard deviation to 11 %


def test_mmd_is_unbiased_and_below_zero_at_times() -> None:
    values = torch.tensor([metrics.mmd(cloud(40, 5, 2 * i), cloud(60, 5, 2 * i + 1), 2.0).value for i in range(200)])
    assert abs(values.mean().item()) < 4 * values.std().item() / 200**0.5
    assert 0.3 < (values < 0).double().mean() < 0.8  # a biased estimate never is


def test_mmd_error_covers_at_equality() -> None:
    found = [metrics.mmd(cloud(100, 4, 2 * i), cloud(100, 4, 2 * i + 1)) for i in range(100)]
    ratio = sum(one.error for one in found) / 100 / torch.tensor([one.value for one in found]).std().item()
    assert 0.9 < ratio < 1.8  # up to √2 too large, never too small


def test_the_bandwidth_is_the_median_distance() -> None:
    a, b = cloud(50, 3, 0), cloud(70, 3, 1, shift=0.5)
    median = torch.pdist(torch.cat([a, b]).double()).median().item()
    assert metrics.mmd(a, b) == metrics.mmd(a, b, median) != metrics.mmd(a, b, 2 * median)
    assert metrics.mmd(100 * a, 100 * b).value == pytest.approx(metrics.mmd(a, b).value)  # so the scale plays no part


def test_mmd_of_constants() -> None:
    same = torch.ones(5, 2)
    assert metrics.mmd(same, same).value == pytest.approx(0)
    mostly = torch.zeros(9, 2)
    mostly[0] = 3
    assert 0 < metrics.mmd(mostly, torch.zeros(9, 2) + 1).value < 2 and metrics.mmd(same, same + 1, 0.1).value > 1.9


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(3, 1, 2, 2\) and \(4, 1, 2, 2\); cut with"):
        metrics.two_sample_accuracy(torch.rand(3, 1, 2, 2), torch.rand(4, 1, 2, 2))
    with pytest.raises(ValueError, match="two or more"):
        metrics.two_sample_accuracy(torch.rand(1, 4), torch.rand(1, 4))
    with pytest.raises(ValueError, match=r"one shape, got \(2, 1, 8, 8\) and \(5, 1, 9, 9\)"):
        metrics.nearest_training(torch.rand(2, 1, 8, 8), split(torch.rand(5, 1, 9, 9)))
    for a, b in (((5, 2), (5, 3)), ((5, 1, 2, 2), (5, 1, 2, 2)), ((1, 2), (5, 2))):
        with pytest.raises(ValueError, match="two or more rows"):
            metrics.mmd(torch.rand(a), torch.rand(b))
