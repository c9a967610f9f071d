"""Corruptions: what share of pixels is lost, where, and that the rest is left alone."""

import pytest
import torch
from conftest import seeded
from hypothesis import given, settings
from hypothesis import strategies as st

import autoencoder_lab as lab

ALL = {
    "gaussian": lab.corrupt.gaussian(0.5),
    "salt_pepper": lab.corrupt.salt_pepper(0.3),
    "pixel_mask": lab.corrupt.pixel_mask(0.3),
    "box_mask": lab.corrupt.box_mask(4),
    "downsample": lab.corrupt.downsample(2),
    "grayscale": lab.corrupt.grayscale(),
}
RANDOM = [name for name in ALL if name not in ("downsample", "grayscale")]


@pytest.mark.parametrize("name", ALL)
@given(height=st.integers(8, 33), width=st.integers(8, 33), batch=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_shape_type_and_range_stay_and_the_input_is_not_touched(name, height, width, batch, seed) -> None:
    x = torch.rand(batch, 3, height, width, generator=seeded(seed))
    before = x.clone()
    damaged = ALL[name](x, seeded(seed))
    assert damaged.shape == x.shape and damaged.dtype == x.dtype
    assert damaged.min() >= 0 and damaged.max() <= 1
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", RANDOM)
def test_a_generator_repeats_the_noise_and_spares_the_global_one(name: str) -> None:
    x = torch.full((2, 1, 12, 12), 0.5)
    state = torch.get_rng_state()
    assert torch.equal(ALL[name](x, seeded(1)), ALL[name](x, seeded(1)))
    assert not torch.equal(ALL[name](x, seeded(1)), ALL[name](x, seeded(2)))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", RANDOM)
def test_without_a_generator_every_call_and_every_image_draws_afresh(name: str) -> None:
    torch.manual_seed(0)
    x = torch.full((2, 1, 12, 12), 0.5)
    damaged = ALL[name](x)
    assert not torch.equal(damaged, ALL[name](x))
    assert not torch.equal(damaged[0], damaged[1])


def test_gaussian_has_the_standard_deviation_it_was_given() -> None:
    # 200,000 draws: the standard deviation of an estimated σ is σ/√(2N) = 0.16 %; margin six of them
    noise = lab.corrupt.gaussian(0.05)(torch.full((200, 1, 100, 10), 0.5), seeded()) - 0.5
    assert abs(noise.std().item() / 0.05 - 1) < 0.01
    assert abs(noise.mean().item()) < 6 * 0.05 / 200_000**0.5


def test_gaussian_is_clipped_and_nothing_at_sigma_0() -> None:
    x = torch.rand(4, 1, 8, 8, generator=seeded())
    assert torch.equal(lab.corrupt.gaussian(0)(x), x)
    wild = lab.corrupt.gaussian(100)(x, seeded())
    assert ((wild == 0) | (wild == 1)).float().mean() > 0.98


# counts of 100,000 positions: a binomial standard deviation is at most 158; margin six of them
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
def test_salt_and_pepper_in_equal_shares_and_all_channels_alike(fraction: float) -> None:
    x = torch.full((10, 3, 100, 100), 0.4)
    damaged = lab.corrupt.salt_pepper(fraction)(x, seeded())
    pepper, salt, kept = (damaged == 0).all(1), (damaged == 1).all(1), (damaged == 0.4).all(1)
    assert (pepper | salt | kept).all()
    assert abs(pepper.sum() - 100_000 * fraction / 2) <= 950 and abs(salt.sum() - 100_000 * fraction / 2) <= 950


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_pixel_mask_loses_the_share_asked_for_and_keeps_the_rest(fraction: float) -> None:
    x = torch.rand(10, 3, 100, 100, generator=seeded()) * 0.9 + 0.1
    damaged = lab.corrupt.pixel_mask(fraction)(x, seeded())
    lost = (damaged == 0).all(1)
    assert (lost | (damaged == x).all(1)).all()
    assert abs(lost.sum() - 100_000 * fraction) <= 950


@pytest.mark.parametrize(("size", "shape"), [(1, (1, 8, 8)), (5, (3, 9, 16)), (8, (1, 8, 8))])
def test_box_is_one_whole_box_and_reported_by_mask(size: int, shape: tuple[int, int, int]) -> None:
    x = torch.rand(50, *shape, generator=seeded()) * 0.5
    box = lab.corrupt.box_mask(size, fill=0.75)
    damaged, hole = box(x, seeded(3)), box.mask(x, seeded(3))
    assert hole.shape == (50, 1, *shape[1:])
    assert (hole.sum(dim=(1, 2, 3)) == size**2).all()
    assert (hole.any(dim=3).sum(dim=(1, 2)) == size).all() and (hole.any(dim=2).sum(dim=(1, 2)) == size).all()
    assert torch.equal(damaged, torch.where(hole, 0.75, x))


def test_box_reaches_every_corner() -> None:
    hole = lab.corrupt.box_mask(3).mask(torch.zeros(2000, 1, 8, 8), seeded())
    assert hole.any(dim=0).all()
    assert not hole.all(dim=0).any()


def test_downsample_keeps_block_means_and_is_a_projection() -> None:
    x = torch.rand(2, 3, 12, 8, generator=seeded())
    once = lab.corrupt.downsample(4)(x)
    blocks = x.unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(-1, -2))
    assert torch.allclose(once[:, :, ::4, ::4], blocks, atol=1e-6)
    assert torch.allclose(lab.corrupt.downsample(4)(once), once, atol=1e-6)
    assert torch.equal(lab.corrupt.downsample(1)(x), x)


@pytest.mark.parametrize("factor", [2, 3, 40])
def test_downsample_at_sizes_that_do_not_divide(factor: int) -> None:
    # a constant stays a constant up to the border: no zeros are averaged in
    x = torch.full((1, 1, 25, 13), 0.7)
    assert torch.allclose(lab.corrupt.downsample(factor)(x), x, atol=1e-6)


def test_grayscale_is_luminance_in_every_channel() -> None:
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 1
    assert torch.allclose(lab.corrupt.grayscale()(red), torch.full((1, 3, 2, 2), 0.299))
    white = torch.ones(1, 3, 2, 2)
    assert torch.allclose(lab.corrupt.grayscale()(white), white) and lab.corrupt.grayscale()(white).max() <= 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lab.corrupt.gaussian(-1), "sigma .* ≥ 0, got -1"),
        (lambda: lab.corrupt.salt_pepper(1.5), r"fraction .* \[0, 1\], got 1.5"),
        (lambda: lab.corrupt.pixel_mask(-0.1), r"fraction .* \[0, 1\], got -0.1"),
        (lambda: lab.corrupt.box_mask(0), "of pixels, at least 1, got 0"),
        (lambda: lab.corrupt.box_mask(2, fill=-1), r"fill .* \[0, 1\], got -1"),
        (lambda: lab.corrupt.box_mask(9)(torch.zeros(1, 1, 8, 28)), "9×9 box does not fit into images of 8×28"),
        (lambda: lab.corrupt.downsample(0), "factor must be a whole number, at least 1, got 0"),
        (lambda: lab.corrupt.grayscale()(torch.zeros(1, 1, 8, 8)), r"colour images \(B, 3, H, W\), got \(1, 1, 8, 8\)"),
    ],
)
def test_refusals_say_what_was_given(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
