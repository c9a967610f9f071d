"""Figures say the truth in their alt text, never rest on colour alone, and leave pyplot's global state alone."""

import base64
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import autoencoder_lab as lab
from autoencoder_lab import metrics, plotting


class Constant:
    """Answers every image with one grey; its codes are the image's mean, twice."""

    label, latent = "Constant", 2

    def __init__(self, grey: float) -> None:
        self.grey = grey

    def reconstruct(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.grey)

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1).mean(dim=1, keepdim=True).expand(-1, 2)


@pytest.fixture(scope="module")
def pca(digits: lab.ImageData) -> lab.PCA:
    return lab.PCA(4).fit(digits.train)


@pytest.fixture(scope="module")
def trained(digits: lab.ImageData) -> lab.History:
    model = lab.DenseAutoencoder(latent=4, image_shape=digits.shape)
    return lab.fit(model, digits, epochs=3, progress=False)


def png(figure: plotting.Figure) -> Image.Image:
    """The picture as a front end gets it."""
    data, _ = figure._repr_mimebundle_()
    return Image.open(BytesIO(base64.b64decode(data["image/png"])))


def drawn_images(figure: plotting.Figure) -> list[Any]:
    return [artist.get_array() for axes in figure.axes for artist in axes.get_images()]


# --- what every figure has -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_figure(digits: lab.ImageData, pca: lab.PCA, trained: lab.History) -> dict[str, plotting.Figure]:
    return {
        "images": lab.plot.images(digits.test.images[:12], titles=[str(i) for i in range(12)]),
        "image_rows": lab.plot.image_rows({"a": digits.test.images[:3], "b": digits.test.images[:2]}, alt="Two rows."),
        "reconstructions": lab.plot.reconstructions(pca, digits.test, corrupt=lab.corrupt.gaussian(0.3)),
        "history": lab.plot.history(trained, baselines=[pca], data=digits),
        "part": lab.plot.history(trained, quantity="reconstruction"),
        "basis": lab.plot.basis(pca, count=3),
        "codes": lab.plot.codes(pca, digits.test),
        "curves": lab.plot.curves([1, 2, 4], {"a": [3, 2, 1]}, "x", "y", log="xy"),
        "bars": lab.plot.bars({"a": metrics.Estimate(0.5, 0.1), "b": 0.7}, "share"),
    }


def test_every_figure_has_an_alt_text_and_shows_something(every_figure: dict[str, plotting.Figure]) -> None:
    for name, figure in every_figure.items():
        data, metadata = figure._repr_mimebundle_()
        assert data["text/plain"] == metadata["image/png"]["alt"] == figure.alt, name
        assert figure.alt.endswith(".") and len(figure.alt) > 8, name
        picture = png(figure).convert("L")
        assert min(picture.size) > 50, name
        assert np.asarray(picture).std() > 5, f"{name} is blank"


def test_the_picture_keeps_its_alt_text_as_a_file(every_figure: dict[str, plotting.Figure]) -> None:
    for name, figure in every_figure.items():
        assert png(figure).info["Description"] == figure.alt, name


def test_the_same_figure_gives_the_same_bytes(digits: lab.ImageData) -> None:
    once, again = (lab.plot.images(digits.test.images[:4])._repr_mimebundle_() for _ in range(2))
    assert once == again


def test_a_figure_without_alt_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no alt text"):
        plotting.Figure()._repr_mimebundle_()


def test_all_text_lies_inside_the_picture(every_figure: dict[str, plotting.Figure]) -> None:
    for name, figure in every_figure.items():
        figure.draw_without_rendering()
        tight = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        # a pixel of slack: the frame of an axes may touch the border
        assert tight.x0 > -0.02 and tight.y0 > -0.02, f"{name} is clipped at the left or the bottom"
        assert tight.x1 < width + 0.02 and tight.y1 < height + 0.02, f"{name} is clipped at the right or the top"


