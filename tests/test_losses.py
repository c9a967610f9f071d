"""Losses against closed forms, the formula written out, and finite differences."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab.losses import cross_entropy, entropy, squared_error


def images(batch: int = 4, seed: int = 0, shape: tuple[int, int, int] = (1, 3, 2)) -> Tensor:
    """Grey images strictly inside (0, 1), in double precision."""
    return torch.rand((batch, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.double) * 0.98 + 0.01


def test_squared_error_is_summed_over_pixels_and_averaged_over_images() -> None:
    x = torch.zeros(2, 1, 2, 2)
    x_hat = torch.stack([torch.full((1, 2, 2), 1.0), torch.full((1, 2, 2), 3.0)])
    assert squared_error(x_hat, x) == (4 * 1 + 4 * 9) / 2


def test_cross_entropy_is_the_slide_s_formula() -> None:
    x, logits = images(seed=1), images(seed=2) * 8 - 4
    x_hat = torch.sigmoid(logits)
    slide = -(x * x_hat.log() + (1 - x) * (1 - x_hat).log()).flatten(1).sum(dim=1).mean()
    assert torch.isclose(cross_entropy(logits, x), slide, rtol=1e-12)


def test_cross_entropy_of_grey_guesses_is_log_2_a_pixel() -> None:
    assert math.isclose(cross_entropy(torch.zeros(3, 2, 4, 4), torch.rand(3, 2, 4, 4)), 32 * math.log(2), rel_tol=1e-6)


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_duplicating_the_batch_changes_nothing(loss) -> None:
    x, x_hat = images(seed=1), images(seed=2)
    assert torch.isclose(loss(x_hat.repeat(3, 1, 1, 1), x.repeat(3, 1, 1, 1)), loss(x_hat, x), rtol=1e-12)
    assert torch.isclose(entropy(x.repeat(3, 1, 1, 1)), entropy(x), rtol=1e-12)


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_gradient_matches_finite_differences(loss) -> None:
    x, x_hat = images(seed=1), images(seed=2).mul(6).sub(3).requires_grad_()
    assert torch.autograd.gradcheck(lambda a: loss(a, x), (x_hat,))


def test_gradient_of_cross_entropy_is_x_hat_minus_x() -> None:
    # d/da −[x log σ(a) + (1 − x) log(1 − σ(a))] = σ(a) − x, which is why it does not saturate
    x, logits = images(seed=1), images(seed=2).mul(6).sub(3).requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(logits, x), logits)
    assert torch.allclose(gradient, (torch.sigmoid(logits.detach()) - x) / len(x), rtol=1e-10)


def test_entropy_is_the_floor_and_reached_by_the_image_itself() -> None:
    x = images()
    at_the_floor = torch.logit(x)
    assert torch.isclose(cross_entropy(at_the_floor, x), entropy(x), rtol=1e-12)
    for seed in range(5):
        elsewhere = at_the_floor + torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)) * 0.1
        assert cross_entropy(elsewhere, x) > entropy(x)


@given(st.floats(0, 1))
def test_entropy_lies_between_nothing_and_one_bit_a_pixel(grey: float) -> None:
    value = entropy(torch.full((1, 1, 2, 2), grey, dtype=torch.double)).item()
    assert 0 <= value <= 4 * math.log(2) + 1e-12


def test_entropy_of_black_and_white_is_exactly_zero() -> None:
    assert entropy(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)) == 0


def test_entropy_floor_of_the_digits(mnist: lab.ImageData) -> None:
    # known figure for these 5,000 digits: 0.0590 nats a pixel; the split holds 3,500 of them (±0.0003 over subsets)
    assert abs(entropy(mnist.train.images).item() / 784 - 0.0590) < 0.001


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_cross_entropy_stays_finite_for_huge_logits(size: float) -> None:
    right = torch.tensor([-size, size]).view(1, 1, 1, 2).requires_grad_()
    x = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    assert 0 <= cross_entropy(right, x) < 1e-30  # sure and right
    wrong = cross_entropy(-right, x)  # sure and wrong: −log σ(−a) ≈ a for each of the two pixels
    assert math.isclose(wrong.item(), 2 * size, rel_tol=1e-6)
    (gradient,) = torch.autograd.grad(wrong, right)
    assert torch.isfinite(gradient).all() and gradient.abs().min() > 0.99


@pytest.mark.parametrize("bad", [-0.01, 1.01, 255.0])
def test_cross_entropy_refuses_targets_outside_0_1(bad: float) -> None:
    with pytest.raises(ValueError, match=r"targets in \[0, 1\], got .* rescale the images or use squared_error"):
        cross_entropy(torch.zeros(1, 1, 1, 2), torch.tensor([0.5, bad]).view(1, 1, 1, 2))


@pytest.mark.parametrize("loss", [squared_error, cross_entropy])
def test_shapes_that_would_broadcast_are_refused(loss) -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(4, 1, 2, 2\) and \(1, 1, 2, 2\)"):
        loss(torch.zeros(4, 1, 2, 2), torch.zeros(1, 1, 2, 2))
