"""The running picture shows what the models draw, and its alt text tells the errors."""

from collections.abc import Iterator
from typing import Any

import matplotlib.style
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import autoencoder_lab as lab
from autoencoder_lab.metrics import CORRUPTION_SEED
from autoencoder_lab.plotting.diagram.sheet import contrast
from autoencoder_lab.plotting.plane import MADE, POINT, SEEN

CURVE = lab.bent_curve(50)


class ToTheCircle(nn.Module):
    """A network of one's own: every point goes to the nearest one of the circle; the code is the angle."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.flatten(1).norm(dim=1).view(-1, 1, 1, 1)

    def encode(self, x: Tensor) -> Tensor:
        x, y = x.view(-1, 2).T
        angle = torch.atan2(y, x)[:, None]
        return torch.where(angle < -1, angle + 2 * torch.pi, angle)


def noisy(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    return x + 0.2 * torch.randn(x.shape, generator=generator)


def marks(axes: Any, label: str) -> np.ndarray[Any, Any]:
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return np.stack([line.get_xdata(), line.get_ydata()], axis=1)


def test_points_and_where_a_model_draws_them_back() -> None:
    test, pca = CURVE.test, lab.PCA(1).fit(CURVE.train)
    figure = lab.plot.plane(test, {"PCA": pca, "circle": ToTheCircle()})
    assert [axes.get_title() for axes in figure.axes] == ["PCA", "circle"]
    for axes, made in zip(figure.axes, (pca.reconstruct(test.images), ToTheCircle()(test.images)), strict=True):
        assert np.allclose(marks(axes, "point"), test.images.view(-1, 2))
        assert np.allclose(marks(axes, "drawn back"), made.view(-1, 2), atol=1e-6)
    assert f"PCA: drawn back with a squared error of {lab.metrics.mse(pca, test).value:.4f} a coordinate" in figure.alt
    assert figure.alt.startswith("200 points in the plane. ") and figure.alt.endswith(".")


def test_colour_is_the_rank_of_the_code() -> None:
    figure = lab.plot.plane(CURVE.test, [ToTheCircle()], colour="code")
    (dots,) = figure.axes[0].collections
    by_position = CURVE.test.factors[:, 0].argsort()
    colours = np.asarray(dots.get_array())[by_position.numpy()]
    assert colours.min() == 0 and colours.max() == 1
    assert np.corrcoef(colours, np.arange(len(colours)))[0, 1] > 0.999  # noise exchanges a few neighbours
    (dots,) = lab.plot.plane(CURVE.test, colour="position").axes[0].collections
    assert np.allclose(np.asarray(dots.get_array()), CURVE.test.factors[:, 0])


def test_arrows_lead_from_the_noisy_points_to_the_denoised() -> None:
    figure = lab.plot.plane(CURVE.test, {"denoiser": ToTheCircle()}, corrupt=noisy, arrows=True)
    seen = noisy(CURVE.test.images, torch.Generator().manual_seed(CORRUPTION_SEED))
    assert np.allclose(marks(figure.axes[0], "what the model sees"), seen.view(-1, 2))
    (arrows,) = figure.axes[0].collections
    heads = arrows.get_offsets() + np.stack([arrows.U, arrows.V], axis=1)
    assert np.allclose(heads, ToTheCircle()(seen).view(-1, 2), atol=1e-5)
    before, after = (float((x - CURVE.test.images).square().mean()) for x in (seen, ToTheCircle()(seen)))
    assert f"squared error of {after:.4f} a coordinate instead of the input's {before:.4f}" in figure.alt


def test_a_field_of_arrows_on_a_grid_and_points_that_a_model_made() -> None:
    grid = torch.cartesian_prod(torch.linspace(-1, 1, 4), torch.linspace(0.1, 1, 3))
    figure = lab.plot.plane(grid, ToTheCircle(), arrows=True)
    assert figure.axes[0].get_title() == "ToTheCircle" and "long on average" in figure.alt
    figure = lab.plot.plane(CURVE.test, {"a generator": grid, "PCA": lab.PCA(1).fit(CURVE.train)})
    assert np.allclose(marks(figure.axes[0], "drawn by the model"), grid) and len(figure.axes) == 2
    assert "a generator: 12 points of its own" in figure.alt


@pytest.fixture
def dark() -> Iterator[None]:
    with matplotlib.style.context("dark_background"):
        yield


def test_colours_are_told_from_either_ground(dark: None) -> None:
    assert all(contrast(colour, ground) >= 3 for colour in (POINT, SEEN, MADE) for ground in ("white", "black"))
    (dots,) = lab.plot.plane(CURVE.test, colour="position").axes[0].collections
    assert contrast(dots.get_edgecolors()[0][:3], "black") > 15  # the scale's dark end has a bright rim


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_panels_stand_in_rows_of_three_inside_the_picture(count: int) -> None:
    figure: Any = lab.plot.plane(CURVE.test, {f"model {i}": ToTheCircle() for i in range(count)})
    assert len(figure.axes) == count
    figure.draw_without_rendering()
    tight, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(tight.x0, tight.y0) > -0.02 and tight.x1 < width + 0.02 and tight.y1 < height + 0.02
