"""Measures of generated images against closed forms, reference formulations and generators known to be wrong."""

import math

import pytest
import torch
from conftest import seeded
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab import metrics

DOUBLE = torch.double


def itself(points: Tensor) -> Tensor:
    """Features of points: the points."""
    return points


def cloud(count: int, d: int, seed: int, shift: float = 0.0) -> Tensor:
    return torch.randn(count, d, generator=seeded(seed), dtype=DOUBLE) + shift


def covariance(d: int, seed: int, rank: int | None = None) -> Tensor:
    factor = torch.randn(d, rank or d, generator=seeded(seed), dtype=DOUBLE)
    return factor @ factor.T


# --- Fréchet ---------------------------------------------------------------------------------------


def test_frechet_of_known_gaussians() -> None:
    eye, a = torch.eye(3, dtype=DOUBLE), torch.tensor([1.0, 1.0, -1.0], dtype=DOUBLE)
    assert metrics.frechet(torch.zeros(3), eye, a, 4 * eye) == pytest.approx(6, abs=1e-12)  # 3 + 3·(1 + 4 − 2·2)


def test_frechet_of_diagonal_covariances_is_that_of_standard_deviations() -> None:
    s, t = (torch.rand(5, generator=seeded(i), dtype=DOUBLE) for i in (0, 1))
    found = metrics.frechet(s, s.square().diag(), t, t.square().diag())
    assert found == pytest.approx(2 * (s - t).square().sum().item(), rel=1e-10)


@pytest.mark.parametrize("d", [1, 2, 8, 64])
def test_frechet_is_symmetric_zero_on_itself_and_that_of_scipy(d: int) -> None:
    from scipy.linalg import sqrtm

    mean_a, mean_b = cloud(1, d, 1)[0], cloud(1, d, 2)[0]
    a, b = covariance(d, 3), covariance(d, 4)
    found = metrics.frechet(mean_a, a, mean_b, b)
    root = sqrtm((a @ b).numpy()).real
    theirs = (mean_a - mean_b).square().sum() + a.trace() + b.trace() - 2 * root.trace()
    assert found == pytest.approx(float(theirs), rel=1e-6)
    assert found == pytest.approx(metrics.frechet(mean_b, b, mean_a, a), rel=1e-10)
    assert metrics.frechet(mean_a, a, mean_a, a) == pytest.approx(0, abs=1e-12 * a.trace().item())


def test_frechet_does_not_depend_on_the_axes() -> None:
    a, b, turn = covariance(6, 0), covariance(6, 1), torch.linalg.qr(covariance(6, 2)).Q
    mean = cloud(1, 6, 5)[0]
    turned = metrics.frechet(turn @ mean, turn @ a @ turn.T, 0 * mean, turn @ b @ turn.T)
    assert turned == pytest.approx(metrics.frechet(mean, a, 0 * mean, b), rel=1e-10)


def test_frechet_of_singular_covariances() -> None:
    """A point against N(0, Σ): |μ|² + tr Σ. Two lines at a right angle share nothing: the sum of the traces."""
    mean, sigma, none = torch.tensor([3.0, 4.0, 0.0]), covariance(3, 0), torch.zeros(3, 3)
    assert metrics.frechet(mean, none, 0 * mean, sigma) == pytest.approx(25 + sigma.trace().item())
    assert metrics.frechet(mean, none, mean, none) == 0
    x, y = torch.diag(torch.tensor([4.0, 0.0])), torch.diag(torch.tensor([0.0, 9.0]))
    assert metrics.frechet(torch.zeros(2), x, torch.zeros(2), y) == pytest.approx(13)
    flat = covariance(40, 1, rank=3)
    assert metrics.frechet(torch.zeros(40), flat, torch.zeros(40), flat) == pytest.approx(0, abs=1e-9)


