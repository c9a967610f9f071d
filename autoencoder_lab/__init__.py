"""A course on autoencoders and their relatives, trained live on a laptop.

import autoencoder_lab as lab
data = lab.load("mnist-5k")
ae = lab.ConvAutoencoder(latent=32)
lab.fit(ae, data)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # the public names, as editors and mypy see them
    from autoencoder_lab import augmentations as augment
    from autoencoder_lab import checks, classroom, controls, datasets, losses, metrics
    from autoencoder_lab import corruptions as corrupt
    from autoencoder_lab import plotting as plot
    from autoencoder_lab.classroom import calibration, outcome, own_images, predict, quiz, setup, show_source
    from autoencoder_lab.comparison import compare
    from autoencoder_lab.datasets import load, load_folder
    from autoencoder_lab.explorer import explore, show_game
    from autoencoder_lab.images import ImageData, Split
    from autoencoder_lab.models import (
        CCAE,
        GAN,
        PCA,
        VAE,
        Autoencoder,
        ConvAutoencoder,
        DenseAutoencoder,
        LatentMixture,
        LinearAutoencoder,
        MixturePriorVAE,
        ResidualAutoencoder,
        VICReg,
    )
    from autoencoder_lab.training import History, TrainingDiverged, fit

__all__ = [
    "CCAE",
    "GAN",
    "PCA",
    "VAE",
    "Autoencoder",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "History",
    "ImageData",
    "LatentMixture",
    "LinearAutoencoder",
    "MixturePriorVAE",
    "ResidualAutoencoder",
    "Split",
    "TrainingDiverged",
    "VICReg",
    "augment",
    "calibration",
    "checks",
    "classroom",
    "compare",
    "controls",
    "corrupt",
    "datasets",
    "explore",
    "fit",
    "load",
    "load_folder",
    "losses",
    "metrics",
    "outcome",
    "own_images",
    "plot",
    "predict",
    "quiz",
    "setup",
    "show_game",
    "show_source",
]

# At run time a name comes from its module when it is first used: so `autoencoder-lab doctor` starts where torch does
# not, `autoencoder-lab open` does not wait for it, and matplotlib loads only when something is drawn
_MODULES = {"augment": "augmentations", "corrupt": "corruptions", "plot": "plotting"}
_MODULES |= {name: name for name in ("checks", "classroom", "controls", "datasets", "losses", "metrics")}
_HOMES = {
    "classroom": ("calibration", "outcome", "own_images", "predict", "quiz", "setup", "show_source"),
    "comparison": ("compare",),
    "datasets": ("load", "load_folder"),
    "explorer": ("explore", "show_game"),
    "images": ("ImageData", "Split"),
    "training": ("History", "TrainingDiverged", "fit"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        value: Any = import_module(f"autoencoder_lab.{_MODULES[name]}")
    else:
        home = next((module for module, names in _HOMES.items() if name in names), "models")
        value = getattr(import_module(f"autoencoder_lab.{home}"), name)
    globals()[name] = value  # from now on found without asking here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
