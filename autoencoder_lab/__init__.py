"""A course on autoencoders and their relatives, trained live on a laptop.

import autoencoder_lab as lab
data = lab.load("mnist-5k")
ae = lab.ConvAutoencoder(latent=32)
lab.fit(ae, data)

Size: at most 460 lines of code, 90 a file.
"""

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencoder_lab.machine import spin_briefly

__version__ = "0.1.0"
spin_briefly()

if TYPE_CHECKING:  # the public names, each once: editors and mypy read them here, and so does `_homes`
    from autoencoder_lab import checks, classroom, losses, metrics, models
    from autoencoder_lab import plotting as plot
    from autoencoder_lab.classroom import (
        calibration,
        hint,
        holds,
        listen,
        outcome,
        own_collection,
        own_images,
        predict,
        quiz,
        setup,
        show_source,
        solution,
    )
    from autoencoder_lab.comparison import compare
    from autoencoder_lab.data import augmentations as augment
    from autoencoder_lab.data import corruptions as corrupt
    from autoencoder_lab.data import datasets
    from autoencoder_lab.data.datasets import load, load_folder
    from autoencoder_lab.data.plane import bent_curve
    from autoencoder_lab.data.split import ImageData, Split
    from autoencoder_lab.explorer import explore, show_game, show_posteriors
    from autoencoder_lab.models import (
        CCAE,
        GAN,
        PCA,
        VAE,
        Autoencoder,
        ConvAutoencoder,
        DenseAutoencoder,
        LatentMixture,
        LatentModel,
        LinearAutoencoder,
        Loss,
        MixturePriorVAE,
        Model,
        OnCodes,
        PlanarGAN,
        ResidualAutoencoder,
        VICReg,
        codes,
        controls,
        layers,
    )
    from autoencoder_lab.plotting import diagram
    from autoencoder_lab.training import History, TrainingDiverged, fit


def _homes() -> dict[str, tuple[str, str]]:
    """Each public name, and the module and the name under which it is found: the imports above."""
    tree = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: (node.module or "", alias.name) for node in imports for alias in node.names}


# At run time a name comes from its module when it is first used: so `autoencoder-lab doctor` starts where torch does
# not, `autoencoder-lab open` does not wait for it, and matplotlib loads only when something is drawn
_HOMES = _homes()
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _HOMES[name]
    found = vars(import_module(module))
    # a submodule is no name in its package before somebody imports it
    value = found[own_name] if own_name in found else import_module(f"{module}.{own_name}")
    globals()[name] = value  # from now on found without asking here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
