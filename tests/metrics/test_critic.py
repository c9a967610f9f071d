"""The trained critic: against the best accuracy there is, and where nearest neighbours see nothing."""

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import seeded
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab.metrics import critic_accuracy, two_sample_accuracy


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return lab.load("mnist-5k").train.images


@pytest.mark.parametrize("apart", [0.0, 1.0, 2.0])
def test_of_two_gaussians_it_comes_near_the_best_accuracy(apart: float) -> None:
    """N(0, 1) against N(δ, 1): whoever knows both is right in Φ(δ/2) of all cases."""
    generator = seeded(1)
    a, b = (torch.randn(3000, 1, 1, 1, generator=generator) for _ in range(2))
    found = critic_accuracy(a, b + apart)
    assert abs(found.value - 0.5 * (1 + math.erf(apart / 2 / math.sqrt(2)))) < 4 * found.error
    assert found.error == pytest.approx(math.sqrt(found.value * (1 - found.value) / 6000), rel=0.3)


def test_a_blur_is_seen_that_nearest_neighbours_miss(digits: Tensor) -> None:
    real = digits[:400]
    blurred = F.avg_pool2d(real, 3, stride=1, padding=1)
    assert critic_accuracy(blurred, real).value > 0.97 > 0.6 > two_sample_accuracy(blurred, real).value


def test_real_digits_against_real_ones_are_the_floor(digits: Tensor) -> None:
    """0.49 to 0.54 were seen in ten draws of 500 and of 1,000."""
    for seed in range(2):
        which = torch.randperm(len(digits), generator=seeded(seed))[:600]
        found = critic_accuracy(digits[which[:300]], digits[which[300:]], seed=seed)
        assert abs(found.value - 0.5) < 4.5 * found.error


def test_an_image_and_its_copy_stand_on_one_side(digits: Tensor) -> None:
    """The content is the same in both sets, so whatever was learned by heart helps for none: exactly one half."""
    assert critic_accuracy(digits[:100], digits[:100].clone()).value == 0.5


@pytest.mark.parametrize("shape", [(3, 20, 18), (1, 5, 1)])
def test_colour_and_odd_sizes(shape: tuple[int, int, int]) -> None:
    a, b = torch.rand(60, *shape, generator=seeded(0)), torch.rand(60, *shape, generator=seeded(1))
    assert critic_accuracy(a, b + 1, steps=60).value == 1


def test_the_same_seed_gives_the_same_and_no_state_is_touched(digits: Tensor) -> None:
    a, b = digits[:40], digits[40:80]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad():
        found = [critic_accuracy(a, b, steps=5, seed=seed) for seed in (0, np.int64(0), 1)]
        assert not torch.is_grad_enabled()
    assert found[0] == found[1] and torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.rand(5, 1, 8, 8), torch.rand(6, 1, 8, 8), "as many of both"),
        (torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8), "four or more"),
        (torch.rand(5, 1, 8, 8), torch.rand(5, 1, 9, 9), "as many of both"),
        ((255 * torch.rand(5, 1, 8, 8)).byte(), torch.rand(5, 1, 8, 8), "divide by 255"),
        (torch.rand(5, 64), torch.rand(5, 64), r"a must be \(N, C, H, W\)"),
    ],
)
def test_what_it_cannot_compare_is_told(a: Any, b: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        critic_accuracy(a, b)
