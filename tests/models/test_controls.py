"""Filters and fills against scipy, scikit-image and closed forms; and what they say to wrong input."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import seeded
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab.models import controls

HOLE = lab.corrupt.box_mask(3, fill=0.5)


def split(images: Tensor) -> SimpleNamespace:
    return SimpleNamespace(images=images, wanted=images)


def gaussian_images(count: int, seed: int, pixels: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Images (count, 1, 4, 4) round 0.5, far from the ends of [0, 1], with a known mean and covariance."""
    mixing = 0.02 * torch.randn(pixels, pixels, generator=seeded(99), dtype=torch.double)
    mean = torch.full((pixels,), 0.5, dtype=torch.double)
    x = mean + torch.randn(count, pixels, generator=seeded(seed), dtype=torch.double) @ mixing.T
    return x.float().view(-1, 1, 4, 4), mean, mixing @ mixing.T


def low_rank(count: int = 60, rank: int = 5, seed: int = 0) -> Tensor:
    """Images (count, 2, 6, 6) in a subspace of `rank` dimensions round 0.5, inside [0, 1]."""
    basis = torch.randn(rank, 72, generator=seeded(7))
    x = 0.5 + 0.02 * torch.randn(count, rank, generator=seeded(seed)) @ basis
    assert x.min() > 0 and x.max() < 1
    return x.view(-1, 2, 6, 6)


# --- filters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 5])
def test_median_by_hand_and_by_scipy(size: int) -> None:
    from scipy.ndimage import median_filter

    x = torch.rand(3, 2, 7, 9, generator=seeded())
    ours = controls.Median(size).reconstruct(x)
    for b in range(3):
        for c in range(2):  # no image and no channel looks at another
            assert np.array_equal(ours[b, c].numpy(), median_filter(x[b, c].numpy(), size=size, mode="reflect"))
    half = size // 2
    middle = x[..., 3 - half : 4 + half, 4 - half : 5 + half].flatten(2).median(dim=2).values
    assert torch.equal(ours[..., 3, 4], middle)


def test_median_takes_out_a_single_wrong_pixel_and_keeps_an_edge() -> None:
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    damaged = edge.clone()
    damaged[0, 0, 2, 1] = 1
    assert torch.equal(controls.Median(3).reconstruct(damaged), edge)


@pytest.mark.parametrize("sigma", [0.0, 0.7, 2.0])
def test_gaussian_by_scipy_and_its_kernel(sigma: float) -> None:
    from scipy.ndimage import gaussian_filter

    x = torch.rand(2, 3, 9, 11, generator=seeded())
    ours = controls.Gaussian(sigma).reconstruct(x)
    for b in range(2):
        for c in range(3):
            theirs = gaussian_filter(x[b, c].numpy(), sigma, mode="reflect")
            assert np.allclose(ours[b, c].numpy(), theirs, atol=1e-6)
    if sigma == 0:
        assert torch.equal(ours, x)
        return
    point = torch.zeros(1, 1, 41, 41)
    point[0, 0, 20, 20] = 1
    spread = controls.Gaussian(sigma).reconstruct(point)[0, 0].double()
    assert math.isclose(spread.sum(), 1, rel_tol=1e-5)
    assert math.isclose(spread[20, 21] / spread[20, 20], math.exp(-1 / (2 * sigma**2)), rel_tol=1e-4)


def test_non_local_means_is_scikit_image_s_for_any_number_of_channels() -> None:
    from skimage.restoration import denoise_nl_means

    settings = {"h": 0.8 * 0.2, "sigma": 0.2, "patch_size": 5, "patch_distance": 6}
    colour = torch.rand(2, 3, 12, 14, generator=seeded())
    ours = controls.NonLocalMeans(0.2).reconstruct(colour)
    for image, x in zip(ours.numpy(), colour.numpy(), strict=True):
        theirs = denoise_nl_means(x.transpose(1, 2, 0), channel_axis=-1, **settings)
        assert np.allclose(image.transpose(1, 2, 0), theirs, atol=1e-6)
    grey = colour[:, :1]
    for image, x in zip(controls.NonLocalMeans(0.2).reconstruct(grey).numpy(), grey.numpy(), strict=True):
        assert np.allclose(image[0], denoise_nl_means(x[0], **settings), atol=1e-6)


