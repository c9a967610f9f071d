"""A course on autoencoders and their relatives, trained live on a laptop.

import autoencoder_lab as lab
data = lab.load("mnist-5k")
ae = lab.ConvAutoencoder(latent=32)
lab.fit(ae, data)
"""

from typing import TYPE_CHECKING, Any

from autoencoder_lab import augmentations as augment
from autoencoder_lab import checks, classroom, datasets, losses, metrics
from autoencoder_lab import corruptions as corrupt
from autoencoder_lab.classroom import calibration, outcome, predict, quiz, setup, show_source
from autoencoder_lab.comparison import compare
from autoencoder_lab.datasets import load, load_folder
from autoencoder_lab.images import ImageData, Split
from autoencoder_lab.models import (
    PCA,
    Autoencoder,
    ConvAutoencoder,
    DenseAutoencoder,
    LinearAutoencoder,
    ResidualAutoencoder,
)
from autoencoder_lab.training import History, TrainingDiverged, fit

__version__ = "0.1.0"
__all__ = [
    "PCA",
    "Autoencoder",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "History",
    "ImageData",
    "LinearAutoencoder",
    "ResidualAutoencoder",
    "Split",
    "TrainingDiverged",
    "augment",
    "calibration",
    "checks",
    "classroom",
    "compare",
    "corrupt",
    "datasets",
    "fit",
    "load",
    "load_folder",
    "losses",
    "metrics",
    "outcome",
    "plot",
    "predict",
    "quiz",
    "setup",
    "show_source",
]

if TYPE_CHECKING:
    from autoencoder_lab import plotting as plot


def __getattr__(name: str) -> Any:
    # `lab.plot` brings matplotlib along, which costs as much as all the rest: only when something is drawn
    if name == "plot":
        from autoencoder_lab import plotting

        return plotting
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