def test_headers_stand_over_their_columns_and_white_images_have_a_frame() -> None:
    white = torch.ones(5, 1, 4, 4)
    figure = lab.plot.image_rows({"a": white}, alt="White.", headers={"two": 2, "three": 3})
    axes = figure.axes[0]
    places = {text.get_text(): text.get_position()[0] for text in axes.texts}
    middles = [(image.get_extent()[0] + image.get_extent()[1]) / 2 for image in axes.get_images()]
    assert places["two"] == pytest.approx(sum(middles[:2]) / 2) and places["three"] == pytest.approx(middles[3])
    assert np.asarray(png(figure).convert("L")).min() < 150 and len(axes.get_lines()) == 5


# --- alt texts tell the measured numbers -----------------------------------------------------------


def test_reconstructions_alt_gives_the_error_on_the_images_shown(digits: lab.ImageData) -> None:
    chosen = torch.tensor([3, 17, 40])
    figure = lab.plot.reconstructions({"half grey": Constant(0.5)}, digits.test, columns=chosen)
    error = (digits.test.images[chosen] - 0.5).square().mean()
    assert f"half grey (squared error per pixel {error:.4f})" in figure.alt
    assert "3 test images" in figure.alt
    for label in digits.test.labels[chosen].tolist():
        assert digits.test.classes[label] in figure.alt.split("above")[0]


def test_reconstructions_of_damaged_images_are_scored_against_the_clean_ones(digits: lab.ImageData) -> None:
    class Identity(Constant):
        def reconstruct(self, x: Tensor) -> Tensor:
            return x

    noise = lab.corrupt.gaussian(0.5)
    figure = lab.plot.reconstructions({"identity": Identity(0)}, digits.test, count=5, corrupt=noise)
    clean = digits.test.images[:5]
    seen = noise(clean, torch.Generator().manual_seed(metrics.CORRUPTION_SEED))
    assert f"{(seen - clean).square().mean():.4f}" in figure.alt
    rows = drawn_images(figure)
    assert len(rows) == 15
    assert torch.equal(torch.tensor(rows[5]), seen[0, 0])


def test_history_alt_gives_first_last_and_baselines(digits: lab.ImageData, pca: lab.PCA, trained: lab.History) -> None:
    alt = lab.plot.history(trained, baselines=[pca], data=digits).alt
    mean_image = (digits.val.images - digits.train.images.mean(dim=0)).square().mean()
    assert f"from {trained.val['mse'][0]:.4g} to {trained.val['mse'][-1]:.4g}" in alt
    assert f"mean image stays at {mean_image:.4f}" in alt
    assert f"PCA(4) stays at {metrics.mse(pca, digits.val).value:.4f}" in alt


def test_history_draws_what_it_was_given(digits: lab.ImageData, pca: lab.PCA, trained: lab.History) -> None:
    axes = lab.plot.history(trained, baselines=[pca], data=digits).axes[0]
    curve, *levels = axes.get_lines()
    assert list(curve.get_xdata()) == trained.step and list(curve.get_ydata()) == trained.val["mse"]
    assert levels[1].get_ydata()[0] == pytest.approx(metrics.mse(pca, digits.val).value)


def test_history_needs_data_for_baselines(pca: lab.PCA, trained: lab.History) -> None:
    with pytest.raises(ValueError, match="pass data=data"):
        lab.plot.history(trained, baselines=[pca])


@pytest.mark.parametrize("kind", ["gan", "vicreg", "both"])
def test_history_draws_the_loss_where_a_model_has_no_squared_error(
    tiny: lab.ImageData, trained: lab.History, kind: str
) -> None:
    shape = tiny.shape
    model = lab.VICReg(2, shape, width=4, hidden=8) if kind == "vicreg" else lab.GAN(2, shape, width=4, hidden=8)
    record = lab.fit(model, tiny, epochs=2, progress=False)
    shown = {"alone": record} | ({"autoencoder": trained} if kind == "both" else {})
    figure = lab.plot.history(shown, baselines=[lab.PCA(2).fit(tiny.train)], data=tiny)
    axes = figure.axes[0]
    assert axes.get_ylabel() == "total loss" and figure.alt.startswith("Training curves, total loss on the validation")
    lines = axes.get_lines()
    assert list(lines[0].get_ydata()) == record.val["total"] and list(lines[1].get_ydata()) == record.train["total"]
    assert len(lines) == 2 * len(shown), "no squared error stands beside a loss"


