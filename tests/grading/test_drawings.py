"""The drawings that judges train and measure on: strokes where they should be, and none like another."""

import numpy as np
import torch

from autoencoder_lab.grading.drawings import alphabet, handwritten, scribbles


def test_a_straight_stroke_is_as_wide_as_the_pen() -> None:
    # both curves lie on the row 14 of 28, from column 7 to column 21: their control points stand evenly on it
    points = torch.stack([torch.full((4,), 0.5), torch.linspace(0.25, 0.75, 4)], dim=1)
    (image,) = handwritten(points.expand(1, 2, 4, 2), np.random.default_rng(0), unsteady=0.0)
    assert image.shape == (1, 28, 28)
    drawn = image[0]
    rows = torch.arange(28) + 0.5
    assert drawn[:, :5].sum() == 0 and drawn[:, 23:].sum() == 0, "nothing beyond the ends and the pen's radius"
    column = drawn[:, 14]
    # a pen of radius r with one pixel of edge covers 2 r of the column; r is between 1 and 1.5
    assert 2 <= column.sum() <= 3 and column[(rows - 14).abs() > 2].sum() == 0
    assert torch.allclose(column, column.flip(0)), "as much above the line as below"


def test_a_curve_begins_and_ends_at_its_outer_control_points() -> None:
    generator = np.random.default_rng(1)
    letters = alphabet(generator, 50)
    images = handwritten(letters, generator, unsteady=0.0)[:, 0]
    ends = (letters[:, :, [0, 3]] * 28).long().flatten(1, 2)  # (50, 4, 2): the pixels they lie in
    at_ends = images[torch.arange(50)[:, None], ends[..., 0], ends[..., 1]]
    assert at_ends.min() > 0.75, (
        "a pixel's centre is at most 0.71 from any point in it, and the pen's radius at least 1"
    )


def test_an_unsteady_hand_writes_the_same_letter_differently() -> None:
    letters = alphabet(np.random.default_rng(2), 1).expand(200, -1, -1, -1)
    generator = np.random.default_rng(3)
    images = handwritten(letters, generator, unsteady=0.04)
    apart = torch.pdist(images.flatten(1))
    others = torch.pdist(scribbles(generator, 200).flatten(1))
    assert apart.min() > 0.5 and apart.median() < 0.7 * others.median()


def test_scribbles_come_from_the_seed_alone() -> None:
    one, same, other = (scribbles(np.random.default_rng(seed), 20) for seed in (4, 4, 5))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.shape == (20, 1, 28, 28) and one.dtype == torch.float32
    assert one.min() == 0 and one.max() == 1
