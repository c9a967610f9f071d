"""The bent curve: where its points lie, and that the position kept with each is where it was drawn."""

import math

import pytest
import torch

import autoencoder_lab as lab
from autoencoder_lab.data.plane import on_bent_curve


def test_points_lie_along_the_curve_at_the_position_they_keep() -> None:
    data = lab.bent_curve(noise=0.0)
    for split in (data.train, data.val, data.test):
        assert split.factor_names == ("position",) and split.factors.shape == (len(split), 1)
        assert split.images.shape[1:] == (1, 1, 2) and split.value_range is None
        x, y = split.images.view(-1, 2).double().T
        angle = torch.rad2deg(torch.atan2(y, x))
        angle = torch.where(angle < -90, angle + 360, angle)  # −20° … 200°
        assert torch.allclose(torch.hypot(x, y), torch.ones(len(split)).double(), atol=1e-6)
        assert torch.allclose((angle + 20) / 220, split.factors[:, 0].double(), atol=1e-5)
    assert [len(split) for split in (data.train, data.val, data.test)] == [600, 100, 200]


def test_noise_is_what_was_asked_for_and_points_never_change() -> None:
    data, again = lab.bent_curve(4000, noise=0.1), lab.bent_curve(4000, noise=0.1)
    off = data.train.images.view(-1, 2) - on_bent_curve(data.train.factors)
    assert off.std(dim=0).tolist() == pytest.approx([0.1, 0.1], rel=0.05)
    assert torch.equal(data.train.images, again.train.images)
    assert torch.equal(data.train[:7].factors, data.train.factors[:7])


def test_equal_steps_along_it_are_equally_long_and_its_ends_are_apart() -> None:
    points = on_bent_curve(torch.linspace(0, 1, 23)).double()
    steps = (points[1:] - points[:-1]).norm(dim=1)
    assert torch.allclose(steps, torch.full((22,), 2 * math.sin(math.radians(5))).double(), atol=1e-5)
    assert (points[0] - points[-1]).norm() > 1.5
