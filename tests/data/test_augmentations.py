"""Augmentations: each limit does what its name says, by where the mass of the image goes."""

import pytest
import torch
from conftest import seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab.data.augmentations import affine, horizontal_flip, nudge

NOTHING = {"rotation": 0.0, "scale": 0.0, "shear": 0.0, "shift": 0.0}


def blob(height: int = 33, width: int = 33, at: tuple[float, float] = (0.0, 0.0), radius: float = 2.0) -> Tensor:
    """A smooth spot, (1, 1, H, W); `at`: its (row, column) in pixels from the centre."""
    row = torch.arange(height) - (height - 1) / 2 - at[0]
    column = torch.arange(width) - (width - 1) / 2 - at[1]
    return torch.exp(-(row[:, None] ** 2 + column[None, :] ** 2) / (2 * radius**2))[None, None]


def centroid(images: Tensor) -> Tensor:
    """(B, 2): row and column of the centre of mass, in pixels from the image's centre."""
    height, width = images.shape[2:]
    mass = images.sum(dim=(1, 2, 3))
    row = (images.sum(dim=(1, 3)) * (torch.arange(height) - (height - 1) / 2)).sum(dim=1) / mass
    column = (images.sum(dim=(1, 2)) * (torch.arange(width) - (width - 1) / 2)).sum(dim=1) / mass
    return torch.stack([row, column], dim=1)


