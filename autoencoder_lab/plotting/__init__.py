"""Figures that describe themselves: every one carries an `alt` text made from what it shows.

Each function returns a `Figure` that appears as the last expression of a cell (or through `display`).

Size: at most 700 lines of code, 180 a file.
"""

from autoencoder_lab.plotting.charts import bars, codes, curves, history
from autoencoder_lab.plotting.figure import Figure
from autoencoder_lab.plotting.live import LiveCurve
from autoencoder_lab.plotting.nats import rate_distortion, stacked
from autoencoder_lab.plotting.palette import COLOURS, LINES, MARKERS
from autoencoder_lab.plotting.pictures import basis, image_rows, images, reconstructions, show_image
from autoencoder_lab.plotting.plane import plane, posteriors

__all__ = [
    "COLOURS", "LINES", "MARKERS", "Figure", "LiveCurve", "bars", "basis", "codes", "curves", "history", "image_rows",
    "images", "plane", "posteriors", "rate_distortion", "reconstructions", "show_image", "stacked",
]  # fmt: skip