def test_non_local_means_averages_what_looks_alike() -> None:
    # stripes: every patch has many equals, so noise goes and the stripes stay
    stripes = torch.full((1, 1, 32, 32), 0.2)
    stripes[..., ::4] = stripes[..., 1::4] = 0.8
    noisy = stripes + 0.05 * torch.randn(stripes.shape, generator=seeded())
    cleaned = controls.NonLocalMeans(0.05).reconstruct(noisy)
    assert (cleaned - stripes).square().mean() < 0.1 * (noisy - stripes).square().mean()


# --- the linear denoiser ---------------------------------------------------------------------------


def test_linear_denoiser_is_the_wiener_filter_of_the_training_covariance() -> None:
    x, _, _ = gaussian_images(500, seed=1)
    noise = 0.05
    flat = x.flatten(1).double().numpy()
    mean, covariance = flat.mean(axis=0), np.cov(flat.T)
    gain = covariance @ np.linalg.inv(covariance + noise**2 * np.eye(16))
    y = x + noise * torch.randn(x.shape, generator=seeded(2))
    theirs = mean + (y.flatten(1).double().numpy() - mean) @ gain.T
    ours = controls.LinearDenoiser(noise).fit(split(x)).reconstruct(y)
    assert np.allclose(ours.flatten(1).numpy(), theirs, atol=1e-5)


def test_linear_denoiser_reaches_the_least_error_there_is_and_scaling_only_harms() -> None:
    # of jointly Gaussian x and x̃ no function errs less than tr(C − C (C + σ²I)⁻¹ C) / pixels on average
    noise, count = 0.05, 40_000
    x, mean, covariance = gaussian_images(count, seed=3)
    gain = torch.linalg.solve(covariance + noise**2 * torch.eye(16), covariance)
    least = float((covariance - covariance @ gain).trace() / 16)
    fresh, _, _ = gaussian_images(count, seed=4)
    y = fresh + noise * torch.randn(fresh.shape, generator=seeded(5))
    ours = controls.LinearDenoiser(noise).fit(split(x)).reconstruct(y)
    # 40,000 images of 16 pixels know a mean square to 0.2 %; margin five times that
    assert math.isclose((ours - fresh).square().mean(), least, rel_tol=0.01)
    centre = mean.float().view(1, 1, 4, 4)
    best = (ours - fresh).square().mean()
    for factor in (0.9, 1.1):
        assert (centre + factor * (ours - centre) - fresh).square().mean() > best * 1.005


def test_linear_denoiser_learned_from_a_corruption_is_that_of_the_formula_where_nothing_is_clipped() -> None:
    x, _, _ = gaussian_images(5000, seed=6)
    y = lab.corrupt.gaussian(0.05)(x, seeded(7))
    assert y.min() > 0 and y.max() < 1
    formula = controls.LinearDenoiser(0.05).fit(split(x))
    measured = controls.LinearDenoiser(lab.corrupt.gaussian(0.05)).fit(split(x))
    errors = [(control.reconstruct(y) - x).square().mean() for control in (formula, measured)]
    assert math.isclose(errors[0], errors[1], rel_tol=0.01)


def test_clipped_noise_needs_the_measured_filter(mnist: lab.ImageData) -> None:
    noise = lab.corrupt.gaussian(0.5)
    formula, measured = (controls.LinearDenoiser(kind).fit(mnist.train) for kind in (0.5, noise))
    gain = lab.metrics.psnr(measured, mnist.test, noise).value - lab.metrics.psnr(formula, mnist.test, noise).value
    assert gain > 2  # 17.5 against 15.1 dB: the mean of clipped noise on black is not black


def test_pixels_that_never_vary_are_no_obstacle(mnist: lab.ImageData) -> None:
    masked = lab.corrupt.pixel_mask(0.5)  # the frame of a digit is black, and so it stays
    control = controls.LinearDenoiser(masked).fit(mnist.train)
    assert lab.metrics.mse(control, mnist.test, masked).value < 0.02
    assert control.reconstruct(mnist.test.images)[..., 0, 0].abs().max() < 1e-3


# --- fills -----------------------------------------------------------------------------------------


def fills(images: Tensor) -> list[controls.Control]:
    data = split(images)
    return [controls.MeanFill().fit(data), controls.PCAFill(5).fit(data), controls.Biharmonic()]


