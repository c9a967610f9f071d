"""Diagrams of the course's models and operations, one family: the numbers in them are computed from what is given.

Colours mean the same in all: blue pours into the code, green draws from it, gold is the code; a dashed arrow is the
way of a gradient, a dotted line a comparison. Ground and ink are matplotlib's, so
`matplotlib.style.use("dark_background")` gives dark ones. Each function returns a `Figure` with alt text.

Size: at most 730 lines of code, 260 a file.
"""

from autoencoder_lab.plotting.diagram.autoencoders import denoising, hourglass, skips
from autoencoder_lab.plotting.diagram.generators import ccae, gan, vae
from autoencoder_lab.plotting.diagram.operations import pooling, sliding_window, stamp, weighted_sum

__all__ = [
    "ccae", "denoising", "gan", "hourglass", "pooling", "skips", "sliding_window", "stamp", "vae", "weighted_sum",
]  # fmt: skip