def test_history_names_what_was_recorded(tiny: lab.ImageData, trained: lab.History) -> None:
    with pytest.raises(ValueError, match="no record of 'critic', only of 'total', 'reconstruction', 'mse'"):
        lab.plot.history(trained, quantity="critic")
    gan = lab.GAN(2, tiny.shape, width=4, hidden=8)
    with pytest.raises(ValueError, match=r"GAN\(2\) reconstructs nothing"):
        lab.plot.history(trained, baselines=[gan], data=tiny)


def test_figures_measure_against_the_targets_of_a_split(digits: lab.ImageData, trained: lab.History) -> None:
    negative = lab.ImageData(
        "negative", *(replace(split, targets=1 - split.images / 2) for split in (digits.train, digits.val, digits.test))
    )
    levels = lab.plot.history(trained, data=negative).axes[0].get_lines()[1:]
    mean = negative.train.wanted.mean(dim=0)
    assert levels[0].get_ydata()[0] == pytest.approx(float((1 - negative.val.images / 2 - mean).square().mean()))
    figure = lab.plot.reconstructions({"half grey": Constant(0.5)}, negative.test, count=4)
    error = (1 - negative.test.images[:4] / 2 - 0.5).square().mean()
    assert f"half grey (squared error per pixel {error:.4f})" in figure.alt
    assert [text.get_text() for text in figure.axes[0].texts] == ["original", "target", "half grey"]
    rows = drawn_images(figure)
    assert torch.equal(torch.tensor(rows[4]), negative.test.wanted[0, 0])


def test_a_short_logarithmic_axis_still_has_numbers() -> None:
    figure = lab.plot.curves([1, 2, 3], {"a": [0.021, 0.03, 0.068]}, "x", "error", log="y")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    labelled = [tick for tick in axes.get_yticks() if low <= tick <= high]
    assert len(labelled) >= 2


def test_curves_and_bars_alt_give_their_values() -> None:
    curves = lab.plot.curves(
        [2, 8], {"pca": [metrics.Estimate(0.5, 0.1), 0.25]}, "size", "error", baselines={"floor": 0.125}
    )
    assert "error against size" in curves.alt
    assert "pca goes from 0.5 at 2 to 0.25 at 8" in curves.alt and "floor is at 0.125" in curves.alt
    bars = lab.plot.bars({"ours": metrics.Estimate(0.5, 0.012)}, "accuracy", baselines={"chance": 0.1})
    assert "accuracy: ours 0.500 ± 0.012; chance 0.1." in bars.alt


def test_baselines_differ_by_their_dashes_and_none_is_whole() -> None:
    levels = {"a": 1.0, "b": 2.0, "c": 3.0}
    for figure in (
        lab.plot.curves([1, 2], {"x": [1, 2]}, "x", "y", baselines=levels),
        lab.plot.bars({"x": 1}, "y", baselines=levels),
    ):
        dashed = [line for line in figure.axes[0].get_lines() if str(line.get_label()).startswith(tuple("abc"))]
        assert [line.get_label() for line in dashed] == ["a: 1", "b: 2", "c: 3"]
        assert sorted(str(line.get_linestyle()) for line in dashed) == ["--", "-.", ":"]


def test_curves_draw_the_standard_errors() -> None:
    axes = lab.plot.curves([1, 2], {"a": [metrics.Estimate(1, 0.25), metrics.Estimate(3, 0.5)]}, "x", "y").axes[0]
    bars = axes.containers[0].lines[2][0].get_segments()
    assert [segment[:, 1].tolist() for segment in bars] == [[0.75, 1.25], [2.5, 3.5]]


# --- colour is never alone -------------------------------------------------------------------------


