"""Metrics against closed forms, scikit-learn, scikit-image and the bootstrap."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import seeded
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab import metrics
from autoencoder_lab.metrics.estimate import Estimate


class Copy:
    """A stand-in model: raw pixels as the code, and a reconstruction that is off in a known way."""

    def __init__(self, change=lambda x: x, code=lambda x: x.flatten(1)) -> None:
        self.reconstruct, self.encode = change, code


def split(images: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
    labels = torch.zeros(len(images), dtype=torch.long) if labels is None else labels
    return SimpleNamespace(images=images, wanted=images, labels=labels)


def noisy(x: Tensor) -> Tensor:
    return (x + 0.2 * torch.randn(x.shape, generator=seeded(1))).clamp(0, 1)


# --- images ----------------------------------------------------------------------------------------


def test_mse_and_psnr_of_a_known_offset() -> None:
    x = torch.full((4, 1, 5, 5), 0.5)
    off_by_a_tenth = Copy(lambda x: x + 0.1)
    assert math.isclose(metrics.mse(off_by_a_tenth, split(x)).value, 0.01, rel_tol=1e-5)
    assert math.isclose(metrics.psnr(off_by_a_tenth, split(x)).value, 20, rel_tol=1e-5)


def test_psnr_pools_before_the_logarithm() -> None:
    # errors 0 and 0.02: pooled 0.01 gives 20 dB, although the mean over images of the dB would be infinite
    x = torch.full((2, 1, 4, 4), 0.5)
    one_perfect = Copy(lambda x: torch.cat([x[:1], x[1:] + 0.02**0.5]))
    assert math.isclose(metrics.psnr(one_perfect, split(x)).value, 20, rel_tol=1e-5)


def test_psnr_clips_and_mse_does_not() -> None:
    x = torch.ones(3, 1, 4, 4)
    too_bright = Copy(lambda x: x + 0.5)
    assert metrics.psnr(too_bright, split(x)).value == math.inf
    assert math.isclose(metrics.mse(too_bright, split(x)).value, 0.25)


def test_batches_do_not_matter() -> None:
    x = torch.rand(1203, 1, 3, 3, generator=seeded())
    half = Copy(lambda x: x / 2)
    assert math.isclose(metrics.mse(half, split(x)).value, (x / 2).square().mean().item(), rel_tol=1e-6)
    assert torch.equal(metrics.encode(half, split(x)), x.flatten(1))


def test_corruption_is_given_to_the_model_and_scored_against_the_clean_image(digits: lab.ImageData) -> None:
    noise = lab.corrupt.gaussian(0.3)
    found = metrics.mse(Copy(), digits.test, noise)
    assert found == metrics.mse(Copy(), digits.test, noise) and found.value > 0.02  # repeatable, and not 0
    x = digits.test.images
    known_all_along = Copy(lambda damaged: x)
    assert metrics.mse(known_all_along, digits.test, noise).value == 0


def test_ssim_is_scikit_image_s_and_1_for_a_copy(mnist: lab.ImageData) -> None:
    from skimage.metrics import structural_similarity

    some = split(mnist.test.images[:20])
    assert math.isclose(metrics.ssim(Copy(), some).value, 1)
    x, x_hat = some.images[:, 0].numpy(), noisy(some.images)[:, 0].numpy()
    theirs = np.mean([structural_similarity(a, b, data_range=1) for a, b in zip(x, x_hat, strict=True)])
    assert math.isclose(metrics.ssim(Copy(noisy), some).value, theirs, rel_tol=1e-5)


def test_ssim_of_two_greys_is_the_luminance_term() -> None:
    # no structure at all: SSIM = (2ab + c₁)/(a² + b² + c₁), c₁ = (0.01·1)²
    a, b, c_1 = 0.5, 0.25, 1e-4
    x = split(torch.full((2, 3, 9, 9), a))
    expected = (2 * a * b + c_1) / (a * a + b * b + c_1)
    assert math.isclose(metrics.ssim(Copy(lambda x: x - 0.25), x).value, expected, rel_tol=1e-5)


@pytest.mark.parametrize("name", ["mse", "psnr", "ssim"])
def test_standard_error_agrees_with_the_bootstrap(name: str, mnist: lab.ImageData) -> None:
    # 300 resamples know a standard deviation to 4 %, 200 images theirs to about 5–10 %: margin 25 %
    x = mnist.test.images[:200]
    x_hat = noisy(x) * torch.rand(200, 1, 1, 1, generator=seeded(2))
    measure = getattr(metrics, name)
    error = measure(Copy(lambda _: x_hat), split(x)).error
    if name == "ssim":
        each = torch.tensor(
            [measure(Copy(lambda _, i=i: x_hat[i : i + 1]), split(x[i : i + 1])).value for i in range(200)]
        )
        means = [each[torch.randint(200, (200,), generator=seeded(i))].mean().item() for i in range(300)]
    else:
        rows = [torch.randint(200, (200,), generator=seeded(i)) for i in range(300)]
        means = [measure(Copy(lambda _, r=r: x_hat[r]), split(x[r])).value for r in rows]
    assert abs(error / np.std(means) - 1) < 0.25


def test_an_estimate_prints_two_digits_of_its_error() -> None:
    assert str(Estimate(0.0044612, 0.0000613)) == "0.004461 ± 0.000061"
    assert str(Estimate(0.914, 0.0089)) == "0.9140 ± 0.0089"
    assert str(Estimate(1234.5, 250.0)) == "1234 ± 250"
    assert str(Estimate(0.5, math.nan)) == "0.5" and str(Estimate(1.0, 0.0)) == "1"


def test_one_image_has_no_standard_error() -> None:
    found = metrics.mse(Copy(lambda x: x + 0.1), split(torch.zeros(1, 1, 4, 4)))
    assert math.isclose(found.value, 0.01, rel_tol=1e-5) and math.isnan(found.error)


# --- codes -----------------------------------------------------------------------------------------


def test_probe_is_scikit_learn_s_logistic_regression_and_its_error_binomial(digits: lab.ImageData) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    (x, y), (x_test, y_test) = ((s.images.flatten(1).numpy(), s.labels.numpy()) for s in (digits.train, digits.test))
    scaler = StandardScaler().fit(x)
    reference = LogisticRegression(max_iter=5000, tol=1e-8).fit(scaler.transform(x), y)
    theirs = reference.score(scaler.transform(x_test), y_test)
    ours = metrics.probe(Copy(), digits)
    assert abs(ours.value - theirs) <= 2 / len(y_test)  # a looser tolerance: two images at most
    assert math.isclose(ours.error, math.sqrt(ours.value * (1 - ours.value) / len(y_test)), rel_tol=0.01)


def test_knn_is_scikit_learn_s(digits: lab.ImageData) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    reference = KNeighborsClassifier(5).fit(digits.train.images.flatten(1).double(), digits.train.labels)
    theirs = reference.score(digits.test.images.flatten(1).double(), digits.test.labels)
    assert abs(metrics.knn(Copy(), digits).value - theirs) <= 1 / len(digits.test)  # ties may fall either way


def test_neighbours_do_not_depend_on_where_the_codes_lie(digits: lab.ImageData) -> None:
    far_away = Copy(code=lambda x: x.flatten(1).double() + 1e5)
    assert math.isclose(metrics.knn(far_away, digits).value, metrics.knn(Copy(), digits).value, abs_tol=1e-9)


def test_codes_of_the_class_are_found_and_codes_of_nothing_are_chance(digits: lab.ImageData) -> None:
    known = {s.images.data_ptr(): s.labels for s in (digits.train, digits.test)}

    class Oracle:
        def encode(self, x: Tensor) -> Tensor:
            pointer = next(p for p, labels in known.items() if p <= x.data_ptr() < p + len(labels) * 64 * 4)
            start = (x.data_ptr() - pointer) // (64 * 4)
            return torch.nn.functional.one_hot(known[pointer][start : start + len(x)], 10).float()

    for measure in (metrics.probe, metrics.knn, metrics.retrieval_precision):
        assert measure(Oracle(), digits).value == 1
    # ten balanced classes: chance 0.1 with a standard deviation of 0.016 over 360 images; margin four
    random_codes = Copy(code=lambda x: torch.rand(len(x), 8, generator=seeded(len(x))))
    assert abs(metrics.knn(random_codes, digits).value - 0.1) < 0.065
    assert abs(metrics.retrieval_precision(random_codes, digits).value - 0.1) < 0.03


def test_retrieval_precision_by_hand() -> None:
    train = split(torch.tensor([0.0, 1.0, 2.0, 10.0]).view(4, 1, 1, 1), torch.tensor([0, 0, 1, 1]))
    test = split(torch.tensor([0.1, 9.0]).view(2, 1, 1, 1), torch.tensor([0, 1]))
    # nearest two of 0.1: classes 0, 0; of 9: classes 1, 1; nearest three: 0, 0, 1 and 1, 1, 0
    data = SimpleNamespace(train=train, test=test)
    assert metrics.retrieval_precision(Copy(), data, k=2).value == 1
    found = metrics.retrieval_precision(Copy(), data, k=3)
    assert math.isclose(found.value, 2 / 3, rel_tol=1e-6) and found.error < 1e-12
    for k in (0, 5):
        with pytest.raises(
            ValueError, match=f"neighbours must be a whole number from 1 to the 4 training images, got {k}"
        ):
            metrics.retrieval_precision(Copy(), data, k=k)


def test_one_class_leaves_nothing_to_probe() -> None:
    one_class = split(torch.rand(20, 1, 2, 2, generator=seeded()))
    assert math.isnan(metrics.probe(Copy(), SimpleNamespace(train=one_class, test=one_class)).value)


def test_measured_codes_can_be_trained_on(digits: lab.ImageData) -> None:
    # a student's next cell: a head of one's own on the codes
    codes = metrics.encode(lab.DenseAutoencoder(4, (1, 8, 8)), digits.val)
    assert not codes.requires_grad
    head = torch.nn.Linear(4, 10)
    torch.nn.functional.cross_entropy(head(codes), digits.val.labels).backward()
    assert head.weight.grad.any()


# --- subspaces -------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0.0, 1e-6, 1e-3, 1.0, 44.9, 45.1, 60.0, 90.0])
def test_angle_between_rotated_planes(degrees: float) -> None:
    """The plane of e₁ and e₂ against that of e₁ and cos θ e₂ + sin θ e₃; the bases mixed and scaled at will."""
    e = torch.eye(6, dtype=torch.double)
    theta = math.radians(degrees)
    a = e[:, [0, 1]] @ torch.tensor([[2.0, 1.0], [0.5, 3.0]], dtype=torch.double)
    b = torch.stack([e[0], math.cos(theta) * e[1] + math.sin(theta) * e[2]], dim=1)
    b = b @ torch.tensor([[1.0, -4.0], [2.0, 0.1]], dtype=torch.double)
    found = metrics.principal_angles(a, b)
    assert found.shape == (2,) and found[0] < 1e-7
    assert math.isclose(found[1], degrees, rel_tol=1e-6, abs_tol=1e-9)
    assert torch.allclose(metrics.principal_angles(b, a), found, atol=1e-8)


def test_angles_agree_with_scipy_at_unequal_dimensions() -> None:
    from scipy.linalg import subspace_angles

    a, b = (torch.randn(20, k, generator=seeded(k), dtype=torch.double) for k in (3, 5))
    theirs = np.rad2deg(np.sort(subspace_angles(a.numpy(), b.numpy())))
    for found in (metrics.principal_angles(a, b), metrics.principal_angles(b, a)):
        assert np.allclose(found.numpy(), theirs, atol=1e-9)


def codes_with(spectrum: list[float], count: int = 400) -> Tensor:
    """Codes whose covariance has exactly these eigenvalues, in a random basis."""
    d = len(spectrum)
    noise = torch.randn(count, d, generator=seeded(), dtype=torch.double)
    orthogonal, _ = torch.linalg.qr(noise - noise.mean(dim=0))
    basis, _ = torch.linalg.qr(torch.randn(d, d, generator=seeded(1), dtype=torch.double))
    return orthogonal * torch.tensor(spectrum, dtype=torch.double).sqrt() @ basis


@pytest.mark.parametrize(
    ("spectrum", "rank"),
    [
        ([1.0] * 8, 8),
        ([3.0] + [0.0] * 7, 1),
        ([5.0, 5.0, 0.0, 0.0], 2),
        ([0.5, 0.25, 0.25], 2**1.5),  # entropy of (1/2, 1/4, 1/4) is 1.5 bits
    ],
)
def test_effective_rank_of_known_spectra(spectrum: list[float], rank: float) -> None:
    codes = codes_with(spectrum)
    for offset in (0.0, 100.0):
        found = metrics.effective_rank(Copy(code=lambda x, o=offset: x.flatten(1) + o), split(codes[:, None, None]))
        assert math.isclose(found.value, rank, rel_tol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 1.0, 1e6])
def test_effective_rank_of_a_collapsed_code_is_0(constant: float) -> None:
    def nearly_constant(x: Tensor) -> Tensor:  # equal but for the last bit of a float32
        return constant * (1 + 6e-8 * torch.randn(len(x), 5, generator=seeded(len(x))))

    found = metrics.effective_rank(Copy(code=nearly_constant), split(torch.zeros(50, 1, 1, 1)))
    assert found == (0, 0)


def test_effective_rank_error_is_the_spread_over_data_sets() -> None:
    # 20 resamples know a standard deviation to 16 %; a bootstrap of 300 images adds its own: margin a factor of 2
    scale = torch.tensor([3.0, 2.0, 1.0, 0.5])
    sets = [torch.randn(300, 4, generator=seeded(i)) * scale for i in range(100)]
    found = [metrics.effective_rank(Copy(), split(codes[:, None, None])) for codes in sets]
    ratio = np.mean([one.error for one in found]) / np.std([one.value for one in found])
    assert 0.5 < ratio < 2


# --- pictures' frequencies -------------------------------------------------------------------------


def checkerboard(height: int = 8, width: int = 10) -> Tensor:
    return ((torch.arange(height)[:, None] + torch.arange(width)) % 2).float()[None, None]


def stripes(cycles: int, side: int = 16) -> Tensor:
    """A cosine of so many cycles along the rows, amplitude 0.4 about 0.5."""
    return (0.5 + 0.4 * torch.cos(2 * math.pi * cycles * torch.arange(side) / side)).expand(1, 1, side, side)


def test_checkerboard_energy_from_none_to_all() -> None:
    board = checkerboard()
    alternating_rows = (torch.arange(8) % 2).float()[None, None, :, None].expand(1, 1, 8, 10)
    for pattern in (board, alternating_rows, 0.3 + 0.1 * board):
        assert math.isclose(metrics.checkerboard_energy(pattern.expand(3, 2, -1, -1)).value, 1, rel_tol=1e-4)
    assert metrics.checkerboard_energy(stripes(3)).value < 1e-8
    # equal variances: half of it. The stripes' is 0.4²/2 = 0.08, a board of ±a has a²
    mixture = stripes(3) + 0.08**0.5 * (2 * checkerboard(16, 16) - 1)
    assert math.isclose(metrics.checkerboard_energy(mixture).value, 0.5, rel_tol=1e-4)


@pytest.mark.parametrize("grey", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("side", [8, 22, 28])
def test_one_grey_is_no_checkerboard(grey: float, side: int) -> None:
    assert metrics.checkerboard_energy(torch.full((4, 1, side, side), grey)).value == 0


def test_checkerboards_need_even_sides() -> None:
    with pytest.raises(ValueError, match="even height and width, got 25×28"):
        metrics.checkerboard_energy(torch.rand(1, 1, 25, 28))


@pytest.mark.parametrize("cycles", [1, 3, 8])
def test_power_spectrum_puts_a_wave_at_its_frequency(cycles: int) -> None:
    spectrum = metrics.power_spectrum(stripes(cycles) - 0.5)
    assert spectrum.shape == (9,)
    assert spectrum.argmax() == cycles and spectrum[cycles] > 1e6 * (spectrum.sum() - spectrum[cycles])


def test_power_spectrum_obeys_parseval() -> None:
    """Σ over frequencies of |FFT|²/(H·W) = Σ over pixels of x²; for images without frequencies beyond H/2."""
    rows = torch.fft.fftfreq(16) * 16
    ring = (rows[:, None] ** 2 + rows[None, :] ** 2).sqrt().round()
    spectrum = torch.fft.fft2(torch.rand(5, 3, 16, 16, generator=seeded())) * (ring <= 7)
    x = torch.fft.ifft2(spectrum).real
    population = torch.stack([(ring == frequency).sum() for frequency in range(9)])
    total = (metrics.power_spectrum(x) * population).sum()
    assert torch.isclose(total, x.square().sum(dim=(2, 3)).mean(), rtol=1e-4)


def test_white_noise_has_a_flat_spectrum() -> None:
    spectrum = metrics.power_spectrum(torch.randn(2000, 1, 16, 16, generator=seeded()))
    # |FFT|²/(H·W) has mean and standard deviation 1 (√2 at frequency 0): over 2,000 images 0.032; margin four
    assert (spectrum - 1).abs().max() < 0.13


def test_sharpness_of_a_ramp_a_dot_and_after_blur() -> None:
    ramp = torch.linspace(0, 1, 12).expand(2, 1, 12, 12)
    assert metrics.sharpness(ramp).value < 1e-6
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 1
    assert math.isclose(metrics.sharpness(dot).value, (4 + 4 * 1) / 9, rel_tol=1e-6)
    x = torch.rand(10, 1, 12, 12, generator=seeded())
    assert metrics.sharpness(torch.nn.functional.avg_pool2d(x, 3, stride=1)).value < metrics.sharpness(x).value / 2