def test_fcd_of_points_is_frechet_of_their_moments() -> None:
    a, b = cloud(300, 4, 0), 2 * cloud(200, 4, 1) + 1
    moments = [moment for x in (a, b) for moment in (x.mean(dim=0), x.T.cov())]
    assert metrics.fcd(a, b, itself).value == pytest.approx(metrics.frechet(*moments))
    line = metrics.fcd(a[:, :1], b[:, :1], itself)  # one feature
    standard_deviations = a[:, 0].std() - b[:, 0].std()
    assert line.value == pytest.approx(((a[:, 0].mean() - b[:, 0].mean()) ** 2 + standard_deviations**2).item())


def test_fcd_is_biased_upwards_and_its_error_is_not_too_small() -> None:
    """As the docstring says. Truth for these Gaussians: d·0.5² = 1.25."""
    few = [metrics.fcd(cloud(50, 5, 2 * i), cloud(50, 5, 2 * i + 1, 0.5), itself) for i in range(60)]
    many = [metrics.fcd(cloud(1000, 5, 2 * i), cloud(1000, 5, 2 * i + 1, 0.5), itself).value for i in range(20)]
    values = torch.tensor([one.value for one in few])
    spread = values.std().item()
    assert values.mean() > 1.25 + 3 * spread / math.sqrt(60) and sum(many) / 20 == pytest.approx(1.25, abs=0.08)
    assert 0.7 < sum(one.error for one in few) / 60 / spread < 1.6


# --- KID -------------------------------------------------------------------------------------------


def kid_with_loops(a: Tensor, b: Tensor) -> float:
    def mean_kernel(x: Tensor, y: Tensor, skip: bool) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if not (skip and i == j)]
        return sum((float(x[i] @ y[j]) / x.shape[1] + 1) ** 3 for i, j in pairs) / len(pairs)

    return mean_kernel(a, a, True) + mean_kernel(b, b, True) - 2 * mean_kernel(a, b, False)


def test_kid_is_the_reference_formulation() -> None:
    a, b = cloud(9, 3, 0), cloud(7, 3, 1, 0.3)
    assert metrics.kid(a, b, itself).value == pytest.approx(kid_with_loops(a, b))
    assert metrics.kid(a, b, itself).value == pytest.approx(metrics.kid(b, a, itself).value)


def test_kid_is_unbiased_and_its_error_covers() -> None:
    """In one dimension (xy + 1)³ = Σ_p C(3, p) xᵖyᵖ, so MMD² = 3 (Δm₁)² + 3 (Δm₂)² + (Δm₃)² of the raw moments m_p;
    N(0, 1): 0, 1, 0 and N(μ, 1): μ, 1 + μ², μ³ + 3μ."""
    for shift in (0.0, 0.5):
        truth = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
        runs = [metrics.kid(cloud(60, 1, 2 * i), cloud(40, 1, 2 * i + 1, shift), itself) for i in range(300)]
        values = torch.tensor([run.value for run in runs])
        assert abs(values.mean().item() - truth) < 4 * values.std().item() / math.sqrt(300)
        assert 0.6 < sum(run.error for run in runs) / 300 / values.std().item() < 2
        assert shift or 0.3 < (values < 0).double().mean() < 0.9  # a biased estimate never is below 0


# --- precision and recall, density and coverage ----------------------------------------------------


def with_loops(real: Tensor, generated: Tensor, k: int) -> list[float]:
    """Precision, recall, density and coverage, one image at a time."""

    def radius(x: Tensor, index: int) -> float:
        others = [float((x[index] - x[i]).norm()) for i in range(len(x)) if i != index]
        return sorted(others)[k - 1]

    def distance(i: int, j: int) -> float:
        return float((real[i] - generated[j]).norm())

    n, m = range(len(real)), range(len(generated))
    in_real = [[distance(i, j) < radius(real, i) for j in m] for i in n]
    in_generated = [[distance(i, j) < radius(generated, j) for j in m] for i in n]
    precision = sum(any(in_real[i][j] for i in n) for j in m) / len(m)
    recall = sum(any(in_generated[i]) for i in n) / len(n)
    density = sum(in_real[i][j] for i in n for j in m) / (k * len(m))
    return [precision, recall, density, sum(any(in_real[i]) for i in n) / len(n)]


