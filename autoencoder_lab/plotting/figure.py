"""A figure that describes itself.

No pyplot, hence no global state: figures may be made in callbacks and threads.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib
import matplotlib.figure
import matplotlib.ticker
from matplotlib.axes import Axes

from autoencoder_lab import arguments

DPI = 110
LETTERS_AN_INCH = 14  # of a legend


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself as a PNG with its `alt` text, without pyplot."""

    def __init__(self, alt: str = "", **kwargs: Any) -> None:
        if not isinstance(alt, str):
            raise TypeError(f"alt is a sentence that says what the figure shows, got {arguments.shown(alt)}")
        settings: dict[str, Any] = {"layout": "constrained", "dpi": DPI} | kwargs
        super().__init__(**settings)
        self.alt = alt

    def legend_below(self) -> None:
        """One legend for all axes, under them, where it covers no data; a label that several axes use stands once.

        Call it when everything is drawn. The figure grows by the legend's height, so the axes keep their size.
        """
        found: dict[str, Any] = {}
        for axes in self.axes:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
        if not found:
            return
        columns = max(1, min(len(found), int(LETTERS_AN_INCH * self.get_figwidth() / (8 + max(map(len, found))))))
        self.set_figheight(self.get_figheight() + 0.2 * -(-len(found) // columns) + 0.1)
        self.legend(found.values(), found, fontsize=8, loc="outside lower center", ncols=columns, frameon=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        if not self.alt:
            raise ValueError("this figure has no alt text: set figure.alt to a sentence that says what it shows")
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", metadata={"Software": None, "Description": self.alt})
        png = base64.b64encode(buffer.getvalue()).decode()
        return {"image/png": png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def log_y(axes: Axes) -> None:
    """A logarithmic y axis that is labelled even where it spans less than a power of ten."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(
        matplotlib.ticker.LogLocator(subs=(1, 2, 5) if high > 15 * low else (1, 1.5, 2, 3, 5, 7))
    )
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%.3g"))
    axes.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
