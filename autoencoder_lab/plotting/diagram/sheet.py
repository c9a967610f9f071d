"""The parts that every diagram is made of: label, arrow, box, layer, picture, bars, grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from matplotlib.path import Path
from torch import Tensor

from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.palette import GRADIENT
from autoencoder_lab.plotting.pictures import canvas, show_image

Point = tuple[float, float]
Colour = tuple[float, float, float]
# of lines and arrows: what flows on, the way back of a gradient, two things that are compared
WAYS: dict[str, dict[str, Any]] = {
    "data": {"linestyle": "-", "linewidth": 1.3},
    "gradient": {"linestyle": (0, (4, 2)), "linewidth": 1.5},
    "compare": {"linestyle": (0, (1, 2)), "linewidth": 1.5},
}
MOST_BARS = 40  # of a longer code the first ones are drawn


def luminance(colour: Any) -> float:
    """Relative luminance of a colour, 0 (black) … 1 (white): WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Any, other: Any) -> float:
    """Contrast of two colours, 1 … 21: WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(ground: Any) -> str:
    """Black or white, whichever is read more easily on this ground: never below 4.5 : 1."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(ink, ground))


def mix(one: Any, other: Any, share: float) -> Colour:
    """A colour between two: `share` of the other one."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(to_rgb(one), to_rgb(other), strict=True))
    return red, green, blue


def written(value: float) -> str:
    """A number as it stands in a cell: at most two decimals, with a minus that is one."""
    rounded = round(value, 2) + 0.0
    digits = f"{rounded:.3g}" if abs(rounded) < 1000 else f"{rounded:.0f}"
    return digits.replace("-", "−")


class Sheet:
    """A drawing in inches from its upper left corner, on the ground and with the ink that matplotlib is set to."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height), layout=None)
        self.ground = to_rgb(self.figure.get_facecolor())
        self.ink = ink_on(self.ground)
        self.axes = canvas(self.figure)

    def stroke(self, colour: str | None) -> Colour:
        """The colour of a line: as given, or nearer to the ink until it has a contrast of 3 : 1 with the ground."""
        line = to_rgb(colour or self.ink)
        while contrast(line, self.ground) < 3.2:
            line = mix(line, self.ink, 0.1)
        return line

    def tint(self, colour: str | None, share: float = 0.16) -> Colour:
        """The ground with a touch of a colour, to fill a shape behind words."""
        share *= 2 if self.ink == "#ffffff" else 1  # the eye tells fewer dark shades apart
        return mix(self.ground, colour, share) if colour else self.ground

    def label(self, x: float, y: float, text: str, size: float = 9, **how: Any) -> None:
        """Words about the point (x, y); how: ha, va and weight, as matplotlib's text."""
        self.axes.text(x, y, text, fontsize=size, **({"ha": "center", "va": "center", "color": self.ink} | how))

    def arrow(self, *points: Point, way: str = "data", head: bool = True) -> None:
        """A line through two or more points, by default with a head at the last; way: one of WAYS."""
        colour = self.stroke(GRADIENT if way == "gradient" else None)
        style = "-|>,head_length=5,head_width=2.5" if head else "-"
        line = FancyArrowPatch(path=Path(points), arrowstyle=style, color=colour, joinstyle="miter", **WAYS[way])
        self.axes.add_patch(line)

    def box(self, x: float, y: float, width: float, height: float, text: str = "", colour: str | None = None) -> None:
        """A rectangle with words in it; (x, y) is its upper left corner."""
        self.layer(x, y + height / 2, width, height, height, text, colour)

    def layer(
        self,
        x: float,
        middle: float,
        width: float,
        left: float,
        right: float,
        text: str = "",
        colour: str | None = None,
    ) -> None:
        """A network as a shape as high at either side as what it takes and gives; x: its left side."""
        corners = [(x, middle - left / 2), (x + width, middle - right / 2)]
        corners += [(px, 2 * middle - py) for px, py in reversed(corners)]
        shape = Polygon(corners, closed=True, facecolor=self.tint(colour), edgecolor=self.stroke(colour), linewidth=1.5)
        self.axes.add_patch(shape)
        if text:
            self.label(x + width / 2, middle, text)

    def picture(self, x: float, y: float, side: float, image: Tensor) -> None:
        """An image (C, H, W), values clipped to [0, 1], in a square with a frame; (x, y): its upper left corner."""
        show_image(self.axes, image, x, y, side)
        left, right, bottom, top = self.axes.images[-1].get_extent()
        self.frame(left, top, right - left, bottom - top, None, 0.8)

    def frame(
        self, x: float, y: float, width: float, height: float, colour: str | None = GRADIENT, line: float = 2.2
    ) -> None:
        """A rectangle of lines alone, round what is meant."""
        edge = self.stroke(colour)
        self.axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=edge, linewidth=line, zorder=3))

    def bars(
        self, x: float, y: float, width: float, height: float, values: Tensor, colour: str | None = None,
        largest: float = 0.0,
    ) -> None:  # fmt: skip
        """Numbers (n,) as bars one below the other, to the left of the middle where they are negative.

        largest: what the longest possible bar stands for, where several sets have one scale; 0: their own largest.
        """
        shown = values.detach().flatten()[:MOST_BARS].float().cpu()
        scale = width / 2 / max(largest or float(shown.abs().max()), 1e-12)
        step = height / len(shown)
        places = [y + step * (i + 0.5) for i in range(len(shown))]
        middle = x + width / 2
        self.axes.barh(places, (shown * scale).tolist(), 0.8 * step, left=middle, color=self.stroke(colour))
        self.axes.plot([middle, middle], [y, y + height], color=self.ink, linewidth=0.8)

    def grid(
        self, x: float, y: float, cell: float, values: Tensor, marked: Tensor | None = None, grey: bool = False
    ) -> None:
        """A table of numbers (rows, columns) in square cells; marked: the ones that count, (rows, columns) of bool.

        grey: the cells of a picture, each as bright as its number says, 0 black and 1 white.
        """
        words = [[written(value) for value in row] for row in values.tolist()]
        size = min(9.0, 72 * cell / (0.7 * max(len(word) for row in words for word in row)))
        for i, row in enumerate(words):
            for j, word in enumerate(row):
                mark = marked is not None and bool(marked[i, j])
                face = self.tint(GRADIENT if mark else None, 0.28)
                if grey and not mark:
                    face = mix("#000000", "#ffffff", min(1.0, max(0.0, float(values[i, j]))))
                corner = (x + j * cell, y + i * cell)
                edge = self.stroke("#767676")
                self.axes.add_patch(Rectangle(corner, cell, cell, facecolor=face, edgecolor=edge, linewidth=0.6))
                middle = (corner[0] + cell / 2, corner[1] + cell / 2)
                self.label(*middle, word, size, color=ink_on(face), weight="bold" if mark else "normal")

    def done(self, alt: str) -> Figure:
        """The figure, with the sentence that says what it shows."""
        self.figure.alt = alt
        return self.figure


def described(shape: Sequence[int] | torch.Size) -> str:
    """How many numbers an image (C, H, W) is, with the sum: "28×28 = 784 numbers"."""
    sides = [size for i, size in enumerate(shape) if i or size > 1]
    return f"{'×'.join(map(str, sides))} = {torch.Size(shape).numel():,} numbers"