@pytest.mark.parametrize(("k", "shift", "scale"), [(1, 0.0, 1.0), (3, 1.0, 0.5), (5, 1.5, 0.7)])
def test_all_four_are_the_reference_formulation(k: int, shift: float, scale: float) -> None:
    real, generated = cloud(25, 2, 0), scale * cloud(18, 2, 1) + shift
    found = [*metrics.precision_recall(real, generated, k, itself)]
    found += metrics.density_coverage(real, generated, k, itself)
    expected = with_loops(real, generated, k)
    assert [one.value for one in found] == pytest.approx(expected)
    assert len({*expected}) > 2 and 0 < expected[1] < 1  # the case tells something


def test_a_one_image_generator_is_precise_and_recalls_nothing(mnist: lab.ImageData) -> None:
    """Precision and recall get swapped: this tells them apart, on images and through their names."""
    real, one = mnist.test.images[:400], mnist.test.images[:1].expand(300, -1, -1, -1)
    quality, spread = metrics.precision_recall(real, one), metrics.density_coverage(real, one)
    assert quality.precision == (1, 0) and quality.recall == (0, 0)
    # k others on average count it among their k nearest, and its own ball holds it
    assert spread.density.value > 0 and 1 / 400 <= spread.coverage.value <= 20 / 400


def test_the_mirror_image_a_wide_generator_of_a_narrow_truth() -> None:
    """Real: the neighbourhood of one image; generated: points far around it. All that is real can be made."""
    narrow, wide = 0.05 * cloud(300, 3, 0), cloud(300, 3, 1)
    there = metrics.precision_recall(narrow, wide, features=itself)
    back = metrics.precision_recall(wide, narrow, features=itself)
    assert there.recall.value > 0.95 and there.precision.value < 0.05
    assert (back.precision.value, back.recall.value) == (there.recall.value, there.precision.value)
    assert metrics.density_coverage(narrow, wide, features=itself).density.value < 0.05
    assert metrics.density_coverage(wide, narrow, features=itself).coverage.value < 0.2


def test_far_away_gives_nothing_and_copies_give_all() -> None:
    real = cloud(100, 8, 0)
    for far in (metrics.precision_recall(real, real + 50, features=itself),
                metrics.density_coverage(real, real + 50, features=itself)):  # fmt: skip
        assert [one.value for one in far] == [0, 0]
    assert [one.value for one in metrics.precision_recall(real, real.clone(), features=itself)] == [1, 1]
    assert metrics.density_coverage(real, real.clone(), features=itself).coverage.value == 1


def test_a_real_outlier_raises_precision_more_than_density() -> None:
    """Naeem et al., figure 2: its ball is so wide that noise lies in it; density counts it as one of many."""
    real, noise = cloud(200, 2, 0), cloud(200, 2, 1) + 8
    outlier = torch.cat([real[:-1], torch.full((1, 2), 14.0, dtype=DOUBLE)])
    precision = [metrics.precision_recall(x, noise, features=itself).precision.value for x in (real, outlier)]
    density = [metrics.density_coverage(x, noise, features=itself).density.value for x in (real, outlier)]
    assert precision[0] == 0 and precision[1] > 0.9
    assert density[1] <= 0.2 + 1e-9  # one ball of the five that count as 1


@pytest.mark.parametrize("k", [1, 3, 5])
def test_two_sets_of_one_source_have_density_one_and_coverage_as_known(k: int) -> None:
    """E[coverage] for N = M is 1 − Π (N − i) / (2N − i), i = 1 … k (Naeem et al., proposition 1)."""
    n, runs = 100, 30
    found = [metrics.density_coverage(cloud(n, 4, 2 * i), cloud(n, 4, 2 * i + 1), k, itself) for i in range(runs)]
    truth = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    for name, expected in (("density", 1.0), ("coverage", truth)):
        values = torch.tensor([getattr(one, name).value for one in found])
        error = sum(getattr(one, name).error for one in found) / runs
        assert abs(values.mean().item() - expected) < 4 * values.std().item() / math.sqrt(runs) + 0.01
        assert 0.8 < error / values.std().item() < 4  # too large where few of 100 images decide, never too small


