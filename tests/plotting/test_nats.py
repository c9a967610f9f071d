"""Figures of nats: slopes are those of β, bars are as long as their parts, ellipses are as wide as σ."""

import numpy as np
import pytest
import torch
from matplotlib.patches import Circle, Ellipse
from torch import Tensor, nn

import autoencoder_lab as lab


def test_each_point_has_its_label_and_a_line_of_its_slope() -> None:
    points = {0.1: (30.0, 100.0), 1.0: (12.0, 110.0), 8.0: (2.0, 150.0)}
    figure = lab.plot.rate_distortion(points)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["β = 0.1", "β = 1", "β = 8"]
    pieces = [line.get_xydata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert len(pieces) == 3
    for (beta, point), piece in zip(points.items(), pieces, strict=True):
        (x0, y0), (x1, y1) = np.asarray(piece)
        assert (y1 - y0) / (x1 - x0) == pytest.approx(-beta)
        np.testing.assert_allclose(np.asarray(piece).mean(axis=0), point)
    assert "β = 8: rate 2, distortion 150" in figure.alt


def test_a_bar_is_as_long_as_its_parts_and_a_part_keeps_its_colour() -> None:
    figure = lab.plot.stacked({"one": {"a": 1.0, "b": 2.5}, "other": {"a": torch.tensor(3.0), "c": 0.5}}, "nats")
    (axes,) = figure.axes
    spans = [(patch.get_x(), patch.get_width()) for patch in axes.patches]
    np.testing.assert_allclose(spans, [(0, 1), (1, 2.5), (0, 3), (3, 0.5)])
    first, _, again, third = (patch.get_facecolor() for patch in axes.patches)
    assert first == again != third
    assert "one: a 1.00, b 2.50; other: a 3.00, c 0.50" in figure.alt


def test_a_logarithmic_bar_ends_at_its_value() -> None:
    figure = lab.plot.bars({"few": 2.0, "many": 20_000.0}, "draws", log=True)
    (axes,) = figure.axes
    assert axes.get_xscale() == "log" and [patch.get_width() for patch in axes.patches] == [2.0, 20_000.0]
    assert "20,000" in [text.get_text().strip() for text in axes.texts]


class Known(nn.Module):
    """It names μ = x and σ = (0.5, 0.25) for points in the plane."""

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.view(-1, 2), 2 * torch.tensor([0.5, 0.25]).log().expand(len(x), 2)

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_ellipses_stand_at_mu_and_reach_one_sigma() -> None:
    curve = lab.bent_curve().test
    figure = lab.plot.posteriors({"known": Known()}, curve, limit=7)
    (axes,) = figure.axes
    ellipses = [patch for patch in axes.patches if isinstance(patch, Ellipse) and not isinstance(patch, Circle)]
    np.testing.assert_allclose([one.center for one in ellipses], curve.images[:7].view(-1, 2), rtol=1e-5)
    assert all((one.width, one.height) == pytest.approx((1.0, 0.5)) for one in ellipses)
    assert [one.radius for one in axes.patches if isinstance(one, Circle)] == [1, 2]
    (cloud,) = [line for line in axes.lines if str(line.get_label()).startswith("one draw")]
    offsets = np.asarray(cloud.get_xydata()) - curve.images.view(-1, 2).numpy()
    np.testing.assert_allclose(offsets.std(axis=0), [0.5, 0.25], rtol=0.25)
    assert "σ of an image 0.38" in figure.alt


def test_a_code_of_one_number_has_lines_for_ellipses() -> None:
    model = lab.VAE(1, (1, 1, 2), likelihood="gaussian", output="linear", width=4, hidden=8)
    figure = lab.plot.posteriors(model, lab.bent_curve().test, limit=3)
    ellipses = [
        patch for patch in figure.axes[0].patches if isinstance(patch, Ellipse) and not isinstance(patch, Circle)
    ]
    assert all(one.height == 0 and one.width > 0 for one in ellipses)
