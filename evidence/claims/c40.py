"""C40: inverting VICReg reconstructs worse than a convolutional autoencoder.

3,500 digits, codes of 32, encoders and decoders of the same layers (width 8, hidden 128), each trained for 500 steps of
128 at 3e-3: a convolutional autoencoder; a decoder that inverts an encoder VICReg trained before, judged by what that
encoder sees of the whole image, or of a crop of it; encoder and decoder together, judged by the same crop (frozen), and
a decoder that inverts the encoder which learned so, asked for a fifth of VICReg's agreement of two crops; and what
separates the two reasons: a decoder for VICReg's encoder that is taught by pixels. Test error per pixel.
"""

from typing import Any

from autoencoder_lab.models import CCAE, ConvAutoencoder, VICReg
from evidence.common import (
    CONDITION,
    RIGHT,
    UNDECIDED,
    WRONG,
    Figures,
    Rows,
    Verdict,
    difference,
    digits,
    mean_image_mse,
    over_seeds,
    test_mse,
    train,
    unwatched,
)

SLIDE = "000"
CLAIM = "Inverting VICReg reconstructs worse than a convolutional autoencoder"
NOTEBOOK, SECTION = "06", "6"
EXPECTED = RIGHT
LAYERS: dict[str, Any] = {"width": 8, "hidden": 128}
SIZE: dict[str, Any] = LAYERS | {"projector": (64, 64), "weights": (25.0, 25.0, 1.0)}
STEPS: dict[str, Any] = {"steps": 500, "learning_rate": 3e-3, "batch_size": 128}


def experiment(seed: int) -> Figures:
    """Error of the autoencoder, of the inversions and of the pixel-taught decoder; the mean image's."""
    data = digits()
    few = unwatched(data)
    encoder = VICReg(32, **SIZE)
    train(encoder, few, seed, **STEPS)
    inverse = SIZE | {"encoder": encoder, "judge": "frozen"}
    models = {
        "ae": ConvAutoencoder(32, **LAYERS),
        "whole": CCAE(32, views="none", **inverse),
        "crop": CCAE(32, views="crop", **inverse),
        "together": CCAE(32, views="crop", judge="frozen", agreement=0.2, **SIZE),
        "pixels": CCAE(32, views="none", pixel=784.0, **inverse | {"weights": (0.0, 0.0, 0.0)}),
    }
    figures = {"mse_mean_image": mean_image_mse(data)}
    for name, model in models.items():
        train(model, few, seed, **STEPS)
        figures[f"mse_{name}"] = test_mse(model, data)
    ours = CCAE(32, views="crop", **inverse | {"encoder": models["together"]})
    train(ours, few, seed, **STEPS)
    return figures | {"mse_crop_ours": test_mse(ours, data)}


def verdict(rows: Rows) -> Verdict:
    """Right where the inversion makes a larger error than the autoencoder, by the whole image and by crops, and so does
    the CCAE that learns all at once; conditional where only some do; wrong where none does, and one a smaller."""
    more = [difference(rows, f"mse_{name}", "mse_ae") for name in ("whole", "crop", "together")]
    error = {
        name: over_seeds(rows, f"mse_{name}") for name in ("ae", "whole", "crop", "together", "crop_ours", "pixels")
    }
    sentence = (
        f"The autoencoder's error is {error['ae']}. A decoder that inverts an encoder trained by VICReg before: "
        f"{error['whole']} if that encoder judges whole images, {error['crop']} if it judges the same crops of both; "
        f"encoder and decoder trained together, with crops: {error['together']}; a new decoder that inverts this last "
        f"encoder, which was asked for a fifth of the agreement, with crops: {error['crop_ours']}; the mean image: "
        f"{over_seeds(rows, 'mse_mean_image')}. Why worse? Taught by pixels, a decoder of the same VICReg codes makes "
        f"{error['pixels']}: so much is lost in a code that looks past where and how large things are; what the "
        "inversion has beyond that is lost on the judge, to whom very different pictures look alike."
    )
    word = RIGHT if all(d.above() for d in more) else CONDITION if any(d.above() for d in more) else UNDECIDED
    return Verdict(WRONG if all(d.below() for d in more) else word, sentence)