# --- digits ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources(mnist: lab.ImageData) -> dict[str, Tensor]:
    """1,000 images each: real ones, draws from ten Gaussians on 32 principal components, and noise."""
    mixture = lab.LatentMixture(lab.PCA(32).fit(mnist.train), 10).fit(mnist.train)
    return {
        "real": mnist.train.images[:1000],
        "mixture": mixture.sample(1000, seeded()).clamp(0, 1),
        "noise": torch.rand(1000, 1, 28, 28, generator=seeded()),
    }


@pytest.mark.slow
def test_real_images_are_nearest_then_the_mixture_then_noise(
    mnist: lab.ImageData, sources: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    """Measured: FCD 2.5, 42 and 733 (other classifiers count in other units); the mixture over three seeds 42 to 51."""
    test = mnist.test.images
    fcd = {name: metrics.fcd(images, test) for name, images in sources.items()}
    kid = {name: metrics.kid(images, test) for name, images in sources.items()}
    precision = {name: metrics.precision_recall(test, images).precision.value for name, images in sources.items()}
    spread = {name: metrics.density_coverage(test, images) for name, images in sources.items()}
    density, coverage = ({name: one[i].value for name, one in spread.items()} for i in (0, 1))
    with capsys.disabled():
        print(*(f"\n{name}: FCD {fcd[name]}, KID {kid[name]}" for name in sources))
    assert fcd["real"].value < 8 and 25 < fcd["mixture"].value < 70 and fcd["noise"].value > 400
    for distance in (fcd, kid):
        for near, far in (("real", "mixture"), ("mixture", "noise")):
            assert distance[far].value - distance[near].value > 4 * math.hypot(
                distance[far].error, distance[near].error
            )
    assert kid["real"].value <= kid["real"].error  # below 0, for both splits hold as many of each class
    assert precision["real"] > 0.9 and 0.7 < precision["mixture"] < 0.92 and precision["noise"] < 0.1
    assert density["real"] > 0.9 and 0.4 < density["mixture"] < 0.75 and density["noise"] < 0.05
    assert coverage["real"] > 0.93 and 0.5 < coverage["mixture"] < 0.75 and coverage["noise"] < 0.05


def test_a_missing_class_and_a_single_one_are_seen(mnist: lab.ImageData) -> None:
    images, labels, test = mnist.train.images, mnist.train.labels, mnist.test.images
    whole, without = metrics.fcd(images[:900], test), metrics.fcd(images[labels != 7][:900], test)
    single = metrics.fcd(images[labels == 7][:300], test)
    assert whole.value + 4 * whole.error < without.value < single.value / 4
    recall = [metrics.precision_recall(test, images[labels == c][:300]).recall.value for c in (1, 8)]
    assert max(recall) < 0.25


def test_class_histogram_counts_known_digits(mnist: lab.ImageData) -> None:
    digits = torch.cat(
        [mnist.train.images[mnist.train.labels == c][:count] for c, count in ((3, 60), (0, 30), (9, 10))]
    )
    histogram = metrics.class_histogram(digits)
    expected = torch.zeros(10, dtype=DOUBLE)
    expected[[3, 0, 9]] = torch.tensor([0.6, 0.3, 0.1], dtype=DOUBLE)
    assert histogram.shape == (10,) and histogram.sum().item() == pytest.approx(1)
    assert torch.allclose(histogram, expected, atol=0.02)


def test_condition_accuracy(mnist: lab.ImageData) -> None:
    images, labels = mnist.test.images, mnist.test.labels
    right = metrics.condition_accuracy(images, labels)
    assert right.value > 0.97 and 0.002 < right.error < 0.006  # √(p(1 − p)/N)
    assert metrics.condition_accuracy(images, (labels + 1) % 10).value < 0.02
    half = torch.where(torch.arange(1000) % 2 == 0, labels, (labels + 1) % 10)
    assert metrics.condition_accuracy(images, half).value == pytest.approx(0.5, abs=0.03)


# --- modes -----------------------------------------------------------------------------------------

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_modes_by_hand() -> None:
    """Ten points: six near the first centre, three near the second, one nowhere."""
    points = torch.cat([CENTRES[[0] * 6] + 0.5, CENTRES[[1] * 3] - 0.9, torch.tensor([[5.0, 5.0]])])
    found = metrics.modes_covered(points, CENTRES, radius=1.3, at_least=0.3)
    assert (found.covered.item(), found.near.item()) == (2, pytest.approx(0.9))
    assert metrics.modes_covered(points, CENTRES, 1.3, 0.31).covered == 1
    tight = metrics.modes_covered(points, CENTRES, 1.0, 0.3)  # |(0.9, 0.9)| = 1.27 is outside
    assert (tight.covered.item(), tight.near.item()) == (1, pytest.approx(0.6))


def test_modes_of_several_runs_at_once() -> None:
    all_three, one = CENTRES.repeat(4, 1), CENTRES[:1].repeat(12, 1)
    diverged = torch.full((12, 2), torch.nan)
    found = metrics.modes_covered(torch.stack([all_three, one, diverged]), CENTRES, 1.0, 0.1)
    assert found.covered.tolist() == [3, 1, 0] and found.near.tolist() == [1, 1, 0]
    nested = metrics.modes_covered(torch.stack([all_three, one]).view(2, 1, 12, 2), CENTRES, 1.0, 0.1)
    assert nested.covered.tolist() == [[3], [1]]


# --- wrong input -----------------------------------------------------------------------------------


def test_too_few_images_other_shapes_and_nan_are_named() -> None:
    x = torch.rand(20, 1, 28, 28, generator=seeded())
    broken = x.clone()
    broken[3, 0, 0, 0] = torch.nan
    for measure in (metrics.fcd, metrics.kid, metrics.precision_recall, metrics.density_coverage):
        with pytest.raises(ValueError, match=r"or more images of each kind, all of one shape, got \(20, 1, 28, 28\)"):
            measure(x, x[:1])
        with pytest.raises(ValueError, match=r"all of one shape, got .* and \(20, 1, 27, 28\)"):
            measure(x, x[:, :, 1:])
        with pytest.raises(ValueError, match="NaN or infinity: has the model that made them diverged"):
            measure(x, broken)
        with pytest.raises(ValueError, match=r"float32 in \[0, 1\]"):
            measure(x, x + 1)
    with pytest.raises(ValueError, match="NaN"):
        metrics.class_histogram(broken)
    with pytest.raises(ValueError, match="NaN"):
        metrics.condition_accuracy(broken, torch.zeros(20))


def test_other_wrong_arguments_are_named() -> None:
    x = torch.rand(20, 1, 28, 28, generator=seeded())
    with pytest.raises(ValueError, match="at least 1, got 0"):
        metrics.precision_recall(x, x, k=0)
    with pytest.raises(ValueError, match="needs 22 or more"):
        metrics.density_coverage(x, x, k=10)
    with pytest.raises(ValueError, match=r"one label for each image, got \(20, 1, 28, 28\) and \(19,\)"):
        metrics.condition_accuracy(x, torch.zeros(19))
    with pytest.raises(ValueError, match=r"means \(d,\) and covariances \(d, d\): \(3,\) and \(2, 2\)"):
        metrics.frechet(torch.zeros(3), torch.eye(2), torch.zeros(3), torch.eye(3))
    with pytest.raises(ValueError, match=r"got \(5, 3\) and \(3, 2\)"):
        metrics.modes_covered(torch.rand(5, 3), CENTRES, 1.0, 0.1)
    with pytest.raises(ValueError, match="circles of radius 6 overlap"):
        metrics.modes_covered(torch.rand(5, 2), CENTRES, 6.0, 0.1)


def test_measures_repeat_themselves() -> None:
    a, b = cloud(60, 3, 0), cloud(60, 3, 1)
    for measure in (metrics.fcd, metrics.kid, metrics.precision_recall, metrics.density_coverage):
        state = torch.get_rng_state()
        assert measure(a, b, features=itself) == measure(a, b, features=itself)
        assert torch.equal(state, torch.get_rng_state())