def test_known_pixels_stay_as_they_are_and_the_input_too() -> None:
    x = torch.rand(40, 2, 6, 6, generator=seeded())
    mask = HOLE.mask(x, seeded(1))
    damaged = x.masked_fill(mask, 0.5)
    before = damaged.clone()
    known = ~mask.expand_as(x)
    for control in fills(x):
        filled = control.fill(damaged, mask)
        assert filled.shape == x.shape and filled.dtype == x.dtype and filled.min() >= 0 and filled.max() <= 1
        assert torch.equal(filled[known], x[known]) and torch.equal(damaged, before)
        assert not torch.equal(filled, damaged)


def test_what_stood_in_the_hole_does_not_matter() -> None:
    x = torch.rand(20, 2, 6, 6, generator=seeded())
    mask = HOLE.mask(x, seeded(1))
    for control in fills(x):
        black, white = (control.fill(x.masked_fill(mask, value), mask) for value in (0.0, 1.0))
        assert torch.allclose(black, white, atol=1e-6)


def test_mean_fill_shows_the_mean_image() -> None:
    x = torch.rand(50, 2, 6, 6, generator=seeded())
    mask = HOLE.mask(x, seeded(1))
    filled = controls.MeanFill().fit(split(x)).fill(x.masked_fill(mask, 0), mask)
    assert torch.allclose(filled, torch.where(mask, x.mean(dim=0), x))


def test_pca_fill_is_exact_on_images_of_its_subspace() -> None:
    control = controls.PCAFill(5).fit(split(low_rank()))
    fresh = low_rank(20, seed=1)
    mask = lab.corrupt.box_mask(4).mask(fresh, seeded(2))
    filled = control.fill(fresh.masked_fill(mask, 0), mask)
    assert (filled - fresh).abs().max() < 1e-3 < (fresh - fresh.mean(dim=0)).abs().max() / 50


def test_pca_fill_is_the_conditional_mean_of_probabilistic_pca() -> None:
    x = (low_rank(500, rank=8) + 0.01 * torch.randn(500, 2, 6, 6, generator=seeded(3))).clamp(0, 1)
    flat = x.flatten(1).double()
    mean, variances, components = flat.mean(dim=0), *(part.flip(-1) for part in torch.linalg.eigh(torch.cov(flat.T)))
    left_out = variances[5:].mean()
    model = components[:, :5] * variances[:5] @ components[:, :5].T + left_out * torch.eye(72)
    mask = HOLE.mask(x[:3], seeded(4))
    filled = controls.PCAFill(5).fit(split(x)).fill(x[:3].masked_fill(mask, 0), mask)
    for image, lost, ours in zip(flat, mask.expand(3, 2, 6, 6).flatten(1), filled.flatten(1), strict=False):
        gain = torch.linalg.solve(model[~lost][:, ~lost], model[~lost][:, lost]).T
        theirs = mean[lost] + gain @ (image - mean)[~lost]
        assert torch.allclose(ours[lost].double(), theirs, atol=1e-5)


def test_biharmonic_is_scikit_image_s_and_continues_a_plane() -> None:
    from skimage.restoration import inpaint_biharmonic

    x = torch.rand(2, 3, 8, 8, generator=seeded())
    mask = HOLE.mask(x, seeded(1))
    filled = controls.Biharmonic().fill(x.masked_fill(mask, 0), mask)
    for b in range(2):
        for c in range(3):
            theirs = inpaint_biharmonic(x[b, c].masked_fill(mask[b, 0], 0).numpy(), mask[b, 0].numpy())
            assert np.allclose(filled[b, c].numpy(), theirs.clip(0, 1), atol=1e-6)
    row = torch.arange(8) / 16
    plane = (0.1 + row[:, None] + 0.5 * row)[None, None]
    inside = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    inside[..., 3:6, 3:6] = True
    assert torch.allclose(controls.Biharmonic().fill(plane.masked_fill(inside, 0), inside), plane, atol=1e-5)


def test_a_mask_of_nothing_changes_nothing_and_a_mask_of_everything_leaves_the_mean() -> None:
    x = torch.rand(40, 2, 6, 6, generator=seeded())
    nothing, everything = (torch.full((40, 1, 6, 6), value) for value in (False, True))
    mean_fill, pca_fill, biharmonic = fills(x)
    for control in (mean_fill, pca_fill, biharmonic):
        assert torch.equal(control.fill(x, nothing), x)
    for control in (mean_fill, pca_fill):
        assert torch.allclose(control.fill(x, everything), x.mean(dim=0).expand_as(x), atol=1e-6)
    with pytest.raises(ValueError, match="an image has none"):
        biharmonic.fill(x, everything)