@given(height=st.integers(4, 40), width=st.integers(4, 40), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_zero_limits_change_nothing(height: int, width: int, seed: int) -> None:
    x = torch.rand(3, 2, height, width, generator=seeded(seed))
    assert torch.allclose(affine(**NOTHING)(x), x, atol=1e-4)


def test_shift_moves_by_at_most_its_share_of_the_side_both_ways() -> None:
    many = blob(33, 33).expand(500, -1, -1, -1)
    moved = centroid(affine(**NOTHING | {"shift": 0.1})(many, seeded()))
    assert moved.abs().max() <= 3.3 + 0.02
    # uniform in ±3.3: of 500 draws, the chance that none lies beyond 3.2 on a given side is 0.985⁵⁰⁰ = 0.0005
    assert (moved.max(dim=0).values > 3.2).all() and (moved.min(dim=0).values < -3.2).all()
    assert abs(moved.std(dim=0) - 2 * 3.3 / 12**0.5).max() < 0.2  # a uniform's; the estimate's own spread is 0.04


def test_rotation_turns_a_spot_on_a_circle_and_keeps_its_mass() -> None:
    many = blob(41, 41, at=(0, 10)).expand(500, -1, -1, -1)
    turned = affine(**NOTHING | {"rotation": 30.0})(many, seeded())
    row, column = centroid(turned).T
    assert torch.allclose((row**2 + column**2).sqrt(), torch.tensor(10.0), atol=0.05)
    angle = torch.rad2deg(torch.atan2(row, column))
    assert angle.abs().max() <= 30.2 and angle.max() > 29 and angle.min() < -29
    assert torch.allclose(turned.sum(dim=(1, 2, 3)), many.sum(dim=(1, 2, 3)), rtol=0.01)


def test_rotation_is_one_in_images_that_are_not_square_too() -> None:
    many = blob(21, 61, at=(0, 7)).expand(200, -1, -1, -1)
    row, column = centroid(affine(**NOTHING | {"rotation": 30.0})(many, seeded())).T
    assert torch.allclose((row**2 + column**2).sqrt(), torch.tensor(7.0), atol=0.05)
    assert torch.rad2deg(torch.atan2(row, column)).max() > 28


def test_scale_changes_the_area_by_the_square() -> None:
    many = blob(41, 41, radius=4).expand(500, -1, -1, -1)
    area = (affine(**NOTHING | {"scale": 0.2})(many, seeded()).sum(dim=(1, 2, 3)) / many[0].sum()).sqrt()
    assert abs(area.max() - 1.2) < 0.01 and abs(area.min() - 0.8) < 0.01


def test_shear_slants_and_keeps_rows_and_area() -> None:
    many = blob(41, 41, at=(10, 0)).expand(500, -1, -1, -1)
    slanted = affine(**NOTHING | {"shear": 0.3})(many, seeded())
    row, column = centroid(slanted).T
    assert torch.allclose(row, torch.tensor(10.0), atol=0.05)
    assert abs(column.max() - 3) < 0.1 and abs(column.min() + 3) < 0.1
    assert torch.allclose(slanted.sum(dim=(1, 2, 3)), many.sum(dim=(1, 2, 3)), rtol=0.01)


def test_channels_move_together_and_images_apart() -> None:
    x = torch.rand(2, 1, 16, 16, generator=seeded()).expand(2, 3, 16, 16)
    moved = affine()(x, seeded(1))
    assert torch.allclose(moved[:, 0], moved[:, 1]) and torch.allclose(moved[:, 0], moved[:, 2])
    same = affine()(x[:1].expand(2, -1, -1, -1), seeded(1))
    assert (same[0] - same[1]).abs().max() > 0.1


@pytest.mark.parametrize("augmentation", [affine(), affine(padding="reflection"), horizontal_flip()])
def test_range_shape_and_repeatability(augmentation) -> None:
    x = torch.rand(8, 3, 25, 28, generator=seeded())
    state = torch.get_rng_state()
    changed = augmentation(x, seeded(1))
    assert changed.shape == x.shape and changed.min() >= 0 and changed.max() <= 1
    assert torch.equal(changed, augmentation(x, seeded(1)))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(0)
    assert not torch.equal(augmentation(x), augmentation(x))


def test_border_padding_leaves_no_dark_corners() -> None:
    white = torch.ones(50, 1, 16, 16)
    assert torch.allclose(affine(padding="border")(white, seeded()), white)
    assert affine(padding="zeros")(white, seeded()).min() == 0


def test_flip_mirrors_about_half_of_the_images_whole() -> None:
    x = torch.rand(400, 3, 5, 6, generator=seeded())
    flipped = horizontal_flip()(x, seeded(1))
    mirrored, kept = (flipped == x.flip(-1)).flatten(1).all(1), (flipped == x).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert abs(mirrored.sum() - 200) < 60  # binomial standard deviation 10, margin six


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": 1.0}, "scale .* below 1, got 1.0"),
        ({"rotation": -5.0}, "limits must be ≥ 0, got rotation=-5.0"),
        ({"padding": "wrap"}, 'padding must be "zeros", "border" or "reflection", got \'wrap\''),
    ],
)
def test_refusals_say_what_was_given(wrong, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lab.augment.affine(**wrong)


def test_nudge_moves_by_whole_pixels_and_brings_in_black() -> None:
    x = torch.rand(600, 2, 7, 9, generator=seeded()) + 0.5
    moved = nudge(2)(x, seeded(1))
    # every result is one of the 25 moves of its own image, zeros where nothing was
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2))
    moves = torch.stack([padded[:, :, 2 - a : 9 - a, 2 - b : 11 - b] for a in range(-2, 3) for b in range(-2, 3)])
    which = (moves == moved).flatten(2).all(dim=2)
    assert (which.sum(dim=0) == 1).all()
    count = which.sum(dim=1)
    still = 0.5 + 0.5 / 25  # left alone, or moved by (0, 0)
    assert abs(count[12] - 600 * still) < 6 * (600 * still * (1 - still)) ** 0.5
    others = torch.cat([count[:12], count[13:]])
    assert (others > 0).all() and others.max() < 600 * 0.02 + 6 * 12**0.5


def test_nudge_keeps_black_and_white_and_spares_the_global_generator() -> None:
    x = (torch.rand(50, 1, 28, 28, generator=seeded()) > 0.5).float()
    state = torch.get_rng_state()
    assert set(nudge()(x, seeded()).unique().tolist()) == {0.0, 1.0}
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(nudge(0)(x), x)
    with pytest.raises(ValueError, match="whole number, at least 0, got -1"):
        nudge(-1)
