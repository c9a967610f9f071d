"""A legend covers no data: it stands under the axes, inside the figure, each label once."""

from typing import Any

import pytest

import autoencoder_lab as lab


def boxes(figure: Any) -> tuple[Any, list[Any], Any]:
    """The legend's box, those of the axes with their labels, and the figure's, in pixels."""
    figure.draw_without_rendering()
    (legend,) = figure.legends
    return legend.get_window_extent(), [axes.get_tightbbox() for axes in figure.axes], figure.bbox


NAMES = {
    "one": ["conv"],
    "many": [f"network {i}" for i in range(8)],
    "long": ["convolutional, trained at every level of noise from 0 to 1", "dense", "PCA(32), the linear map"],
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("kind", ["curves", "bars", "two panels"])
def test_it_lies_under_the_axes_and_inside_the_figure(kind: str, names: list[str]) -> None:
    if kind == "curves":
        figure: Any = lab.plot.curves([1, 2], {name: [1.0, 2.0] for name in names}, "x", "y", baselines={"floor": 1.5})
    elif kind == "bars":
        figure = lab.plot.bars({"a": 1.0, "b": 2.0}, "error", baselines=dict.fromkeys(names, 1.5))
    else:
        figure = lab.plot.Figure("Two panels.", figsize=(7, 3))
        for axes in figure.subplots(1, 2):
            for name in names:
                axes.plot([0, 1], [0, 1], label=name)
        figure.legend_below()
    legend, axes_boxes, whole = boxes(figure)
    labels = [text.get_text().partition(": ")[0] for text in figure.legends[0].get_texts()]
    assert sorted(labels) == sorted([*names, "floor"] if kind == "curves" else names)
    assert all(legend.y1 <= box.y0 + 1 for box in axes_boxes)
    assert whole.x0 - 1 <= legend.x0 and legend.x1 <= whole.x1 + 1 and legend.y0 >= whole.y0 - 1
    assert all(axes.legend_ is None for axes in figure.axes)


def test_the_axes_keep_their_height() -> None:
    heights = []
    for names in NAMES["one"], NAMES["many"]:
        figure: Any = lab.plot.curves([1, 2], {name: [1.0, 2.0] for name in names}, "x", "y")
        figure.draw_without_rendering()
        heights.append(figure.axes[0].get_window_extent().height)
    assert heights[1] > 0.95 * heights[0]