def test_fills_beat_the_mean_image_on_digits(mnist: lab.ImageData) -> None:
    corrupt, test = lab.corrupt.box_mask(10, fill=0.5), mnist.test[:200]
    mean, pca = (lab.metrics.hole_errors(c.fit(mnist.train), test, corrupt)
                 for c in (controls.MeanFill(), controls.PCAFill(64)))  # fmt: skip
    assert pca[0].value < 0.75 * mean[0].value and mean[1].value == pca[1].value == 0


# --- errors inside and outside a hole --------------------------------------------------------------


class Wrong(lab.Model):
    """Off by 0.2 inside the hole it is told of and by 0.1 elsewhere."""

    fills = True

    def fill(self, x: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask, 0.5 + 0.2, x + 0.1)


def test_hole_errors_by_hand() -> None:
    x = torch.full((5, 3, 8, 8), 0.5)
    inside, outside = lab.metrics.hole_errors(Wrong(), split(x), HOLE)
    assert math.isclose(inside.value, 0.04, rel_tol=1e-5) and math.isclose(outside.value, 0.01, rel_tol=1e-5)
    assert inside.error < 1e-9 and outside.error < 1e-9


def test_hole_errors_of_a_model_that_is_not_told_where_the_hole_is() -> None:
    x = torch.rand(30, 2, 8, 8, generator=seeded())
    mask = HOLE.mask(x, seeded(lab.metrics.CORRUPTION_SEED)).expand_as(x)
    copy = SimpleNamespace(fills=False, reconstruct=lambda damaged: damaged)
    inside, outside = lab.metrics.hole_errors(copy, split(x), HOLE)
    assert math.isclose(inside.value, (x[mask] - 0.5).square().mean(), rel_tol=1e-5) and outside.value == 0
    each = (x - 0.5).square()[mask].view(30, -1).mean(dim=1)  # holes of one size: a mean over images
    assert math.isclose(inside.error, each.std() / math.sqrt(30), rel_tol=1e-4)
    # both sides together are the squared error of metrics.mse
    share = 9 / 64
    whole = lab.metrics.mse(copy, split(x), HOLE).value
    assert math.isclose(share * inside.value + (1 - share) * outside.value, whole, rel_tol=1e-5)