def test_lines_differ_by_marker_and_dashes_too() -> None:
    axes = lab.plot.curves([1, 2], {str(i): [i, i + 1] for i in range(6)}, "x", "y").axes[0]
    looks = [(container.lines[0].get_marker(), container.lines[0].get_linestyle()) for container in axes.containers]
    assert len(set(looks)) == 6
    assert len({marker for marker, _ in looks}) == 6


def test_classes_differ_by_marker_and_carry_their_names(digits: lab.ImageData, pca: lab.PCA) -> None:
    axes = lab.plot.codes(pca, digits.test).axes[0]
    shapes = {tuple(map(tuple, points.get_paths()[0].vertices.round(3))) for points in axes.collections}
    assert len(shapes) == len(digits.test.classes)
    assert {text.get_text() for text in axes.texts} == set(digits.test.classes)


def test_as_many_markers_as_colours_all_different() -> None:
    assert len(set(plotting.COLOURS)) == len(plotting.COLOURS) >= 10
    assert len(set(plotting.MARKERS)) == len(plotting.MARKERS) >= 10


# --- images ----------------------------------------------------------------------------------------


def test_images_are_clipped_to_the_range_of_a_picture() -> None:
    batch = torch.tensor([-0.5, 0.25, 1.5, 1.0]).view(1, 1, 2, 2)
    figure = lab.plot.images(batch)
    assert drawn_images(figure)[0].tolist() == [[0, 0.25], [1, 1]]
    artist = figure.axes[0].get_images()[0]
    assert (artist.norm.vmin, artist.norm.vmax) == (0, 1), "the greys of an image must not depend on its own range"


def test_colour_images_are_drawn_with_the_channels_last() -> None:
    batch = torch.zeros(1, 3, 4, 5)
    batch[0, 0] = 1
    drawn = drawn_images(lab.plot.images(batch))[0]
    assert drawn.shape == (4, 5, 3) and drawn[0, 0].tolist() == [1, 0, 0]


def test_a_grid_runs_from_left_to_right_and_then_down() -> None:
    """Twelve images of 4×8 pixels, ten a row: each in its own place, twice as wide as high, none over another."""
    canvas = lab.plot.images(torch.rand(12, 1, 4, 8)).axes[0]
    left, right, bottom, top = torch.tensor([image.get_extent() for image in canvas.get_images()]).T
    assert torch.allclose(right - left, 2 * (bottom - top))
    assert (left[1:10] > right[:9]).all() and (top[:10] == top[0]).all()
    assert left[10] == left[0] and left[11] == left[1] and (top[10:] > bottom[0]).all()
    low, high = canvas.get_ylim()
    assert low > high, "y must point down, or the rows would change places"


def test_images_that_need_gradients_can_be_shown() -> None:
    assert drawn_images(lab.plot.images(torch.rand(2, 1, 4, 4, requires_grad=True)))[1].shape == (4, 4)


def test_basis_is_symmetric_about_zero_and_draws_the_decoder(pca: lab.PCA) -> None:
    figure = lab.plot.basis(pca, count=2)
    for i, axes in enumerate(figure.axes):
        artist = axes.get_images()[0]
        assert artist.norm.vmin == -artist.norm.vmax
        assert torch.equal(torch.tensor(artist.get_array()), pca.components[:, i].view(8, 8))


# --- live, and alone -------------------------------------------------------------------------------


def test_live_curve_is_silent_where_nothing_displays(tiny: lab.ImageData, capsys: pytest.CaptureFixture[str]) -> None:
    model = lab.DenseAutoencoder(latent=2, image_shape=tiny.shape)
    history = lab.fit(model, tiny, epochs=2, progress=False, callbacks=[lab.plot.LiveCurve(data=tiny)])
    assert len(history.step) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_no_pyplot() -> None:
    program = (
        "import sys, torch, autoencoder_lab as lab\n"
        "lab.plot.images(torch.rand(3, 1, 8, 8))._repr_mimebundle_()\n"
        "lab.plot.curves([1, 2], {'a': [1, 2]}, 'x', 'y')._repr_mimebundle_()\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