class LeftColumns:
    """Image i loses its i left columns."""

    def mask(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        lost = torch.arange(len(x))
        return (torch.arange(x.shape[3]) < lost[:, None])[:, None, None].expand(-1, 1, x.shape[2], -1)

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return x.masked_fill(self.mask(x), 0)


def test_hole_errors_pool_pixels_of_holes_of_any_size() -> None:
    x = torch.tensor([0.9, 0.4, 0.2]).view(3, 1, 1, 1).expand(3, 1, 4, 4).clone()
    copy = SimpleNamespace(fills=False, reconstruct=lambda damaged: damaged)
    inside, outside = lab.metrics.hole_errors(copy, split(x), LeftColumns())
    assert math.isclose(inside.value, (4 * 0.16 + 8 * 0.04) / 12, rel_tol=1e-5) and outside.value == 0


def test_hole_errors_of_no_hole_and_of_nothing_else() -> None:
    x = torch.rand(4, 1, 8, 8, generator=seeded())
    mean = controls.MeanFill().fit(split(x))
    inside, outside = lab.metrics.hole_errors(mean, split(x), lab.corrupt.box_mask(8))
    assert inside.value > 0 and math.isnan(outside.value)
    inside, outside = lab.metrics.hole_errors(mean, split(x[:1]), LeftColumns())
    assert math.isnan(inside.value) and outside.value == 0
    with pytest.raises(TypeError, match=r"needs a corruption with a mask.*got gaussian\(sigma=0.1\)"):
        lab.metrics.hole_errors(mean, split(x), lab.corrupt.gaussian(0.1))


# --- as models -------------------------------------------------------------------------------------


def test_denoisers_stand_in_a_scoreboard(tiny: lab.ImageData) -> None:
    noise = lab.corrupt.gaussian(0.3)
    filters = [controls.Median(3), controls.Gaussian(1), controls.NonLocalMeans(0.3),
               controls.LinearDenoiser(0.3).fit(tiny.train)]  # fmt: skip
    table = lab.compare([*filters, lab.PCA(8).fit(tiny.train)], tiny, columns=["mse", "psnr"], corrupt=noise)
    assert list(table.index) == ["median 3×3", "Gaussian 1 px", "non-local means 0.3", "linear 0.3", "PCA(8)"]
    assert list(table["parameters"]) == [0, 0, 0, 64 * 64 + 64, 8 * 64 + 64]
    assert (table["seconds"][:3] == 0).all() and table["seconds"].notna().all()
    for control in filters:
        assert table.loc[control.label, "mse"] == lab.metrics.mse(control, tiny.test, noise).value
        cleaned = control.reconstruct(noise(tiny.test.images, seeded()))
        assert cleaned.shape == tiny.test.images.shape and cleaned.dtype == torch.float32
        assert cleaned.min() >= 0 and cleaned.max() <= 1
    assert controls.Biharmonic().learned_numbers() == 0
    assert "median 3×3" in lab.plot.reconstructions([controls.Median()], tiny.test, corrupt=noise).alt
    row = lab.compare([controls.Median()], tiny).iloc[0]
    assert row["lacks"] == "has no code" and math.isnan(row["probe"]) and row["psnr"] > 0


# --- wrong input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: controls.Median(4), "size must be odd and at least 1.*got 4"),
        (lambda: controls.Median(0), "got 0"),
        (lambda: controls.Gaussian(-1.0), "must be ≥ 0, got -1.0"),
        (lambda: controls.Gaussian(math.nan), "must be ≥ 0, got nan"),
        (lambda: controls.NonLocalMeans(0.0), "must be > 0, got 0.0"),
        (lambda: controls.LinearDenoiser(-0.5), "must be > 0, got -0.5"),
        (lambda: controls.LinearDenoiser(math.nan), "must be > 0, got nan"),
        (lambda: controls.PCAFill(0), "at least 1"),
        (lambda: controls.PCAFill(90).fit(split(low_rank())), "PCA.90. needs at least 90 images and pixels, got 60"),
    ],
)
def test_settings_that_make_no_sense(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("control", [controls.MeanFill(), controls.PCAFill(3), controls.LinearDenoiser(0.1)])
def test_what_is_not_fitted_says_so(control) -> None:
    x, mask = torch.rand(2, 1, 6, 6), torch.zeros(2, 1, 6, 6, dtype=torch.bool)
    with pytest.raises(RuntimeError, match=r"is not fitted yet: call \.fit\(data\.train\) first"):
        control.fill(x, mask) if hasattr(control, "fill") else control.reconstruct(x)


def test_images_of_another_shape_and_kind() -> None:
    x = low_rank()
    other, mask = torch.rand(2, 2, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    for control in (controls.MeanFill(), controls.PCAFill(3)):
        with pytest.raises(ValueError, match=r"was fitted to images \(B, 2, 6, 6\), got \(2, 2, 8, 8\)"):
            control.fit(split(x)).fill(other, mask)
    with pytest.raises(ValueError, match=r"was fitted to images \(B, 2, 6, 6\), got \(2, 2, 8, 8\)"):
        controls.LinearDenoiser(0.1).fit(split(x)).reconstruct(other)
    bytes_, no_channel = torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.rand(2, 8, 8)
    for wrong in (bytes_, no_channel):
        for control in (controls.Median(), controls.Gaussian(), controls.NonLocalMeans(0.1)):
            with pytest.raises(ValueError, match=r"images must be (float32 )?\(N, C, H, W\)"):
                control.reconstruct(wrong)


@pytest.mark.parametrize(
    "mask",
    [
        torch.zeros(40, 1, 6, 6),
        torch.zeros(40, 2, 6, 6, dtype=torch.bool),
        torch.zeros(1, 1, 6, 6, dtype=torch.bool),
        torch.zeros(40, 6, 6, dtype=torch.bool),
    ],
)
def test_a_mask_must_be_one_of_true_and_false_for_each_pixel(mask: Tensor) -> None:
    x = torch.rand(40, 2, 6, 6, generator=seeded())
    for control in fills(x):
        with pytest.raises(ValueError, match=r"mask must be bool \(40, 1, 6, 6\), True where lost, got"):
            control.fill(x, mask)
